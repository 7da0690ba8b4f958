package access

import (
	"fmt"
	"slices"
	"time"
)

// clone copies whatever a change may write to. Hashes and sums are never written.
func (d *data) clone() *data {
	c := &data{seq: d.seq, roles: slices.Clone(d.roles), users: slices.Clone(d.users)}
	for i := range c.roles {
		c.roles[i].Scopes = slices.Clone(c.roles[i].Scopes)
	}
	for i := range c.users {
		u := &c.users[i]
		u.grants, u.passwords, u.tokens = slices.Clone(u.grants), slices.Clone(u.passwords), slices.Clone(u.tokens)
	}
	return c
}

// edit applies f to a copy, with the next number.
func (s State) edit(force bool, f func(d *data) error) (State, error) {
	before, d := s.get(), s.get().clone()
	d.seq++
	if err := f(d); err != nil {
		return s, err
	}
	d.normalize()
	if err := d.validate(); err != nil {
		return s, err
	}
	// The first user must be an administrator too: all others would be locked out.
	if !force && !d.hasAdmin() && (before.hasAdmin() || len(before.users) == 0 && len(d.users) > 0) {
		return s, ErrLastAdmin
	}
	if n := len(d.encode()); n > MaxState {
		return s, fmt.Errorf("%w: users and roles would take %d bytes, %d are possible", ErrTooLarge, n, MaxState)
	}
	return State{d}, nil
}

func (s State) editUser(name string, force bool, f func(d *data, u *user) error) (State, error) {
	return s.edit(force, func(d *data) error {
		u, ok := d.user(name)
		if !ok {
			return fmt.Errorf("%w: user %.80q", ErrNotFound, name)
		}
		return f(d, u)
	})
}

// NewUser describes a user for AddUser.
type NewUser struct {
	Name     string
	Password Hash // zero: none, the user logs in with tokens
	Grants   []Grant
	Expires  time.Time // zero: never
}

// AddUser adds a user. The first one must be an administrator, unless forced: from then
// on everybody has to log in.
func (s State) AddUser(n NewUser, force bool) (State, error) {
	return s.edit(force, func(d *data) error {
		if _, ok := d.find(n.Name); ok {
			return fmt.Errorf("%w: user %s", ErrExists, n.Name)
		}
		expires, err := toUnix(n.Expires)
		u := user{name: n.Name, grants: slices.Clone(n.Grants), expires: expires}
		if !n.Password.IsZero() {
			u.passwords = []password{{d.seq, n.Password}}
		}
		d.users = append(d.users, u)
		return err
	})
}

// DeleteUser removes a user. Sessions of the user end. When the last user is deleted,
// which takes force, the server is open again to clients on the loopback interface.
func (s State) DeleteUser(name string, force bool) (State, error) {
	return s.edit(force, func(d *data) error {
		i, ok := d.find(name)
		if !ok {
			return fmt.Errorf("%w: user %.80q", ErrNotFound, name)
		}
		d.users = slices.Delete(d.users, i, i+1)
		return nil
	})
}

// SetPassword gives a user a password. With keepOld, the newest one before stays valid
// until DropOldPassword, and hash must come from Hasher.HashLike; otherwise all others
// end, and the sessions that logged in with them.
func (s State) SetPassword(name string, hash Hash, keepOld bool) (State, error) {
	return s.editUser(name, false, func(d *data, u *user) error {
		if hash.IsZero() {
			return invalid("no hash of a password")
		}
		keep := 0
		if keepOld {
			keep = min(1, len(u.passwords))
		}
		u.passwords = append([]password{{d.seq, hash}}, u.passwords[:keep]...)
		return nil
	})
}

// DropOldPassword ends the password that SetPassword has kept, and the sessions that
// logged in with it. The error is ErrNotFound if there is none.
func (s State) DropOldPassword(name string) (State, error) {
	return s.editUser(name, false, func(d *data, u *user) error {
		if len(u.passwords) < 2 {
			return fmt.Errorf("%w: an old password of user %s", ErrNotFound, name)
		}
		u.passwords = u.passwords[:1]
		return nil
	})
}

// DropPasswords ends all passwords of a user, who then has only tokens.
func (s State) DropPasswords(name string, force bool) (State, error) {
	return s.editUser(name, force, func(d *data, u *user) error {
		u.passwords = nil
		return nil
	})
}

// Rehash replaces the hash of the one password of a user by another of the same
// password, with other costs: see Principal.Outdated. Sessions go on. The error is
// ErrNotFound if the password was changed meanwhile, or there are two.
func (s State) Rehash(name string, credential uint64, hash Hash) (State, error) {
	return s.editUser(name, false, func(d *data, u *user) error {
		if len(u.passwords) != 1 || u.passwords[0].id != credential {
			return fmt.Errorf("%w: password %d of user %s", ErrNotFound, credential, name)
		}
		u.passwords[0].hash = hash
		return nil
	})
}

// AddToken gives a user a token, with a label for people. Expires is zero for never.
func (s State) AddToken(name, label string, sum TokenSum, expires time.Time) (State, error) {
	return s.editUser(name, false, func(d *data, u *user) error {
		e, err := toUnix(expires)
		u.tokens = append(u.tokens, token{d.seq, label, sum, e})
		return err
	})
}

// DropToken ends a token, by its number, and the sessions that logged in with it.
func (s State) DropToken(name string, id uint64, force bool) (State, error) {
	return s.editUser(name, force, func(d *data, u *user) error {
		i := slices.IndexFunc(u.tokens, func(t token) bool { return t.id == id })
		if i < 0 {
			return fmt.Errorf("%w: token %d of user %s", ErrNotFound, id, name)
		}
		u.tokens = slices.Delete(u.tokens, i, i+1)
		return nil
	})
}

// Grant gives a user a role.
func (s State) Grant(name string, g Grant) (State, error) {
	return s.editUser(name, false, func(d *data, u *user) error {
		u.grants = append(u.grants, g)
		return nil
	})
}

// Revoke takes a grant away, which must be named as it was given.
func (s State) Revoke(name string, g Grant, force bool) (State, error) {
	return s.editUser(name, force, func(d *data, u *user) error {
		i := slices.Index(u.grants, g)
		if i < 0 {
			return fmt.Errorf("%w: user %s has no grant of %v", ErrNotFound, name, g)
		}
		u.grants = slices.Delete(u.grants, i, i+1)
		return nil
	})
}

// SetDisabled disables a user, whose sessions end, or enables one.
func (s State) SetDisabled(name string, disabled, force bool) (State, error) {
	return s.editUser(name, force, func(d *data, u *user) error {
		u.disabled = disabled
		return nil
	})
}

// SetExpires says from when on a user cannot log in and all sessions have ended; zero for
// never. A time with a fraction is rounded up to the second.
func (s State) SetExpires(name string, t time.Time, force bool) (State, error) {
	return s.editUser(name, force, func(d *data, u *user) (err error) {
		u.expires, err = toUnix(t)
		return err
	})
}

// SetRole adds a role, or changes what it gives to everybody who has it.
func (s State) SetRole(r Role, force bool) (State, error) {
	return s.edit(force, func(d *data) error {
		r.Scopes = slices.Clone(r.Scopes)
		if i, ok := d.findRole(r.Name); ok {
			d.roles[i] = r
		} else {
			d.roles = append(d.roles, r)
		}
		return nil
	})
}

// DeleteRole removes a role. The error is ErrInUse if somebody has it.
func (s State) DeleteRole(name string) (State, error) {
	return s.edit(false, func(d *data) error {
		i, ok := d.findRole(name)
		if !ok {
			return fmt.Errorf("%w: role %.80q", ErrNotFound, name)
		}
		for _, u := range d.users {
			if slices.ContainsFunc(u.grants, func(g Grant) bool { return g.Role == name }) {
				return fmt.Errorf("%w: %s to %s", ErrInUse, name, u.name)
			}
		}
		d.roles = slices.Delete(d.roles, i, i+1)
		return nil
	})
}
