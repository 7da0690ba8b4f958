package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

const canary = "canary-in-a-coal-mine"

// lockedBuffer is a log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The first start makes admin, who makes others; all of them are there after another
// start, and the password of the options does nothing any more.
func TestUsers(t *testing.T) {
	mem := vfs.NewMem()
	log := &lockedBuffer{}
	o := onLoopback(t, mem)
	o.AdminPassword = access.NewSecret(canary)
	o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	n := start(t, o)
	c := dial(t, n)
	c.Want("-NOAUTH Authentication required.", "GET a")
	c.Want("+OK", "AUTH admin "+canary)
	c.Want("+OK", "SET app:a 1")
	admin, err := n.Login(short(t), netip.MustParseAddr("10.0.0.1"), AdminUser, access.NewSecret(canary))
	must(t, err)
	if _, err := n.Login(short(t), netip.Addr{}, AdminUser, access.NewSecret("another")); !errors.Is(err, access.ErrLogin) {
		t.Error(err)
	}
	if root(n) != nil {
		t.Error("there are users, and somebody is anybody")
	}
	on, err := access.ParseScope("available:app:*")
	must(t, err)
	must(t, n.AddUser(short(t), admin, "app", access.NewSecret(canary+"2"), []access.Grant{{Role: access.RoleReader, On: on}}, time.Time{}))
	token, err := n.AddToken(admin, "app", "laptop", time.Time{})
	must(t, err)
	app := dial(t, n)
	app.Want("+OK", "AUTH "+token.Reveal())
	app.Want(`"1"`, "GET app:a")
	if got := app.Line("GET other").String(); !strings.HasPrefix(got, "-NOPERM") {
		t.Error(got)
	}
	// Nobody rises above themselves.
	me, err := n.Login(short(t), netip.Addr{}, "", token)
	must(t, err)
	if err := n.AddUser(short(t), me, "evil", access.Secret{}, []access.Grant{{Role: access.RoleAdmin}}, time.Time{}); !errors.Is(err, access.ErrDenied) {
		t.Error(err)
	}
	if _, err := n.ChangeUsers(nil, func(s access.State) (access.State, error) { return s.DeleteUser("app", false) }); !errors.Is(err, access.ErrDenied) {
		t.Error(err)
	}
	if _, err := n.ChangeUsers(admin, func(s access.State) (access.State, error) { return s.DeleteUser(AdminUser, false) }); !errors.Is(err, access.ErrLastAdmin) {
		t.Error(err)
	}
	// Two passwords, then one.
	must(t, n.SetPassword(short(t), admin, "app", access.NewSecret(canary+"3"), true))
	for _, p := range []string{canary + "2", canary + "3"} {
		dial(t, n).Want("+OK", "AUTH app "+p)
	}
	stop(t, n)

	o.AdminPassword = access.NewSecret("ignored-password")
	n = start(t, o)
	dial(t, n).Want("+OK", "AUTH admin "+canary)
	byToken, byPassword := dial(t, n), dial(t, n)
	byToken.Want("+OK", "AUTH "+token.Reveal())
	byPassword.Want("+OK", "AUTH app "+canary+"3")
	if got := dial(t, n).Line("AUTH admin ignored-password").String(); !strings.HasPrefix(got, "-WRONGPASS") {
		t.Error(got)
	}
	// What is taken away ends the session that has it, and no other one.
	admin, err = n.Login(short(t), netip.Addr{}, AdminUser, access.NewSecret(canary))
	must(t, err)
	must(t, n.SetPassword(short(t), admin, "app", access.NewSecret(canary+"4"), false))
	wantClosed(t, byPassword)
	byToken.Want("+PONG", "PING")
	if m := n.Metrics(); m.Users != 2 || m.RESP.LoginFailures != 1 {
		t.Errorf("%d users, %d failed logins", m.Users, m.RESP.LoginFailures)
	}
	stop(t, n)
	s := log.String()
	for _, secret := range []string{canary, token.Reveal(), "argon2id", "ignored-password"} {
		if strings.Contains(s, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if !strings.Contains(s, "users changed") {
		t.Error("the log has no change of users")
	}
}

// Who starts the program can make admin anew, and nobody else is touched.
func TestResetAdmin(t *testing.T) {
	o := onLoopback(t, vfs.NewMem())
	o.ResetAdmin = true
	if _, err := Open(short(t), o); !errors.Is(err, ErrOptions) {
		t.Errorf("without a password: %v", err)
	}
	login := func(n *Node, password string) (*access.Principal, error) {
		return n.Login(short(t), netip.Addr{}, AdminUser, access.NewSecret(password))
	}
	for i, password := range []string{canary, canary + "2", canary + "3"} { // the first one is for the first user
		o.AdminPassword = access.NewSecret(password)
		n := start(t, o)
		switch i {
		case 0:
			admin, err := login(n, password)
			must(t, err)
			must(t, n.AddUser(short(t), admin, "app", access.Secret{}, nil, time.Time{}))
		case 1: // and then there is no administrator
			admin, err := login(n, password)
			must(t, err)
			if _, err := login(n, canary); !errors.Is(err, access.ErrLogin) {
				t.Errorf("with the password of before: %v", err)
			}
			_, err = n.ChangeUsers(admin, func(s access.State) (access.State, error) { return s.DeleteUser(AdminUser, true) })
			must(t, err)
		case 2:
			if users := n.Users().Users(); len(users) != 2 || !users[0].Admin {
				t.Errorf("%v", users)
			}
		}
		stop(t, n)
	}
}

// Without users, everybody on this machine is an administrator, until there is one.
func TestFirstUser(t *testing.T) {
	n := start(t, onLoopback(t, vfs.NewMem()))
	c := dial(t, n)
	c.Want("+OK", "SET a 1")
	if n.Anonymous(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}) != nil {
		t.Error("a stranger is somebody")
	}
	// The first one must be an administrator: all others would be locked out.
	if err := n.AddUser(short(t), root(n), "app", access.NewSecret("long enough"), nil, time.Time{}); !errors.Is(err, access.ErrLastAdmin) {
		t.Error(err)
	}
	must(t, n.AddUser(short(t), root(n), "me", access.NewSecret("long enough"), []access.Grant{{Role: access.RoleAdmin}}, time.Time{}))
	wantClosed(t, c)
	dial(t, n).Want("-NOAUTH Authentication required.", "GET a")
	if err := n.AddUser(short(t), root(n), "you", access.NewSecret("long enough"), nil, time.Time{}); !errors.Is(err, access.ErrDenied) {
		t.Error(err)
	}
}

// Where other machines reach the node, there is TLS and somebody to log in, always.
func TestExposed(t *testing.T) {
	dir := t.TempDir()
	files := newAuthority(t).write(dir, "server")
	exposed := func(fs vfs.FS) Options {
		o := onLoopback(t, fs)
		o.RESP, o.HTTP = Listen{Addr: "0.0.0.0:0", TLS: files}, Listen{}
		return o
	}
	mem := vfs.NewMem()
	if _, err := Open(short(t), exposed(mem)); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "no users: give it a password for admin") {
		t.Fatal(err)
	}
	o := exposed(mem)
	o.AdminPassword = access.NewSecret("long enough")
	n := start(t, o)
	admin, err := n.Login(short(t), netip.Addr{}, AdminUser, o.AdminPassword)
	must(t, err)
	if _, err := n.ChangeUsers(admin, func(s access.State) (access.State, error) { return s.DeleteUser(AdminUser, true) }); !errors.Is(err, ErrUnsafe) {
		t.Error(err)
	}
	if n.Users().IsEmpty() {
		t.Error("the last user was deleted")
	}
	stop(t, n)
	n = start(t, exposed(mem)) // the users are there
	stop(t, n)
	// Who says so gets it.
	o = onLoopback(t, vfs.NewMem())
	o.RESP.Addr, o.HTTP.Addr, o.Insecure = "0.0.0.0:0", "", true
	n = start(t, o)
	if n.Anonymous(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}) == nil {
		t.Error("insecure, and strangers are nobody")
	}
	if m := n.Metrics(); len(m.Insecure) != 1 || m.Insecure[0] != "RESP" {
		t.Error(m.Insecure)
	}
}

// A change that cannot be kept does not count.
func TestUsersAndABrokenDisk(t *testing.T) {
	fault := vfs.NewFault(vfs.NewMem())
	n := start(t, onLoopback(t, fault))
	fault.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync {
			return errors.New("broken disk")
		}
		return nil
	})
	err := n.AddUser(short(t), root(n), "me", access.NewSecret("long enough"), []access.Grant{{Role: access.RoleAdmin}}, time.Time{})
	if !errors.Is(err, lsm.ErrReadOnly) || !n.Users().IsEmpty() || root(n) == nil {
		t.Errorf("%v, %v", err, n.Users())
	}
	fault.SetHook(nil)
}

func TestUsersThatCannotBeRead(t *testing.T) {
	mem := vfs.NewMem()
	n := start(t, onLoopback(t, mem))
	must(t, n.replica.WriteMeta(metaUsers, []byte("{}")))
	stop(t, n)
	if _, err := Open(short(t), onLoopback(t, mem)); !errors.Is(err, access.ErrFormat) {
		t.Fatal(err)
	}
	o := onLoopback(t, vfs.NewMem())
	o.AdminPassword = access.NewSecret("short")
	if _, err := Open(short(t), o); !errors.Is(err, access.ErrInvalid) || !strings.Contains(err.Error(), "8 to 512") {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o.AdminPassword = access.NewSecret("long enough")
	n, err := Open(ctx, o)
	if err == nil { // nobody else was hashing
		err = n.Close()
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// Changes that meet do not lose one another.
func TestChangesMeet(t *testing.T) {
	o := onLoopback(t, vfs.NewMem())
	o.AdminPassword = access.NewSecret("long enough")
	n := start(t, o)
	admin, err := n.Login(short(t), netip.Addr{}, AdminUser, o.AdminPassword)
	must(t, err)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 5 {
				_, err := n.ChangeUsers(admin, func(s access.State) (access.State, error) {
					return s.AddUser(access.NewUser{Name: fmt.Sprintf("u%d-%d", i, j)}, false)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(n.Users().Users()); got != 41 {
		t.Errorf("%d users", got)
	}
}
