package access

import (
	"cmp"
	"fmt"
	"slices"
)

// normalize puts everything into its order.
func (d *data) normalize() {
	slices.SortFunc(d.roles, func(a, b Role) int { return cmp.Compare(a.Name, b.Name) })
	for i := range d.roles {
		slices.SortFunc(d.roles[i].Scopes, compareScopes)
	}
	slices.SortFunc(d.users, func(a, b user) int { return cmp.Compare(a.name, b.name) })
	for i := range d.users {
		slices.SortFunc(d.users[i].grants, compareGrants)
		slices.SortFunc(d.users[i].tokens, func(a, b token) int { return cmp.Compare(a.id, b.id) })
	}
}

// validate checks all that a State must hold, but for the administrator, whom a forced
// change may have removed.
func (d *data) validate() error {
	if len(d.users) > MaxUsers || len(d.roles) > MaxRoles {
		return fmt.Errorf("%w: %d users and %d roles, %d and %d are possible", ErrTooLarge, len(d.users), len(d.roles), MaxUsers, MaxRoles)
	}
	for i, r := range d.roles {
		if err := r.Validate(); err != nil {
			return err
		}
		if _, ok := builtinRole(r.Name); ok {
			return invalid("the role %s is built in", r.Name)
		}
		if i > 0 && cmp.Compare(d.roles[i-1].Name, r.Name) >= 0 {
			return fmt.Errorf("%w: role %s", ErrExists, r.Name)
		}
		if !ascending(r.Scopes, compareScopes) {
			return fmt.Errorf("%w: a scope of role %s, twice", ErrExists, r.Name)
		}
	}
	ids := make(map[uint64]bool)
	sums := make(map[sumBytes]bool)
	for i := range d.users {
		if i > 0 && cmp.Compare(d.users[i-1].name, d.users[i].name) >= 0 {
			return fmt.Errorf("%w: user %s", ErrExists, d.users[i].name)
		}
		if err := d.validateUser(&d.users[i], ids, sums); err != nil {
			return err
		}
	}
	return nil
}

func (d *data) validateUser(u *user, ids map[uint64]bool, sums map[sumBytes]bool) error {
	if err := checkName("user", u.name); err != nil {
		return err
	}
	if u.expires < 0 || u.expires > maxExpires {
		return invalid("user %s expires at %d", u.name, u.expires)
	}
	if len(u.grants) > MaxGrants || len(u.tokens) > MaxTokens || len(u.passwords) > 2 {
		return fmt.Errorf("%w: user %s has %d grants, %d passwords and %d tokens; %d, 2 and %d are possible", ErrTooLarge, u.name, len(u.grants), len(u.passwords), len(u.tokens), MaxGrants, MaxTokens)
	}
	if !ascending(u.grants, compareGrants) {
		return fmt.Errorf("%w: a grant of user %s, twice", ErrExists, u.name)
	}
	for _, g := range u.grants {
		if err := d.validateGrant(g); err != nil {
			return fmt.Errorf("user %s: %w", u.name, err)
		}
	}
	if n := len(d.rights(u)); n > MaxRights {
		return fmt.Errorf("%w: the roles of user %s have %d scopes, %d are possible", ErrTooLarge, u.name, n, MaxRights)
	}
	fresh := func(id uint64) bool {
		ok := id > 0 && id <= d.seq && !ids[id]
		ids[id] = true
		return ok
	}
	for _, p := range u.passwords {
		if !fresh(p.id) || p.hash.IsZero() {
			return invalid("the number of a password of user %s", u.name)
		}
	}
	if len(u.passwords) == 2 && !u.passwords[0].hash.sameBase(u.passwords[1].hash) {
		return invalid("the second password of user %s has other salt or costs than the first: see Hasher.HashLike", u.name)
	}
	if len(u.passwords) == 2 && u.passwords[0].hash.equal(u.passwords[1].hash.d.sum) {
		return invalid("both passwords of user %s are the same", u.name)
	}
	for i, t := range u.tokens {
		if !fresh(t.id) || i > 0 && u.tokens[i-1].id >= t.id || t.sum.d == nil || sums[*t.sum.d.sumBytes] || t.expires < 0 || t.expires > maxExpires {
			return invalid("a token of user %s: its number, sum or expiry", u.name)
		}
		if err := checkName("token", t.label); err != nil {
			return err
		}
		sums[*t.sum.d.sumBytes] = true
	}
	return nil
}

func (d *data) validateGrant(g Grant) error {
	role, ok := d.role(g.Role)
	if !ok {
		return fmt.Errorf("%w: role %.80q", ErrNotFound, g.Role)
	}
	if g.On.IsZero() {
		return nil
	}
	if role.Verbs&ServerVerbs != 0 {
		return invalid("role %s has %v, which have no keys: it cannot be narrowed to %v", role.Name, role.Verbs&ServerVerbs, g.On)
	}
	if err := g.On.Validate(); err != nil {
		return err
	}
	if len(g.rights(nil, role)) == 0 {
		return invalid("role %s contains nothing of %v", role.Name, g.On)
	}
	return nil
}

// ascending reports whether s is in order, each once.
func ascending[T any](s []T, compare func(a, b T) int) bool {
	for i := 1; i < len(s); i++ {
		if compare(s[i-1], s[i]) >= 0 {
			return false
		}
	}
	return true
}
