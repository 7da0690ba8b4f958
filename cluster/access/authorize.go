package access

import (
	"fmt"
	"slices"
)

// AuthorizeChange reports whether actor may turn before into after, and otherwise
// returns an error that is ErrDenied and says what for. Actor is of before: see
// Policy.Refresh.
//
//   - Everybody who has logged in with a password may change their own passwords and
//     tokens. A token may not: a stolen one that expires tomorrow would be good forever.
//   - Everything else takes admin-users, and to create, change or delete a user or a role,
//     all rights that it has before and after. To set a password is to become that user,
//     to grant a role is to hand it on: nobody rises above themselves.
func AuthorizeChange(actor *Principal, before, after State) error {
	if actor == nil {
		return fmt.Errorf("%w: not logged in", ErrDenied)
	}
	b, a := before.get(), after.get()
	for i := range b.roles {
		r := b.roles[i]
		if now, ok := a.role(r.Name); !ok || !equalRoles(r, now) {
			if err := actor.mayAdminister("role", r.Name, roleRights(r)); err != nil {
				return err
			}
		}
	}
	for i := range a.roles {
		r := a.roles[i]
		if old, ok := b.role(r.Name); !ok || !equalRoles(r, old) {
			if err := actor.mayAdminister("role", r.Name, roleRights(r)); err != nil {
				return err
			}
		}
	}
	for i := range b.users {
		old := &b.users[i]
		now, ok := a.user(old.name)
		// Rights can change through a role too.
		rights := slices.Concat(b.rights(old), rightsOf(a, now))
		same := ok && sameStanding(old, now) && covers(b.rights(old), rightsOf(a, now)) && covers(rightsOf(a, now), b.rights(old))
		switch {
		case same && sameCredentials(old, now):
		case same && actor.name == old.name && actor.credential != 0 && !actor.byToken:
		default:
			if err := actor.mayAdminister("user", old.name, rights); err != nil {
				return err
			}
		}
	}
	for i := range a.users {
		if _, ok := b.user(a.users[i].name); !ok {
			if err := actor.mayAdminister("user", a.users[i].name, a.rights(&a.users[i])); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Principal) mayAdminister(what, name string, rights []right) error {
	if !p.Allow(AdminUsers, "", nil) {
		return fmt.Errorf("%w: changing %s %s takes admin-users", ErrDenied, what, name)
	}
	if !covers(p.account.rights, rights) {
		return fmt.Errorf("%w: %s %s has rights that %s has not", ErrDenied, what, name, p.name)
	}
	return nil
}

func roleRights(r Role) []right { return Grant{}.rights(nil, r) }

func rightsOf(d *data, u *user) []right {
	if u == nil {
		return nil
	}
	return d.rights(u)
}

func equalRoles(a, b Role) bool { return a.Verbs == b.Verbs && slices.Equal(a.Scopes, b.Scopes) }

// sameStanding reports whether nothing has changed but perhaps passwords and tokens.
func sameStanding(a, b *user) bool {
	return a.disabled == b.disabled && a.expires == b.expires && slices.Equal(a.grants, b.grants)
}

func sameCredentials(a, b *user) bool {
	return slices.EqualFunc(a.passwords, b.passwords, func(x, y password) bool { return x.id == y.id && x.hash.Encode() == y.hash.Encode() }) &&
		slices.EqualFunc(a.tokens, b.tokens, func(x, y token) bool {
			return x.id == y.id && x.label == y.label && x.expires == y.expires && *x.sum.d.sumBytes == *y.sum.d.sumBytes
		})
}
