package respaccess

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/resp"
)

// What a user takes away or gets holds for the next command, in a transaction too.
func TestRightsChange(t *testing.T) {
	w := newWorld(t)
	c := w.login("writer")
	c.Want("+OK", "SET a 1")
	c.Want("+OK", "MULTI")
	c.Want("+QUEUED", "SET a 2")
	w.state = must(w.state.Revoke("writer", access.Grant{Role: "writer-a"}, false))
	w.state = must(w.state.Grant("writer", access.Grant{Role: access.RoleReader}))
	w.use()
	if got := c.Do("EXEC").String(); !strings.Contains(got, "-NOPERM ACLs rules changed") {
		t.Errorf("EXEC: %s", got)
	}
	c.Want(`"1"`, "GET a")
	if got := c.Do("SET", "a", "3").String(); !strings.HasPrefix(got, "-NOPERM") {
		t.Error(got)
	}
	// The session is over; another login is possible.
	w.state = must(w.state.DeleteUser("writer", false))
	w.use()
	for _, line := range []string{"GET a", "PING", "ECHO x", "SELECT 1"} {
		if got := c.Line(line).String(); !strings.HasPrefix(got, "-NOPERM") {
			t.Errorf("%s: %s", line, got)
		}
	}
	if got := c.Do("AUTH", "reader", w.tokens["reader"]).String(); got != "+OK" {
		t.Fatal(got)
	}
	c.Want(`"1"`, "GET a")
	c.Want(`"reader"`, "ACL WHOAMI")
}

// A session ends with its credential, and not with another one of the same user; idle
// ones are found by whoever asks.
func TestSessionsEnd(t *testing.T) {
	w := newWorld(t)
	byToken, byPassword := w.login("reader"), w.dial()
	if got := byPassword.Do("AUTH", "reader", "reader password").String(); got != "+OK" {
		t.Fatal(got)
	}
	w.state = must(w.state.DropPasswords("reader", false))
	w.use()
	ended := w.srv.Kill(func(i resp.ClientInfo) bool {
		u, ok := i.Login.(*User)
		return ok && !u.Refresh()
	})
	if ended != 1 {
		t.Errorf("%d sessions ended", ended)
	}
	byToken.Want("+PONG", "PING")
	_ = byPassword.Conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := byPassword.Conn.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the session lives: %d bytes, %v", n, err)
	}
	// And with its time.
	w.state = must(w.state.SetExpires("reader", w.now.Load().Add(time.Minute), false))
	w.use()
	byToken.Want("+PONG", "PING")
	w.setClock(w.now.Load().Add(2 * time.Minute))
	if got := byToken.Do("PING").String(); !strings.HasPrefix(got, "-NOPERM") {
		t.Error(got)
	}
}

// Without users, whoever is on this machine may do everything, until there is one.
func TestNoUsers(t *testing.T) {
	w := emptyWorld(t)
	c := w.dial()
	c.Want("+OK", "SET a 1")
	c.Want(`"default"`, "ACL WHOAMI")
	c.Want("+OK", "FLUSHALL")
	if got := c.Do("AUTH", "x").String(); !strings.HasPrefix(got, "-ERR AUTH <password> called without any password") {
		t.Error(got)
	}
	c.Want("+OK", "AUTH default x")
	for range 30 { // and nobody is braked
		if got := c.Do("AUTH", "root", "x").String(); !strings.HasPrefix(got, "-WRONGPASS") {
			t.Fatal(got)
		}
	}
	w.add("root", access.Grant{Role: access.RoleAdmin})
	w.use()
	if got := w.dial().Do("AUTH", "default", "x").String(); !strings.HasPrefix(got, "-WRONGPASS") {
		t.Error(got)
	}
	if got := c.Do("GET", "a").String(); !strings.HasPrefix(got, "-NOPERM") {
		t.Error(got)
	}
	w.dial().Want("-NOAUTH Authentication required.", "GET a")
	if got := c.Do("AUTH", "root", "root password").String(); got != "+OK" {
		t.Fatal(got)
	}
	c.Want("nil", "GET a")
	for addr, want := range map[string]bool{"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true, "10.0.0.1:1": false, "[2001:db8::1]:1": false} {
		if got := Loopback(must(net.ResolveTCPAddr("tcp", addr))); got != want {
			t.Errorf("%s is on this machine: %v", addr, got)
		}
	}
	if !Loopback(&net.UnixAddr{Name: "s"}) || Loopback(&net.IPAddr{}) {
		t.Error("other addresses")
	}
}

// Logins: a token needs no name, and what is wrong is told no more than needed.
func TestLogins(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	if got := c.Do("AUTH", w.tokens["reader"]).String(); got != "+OK" {
		t.Error(got)
	}
	c.Want(`"reader"`, "ACL WHOAMI")
	if got := w.dial().Do("HELLO", "3", "AUTH", "writer", "writer password").String(); !strings.HasPrefix(got, "[") {
		t.Error(got)
	}
	const wrong = "-WRONGPASS invalid username-password pair or user is disabled."
	for _, pair := range [][2]string{{"reader", "wrong password"}, {"nobody-such", "wrong password"}, {"writer", w.tokens["reader"]}, {"", ""}, {"reader", ""}} {
		if got := w.dial().Do("AUTH", pair[0], pair[1]).String(); got != wrong {
			t.Errorf("%q: %s", pair, got)
		}
	}
	for i := range 10 {
		w.dial().Do("AUTH", fmt.Sprint("user", i), "wrong password")
	}
	if got := w.dial().Do("AUTH", "reader", "reader password").String(); !strings.HasPrefix(got, "-ERR too many failed logins, try again in ") {
		t.Error(got)
	}
	w.setClock(w.now.Load().Add(time.Hour))
	if got := w.dial().Do("AUTH", "reader", "reader password").String(); got != "+OK" {
		t.Error(got)
	}
	root := w.login("root")
	root.Want("0", "CLIENT KILL USER reader SKIPME no ID 999999")
	if got := root.Line("CLIENT KILL USER nobody-such").String(); !strings.HasPrefix(got, "-ERR No such user") {
		t.Error(got)
	}
}

// Names of keys are shown to those who may list them, and all of these.
func TestNames(t *testing.T) {
	w := newWorld(t)
	root := w.login("root")
	for i := range 20 {
		root.Want("+OK", fmt.Sprintf("SET p:%02d v", i))
		root.Want("+OK", fmt.Sprintf("SET q:%02d v", i))
	}
	for actor, grants := range actors {
		var want []string
		for _, name := range []string{"p:", "q:"} {
			for i := range 20 {
				if key := fmt.Sprintf("%s%02d", name, i); may(grants, "scan", "available", key) {
					want = append(want, key)
				}
			}
		}
		if len(want) == 0 {
			continue
		}
		c := w.login(actor)
		var keys []string
		for _, v := range c.Do("KEYS", "*").List {
			keys = append(keys, v.Text)
		}
		slices.Sort(keys)
		if !slices.Equal(keys, want) {
			t.Errorf("%s: KEYS shows %q, want %q", actor, keys, want)
		}
		var scanned []string
		for cursor := "0"; ; {
			v := c.Do("SCAN", cursor, "COUNT", "7")
			for _, k := range v.List[1].List {
				scanned = append(scanned, k.Text)
			}
			if cursor = v.List[0].Text; cursor == "0" {
				break
			}
		}
		slices.Sort(scanned)
		if !slices.Equal(slices.Compact(scanned), want) {
			t.Errorf("%s: SCAN shows %q, want %q", actor, scanned, want)
		}
		for range 5 {
			if v := c.Do("RANDOMKEY"); !v.Null && !slices.Contains(want, v.Text) {
				t.Errorf("%s: RANDOMKEY shows %v", actor, v)
			}
		}
	}
}
