package access

// Principal is somebody who has logged in, with the rights at that moment; or the nil
// pointer: somebody who has not, and has none. It is immutable and safe for concurrent
// use. Policy.Refresh brings the rights up to date; until then it keeps its old Policy in
// memory, so a server refreshes idle sessions too when users have changed.
type Principal struct {
	name       string
	policy     *Policy
	account    *account
	credential uint64 // the password or token of the login, 0 if there was none
	expires    int64  // Unix seconds, 0 never
	byToken    bool
	outdated   bool
}

// Name is the user, DefaultUser for the anonymous one, "" for nil.
func (p *Principal) Name() string {
	if p == nil {
		return ""
	}
	return p.name
}

// Credential is the number of the password or token of the login, for audit logs and
// State.Rehash. It is 0 if there was no login.
func (p *Principal) Credential() uint64 {
	if p == nil {
		return 0
	}
	return p.credential
}

// Outdated reports, after a login by password, that new hashes are made with higher
// costs than this user's: the server, which knows the password at this moment, can
// replace it by Hasher.Hash and State.Rehash.
func (p *Principal) Outdated() bool { return p != nil && p.outdated }

// ruleTable is what a user may do, by verb and place.
type ruleTable struct {
	everywhere Verb // on all keys of all buckets, and on the server
	// buckets has the rules of each bucket that some scope names, anywhere those that
	// are for all buckets. A key is matched against both.
	buckets  map[string][]rule
	anywhere []rule
}

type rule struct {
	verbs Verb
	scope Scope
}

func newRuleTable(rights []right) ruleTable {
	t := ruleTable{buckets: make(map[string][]rule)}
	for _, r := range rights {
		// Verbs on the server are in everywhere alone: no key can match them.
		add := rule{r.verbs & DataVerbs, r.scope}
		switch {
		case r.scope == Everything():
			t.everywhere |= r.verbs
		case add.verbs == 0:
		case r.scope.Bucket == AnyBucket:
			t.anywhere = append(t.anywhere, add)
		default:
			t.buckets[r.scope.Bucket] = append(t.buckets[r.scope.Bucket], add)
		}
	}
	return t
}

// rules are all that can match a key of the bucket.
func (t *ruleTable) rules(bucket string) ruleSet {
	return ruleSet{t.buckets[bucket], t.anywhere}
}

// ruleSet is two lists, to be walked as one.
type ruleSet [2][]rule

// Allow reports whether p may do all of verbs to the key in bucket. For verbs on the
// server as a whole, bucket and key do not matter. It allocates nothing and takes time
// in proportion to the scopes of the user in that bucket, at most MaxRights.
//
// A nil p, no verb, and verbs that do not exist are denied.
func (p *Principal) Allow(verbs Verb, bucket string, key []byte) bool {
	if p == nil || verbs == 0 {
		return false
	}
	need := verbs &^ p.account.table.everywhere
	if need == 0 {
		return true
	}
	if need&^DataVerbs != 0 {
		return false
	}
	for _, rules := range p.account.table.rules(bucket) {
		for i := range rules {
			if r := &rules[i]; need&r.verbs != 0 && r.scope.matches(key) {
				if need &^= r.verbs; need == 0 {
					return true
				}
			}
		}
	}
	return false
}
