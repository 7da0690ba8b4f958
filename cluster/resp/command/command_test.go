package command

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

func words(line string) [][]byte {
	var args [][]byte
	for _, w := range strings.Fields(line) {
		args = append(args, []byte(w))
	}
	return args
}

// TestTable checks that each entry agrees with itself.
func TestTable(t *testing.T) {
	table := New()
	seen := map[string]bool{}
	for i, c := range table.Commands() {
		bad := func(format string, args ...any) { t.Errorf("%s: %s", c.Name, fmt.Sprintf(format, args...)) }
		if c.ID != i || seen[c.Name] || table.Find(c.Name) != c || table.Find(strings.ToUpper(c.Name)) != c {
			bad("ID %d, %d in the table, or the name twice", c.ID, i)
		}
		seen[c.Name] = true
		if c.Name != strings.ToLower(c.Name) || c.Name == "" || len(c.Name) > maxName/2 {
			bad("name")
		}
		if c.Arity == 0 || c.Since == "" || c.Summary == "" || !strings.HasSuffix(c.Summary, ".") {
			bad("arity, since or summary is missing")
		}
		if c.Flags&Write != 0 && c.Flags&ReadOnly != 0 {
			bad("writes and is read-only")
		}
		if (c.DeprecatedSince == "") != (c.ReplacedBy == "") {
			bad("deprecated, and not replaced")
		}
		checkCategories(c, bad)
		checkKeys(c, bad)
		checkUsage(c, bad)
		checkSubcommands(c, bad)
	}
	if len(seen) < 85 {
		t.Errorf("%d commands", len(seen))
	}
}

func checkCategories(c *Command, bad func(string, ...any)) {
	if (c.Categories&CatFast != 0) == (c.Categories&CatSlow != 0) {
		bad("neither fast nor slow, or both")
	}
	if (c.Flags&Write != 0) != (c.Categories&CatWrite != 0) || (c.Flags&ReadOnly != 0) != (c.Categories&CatRead != 0) {
		bad("flags and categories differ")
	}
	if c.Flags&Admin != 0 && c.Categories&CatDangerous == 0 {
		bad("for operators, and not dangerous")
	}
}

func checkKeys(c *Command, bad func(string, ...any)) {
	least, writes := max(c.Arity, -c.Arity), false
	for _, k := range c.Keys {
		if k.First < 1 || k.Step < 1 || k.First >= least || k.Last >= 0 && k.First+k.Last >= least {
			bad("key specification %+v and arity %d", k, c.Arity)
		}
		exclusive := 0
		for _, f := range []KeyFlags{KeyRO, KeyRW, KeyOW, KeyRM} {
			if k.Flags&f != 0 {
				exclusive++
			}
		}
		if exclusive != 1 {
			bad("key flags %v", k.Flags.Names())
		}
		writes = writes || k.Flags.Writes()
	}
	if c.HasKeys() && writes != (c.Flags&Write != 0) {
		bad("keys and flags differ: %v", c.Flags.Names())
	}
	if c.HasKeys() && c.Flags&(Write|ReadOnly) == 0 && c.Name != "watch" {
		bad("has keys, and neither reads nor writes")
	}
	if c.Flags&NoAuth != 0 && c.HasKeys() {
		bad("has keys without logging in")
	}
}

// checkUsage compares the arguments of the manual with the arity: words outside of
// brackets are required.
func checkUsage(c *Command, bad func(string, ...any)) {
	required, depth, optional := 0, 0, false
	for _, w := range strings.Fields(c.Usage) {
		if depth == 0 && w[0] != '[' {
			required++
		}
		depth += strings.Count(w, "[") - strings.Count(w, "]")
		optional = optional || strings.ContainsAny(w, "[.<")
	}
	if depth != 0 {
		bad("brackets in %q", c.Usage)
	}
	least := 1 + required
	if c.Parent != nil {
		least++
	}
	if len(c.Subcommands) > 0 || strings.Contains(c.Usage, "<") {
		return
	}
	if least != max(c.Arity, -c.Arity) || optional && c.Arity > 0 {
		// GETKEYS of a command without arguments makes no sense: it asks for one more.
		if c.Name != "command|getkeys" && c.Name != "command|getkeysandflags" {
			bad("arity %d, usage %q", c.Arity, c.Usage)
		}
	}
}

func checkSubcommands(c *Command, bad func(string, ...any)) {
	if c.Parent != nil {
		if len(c.Subcommands) > 0 || !strings.HasPrefix(c.Name, c.Parent.Name+"|") || !slices.Contains(c.Parent.Subcommands, c) || c.Group != c.Parent.Group {
			bad("parent %s", c.Parent.Name)
		}
		return
	}
	if len(c.Subcommands) > 0 && !slices.ContainsFunc(c.Subcommands, func(s *Command) bool { return s.Name == c.Name+"|help" }) {
		bad("no help")
	}
	if strings.Contains(c.Name, "|") {
		bad("a subcommand without parent")
	}
}

// TestListed has every command that the issue lists.
func TestListed(t *testing.T) {
	table := New()
	for _, name := range strings.Fields(`get set setnx setex psetex getset mget mset msetnx del unlink exists touch incr decr incrby decrby incrbyfloat
		append getrange substr setrange strlen getdel getex lcs expire pexpire expireat pexpireat ttl pttl expiretime pexpiretime persist type scan keys randomkey
		dbsize rename renamenx copy move flushdb flushall select swapdb ping echo time hello auth acl|whoami reset quit
		client|setinfo client|setname client|getname client|id client|info client|list client|kill client|reply client|no-evict client|no-touch client|pause
		command command|count command|docs command|info command|list command|getkeys command|getkeysandflags config|get config|set config|resetstat info
		object|encoding object|freq object|idletime object|refcount memory|usage debug multi exec discard watch unwatch wait`) {
		if table.Find(name) == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"swapdb", "debug", "watch", "client|pause"} {
		if c := table.Find(name); c.Refused == "" || c.ErrRefused().Error() != "ERR "+c.Refused {
			t.Errorf("%s is not refused", name)
		}
	}
}

func TestResolve(t *testing.T) {
	table := New()
	long := strings.Repeat("x", 200)
	for line, want := range map[string]string{
		"get k":                          "get",
		"GeT k":                          "get",
		"SET k v NX":                     "set",
		"client ID":                      "client|id",
		"CLIENT no-evict on":             "client|no-evict",
		"COMMAND":                        "command",
		"command COUNT":                  "command|count",
		"DEBUG sleep 1":                  "debug",
		"GET":                            "ERR wrong number of arguments for 'get' command",
		"GET a b":                        "ERR wrong number of arguments for 'get' command",
		"Set k":                          "ERR wrong number of arguments for 'set' command",
		"CLIENT":                         "ERR wrong number of arguments for 'client' command",
		"client id x":                    "ERR wrong number of arguments for 'client|id' command",
		"CLIENT KILL":                    "ERR wrong number of arguments for 'client|kill' command",
		"OBJECT encoding":                "ERR wrong number of arguments for 'object|encoding' command",
		"client foo bar":                 "ERR unknown subcommand 'foo'. Try CLIENT HELP.",
		"Client TRACKINGS on":            "ERR unknown subcommand 'TRACKINGS'. Try CLIENT HELP.",
		"config " + long:                 "ERR unknown subcommand '" + long[:128] + "'. Try CONFIG HELP.",
		"foo":                            "ERR unknown command 'foo', with args beginning with: ",
		"FOO bar baz":                    "ERR unknown command 'FOO', with args beginning with: 'bar' 'baz' ",
		"client|id":                      "ERR unknown command 'client|id', with args beginning with: ",
		"\u017fet k v":                   "ERR unknown command '\u017fet', with args beginning with: 'k' 'v' ",
		long + " " + long:                "ERR unknown command '" + long[:128] + "', with args beginning with: '" + long[:128] + "' ",
		"foo " + long[:100] + " " + long: "ERR unknown command 'foo', with args beginning with: '" + long[:100] + "' '" + long[:25] + "' ",
		"foo " + long[:125] + " b":       "ERR unknown command 'foo', with args beginning with: '" + long[:125] + "' ",
		"foo " + long[:124] + " bcd":     "ERR unknown command 'foo', with args beginning with: '" + long[:124] + "' 'b' ",
	} {
		c, err := table.Resolve(words(line))
		got := ""
		if err != nil {
			got = string(err.(wire.Error))
		} else {
			got = c.Name
		}
		if got != want {
			t.Errorf("%.60s:\n got %q\nwant %q", line, got, want)
		}
	}
	for _, c := range []struct {
		args [][]byte
		want string
	}{
		{[][]byte{[]byte("a\r\nb"), []byte("c\nd"), []byte("e\x00f")}, "ERR unknown command 'a  b', with args beginning with: 'c d' 'e' "},
		{[][]byte{{}}, "ERR unknown command '', with args beginning with: "},
		{[][]byte{[]byte("get\x00x"), []byte("k")}, "ERR unknown command 'get', with args beginning with: 'k' "},
		{[][]byte{[]byte("client"), []byte("a\r\n")}, "ERR unknown subcommand 'a  '. Try CLIENT HELP."},
	} {
		if _, err := table.Resolve(c.args); err == nil || err.Error() != c.want {
			t.Errorf("%q: %v, want %q", c.args, err, c.want)
		}
	}
}

func TestResolveAllocs(t *testing.T) {
	table := New()
	get, client := words("GET key"), words("CLIENT ID")
	if n := testing.AllocsPerRun(100, func() {
		table.Resolve(get)
		table.Resolve(client)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestIsHTTP(t *testing.T) {
	for line, want := range map[string]bool{"POST / HTTP/1.1": true, "Host: x": true, "host:": true, "GET /": false, "hosts:": false} {
		if got := IsHTTP(words(line)); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}

func TestKeys(t *testing.T) {
	table := New()
	for line, want := range map[string]string{
		"get k":                    "1:RO access",
		"set k v":                  "1:OW update",
		"set k v NX get":           "1:RW access update",
		"set get get":              "1:OW update",
		"mset a 1 b 2":             "1:OW update, 3:OW update",
		"mset a 1 b":               "1:OW update, 3:OW update",
		"mget a b c":               "1:RO access, 2:RO access, 3:RO access",
		"rename a b":               "1:RW access delete, 2:OW update",
		"copy a b DB 1":            "1:RO access, 2:OW update",
		"lcs a b LEN":              "1:RO access, 2:RO access",
		"del a b":                  "1:RM delete, 2:RM delete",
		"object encoding k":        "2:RO",
		"memory usage k samples 1": "2:RO",
		"ping":                     "",
		"keys *":                   "",
	} {
		args := words(line)
		c, err := table.Resolve(args)
		if err != nil {
			t.Fatal(line, err)
		}
		var got []string
		for _, k := range c.AppendKeys(nil, args) {
			got = append(got, fmt.Sprintf("%d:%s", k.Pos, strings.Join(k.Flags.Names(), " ")))
		}
		if s := strings.Join(got, ", "); s != want || c.HasKeys() != (want != "") {
			t.Errorf("%s: %s, want %s", line, s, want)
		}
	}
}

// TestLegacyKeys has what Redis answers to COMMAND INFO.
func TestLegacyKeys(t *testing.T) {
	table := New()
	for name, want := range map[string][3]int{
		"get": {1, 1, 1}, "set": {1, 1, 1}, "mget": {1, -1, 1}, "mset": {1, -1, 2}, "del": {1, -1, 1}, "rename": {1, 2, 1}, "copy": {1, 2, 1},
		"lcs": {1, 2, 1}, "object": {}, "object|encoding": {2, 2, 1}, "ping": {}, "scan": {}, "memory|usage": {2, 2, 1}, "watch": {1, -1, 1},
	} {
		first, last, step := table.Find(name).legacyKeys()
		if [3]int{first, last, step} != want {
			t.Errorf("%s: %d %d %d", name, first, last, step)
		}
	}
}

// reply returns what a request of the COMMAND family answers.
func reply(t *testing.T, p wire.Proto, args [][]byte) string {
	t.Helper()
	table := New()
	c, err := table.Resolve(args)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := wire.NewWriter(&out)
	w.SetProto(p)
	if !table.Reply(w, c, args) {
		t.Fatalf("%q is not answered", args)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestInfoReply(t *testing.T) {
	const bulk = "$3\r\nget\r\n"
	want2 := "*2\r\n*10\r\n" + bulk + ":2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n" +
		"*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n" +
		"$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n"
	if got := reply(t, wire.RESP2, words("COMMAND INFO GET foo")); got != want2 {
		t.Errorf("got  %q\nwant %q", got, want2)
	}
	want3 := "*2\r\n*10\r\n" + bulk + ":2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n~3\r\n+@read\r\n+@string\r\n+@fast\r\n~0\r\n" +
		"~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n" +
		"$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n~0\r\n_\r\n"
	if got := reply(t, wire.RESP3, words("COMMAND INFO GET foo")); got != want3 {
		t.Errorf("got  %q\nwant %q", got, want3)
	}
	// A subcommand by its full name, and a container with its subcommands.
	if got := reply(t, wire.RESP3, words("COMMAND INFO client|id")); !strings.HasPrefix(got, "*1\r\n*10\r\n$9\r\nclient|id\r\n:2\r\n~3\r\n+noscript\r\n+loading\r\n+stale\r\n:0\r\n:0\r\n:0\r\n~2\r\n+@slow\r\n+@connection\r\n") {
		t.Errorf("%q", got)
	}
	if got := reply(t, wire.RESP2, words("COMMAND INFO memory")); !strings.Contains(got, "+@slow\r\n*0\r\n*0\r\n*2\r\n*10\r\n$11\r\nmemory|help\r\n") {
		t.Errorf("%q", got)
	}
	all, info := reply(t, wire.RESP2, words("COMMAND")), reply(t, wire.RESP2, words("COMMAND INFO"))
	count := reply(t, wire.RESP2, words("COMMAND COUNT"))
	if all != info || !strings.HasPrefix(all, "*"+count[1:]) {
		t.Errorf("%.20q %.20q %q", all, info, count)
	}
}

func TestDocsReply(t *testing.T) {
	want := "%1\r\n$6\r\nsubstr\r\n%6\r\n$7\r\nsummary\r\n$27\r\nReturns a part of a string.\r\n$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n" +
		"$9\r\ndoc_flags\r\n~1\r\n+deprecated\r\n$16\r\ndeprecated_since\r\n$5\r\n2.0.0\r\n$11\r\nreplaced_by\r\n$10\r\n`GETRANGE`\r\n"
	if got := reply(t, wire.RESP3, words("COMMAND DOCS SUBSTR foo")); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := reply(t, wire.RESP2, words("COMMAND DOCS foo")); got != "*0\r\n" {
		t.Errorf("%q", got)
	}
	if got := reply(t, wire.RESP3, words("COMMAND DOCS acl")); !strings.Contains(got, "$11\r\nsubcommands\r\n%2\r\n$8\r\nacl|help\r\n%3\r\n") {
		t.Errorf("%q", got)
	}
	if got := reply(t, wire.RESP3, words("COMMAND DOCS")); !strings.HasPrefix(got, "%"+reply(t, wire.RESP2, words("COMMAND COUNT"))[1:]) {
		t.Errorf("%.20q", got)
	}
}

func TestListReply(t *testing.T) {
	for line, want := range map[string]string{
		"COMMAND LIST FILTERBY PATTERN Acl*":                         "*3\r\n$3\r\nacl\r\n$8\r\nacl|help\r\n$10\r\nacl|whoami\r\n",
		"COMMAND LIST filterby aclcat TRANSACTION":                   "*5\r\n$7\r\ndiscard\r\n$4\r\nexec\r\n$5\r\nmulti\r\n$7\r\nunwatch\r\n$5\r\nwatch\r\n",
		"COMMAND LIST FILTERBY aclcat foo":                           "*0\r\n",
		"COMMAND LIST FILTERBY module json":                          "*0\r\n",
		"COMMAND LIST FILTERBY foo x":                                "-ERR syntax error\r\n",
		"COMMAND LIST FILTERBY pattern":                              "-ERR syntax error\r\n",
		"COMMAND LIST FILTERBY pattern a b":                          "-ERR syntax error\r\n",
		"COMMAND LIST foo":                                           "-ERR syntax error\r\n",
		"COMMAND LIST FILTERBY pattern " + strings.Repeat("x", 5000): "-ERR pattern is too long\r\n",
	} {
		if got := reply(t, wire.RESP2, words(line)); got != want {
			t.Errorf("%.60s: %q, want %q", line, got, want)
		}
	}
	if got, want := reply(t, wire.RESP2, words("COMMAND LIST")), fmt.Sprintf("*%d\r\n$3\r\nacl\r\n", len(New().Commands())); !strings.HasPrefix(got, want) {
		t.Errorf("%.30q, want %q", got, want)
	}
}

func TestGetKeysReply(t *testing.T) {
	for line, want := range map[string]string{
		"COMMAND GETKEYS get a":               "*1\r\n$1\r\na\r\n",
		"COMMAND GETKEYS MSET a b c d":        "*2\r\n$1\r\na\r\n$1\r\nc\r\n",
		"COMMAND GETKEYS OBJECT encoding k":   "*1\r\n$1\r\nk\r\n",
		"COMMAND GETKEYSANDFLAGS set k v get": "*1\r\n*2\r\n$1\r\nk\r\n*3\r\n+RW\r\n+access\r\n+update\r\n",
		"COMMAND GETKEYSANDFLAGS set k v":     "*1\r\n*2\r\n$1\r\nk\r\n*2\r\n+OW\r\n+update\r\n",
		"COMMAND GETKEYS foo a":               "-ERR Invalid command specified\r\n",
		"COMMAND GETKEYS client foo":          "-ERR Invalid command specified\r\n",
		"COMMAND GETKEYS ping a":              "-ERR The command has no key arguments\r\n",
		"COMMAND GETKEYS set a":               "-ERR Invalid number of arguments specified for command\r\n",
	} {
		if got := reply(t, wire.RESP2, words(line)); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestHelpReply(t *testing.T) {
	want := "*5\r\n+ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n+WHOAMI\r\n+    Returns the user of this connection.\r\n+HELP\r\n+    Lists the subcommands.\r\n"
	if got := reply(t, wire.RESP2, words("acl HELP")); got != want {
		t.Errorf("%q", got)
	}
	table := New()
	for _, c := range table.Commands() {
		if len(c.Subcommands) > 0 {
			args := words(c.Name + " help")
			if got := reply(t, wire.RESP2, args); strings.Count(got, "\r\n") != 2+2*len(c.Subcommands) {
				t.Errorf("%q", got)
			}
		}
	}
	w := wire.NewWriter(&bytes.Buffer{})
	if table.Reply(w, table.Find("get"), words("get k")) || w.Pending() > 0 {
		t.Error("GET is answered")
	}
}

func TestCategories(t *testing.T) {
	for name, want := range map[string]string{
		"get": "read string fast", "set": "write string slow", "keys": "keyspace read slow dangerous", "flushall": "keyspace write slow dangerous",
		"client|kill": "admin slow dangerous connection", "ping": "fast connection", "info": "slow dangerous", "multi": "fast transaction", "client": "slow", "config|get": "admin slow dangerous",
	} {
		if got := strings.Join(New().Find(name).Categories.Names(), " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if ParseCategory("DANGEROUS") != CatDangerous || ParseCategory("foo") != 0 || ParseCategory("") != 0 {
		t.Error("names of categories")
	}
	for _, n := range [][]string{Flags(1<<len(flagNames) - 1).Names(), Category(1<<len(categoryNames) - 1).Names(), KeyFlags(1<<len(keyFlagNames) - 1).Names()} {
		if slices.Contains(n, "") {
			t.Error(n)
		}
	}
	if len((NoScript|AllowBusy).Names()) != 2 || AllowBusy != 1<<(len(flagNames)-1) || CatScripting != 1<<(len(categoryNames)-1) || KeyVariableFlags != 1<<(len(keyFlagNames)-1) {
		t.Error("a name for each bit is missing")
	}
}

// A Resolver answers as the table does, whatever it was asked before.
func TestResolver(t *testing.T) {
	table := New()
	names := []string{"", "nosuch", "POST", "client", "CLIENT", strings.Repeat("x", 13), strings.Repeat("x", 70)}
	for _, c := range table.Commands() {
		name, _, _ := strings.Cut(c.Name, "|")
		names = append(names, name, strings.ToUpper(name), strings.ToUpper(name[:1])+name[1:], name[:len(name)-1], name+"x")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var r Resolver
	for range 200_000 {
		args := [][]byte{[]byte(names[rng.IntN(len(names))])}
		for range rng.IntN(4) {
			args = append(args, []byte([]string{"id", "list", "get", "x"}[rng.IntN(4)]))
		}
		got, err := r.Resolve(table, args)
		if want, wantErr := table.Resolve(args); got != want || err != wantErr {
			t.Fatalf("%q: got %v, %v, want %v, %v", args, got, err, want, wantErr)
		}
	}
}
