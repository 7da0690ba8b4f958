package access

import (
	"cmp"
	"fmt"
	"slices"
)

// Role is a set of verbs on a set of keys. The verbs of the server as a whole have no
// keys: a role that has some contains Everything and nothing else.
type Role struct {
	Name   string
	Verbs  Verb
	Scopes []Scope
}

// The names of the built-in roles.
const (
	RoleReader   = "reader"   // read and scan
	RoleWriter   = "writer"   // read, scan, write and delete
	RoleOperator = "operator" // runs the server; sees no data, and changes neither data nor users
	RoleAdmin    = "admin"    // everything
)

// BuiltinRoles returns the roles that are always there, by name. All of them are on
// Everything; a grant may narrow reader and writer.
func BuiltinRoles() []Role {
	role := func(name string, v Verb) Role { return Role{name, v, []Scope{Everything()}} }
	return []Role{
		role(RoleAdmin, AllVerbs),
		role(RoleOperator, ServerVerbs&^AdminUsers),
		role(RoleReader, Read|Scan),
		role(RoleWriter, DataVerbs),
	}
}

func builtinRole(name string) (Role, bool) {
	for _, r := range BuiltinRoles() {
		if r.Name == name {
			return r, true
		}
	}
	return Role{}, false
}

// Validate returns ErrInvalid or ErrTooLarge if r breaks a rule of its type.
func (r Role) Validate() error {
	if err := checkName("role", r.Name); err != nil {
		return err
	}
	if r.Verbs == 0 || r.Verbs&^AllVerbs != 0 {
		return invalid("role %s has no verbs, or some that do not exist", r.Name)
	}
	if len(r.Scopes) == 0 {
		return invalid("role %s has no scope; %v is everything", r.Name, Everything())
	}
	if len(r.Scopes) > MaxScopes {
		return fmt.Errorf("%w: role %s has %d scopes, %d are possible", ErrTooLarge, r.Name, len(r.Scopes), MaxScopes)
	}
	for _, s := range r.Scopes {
		if err := s.Validate(); err != nil {
			return fmt.Errorf("role %s: %w", r.Name, err)
		}
	}
	if r.Verbs&ServerVerbs != 0 && (len(r.Scopes) != 1 || r.Scopes[0] != Everything()) {
		return invalid("role %s has %v, which have no keys: its one scope must be %v; put the verbs on keys into another role", r.Name, r.Verbs&ServerVerbs, Everything())
	}
	return nil
}

// Grant gives a role to a user.
type Grant struct {
	Role string
	// On narrows the role to the keys that are in On too. The zero Scope does not. Roles
	// with verbs on the server as a whole cannot be narrowed.
	On Scope
}

func (g Grant) String() string {
	if g.On.IsZero() {
		return g.Role
	}
	return g.Role + " on " + g.On.String()
}

// compareGrants orders by the text, for encodings to be unique.
func compareGrants(a, b Grant) int {
	return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.On.String(), b.On.String()))
}

func compareScopes(a, b Scope) int { return cmp.Compare(a.String(), b.String()) }

// right is what a role gives after a grant has narrowed it.
type right struct {
	verbs Verb
	scope Scope
}

// rights appends what g gives of role.
func (g Grant) rights(dst []right, role Role) []right {
	for _, s := range role.Scopes {
		ok := true
		if !g.On.IsZero() {
			s, ok = s.Intersect(g.On)
		}
		if ok {
			dst = append(dst, right{role.Verbs, s})
		}
	}
	return dst
}

// covers reports whether each right of b is contained in one of a, verb by verb. That
// several rights of a contain one of b only together does not count.
func covers(a, b []right) bool {
	return !slices.ContainsFunc(b, func(r right) bool {
		need := r.verbs
		for _, have := range a {
			if have.scope.Contains(r.scope) {
				need &^= have.verbs
			}
		}
		return need != 0
	})
}
