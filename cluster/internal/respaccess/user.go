package respaccess

import (
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
)

// User is one login of one connection. It is safe for concurrent use.
type User struct {
	a    *Access
	name string
	p    atomic.Pointer[access.Principal] // nil: the session is over
}

var _ exec.User = (*User)(nil)

func (a *Access) user(p *access.Principal) *User {
	u := &User{a: a, name: p.Name()}
	u.p.Store(p)
	return u
}

// Name implements exec.User.
func (u *User) Name() string { return u.name }

// Principal returns who the user is at this moment, nil when the session is over. It is
// not over again: a user who was disabled logs in anew.
func (u *User) Principal() *access.Principal {
	p := u.p.Load()
	now := u.a.o.Policy().Refresh(p, u.a.o.Clock())
	if now != p {
		u.p.CompareAndSwap(p, now)
	}
	return now
}

// Refresh brings the session up to date and reports whether it goes on.
func (u *User) Refresh() bool { return u.Principal() != nil }

// Command implements exec.User.
func (u *User) Command(c *command.Command) bool {
	if c.Flags&command.NoAuth != 0 {
		return true // a session that is over may log in, or leave
	}
	p := u.Principal()
	if p == nil || c.ID < 0 || c.ID >= len(u.a.needs) {
		return false
	}
	switch n := u.a.needs[c.ID]; n.Kind {
	case Anyone, Keys, Database:
		return true
	case Scan:
		for _, bucket := range u.a.o.Databases {
			if p.Cover(access.Scan, bucket, nil) != access.None {
				return true
			}
		}
	case Server:
		return p.Allow(n.Verb, "", nil)
	}
	return false
}

// Key implements exec.User.
func (u *User) Key(k exec.Key, f command.KeyFlags) bool {
	return u.allow(KeyVerbs(f), k)
}

// Listed implements exec.User.
func (u *User) Listed(k exec.Key) bool { return u.allow(access.Scan, k) }

func (u *User) allow(v access.Verb, k exec.Key) bool {
	bucket, ok := u.bucket(k.DB)
	return ok && u.Principal().Allow(v, bucket, k.Name)
}

// Database implements exec.User.
func (u *User) Database(db int, f command.KeyFlags) bool {
	verb := access.Scan // it only counts them
	if f.Writes() {
		verb = KeyVerbs(f)
	}
	bucket, ok := u.bucket(db)
	return ok && u.Principal().Cover(verb, bucket, nil) == access.All
}

func (u *User) bucket(db int) (string, bool) {
	if db < 0 || db >= len(u.a.o.Databases) {
		return "", false
	}
	return u.a.o.Databases[db], true
}
