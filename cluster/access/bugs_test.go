package access

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func worlds(t *testing.T) uint64 {
	if testing.Short() {
		return 5
	}
	return 100
}

// Histories of users who come, go, and change their passwords and roles, with what each
// may do held against the oracle after each step.
func TestHistories(t *testing.T) {
	for seed := range worlds(t) {
		if err := run(seed, honest()); err != nil {
			t.Fatal(err)
		}
	}
}

// Each bug that is planted here must be seen, or the test above proves nothing.
func TestOracleSeesPlantedBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("many histories, in one goroutine")
	}
	// allowWith is Allow as somebody might write it, with a part of it to be replaced.
	allowWith := func(match func(s Scope, bucket, key string) bool, enough func(need, have Verb) bool) func(*Principal, Verb, string, []byte) bool {
		return func(p *Principal, v Verb, bucket string, key []byte) bool {
			var have Verb
			for _, r := range p.account.rights {
				if match(r.scope, bucket, string(key)) {
					have |= r.verbs
				}
			}
			return enough(v, have)
		}
	}
	inBucket := func(s Scope, bucket string) bool { return s.Bucket == AnyBucket || s.Bucket == bucket }
	inScope := func(s Scope, bucket, key string) bool {
		return inBucket(s, bucket) && (s.Prefix == key || !s.Exact && strings.HasPrefix(key, s.Prefix))
	}
	every := func(need, have Verb) bool { return need&^have == 0 }

	// The frame itself is no bug.
	sound := honest()
	sound.allow = allowWith(inScope, every)
	for seed := range uint64(20) {
		if err := run(seed, sound); err != nil {
			t.Fatal(err)
		}
	}

	bugs := []struct {
		name  string
		plant func(*hooks)
	}{
		{"a scope counts in every bucket", func(h *hooks) {
			h.allow = allowWith(func(s Scope, _, key string) bool { return inScope(s, s.Bucket, key) }, every)
		}},
		{"a key scope is taken for a prefix", func(h *hooks) {
			h.allow = allowWith(func(s Scope, bucket, key string) bool { return inBucket(s, bucket) && strings.HasPrefix(key, s.Prefix) }, every)
		}},
		{"a key shorter than the prefix is let through", func(h *hooks) {
			h.allow = allowWith(func(s Scope, bucket, key string) bool {
				return inScope(s, bucket, key) || inBucket(s, bucket) && !s.Exact && strings.HasPrefix(s.Prefix, key)
			}, every)
		}},
		{"the prefix may stand anywhere in the key", func(h *hooks) {
			h.allow = allowWith(func(s Scope, bucket, key string) bool {
				return inScope(s, bucket, key) || inBucket(s, bucket) && !s.Exact && strings.Contains(key, s.Prefix)
			}, every)
		}},
		{"one verb of several is enough", func(h *hooks) {
			h.allow = allowWith(inScope, func(need, have Verb) bool { return need&have != 0 })
		}},
		{"verbs must come from one role", func(h *hooks) {
			h.allow = func(p *Principal, v Verb, bucket string, key []byte) bool {
				for _, r := range p.account.rights {
					if inScope(r.scope, bucket, string(key)) && v&^r.verbs == 0 {
						return true
					}
				}
				return false
			}
		}},
		{"only the first key of several is asked for", func(h *hooks) {
			h.allowAll = func(p *Principal, needs []Need) int { return p.AllowAll(needs[:1]) }
		}},
		{"a scan of which some is allowed is not filtered", func(h *hooks) {
			h.filter = func(p *Principal, v Verb, bucket string, keys [][]byte) [][]byte {
				if p.Cover(v, bucket, nil) == None {
					return nil
				}
				return keys
			}
		}},
		{"a scope inside of the prefix counts as all of it", func(h *hooks) {
			h.cover = func(p *Principal, v Verb, bucket string, prefix []byte) Coverage {
				if p.Cover(v, bucket, prefix) != None {
					return All
				}
				return None
			}
		}},
		{"one key counts as all keys that begin with it", func(h *hooks) {
			h.cover = func(p *Principal, v Verb, bucket string, prefix []byte) Coverage {
				if p.Allow(v, bucket, prefix) {
					return All
				}
				return p.Cover(v, bucket, prefix)
			}
		}},
		{"each verb somewhere counts as both somewhere", func(h *hooks) {
			h.cover = func(p *Principal, v Verb, bucket string, prefix []byte) Coverage {
				c := All
				for i := range verbNames {
					if v>>i&1 != 0 {
						c = min(c, p.Cover(1<<i, bucket, prefix))
					}
				}
				return c
			}
		}},
		{"a transaction is asked about only when it is queued", func(h *hooks) {
			h.exec = func(*Policy, *Principal, []Need, time.Time) bool { return true }
		}},
		{"a session keeps the rights of its login", func(h *hooks) {
			h.refresh = func(pol *Policy, p *Principal, now time.Time) *Principal {
				if pol.Refresh(p, now) == nil {
					return nil
				}
				return p
			}
		}},
		{"a session survives its password", func(h *hooks) {
			h.refresh = func(pol *Policy, p *Principal, now time.Time) *Principal {
				if a := pol.users[p.name]; a != nil && !a.disabled && p.credential != 0 {
					return pol.Refresh(pol.principal(a, a.passwords[0].id, 0, false), now)
				}
				return pol.Refresh(p, now)
			}
		}},
		{"a session does not expire", func(h *hooks) {
			h.refresh = func(pol *Policy, p *Principal, _ time.Time) *Principal { return pol.Refresh(p, now.Add(-time.Hour)) }
		}},
		{"somebody without login stays when there are users", func(h *hooks) {
			h.refresh = func(pol *Policy, p *Principal, now time.Time) *Principal {
				if p.credential == 0 {
					return p
				}
				return pol.Refresh(p, now)
			}
		}},
		{"a disabled user logs in", func(h *hooks) {
			h.login = loginWith(func(a *account) { a.disabled = false })
		}},
		{"an expired user logs in", func(h *hooks) {
			h.login = loginWith(func(a *account) { a.expires = 0 })
		}},
		{"the old password is forgotten", func(h *hooks) {
			h.login = loginWith(func(a *account) { a.passwords = a.passwords[:1] })
		}},
		{"an unknown user is not hashed for", func(h *hooks) {
			login := h.login
			h.login = func(d *Door, pol *Policy, user string, s Secret, now time.Time) (*Principal, error) {
				if pol.users[user] == nil {
					return nil, &LoginError{user, UnknownUser}
				}
				return login(d, pol, user, s, now)
			}
		}},
		{"a disabled user is refused without hashing", func(h *hooks) {
			login := h.login
			h.login = func(d *Door, pol *Policy, user string, s Secret, now time.Time) (*Principal, error) {
				if a := pol.users[user]; a != nil && a.disabled {
					return nil, &LoginError{user, Disabled}
				}
				return login(d, pol, user, s, now)
			}
		}},
		{"each password of a user is hashed for", func(h *hooks) {
			login := h.login
			h.login = func(d *Door, pol *Policy, user string, s Secret, now time.Time) (*Principal, error) {
				if a := pol.users[user]; a != nil && len(a.passwords) > 1 && !IsToken(s.Reveal()) {
					d.Hasher.compute(context.Background(), s.Reveal(), a.passwords[1].hash, nil, func([]byte) {})
				}
				return login(d, pol, user, s, now)
			}
		}},
		{"a second password has its own salt", func(h *hooks) {
			h.rotate = func(d *Hasher, text string, _ Hash) (Hash, error) {
				return d.Hash(context.Background(), NewSecret(text), []byte("another one salt"))
			}
		}},
		{"the old password stays when it should not", func(h *hooks) {
			old := map[string][]Hash{}
			login := h.login
			h.setPass = func(s State, name string, hash Hash, keep bool) (State, error) {
				if before, err := s.PasswordHash(name); err == nil {
					old[name] = append(old[name], before)
				}
				return s.SetPassword(name, hash, keep)
			}
			other := must(NewHasher(HasherOptions{Params: cheap}))
			h.login = func(d *Door, pol *Policy, user string, s Secret, now time.Time) (*Principal, error) {
				p, err := login(d, pol, user, s, now)
				for _, hash := range old[user] {
					if a := pol.users[user]; a != nil && p == nil {
						other.compute(context.Background(), s.Reveal(), hash, nil, func(sum []byte) {
							if hash.equal(sum) {
								p, err = pol.principal(a, a.passwords[0].id, 0, false), nil
							}
						})
					}
				}
				return p, err
			}
		}},
		{"the last administrator can go", func(h *hooks) {
			h.change = func(before, after State, err error) (State, error) {
				if errors.Is(err, ErrLastAdmin) {
					return after, nil
				}
				return after, err
			}
		}},
	}
	for _, bug := range bugs {
		t.Run(bug.name, func(t *testing.T) {
			h := honest()
			bug.plant(&h)
			for seed := range uint64(200) {
				if err := run(seed, h); err != nil {
					t.Log(err)
					return
				}
			}
			t.Fatal("200 histories, and nobody has noticed")
		})
	}
	t.Logf("%d bugs", len(bugs))
}

// loginWith is a login after something about the user was changed.
func loginWith(f func(a *account)) func(*Door, *Policy, string, Secret, time.Time) (*Principal, error) {
	return func(d *Door, pol *Policy, user string, s Secret, now time.Time) (*Principal, error) {
		copied := *pol.compiled
		other := Policy{&copied}
		other.users = map[string]*account{}
		other.tokens = map[sumBytes]*tokenAccount{}
		for name, a := range pol.users {
			c := *a
			if len(c.passwords) > 0 {
				f(&c)
			}
			other.users[name] = &c
			for _, t := range c.tokens {
				other.tokens[*t.sum.d.sumBytes] = &tokenAccount{t, &c}
			}
		}
		return d.Login(context.Background(), &other, home, user, s, now)
	}
}
