package resp

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

// testAccess has the users of the roles below, all with the same password. A user of
// role r with a prefix p is named r-p.
type testAccess struct{}

func (testAccess) Default(net.Addr) User { return nil }

func (testAccess) Login(_ net.Addr, name, password []byte) (User, error) {
	if string(password) != "secret" {
		return nil, errors.New("wrong")
	}
	role, prefix, _ := strings.Cut(string(name), "-")
	return &testUser{string(name), role, prefix}, nil
}

func (testAccess) Exists(name []byte) bool { return string(name) == "all" }

// testUser may do by its role: all, reader, writer (both for keys with the prefix),
// nothing.
type testUser struct{ name, role, prefix string }

func (u *testUser) Name() string { return u.name }

func (u *testUser) Command(c *command.Command) bool {
	switch u.role {
	case "all":
		return true
	case "reader":
		return c.Flags&(command.Write|command.Admin) == 0
	case "writer":
		return c.Flags&command.Admin == 0
	}
	return c.Flags&command.NoAuth != 0
}

func (u *testUser) Key(k exec.Key, f command.KeyFlags) bool {
	if !strings.HasPrefix(string(k.Name), u.prefix) || k.DB == 9 && u.role != "all" {
		return false
	}
	return u.role == "all" || u.role == "writer" || u.role == "reader" && !f.Writes()
}

func (u *testUser) Listed(k exec.Key) bool { return u.Key(k, command.KeyRO) }

func (u *testUser) Database(db int, f command.KeyFlags) bool {
	return u.role == "all" || (u.role == "writer" || u.role == "reader" && !f.Writes()) && u.prefix == "" && db != 9
}

// request is a request of a command with as few arguments as it may have: its keys are
// key, the rest is 1.
func request(c *command.Command, key string) []string {
	name := strings.Split(c.Name, "|")
	args := append([]string(nil), name...)
	for len(args) < max(c.Arity, -c.Arity) {
		args = append(args, "1")
	}
	var b [][]byte
	for _, a := range args {
		b = append(b, []byte(a))
	}
	for _, k := range c.AppendKeys(nil, b) {
		args[k.Pos] = key
	}
	return args
}

// TestAccessMatrix sends each command as each user for keys inside and outside of the
// prefix, alone and in a transaction: what is refused, and what is not, follows from
// the table alone.
func TestAccessMatrix(t *testing.T) {
	store := memstore.New(16)
	_, addr := start(t, store, Options{Access: testAccess{}})
	table := command.New()
	cells := 0
	for _, user := range []string{"all", "reader", "writer", "reader-p:", "writer-p:", "nothing", ""} {
		role, prefix, _ := strings.Cut(user, "-")
		u := &testUser{user, role, prefix}
		for _, c := range table.Commands() {
			if c.Refused != "" || len(c.Subcommands) > 0 && c.Name != "command" || c.Name == "client|reply" || c.Name == "auth" || c.Name == "hello" {
				continue
			}
			for _, key := range []string{"p:k", "other"} {
				client := resptest.Dial(t, "tcp", addr)
				want := ""
				if user == "" {
					if c.Flags&command.NoAuth == 0 {
						want = "-NOAUTH"
					}
				} else {
					client.Want("+OK", "AUTH "+user+" secret")
					want = u.want(c, key)
				}
				cells++
				if c.Name == "exec" && want != "" {
					want = "-EXECABORT Transaction discarded because of: " + want[1:]
				}
				args := request(c, key)
				got := client.Do(args...).String()
				if want != "" && !strings.HasPrefix(got, want) || want == "" && (strings.HasPrefix(got, "-NOPERM") || strings.HasPrefix(got, "-NOAUTH")) {
					t.Errorf("%q: %q: got %s, want %q", user, args, got, want)
				}
				if want == "-NOPERM" && u.Command(table.Find("multi")) {
					cells++
					client.Want("+OK", "MULTI")
					if immediate[c.Name] {
						continue
					}
					if got := client.Do(args...).String(); !strings.HasPrefix(got, want) {
						t.Errorf("%q: %q in MULTI: %s", user, args, got)
					}
					if u.Command(table.Find("exec")) {
						client.Want("-EXECABORT Transaction discarded because of previous errors.", "EXEC")
					}
				}
				_ = client.Conn.Close()
			}
		}
	}
	if cells < 500 {
		t.Errorf("%d cells only", cells)
	}
}

// want is what the matrix expects: a reason to refuse, or nothing.
func (u *testUser) want(c *command.Command, key string) string {
	if !u.Command(c) {
		return "-NOPERM"
	}
	var args [][]byte
	for _, a := range request(c, key) {
		args = append(args, []byte(a))
	}
	for _, k := range c.AppendKeys(nil, args) {
		if !u.Key(exec.Key{Name: []byte(key)}, k.Flags) {
			return "-NOPERM"
		}
	}
	all := u.role == "all"
	if c.Name == "flushall" && !all || c.Name == "flushdb" && !u.Database(0, command.KeyRM) || c.Name == "dbsize" && !u.Database(0, command.KeyRO) {
		return "-NOPERM"
	}
	return ""
}

// The second database of COPY and MOVE, names that are listed, and what is kept for
// later are checked as well.
func TestAccessBeyondTheTable(t *testing.T) {
	_, addr := start(t, memstore.New(16), Options{Access: testAccess{}})
	all, part := resptest.Dial(t, "tcp", addr), resptest.Dial(t, "tcp", addr)
	all.Want("+OK", "AUTH all secret")
	all.Want("+OK", "MSET p:a 1 p:b 2 q:a 3 q:b 4")
	part.Want("+OK", "AUTH writer-p: secret")
	noKey := "-" + string(exec.ErrNoKeyPermission)
	part.Want(noKey, "COPY p:a p:c DB 9")
	part.Want(noKey, "MOVE p:a 9")
	part.Want("1", "COPY p:a p:c DB 3")
	part.Want(noKey, "MGET p:a q:a")
	part.Want(noKey, "RENAME p:a q:z")
	part.Want(noKey, "SET q:a x GET")
	if got := part.Line("KEYS *"); len(got.List) != 2 {
		t.Errorf("KEYS: %s", got)
	}
	if got := part.Line("SCAN 0 COUNT 100"); len(got.List[1].List) != 2 {
		t.Errorf("SCAN: %s", got)
	}
	for range 50 {
		if got := part.Line("RANDOMKEY"); !strings.HasPrefix(got.Text, "p:") && !got.Null {
			t.Errorf("RANDOMKEY: %s", got)
		}
	}
	// SELECT counts for what follows it in a transaction.
	part.Want("+OK", "MULTI")
	part.Want("+QUEUED", "SELECT 9")
	part.Want(noKey, "GET p:a")
	part.Want("-EXECABORT Transaction discarded because of previous errors.", "EXEC")
	part.Want(`"writer-p:"`, "ACL WHOAMI")
	part.Want("+OK", "SELECT 9")
	part.Want("-"+string(errNoDatabaseText), "FLUSHDB")
}

const errNoDatabaseText = "NOPERM this user has no permissions for the whole database"

// What is taken away between MULTI and EXEC is not done.
func TestAccessChangesBeforeExec(t *testing.T) {
	_, addr := start(t, memstore.New(16), Options{Access: testAccess{}})
	c := resptest.Dial(t, "tcp", addr)
	c.Want("+OK", "AUTH writer secret")
	c.Want("+OK", "MULTI")
	c.Want("+QUEUED", "AUTH writer-p: secret")
	c.Want("+QUEUED", "SET q 1")
	c.Want("+QUEUED", "SET p:q 1")
	got := c.Line("EXEC").String()
	if want := "[+OK -" + string(errNoLonger) + "no permission to touch the specified keys +OK]"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestLogin(t *testing.T) {
	srv, c, _ := serve(t, Options{Access: testAccess{}})
	c.Want("-NOAUTH Authentication required.", "PING")
	c.Want("-ERR unknown command 'NOSUCH', with args beginning with: ", "NOSUCH")
	c.Want("-WRONGPASS invalid username-password pair or user is disabled.", "AUTH x")
	c.Want("-WRONGPASS invalid username-password pair or user is disabled.", "HELLO 3 AUTH all x")
	if got := c.Line("HELLO 3").String(); !strings.HasPrefix(got, "-NOAUTH HELLO must be called") {
		t.Errorf("HELLO: %s", got)
	}
	if got := c.Line("HELLO 3 AUTH all secret SETNAME me"); len(got.List) != 14 {
		t.Errorf("HELLO: %s", got)
	}
	c.Want(`"me"`, "CLIENT GETNAME")
	c.Want("nil", "GET a")
	c.Want("+RESET", "RESET")
	c.Want("-NOAUTH Authentication required.", "GET a")
	if m := srv.Metrics(); m.LoginFailures != 2 || m.Unauthenticated != 1 {
		t.Errorf("%+v", m)
	}
	// Before the login, requests are small.
	c.Write([]byte(fmt.Sprintf("*2\r\n$3\r\nGET\r\n$%d\r\n", 20<<10)))
	if got := closed(t, c.Conn); got != "-ERR Protocol error: unauthenticated bulk length\r\n" {
		t.Errorf("got %q", got)
	}
}
