package access

import "strings"

// Need is one thing that an operation does, to one key.
type Need struct {
	Verbs  Verb
	Bucket string
	Key    []byte
}

// AllowAll returns the index of the first need that p is denied, or -1. An operation with
// several keys, and each of the commands of a transaction, is executed only after -1 for
// all its needs: otherwise whether it fails before or after a key tells of that key.
//
// A transaction is asked about twice: when a command is queued, and again, by a principal
// fresh from Policy.Refresh, when it is executed.
func (p *Principal) AllowAll(needs []Need) int {
	for i := range needs {
		if !p.Allow(needs[i].Verbs, needs[i].Bucket, needs[i].Key) {
			return i
		}
	}
	return -1
}

// AllowKeys reports whether p may do all of verbs to each of the keys in bucket. Of no
// keys it is true.
func (p *Principal) AllowKeys(verbs Verb, bucket string, keys [][]byte) bool {
	for _, k := range keys {
		if !p.Allow(verbs, bucket, k) {
			return false
		}
	}
	return true
}

// Filter keeps the keys to which p may do all of verbs, in the array of keys, and
// returns them.
func (p *Principal) Filter(verbs Verb, bucket string, keys [][]byte) [][]byte {
	kept := keys[:0]
	for _, k := range keys {
		if p.Allow(verbs, bucket, k) {
			kept = append(kept, k)
		}
	}
	return kept
}

// Coverage says how many of the keys with some prefix are allowed.
type Coverage uint8

// The answers of Cover.
const (
	None Coverage = iota // none of the keys: deny the scan
	Some                 // maybe some: ask for each key that is found, see Filter
	All                  // every key that there is or could be: no need to ask again
)

func (c Coverage) String() string {
	switch c {
	case None:
		return "none"
	case Some:
		return "some"
	case All:
		return "all"
	}
	return "Coverage(?)"
}

// Cover says of how many keys in bucket that begin with prefix p may do all of verbs. What
// touches all keys without naming them (FLUSHDB, DBSIZE, dropping a bucket) needs All with
// an empty prefix. None and All are exact, but that where several scopes contain all keys
// only together, as one for each possible first byte would, the answer is Some. It
// allocates nothing.
//
// A filtered scan must answer as if the other keys were not there: its pages may be
// short or empty, and its cursor must not contain a key that was left out.
func (p *Principal) Cover(verbs Verb, bucket string, prefix []byte) Coverage {
	if p == nil || verbs == 0 {
		return None
	}
	need := verbs &^ p.account.table.everywhere
	if need == 0 {
		return All
	}
	if need&^DataVerbs != 0 {
		return None
	}
	set := p.account.table.rules(bucket)
	whole := need
	for _, rules := range set {
		for i := range rules {
			if r := &rules[i]; !r.scope.Exact && r.scope.matches(prefix) {
				whole &^= r.verbs
			}
		}
	}
	if whole == 0 {
		return All
	}
	// The verbs that a key has come from rules whose prefixes are all prefixes of that
	// key, so that the longest of these is, as a key, allowed as much. It is enough to
	// try those.
	if p.Allow(need, bucket, prefix) {
		return Some
	}
	for _, rules := range set {
		for i := range rules {
			if s := rules[i].scope.Prefix; len(s) >= len(prefix) && s[:len(prefix)] == string(prefix) && set.allow(need, s) {
				return Some
			}
		}
	}
	return None
}

// allow reports whether the rules give all of need for a key.
func (set ruleSet) allow(need Verb, key string) bool {
	for _, rules := range set {
		for i := range rules {
			if s := &rules[i].scope; s.Prefix == key || !s.Exact && strings.HasPrefix(key, s.Prefix) {
				need &^= rules[i].verbs
			}
		}
	}
	return need == 0
}
