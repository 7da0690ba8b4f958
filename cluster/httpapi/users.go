package httpapi

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// users returns who keeps the users.
func (c *call) users() (Users, error) {
	if c.api.o.Users == nil {
		return nil, notAvailable("users")
	}
	return c.api.o.Users, nil
}

func notAvailable(what string) error {
	return wire.Errorf(wire.NotAvailable, "this server does not offer %s", what)
}

// changeUsers applies a change in the name of the client, with whose rights it is judged
// where it is applied: nobody rises above themselves.
func (c *call) changeUsers(what, name string, change func(access.State) (access.State, error)) error {
	users, err := c.users()
	if err != nil {
		return err
	}
	c.writes = true
	err = users.Change(c.r.Context(), func(before access.State) (access.State, error) {
		after, err := change(before)
		if err != nil {
			return before, err
		}
		if c.api.o.Access != nil {
			// Rights may have gone since the login.
			actor := c.api.o.Access.Policy().Refresh(c.who, c.api.o.Clock())
			if err := access.AuthorizeChange(actor, before, after); err != nil {
				return before, err
			}
		}
		return after, nil
	})
	if err != nil {
		return explainUsers(err)
	}
	c.audit(what, "name", name)
	return nil
}

// explainUsers says to a client what package access says. Its texts have no secrets, and
// who comes here may change the user or role that is named.
func explainUsers(err error) error {
	code := wire.Code("")
	switch {
	case errors.Is(err, access.ErrDenied):
		return wire.Errorf(wire.Forbidden, "%s", trimPrefix(err)).WithHint("changing users takes admin-users and all rights that are passed on; your own password takes a login by password")
	case errors.Is(err, access.ErrNotFound):
		code = wire.NoSuch
	case errors.Is(err, access.ErrExists):
		code = wire.Exists
	case errors.Is(err, access.ErrInUse):
		code = wire.InUse
	case errors.Is(err, access.ErrLastAdmin):
		return wire.Errorf(wire.LastAdmin, "%s", trimPrefix(err)).WithHint("?force=true does it all the same; the first user has to have the role admin")
	case errors.Is(err, access.ErrTooLarge):
		code = wire.TooLarge
	case errors.Is(err, access.ErrInvalid):
		code = wire.BadRequest
	case errors.Is(err, access.ErrBusy):
		e := wire.Errorf(wire.TooManyLogins, "too many passwords wait to be hashed")
		e.RetryAfter = time.Second
		return e
	default:
		return err
	}
	return wire.Errorf(code, "%s", trimPrefix(err))
}

// trimPrefix is an error of package access without its name.
func trimPrefix(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "access: "), "invalid: ")
}

// userName returns the user of the path.
func (c *call) userName() (string, error) {
	name := c.r.PathValue("user")
	if !access.ValidName(name) {
		return "", wire.Errorf(wire.BadRequest, "%.80q cannot be the name of a user", name).WithHint("1 to 64 letters, digits and . _ - @, the first a letter or digit")
	}
	return name, nil
}

// administers returns an error unless the client may administer users, or is that one.
func (c *call) administers(name string) error {
	if c.api.o.Access != nil && c.who.Name() == name && c.who.Credential() != 0 {
		return nil
	}
	return c.need(access.AdminUsers)
}

// forUser checks what all endpoints of a user have in common: the query, the name, the
// right, and that somebody keeps users. With own, everybody may come for themselves.
func (c *call) forUser(own bool, params ...string) (name string, force bool, users Users, err error) {
	if err := c.checkQuery(params...); err != nil {
		return "", false, nil, err
	}
	if name, err = c.userName(); err != nil {
		return "", false, nil, err
	}
	if own {
		err = c.administers(name)
	} else {
		err = c.need(access.AdminUsers)
	}
	if err != nil {
		return "", false, nil, err
	}
	if users, err = c.users(); err != nil {
		return "", false, nil, err
	}
	force, err = c.flag("force")
	return name, force, users, err
}

func whoAmI(c *call) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	if c.api.o.Access == nil {
		return c.reply(http.StatusOK, wire.WhoAmI{User: access.DefaultUser})
	}
	return c.reply(http.StatusOK, wire.WhoAmI{User: c.who.Name(), Login: c.who.Credential() != 0})
}

func wireUser(u access.User) wire.User {
	out := wire.User{Name: u.Name, Disabled: u.Disabled, Expires: u.Expires, Admin: u.Admin, Passwords: len(u.Passwords),
		Grants: []wire.Grant{}, Tokens: []wire.Token{}}
	for _, g := range u.Grants {
		out.Grants = append(out.Grants, wire.Grant{Role: g.Role, On: g.On.String()})
	}
	for _, t := range u.Tokens {
		out.Tokens = append(out.Tokens, wire.Token{ID: t.ID, Label: t.Label, Expires: t.Expires, Fingerprint: t.Fingerprint})
	}
	return out
}

func listUsers(c *call) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	users, err := c.users()
	if err != nil {
		return err
	}
	out := wire.Users{Users: []wire.User{}}
	for _, u := range users.State().Users() {
		out.Users = append(out.Users, wireUser(u))
	}
	return c.reply(http.StatusOK, out)
}

func getUser(c *call) error {
	name, _, users, err := c.forUser(true)
	if err != nil {
		return err
	}
	return c.replyUser(http.StatusOK, users, name)
}

func (c *call) replyUser(status int, users Users, name string) error {
	for _, u := range users.State().Users() {
		if u.Name == name {
			return c.reply(status, wireUser(u))
		}
	}
	return wire.Errorf(wire.NoSuch, "there is no user %s", name)
}

func grants(in []wire.Grant) ([]access.Grant, error) {
	if len(in) > access.MaxGrants {
		return nil, wire.Errorf(wire.TooLarge, "%d grants; %d are possible", len(in), access.MaxGrants)
	}
	out := make([]access.Grant, len(in))
	for i, g := range in {
		out[i].Role = g.Role
		if g.On == "" {
			continue
		}
		scope, err := access.ParseScope(g.On)
		if err != nil {
			return nil, wire.Errorf(wire.BadRequest, "%s", trimPrefix(err))
		}
		out[i].On = scope
	}
	return out, nil
}

func createUser(c *call) error {
	name, force, users, err := c.forUser(false, "force")
	if err != nil {
		return err
	}
	var in wire.UserChange
	if err := c.json(&in); err != nil {
		return err
	}
	n := access.NewUser{Name: name}
	if in.Grants != nil {
		if n.Grants, err = grants(*in.Grants); err != nil {
			return err
		}
	}
	if in.Expires != nil {
		n.Expires = *in.Expires
	}
	if in.Password != nil {
		if n.Password, err = c.hash(*in.Password); err != nil {
			return err
		}
	}
	err = c.changeUsers("user created", name, func(s access.State) (access.State, error) {
		s, err := s.AddUser(n, force)
		if err == nil && in.Disabled != nil && *in.Disabled {
			s, err = s.SetDisabled(name, true, force)
		}
		return s, err
	})
	if err != nil {
		return err
	}
	return c.replyUser(http.StatusCreated, users, name)
}

func changeUser(c *call) error {
	name, force, users, err := c.forUser(false, "force")
	if err != nil {
		return err
	}
	var in wire.UserChange
	if err := c.json(&in); err != nil {
		return err
	}
	if in.Password != nil {
		return wire.Errorf(wire.BadRequest, "a password is set with PUT /v1/users/%s/password", name)
	}
	var want []access.Grant
	if in.Grants != nil {
		if want, err = grants(*in.Grants); err != nil {
			return err
		}
	}
	err = c.changeUsers("user changed", name, func(s access.State) (_ access.State, err error) {
		if in.Grants != nil {
			if s, err = setGrants(s, name, want, force); err != nil {
				return s, err
			}
		}
		if in.Expires != nil {
			if s, err = s.SetExpires(name, *in.Expires, force); err != nil {
				return s, err
			}
		}
		if in.Disabled != nil {
			return s.SetDisabled(name, *in.Disabled, force)
		}
		if in.Grants == nil && in.Expires == nil && !hasUser(s, name) {
			return s, access.ErrNotFound
		}
		return s, nil
	})
	if err != nil {
		return err
	}
	return c.replyUser(http.StatusOK, users, name)
}

func hasUser(s access.State, name string) bool {
	return slices.ContainsFunc(s.Users(), func(u access.User) bool { return u.Name == name })
}

// setGrants makes want all the grants of a user: new ones first, so that an administrator
// who changes roles is one all the time.
func setGrants(s access.State, name string, want []access.Grant, force bool) (access.State, error) {
	var have []access.Grant
	found := false
	for _, u := range s.Users() {
		if u.Name == name {
			have, found = u.Grants, true
		}
	}
	if !found {
		return s, access.ErrNotFound
	}
	var err error
	for i, g := range want {
		if slices.Contains(have, g) || slices.Contains(want[:i], g) {
			continue
		}
		if s, err = s.Grant(name, g); err != nil {
			return s, err
		}
	}
	for _, g := range have {
		if slices.Contains(want, g) {
			continue
		}
		if s, err = s.Revoke(name, g, force); err != nil {
			return s, err
		}
	}
	return s, nil
}

func deleteUser(c *call) error {
	name, force, _, err := c.forUser(false, "force")
	if err != nil {
		return err
	}
	err = c.changeUsers("user deleted", name, func(s access.State) (access.State, error) { return s.DeleteUser(name, force) })
	if err != nil {
		return err
	}
	return c.empty()
}
