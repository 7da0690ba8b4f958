package httpapi

import (
	"net/http"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

func wireRole(r access.Role, builtin bool) wire.Role {
	out := wire.Role{Name: r.Name, Verbs: r.Verbs.Names(), Scopes: []string{}, Builtin: builtin}
	for _, s := range r.Scopes {
		out.Scopes = append(out.Scopes, s.String())
	}
	return out
}

func listRoles(c *call) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	users, err := c.users()
	if err != nil {
		return err
	}
	var out wire.Roles
	for _, r := range access.BuiltinRoles() {
		out.Roles = append(out.Roles, wireRole(r, true))
	}
	for _, r := range users.State().Roles() {
		out.Roles = append(out.Roles, wireRole(r, false))
	}
	return c.reply(http.StatusOK, out)
}

func (c *call) roleName() (string, error) {
	name := c.r.PathValue("role")
	if !access.ValidName(name) {
		return "", wire.Errorf(wire.BadRequest, "%.80q cannot be the name of a role", name)
	}
	return name, c.need(access.AdminUsers)
}

func setRole(c *call) error {
	if err := c.checkQuery("force"); err != nil {
		return err
	}
	name, err := c.roleName()
	if err != nil {
		return err
	}
	force, err := c.flag("force")
	if err != nil {
		return err
	}
	var in wire.RoleChange
	if err := c.json(&in); err != nil {
		return err
	}
	role := access.Role{Name: name}
	for _, v := range in.Verbs {
		verb, err := access.ParseVerb(v)
		if err != nil {
			return explainUsers(err)
		}
		role.Verbs |= verb
	}
	if len(in.Scopes) > access.MaxScopes {
		return wire.Errorf(wire.TooLarge, "%d scopes; %d are possible", len(in.Scopes), access.MaxScopes)
	}
	for _, text := range in.Scopes {
		scope, err := access.ParseScope(text)
		if err != nil {
			return explainUsers(err)
		}
		role.Scopes = append(role.Scopes, scope)
	}
	err = c.changeUsers("role set", name, func(s access.State) (access.State, error) { return s.SetRole(role, force) })
	if err != nil {
		return err
	}
	for _, r := range c.api.o.Users.State().Roles() {
		if r.Name == name {
			return c.reply(http.StatusOK, wireRole(r, false))
		}
	}
	return wire.Errorf(wire.NoSuch, "the role was deleted at once")
}

func deleteRole(c *call) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	name, err := c.roleName()
	if err != nil {
		return err
	}
	err = c.changeUsers("role deleted", name, func(s access.State) (access.State, error) { return s.DeleteRole(name) })
	if err != nil {
		return err
	}
	return c.empty()
}
