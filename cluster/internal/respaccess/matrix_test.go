package respaccess

import (
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/resp/command"
)

// actors are the rows of the matrix: who may do what where, as VERBS BUCKET:PREFIX.
// They are what the tests reckon with; the roles are made from them.
var actors = map[string][]string{
	"nobody":      nil,
	"reader":      {"read+scan *:"},
	"writer":      {"read+scan+write+delete *:"},
	"operator":    {"status+admin-clients+admin-config+admin-maintain+admin-buckets+admin-cluster *:"},
	"admin":       {"read+scan+write+delete+status+admin-clients+admin-config+admin-maintain+admin-buckets+admin-cluster+admin-users *:"},
	"reader-of-p": {"read+scan available:p:"},
	"writer-of-p": {"read+scan+write+delete available:p:"},
	"app":         {"read+write available:p:", "read+write db1:p:"},
	"setter":      {"write available:p:"},
	"cleaner":     {"delete *:"},
	"lister":      {"scan available:"},
	"other-db":    {"read+scan+write+delete db1:"},
	"mover":       {"read+delete available:p:", "write db1:"},
	"watcher":     {"status *:"},
	"mixed":       {"read+write available:q:", "scan available:p:"},
}

// may is what the documentation of package access says about one key.
func may(grants []string, verb, bucket, key string) bool {
	for _, g := range grants {
		verbs, scope, _ := strings.Cut(g, " ")
		b, prefix, _ := strings.Cut(scope, ":")
		if (b == "*" || b == bucket) && strings.HasPrefix(key, prefix) && has(verbs, verb) {
			return true
		}
	}
	return false
}

// mayAll is the same about all keys of a bucket.
func mayAll(grants []string, verb, bucket string) bool {
	for _, g := range grants {
		verbs, scope, _ := strings.Cut(g, " ")
		if (scope == "*:" || scope == bucket+":") && has(verbs, verb) {
			return true
		}
	}
	return false
}

func has(verbs, verb string) bool { return strings.Contains("+"+verbs+"+", "+"+verb+"+") }

// requests are the columns: a request for each command, with K for the key, and behind the
// bar what it needs by the documentation of package access: verbs for each key (@N in
// database N), verbs for all keys of a database, somewhere:, or a verb of the server.
// Commands without a line here are about the connection and need nothing but a login.
const requests = `
append K v | K:write
copy K K | K:read K:write
copy K K DB 1 | K:read K@1:write
copy K K REPLACE | K:read K:write
decr K | K:read+write
decrby K 1 | K:read+write
del K K | K:delete
exists K | K:read
expire K 10 | K:write
expire K -1 | K:write
expireat K 9999999999 | K:write
expireat K 1 | K:write
expiretime K | K:read
get K | K:read
getdel K | K:read+delete
getex K PERSIST | K:read+write
getex K PXAT 1 | K:read+write
getrange K 0 1 | K:read
getset K v | K:read+write
incr K | K:read+write
incrby K 1 | K:read+write
incrbyfloat K 1 | K:read+write
lcs K K | K:read
memory usage K | K:read
mget K K | K:read
move K 1 | K:read+delete K@1:write
mset K v | K:write
msetnx K v | K:write
object encoding K | K:read
object freq K | K:read
object idletime K | K:read
object refcount K | K:read
persist K | K:write
pexpire K 10000 | K:write
pexpireat K 9999999999999 | K:write
pexpireat K 1 | K:write
pexpiretime K | K:read
psetex K 10000 v | K:write
pttl K | K:read
rename K K | K:read+delete K:write
renamenx K K | K:read+delete K:write
set K v | K:write
set K v NX | K:write
set K v PXAT 1 | K:write
set K v GET | K:read+write
set K v XX GET EX 10 | K:read+write
setex K 10 v | K:write
setnx K v | K:write
setrange K 0 v | K:write
strlen K | K:read
substr K 0 1 | K:read
touch K | K:read
ttl K | K:read
type K | K:read
unlink K | K:delete
keys * | somewhere:scan
scan 0 | somewhere:scan
randomkey | somewhere:scan
dbsize | all:scan
flushdb | all:delete
flushall | everywhere:delete
info | status
client kill 127.0.0.1:1 | admin-clients
client list | admin-clients
client no-evict on | admin-clients
client unblock 1 | admin-clients
client unpause | admin-clients
config get save | admin-config
config resetstat | admin-config
config set timeout 0 | admin-config
`

// granted says whether the needs are met.
func granted(grants []string, needs, key string) bool {
	for _, need := range strings.Fields(needs) {
		what, verbs, keyed := strings.Cut(need, ":")
		if !keyed {
			if !mayAll(grants, need, "*") {
				return false
			}
			continue
		}
		for _, verb := range strings.Split(verbs, "+") {
			ok := false
			switch what {
			case "K":
				ok = may(grants, verb, "available", key)
			case "K@1":
				ok = may(grants, verb, "db1", key)
			case "all":
				ok = mayAll(grants, verb, "available")
			case "everywhere":
				ok = true
				for _, db := range databases {
					ok = ok && mayAll(grants, verb, db)
				}
			case "somewhere":
				for _, g := range grants {
					names, _, _ := strings.Cut(g, " ")
					ok = ok || has(names, verb)
				}
			}
			if !ok {
				return false
			}
		}
	}
	return true
}

// Each command by each user on a key inside and outside of the prefix, through a server:
// what is denied and what is not follows from the texts above alone.
func TestMatrix(t *testing.T) {
	w := newWorld(t)
	table := command.New()
	type column struct {
		args  []string
		needs string
	}
	var columns []column
	seen := map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(requests)) {
		request, needs, _ := strings.Cut(strings.TrimSpace(line), " |")
		args := strings.Fields(request)
		columns = append(columns, column{args, needs})
		c, err := table.Resolve(bytesOf(args))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		seen[c.Name] = true
	}
	for _, c := range table.Commands() {
		switch {
		case seen[c.Name], c.Refused != "", len(c.Subcommands) > 0 && c.Name != "command":
		case c.Name == "auth", c.Name == "hello", c.Name == "client|reply": // logins, and one without an answer
		case len(c.Keys) > 0:
			t.Errorf("%s has keys, and the matrix has no line for it", c.Name)
		default:
			args := strings.Split(c.Name, "|")
			for len(args) < max(c.Arity, -c.Arity) {
				args = append(args, "1")
			}
			columns = append(columns, column{args: args})
		}
	}
	cells, allowed := 0, 0
	for actor, grants := range actors {
		for _, col := range columns {
			for _, key := range []string{"p:key", "other"} {
				args := append([]string(nil), col.args...)
				for i := range args {
					if args[i] == "K" {
						args[i] = key
					}
				}
				c := w.login(actor)
				got := c.Do(args...).String()
				cells++
				want := granted(grants, col.needs, key)
				if want {
					allowed++
				}
				if denied := strings.HasPrefix(got, "-NOPERM"); denied == want {
					t.Errorf("%s: %q: got %s, the documentation says allowed: %v", actor, args, got, want)
				}
				_ = c.Conn.Close()
				if len(col.args) == len(args) && !strings.Contains(strings.Join(col.args, " "), "K") {
					break // the key does not matter
				}
			}
		}
	}
	for _, col := range columns {
		got := w.dial().Do(col.args...).String()
		cells++
		c, _ := table.Resolve(bytesOf(col.args))
		if c.Flags&command.NoAuth != 0 {
			continue
		}
		if !strings.HasPrefix(got, "-NOAUTH") && !(c.Name == "exec" && strings.Contains(got, "NOAUTH")) {
			t.Errorf("without a login: %q: got %s", col.args, got)
		}
	}
	t.Logf("%d cells, %d of them allowed", cells, allowed)
	if cells < 1000 || allowed < cells/10 || allowed > cells*9/10 {
		t.Error("the matrix says too little")
	}
}

// The table has each command, and no other; what it says of keys is what the command has.
func TestTableIsComplete(t *testing.T) {
	needs := Needs()
	for _, c := range command.New().Commands() {
		n, ok := needs[c.Name]
		if !ok {
			t.Errorf("%s is not in the table", c.Name)
		}
		delete(needs, c.Name)
		if (c.Refused != "") != (n.Kind == Nobody) {
			t.Errorf("%s: refused %q, kind %d", c.Name, c.Refused, n.Kind)
		}
		if n.Kind != Nobody && (n.Kind == Keys) != c.HasKeys() {
			t.Errorf("%s: kind %d, and keys: %v", c.Name, n.Kind, c.HasKeys())
		}
		if (n.Kind == Server) != (n.Verb != 0) || n.Verb&^access.ServerVerbs != 0 {
			t.Errorf("%s: kind %d with %v", c.Name, n.Kind, n.Verb)
		}
		for _, k := range c.Keys {
			v := KeyVerbs(k.Flags)
			if v == 0 || k.Flags.Writes() && v&(access.Write|access.Delete) == 0 || k.Flags.Reads() && v&access.Read == 0 {
				t.Errorf("%s: %v of a key needs %v", c.Name, k.Flags.Names(), v)
			}
		}
	}
	for name := range needs {
		t.Errorf("%s is in the table, and there is no such command", name)
	}
	if KeyVerbs(0) != 0 || KeyVerbs(command.KeyRW) != access.Write {
		t.Error("flags that say little")
	}
}
