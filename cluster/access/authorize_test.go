package access

import (
	"errors"
	"testing"
	"time"
)

// Nobody rises above themselves.
func TestAuthorizeChange(t *testing.T) {
	s := withAdmin(t)
	s = must(s.SetRole(Role{"hr", AdminUsers, []Scope{Everything()}}, false))
	s = must(s.SetRole(Role{"app", Read | Write, []Scope{scope("orders:*")}}, false))
	s = must(s.SetRole(Role{"spare", Read, []Scope{scope("secrets:*")}}, false))
	s = withUser(t, s, "hr", Grant{Role: "hr"}, grant("writer", "orders:*"))
	s = withUser(t, s, "ann", Grant{Role: "app"})
	s = withUser(t, s, "eve", Grant{Role: "reader"})
	h := hashOf(t, "some password")
	_, sum, _ := NewToken(source(1))
	change := func(next State, err error) State { return must(next, err) }

	for _, c := range []struct {
		what    string
		after   State
		allowed string // who may; root always
	}{
		{"nothing", s, "hr ann eve"},
		{"own password", change(s.SetPassword("ann", h, false)), "hr ann"},
		{"own token", change(s.AddToken("ann", "t", sum, time.Time{})), "hr ann"},
		{"password of one with less", change(s.SetPassword("eve", h, false)), "eve"}, // reader of everything is more than hr has
		{"password of the administrator", change(s.SetPassword("root", h, false)), ""},
		{"token of the administrator", change(s.AddToken("root", "t", sum, time.Time{})), ""},
		{"own grant", change(s.Grant("ann", Grant{Role: "reader"})), ""},
		{"own grant of what hr has", change(s.Grant("hr", grant("reader", "orders:*"))), "hr"},
		{"own grant of more", change(s.Grant("hr", Grant{Role: "reader"})), ""},
		{"grant of what hr has", change(s.Grant("ann", grant("reader", "orders:x*"))), "hr"},
		{"grant of more than hr has", change(s.Grant("ann", grant("reader", "sessions:*"))), ""},
		{"revoke from one with more", change(s.Revoke("eve", Grant{Role: "reader"}, false)), ""},
		{"revoke from one with less", change(s.Revoke("ann", Grant{Role: "app"}, false)), "hr"},
		{"own expiry", change(s.SetExpires("ann", now.Add(time.Hour), false)), "hr"},
		{"disable oneself", change(s.SetDisabled("ann", true, false)), "hr"},
		{"a new user with less", withUser(t, s, "new", grant("reader", "orders:*")), "hr"},
		{"a new user with hr", withUser(t, s, "new", Grant{Role: "hr"}), "hr"},
		{"a new administrator", withUser(t, s, "new", Grant{Role: "admin"}), ""},
		{"a new user with nothing", withUser(t, s, "new"), "hr"},
		{"delete one with less", change(s.DeleteUser("ann", false)), "hr"},
		{"delete one with more", change(s.DeleteUser("eve", false)), ""},
		{"a role of what hr has", change(s.SetRole(Role{"new", Read, []Scope{scope("orders:*")}}, false)), "hr"},
		{"a role of more", change(s.SetRole(Role{"new", Read, []Scope{scope("sessions:*")}}, false)), ""},
		{"more for everybody with a role", change(s.SetRole(Role{"app", Read | Write, []Scope{scope("orders:*"), scope("sessions:*")}}, false)), ""},
		{"less for everybody with a role", change(s.SetRole(Role{"app", Read, []Scope{scope("orders:*")}}, false)), "hr"},
		{"more for hr by its own role", change(s.SetRole(Role{"hr", AdminUsers | Read, []Scope{Everything()}}, false)), ""},
		{"delete a role of more", change(s.DeleteRole("spare")), ""},
		{"own password and a grant", change(change(s.SetPassword("ann", h, false)).Grant("ann", Grant{Role: "reader"})), ""},
		{"own password and another's", change(change(s.SetPassword("ann", h, false)).SetPassword("eve", h, false)), ""},
	} {
		for _, who := range []string{"root", "hr", "ann", "eve"} {
			want := who == "root" || contains(c.allowed, who)
			err := AuthorizeChange(principal(t, s, who), s, c.after)
			if (err == nil) != want || err != nil && !errors.Is(err, ErrDenied) {
				t.Errorf("%s, by %s: %v", c.what, who, err)
			}
		}
		if AuthorizeChange(nil, s, c.after) == nil {
			t.Errorf("%s, by nobody", c.what)
		}
	}

	// A token does not make other ones.
	token, tokenSum, _ := NewToken(source(9))
	withToken := change(s.AddToken("ann", "ci", tokenSum, time.Time{}))
	byToken := must(newDoor(t).Login(t.Context(), Compile(withToken, [16]byte{}), home, "ann", token, now))
	for range 2 {
		if err := AuthorizeChange(byToken, withToken, change(withToken.SetPassword("ann", h, false))); !errors.Is(err, ErrDenied) {
			t.Error(err)
		}
		byToken = Compile(withToken, [16]byte{}).Refresh(byToken, now)
	}

	// The first user is made by whoever is on loopback.
	open := Compile(State{}, [16]byte{}).Anonymous(true)
	if err := AuthorizeChange(open, State{}, withAdmin(t)); err != nil {
		t.Error(err)
	}
}

func contains(words, w string) bool {
	for len(words) >= len(w) {
		if words[:len(w)] == w {
			return true
		}
		words = words[1:]
	}
	return false
}
