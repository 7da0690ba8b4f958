package access

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"
)

// Limits of a State. It is part of what every node of a cluster carries.
const (
	MaxUsers  = 1000
	MaxRoles  = 250
	MaxScopes = 64  // of a role
	MaxGrants = 64  // of a user
	MaxRights = 256 // of a user: scopes of all roles granted
	MaxTokens = 16  // of a user
	// MaxState is the length of the longest encoding, in bytes.
	MaxState = 512 << 10
)

// DefaultUser is who logs in with a password and no name, and what somebody is called
// who need not log in at all.
const DefaultUser = "default"

// State is who exists and what they may do: users and roles of a cluster. It is
// immutable and safe for concurrent use; the methods that change something return
// another State. The zero State has no users and the built-in roles.
//
// The methods that change something return ErrInvalid, ErrNotFound, ErrExists, ErrTooLarge
// and ErrLastAdmin, and then the State as it was.
type State struct {
	d *data
}

// data is the content of a State: roles and users by name, grants in order, each once.
type data struct {
	seq   uint64 // how many changes led here; credentials are numbered by it
	roles []Role // without the built-in ones
	users []user
}

type user struct {
	name      string
	disabled  bool
	expires   int64 // Unix seconds, 0 never
	grants    []Grant
	passwords []password // none, one, or the new one and the old one
	tokens    []token    // by id
}

type password struct {
	id   uint64
	hash Hash
}

type token struct {
	id      uint64
	label   string
	sum     TokenSum
	expires int64
}

var none data

func (s State) get() *data {
	if s.d == nil {
		return &none
	}
	return s.d
}

// IsEmpty reports whether there are no users: whoever the server lets in may do
// everything.
func (s State) IsEmpty() bool { return len(s.get().users) == 0 }

// Seq is the number of changes that led to the State.
func (s State) Seq() uint64 { return s.get().seq }

// User is what can be told of a user.
type User struct {
	Name     string
	Disabled bool
	Expires  time.Time // zero: never
	Grants   []Grant
	// Passwords are the numbers of the passwords that are valid: none, one, or first the
	// new one and then the old one.
	Passwords []uint64
	Tokens    []Token
	// Admin says that this is an administrator in the sense of ErrLastAdmin.
	Admin bool
}

// Token is what can be told of a token.
type Token struct {
	ID          uint64
	Label       string
	Expires     time.Time // zero: never
	Fingerprint string    // as TokenSum has it
}

// Users returns all users, by name.
func (s State) Users() []User {
	d := s.get()
	users := make([]User, len(d.users))
	for i := range d.users {
		u := &d.users[i]
		users[i] = User{Name: u.name, Disabled: u.disabled, Expires: fromUnix(u.expires), Grants: slices.Clone(u.grants), Admin: d.isAdmin(u)}
		for _, p := range u.passwords {
			users[i].Passwords = append(users[i].Passwords, p.id)
		}
		for _, t := range u.tokens {
			users[i].Tokens = append(users[i].Tokens, Token{t.id, t.label, fromUnix(t.expires), t.sum.Fingerprint()})
		}
	}
	return users
}

// Roles returns the roles that are not built in, by name.
func (s State) Roles() []Role {
	d := s.get()
	roles := make([]Role, len(d.roles))
	for i, r := range d.roles {
		roles[i] = Role{r.Name, r.Verbs, slices.Clone(r.Scopes)}
	}
	return roles
}

// PasswordHash returns the hash that Hasher.HashLike needs for a second password. The
// error is ErrNotFound, also for a user who has no password.
func (s State) PasswordHash(name string) (Hash, error) {
	u, ok := s.get().user(name)
	if !ok || len(u.passwords) == 0 {
		return Hash{}, fmt.Errorf("%w: user %.80q with a password", ErrNotFound, name)
	}
	return u.passwords[0].hash, nil
}

// fromUnix and toUnix turn 0 into the zero time and back.
func fromUnix(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

func toUnix(t time.Time) (int64, error) {
	if t.IsZero() {
		return 0, nil
	}
	// Rounded up: nobody expires before the time that was given.
	s := t.Unix()
	if t.Nanosecond() > 0 {
		s++
	}
	if s <= 0 || s > maxExpires {
		return 0, invalid("an expiry in the year %d", t.Year())
	}
	return s, nil
}

// maxExpires is the end of the year 9999.
const maxExpires = 253402300799

func (d *data) find(name string) (int, bool) {
	return sort.Find(len(d.users), func(i int) int { return cmp.Compare(name, d.users[i].name) })
}

func (d *data) user(name string) (*user, bool) {
	if i, ok := d.find(name); ok {
		return &d.users[i], true
	}
	return nil, false
}

func (d *data) findRole(name string) (int, bool) {
	return sort.Find(len(d.roles), func(i int) int { return cmp.Compare(name, d.roles[i].Name) })
}

func (d *data) role(name string) (Role, bool) {
	if r, ok := builtinRole(name); ok {
		return r, true
	}
	if i, ok := d.findRole(name); ok {
		return d.roles[i], true
	}
	return Role{}, false
}

// rights are what all grants of u give together.
func (d *data) rights(u *user) []right {
	var rights []right
	for _, g := range u.grants {
		if role, ok := d.role(g.Role); ok {
			rights = g.rights(rights, role)
		}
	}
	return rights
}

// isAdmin reports whether u can administer users for as long as nobody changes that.
func (d *data) isAdmin(u *user) bool {
	login := len(u.passwords) > 0
	for _, t := range u.tokens {
		login = login || t.expires == 0
	}
	return login && !u.disabled && u.expires == 0 && covers(d.rights(u), []right{{AllVerbs, Everything()}})
}

func (d *data) hasAdmin() bool {
	for i := range d.users {
		if d.isAdmin(&d.users[i]) {
			return true
		}
	}
	return false
}
