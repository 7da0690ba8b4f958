package httpapi

import (
	"crypto/rand"
	"net/http"
	"strconv"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// hash makes the hash of a new password. It is as much work as a login, and for those
// only who may change something.
func (c *call) hash(password string) (access.Hash, error) {
	if c.api.o.Access == nil {
		return access.Hash{}, notAvailable("passwords")
	}
	salt, err := access.NewSalt(rand.Reader)
	if err != nil {
		return access.Hash{}, err
	}
	h, err := c.api.o.Access.Door.Hasher.Hash(c.r.Context(), access.NewSecret(password), salt)
	if err != nil {
		return access.Hash{}, explainUsers(err)
	}
	return h, nil
}

func setPassword(c *call) error {
	name, _, users, err := c.forUser(true)
	if err != nil {
		return err
	}
	var in wire.PasswordChange
	if err := c.json(&in); err != nil {
		return err
	}
	if !hasUser(users.State(), name) {
		return wire.Errorf(wire.NoSuch, "there is no user %s", name)
	}
	h, err := c.newHash(users, name, in)
	if err != nil {
		return err
	}
	err = c.changeUsers("password set", name, func(s access.State) (access.State, error) { return s.SetPassword(name, h, in.KeepOld) })
	if err != nil {
		return err
	}
	return c.empty()
}

// newHash makes the hash of a password that replaces the one before, or goes beside it.
func (c *call) newHash(users Users, name string, in wire.PasswordChange) (access.Hash, error) {
	if c.api.o.Access == nil {
		return access.Hash{}, notAvailable("passwords")
	}
	if in.KeepOld {
		old, err := users.State().PasswordHash(name)
		if err == nil {
			h, err := c.api.o.Access.Door.Hasher.HashLike(c.r.Context(), access.NewSecret(in.Password), old)
			if err != nil {
				return h, explainUsers(err)
			}
			return h, nil
		}
	}
	return c.hash(in.Password)
}

// dropPassword ends the old password that was kept, or all of them.
func dropPassword(c *call) error {
	name, force, _, err := c.forUser(true, "old", "force")
	if err != nil {
		return err
	}
	old, err := c.flag("old")
	if err != nil {
		return err
	}
	err = c.changeUsers("password dropped", name, func(s access.State) (access.State, error) {
		if old {
			return s.DropOldPassword(name)
		}
		return s.DropPasswords(name, force)
	})
	if err != nil {
		return err
	}
	return c.empty()
}

// addToken makes a token, whose text is in this answer and nowhere else.
func addToken(c *call) error {
	name, _, users, err := c.forUser(true)
	if err != nil {
		return err
	}
	var in wire.NewToken
	if err := c.json(&in); err != nil {
		return err
	}
	secret, sum, err := access.NewToken(rand.Reader)
	if err != nil {
		return err
	}
	err = c.changeUsers("token made", name, func(s access.State) (access.State, error) {
		return s.AddToken(name, in.Label, sum, in.Expires)
	})
	if err != nil {
		return err
	}
	out := wire.Token{Label: in.Label, Fingerprint: sum.Fingerprint(), Token: secret.Reveal()}
	for _, u := range users.State().Users() {
		for _, t := range u.Tokens {
			if u.Name == name && t.Fingerprint == out.Fingerprint {
				out.ID, out.Expires = t.ID, t.Expires
			}
		}
	}
	return c.reply(http.StatusCreated, out)
}

func dropToken(c *call) error {
	name, force, _, err := c.forUser(true, "force")
	if err != nil {
		return err
	}
	id, err := strconv.ParseUint(c.r.PathValue("id"), 10, 64)
	if err != nil {
		return wire.Errorf(wire.BadRequest, "a token is named by its number").WithHint("GET /v1/users/" + name + " lists them")
	}
	err = c.changeUsers("token dropped", name, func(s access.State) (access.State, error) { return s.DropToken(name, id, force) })
	if err != nil {
		return err
	}
	return c.empty()
}
