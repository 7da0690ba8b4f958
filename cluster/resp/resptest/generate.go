package resptest

import (
	"fmt"
	"math/rand"
	"strconv"
	"strings"
	"time"
)

// generator makes random commands over few keys.
type generator struct {
	r     *rand.Rand
	now   int64 // seconds
	multi int   // commands until EXEC, -1 outside
}

func newGenerator(seed int64) *generator {
	return &generator{r: rand.New(rand.NewSource(seed)), now: time.Now().Unix(), multi: -1}
}

func pick[T any](g *generator, all ...T) T { return all[g.r.Intn(len(all))] }

func (g *generator) one(n int) bool { return g.r.Intn(n) == 0 }

func (g *generator) key() string {
	return pick(g, "a", "b", "c", "d", "e", "k:1", "k:2", "k:3", "", "with space", "\x00\xff\r\n", "Key[1]*")
}

func (g *generator) value() string {
	switch g.r.Intn(12) {
	case 0:
		return strconv.Itoa(g.r.Intn(30000) - 10000)
	case 1:
		return pick(g, "9223372036854775807", "-9223372036854775808", "9223372036854775808", "9999", "10000", "0", "-1", "-0", "01", "+1", " 1", "1 ")
	case 2:
		return pick(g, "1.5", "3.0e3", "-2.25", "inf", "-inf", "nan", "1e400", "0x10", ".5", "1e-5", "123456789.123456789", "1e17", "5.0e-324")
	case 3:
		return strings.Repeat("x", pick(g, 43, 44, 45, 100))
	case 4:
		return ""
	case 5:
		return pick(g, "\x00", "\r\n", "a\x00b", "\xff\xfe")
	case 6:
		return g.letters(g.r.Intn(40))
	case 7:
		if g.one(20) {
			return strings.Repeat("0123456789abcdef", pick(g, 1000, 2047, 2048, 2100, 5000))
		}
	}
	return g.letters(5)
}

// letters is a text of few letters, so that two of them have something in common.
func (g *generator) letters(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcd"[g.r.Intn(4)]
	}
	return string(b)
}

// number is an argument where a number is expected.
func (g *generator) number() string {
	switch g.r.Intn(10) {
	case 0:
		return pick(g, "9223372036854775807", "-9223372036854775808", "9223372036854775808", "92233720368547758", "-9223372036854776", "abc", "", "1.5", " 1", "01", "-0", "4294967296", "2147483648")
	case 1:
		return strconv.Itoa(-g.r.Intn(20))
	}
	return strconv.Itoa(g.r.Intn(20))
}

// far is a time to live in seconds that does not end soon, hardly ever the same one.
func (g *generator) far() int64 { return 10_000 + g.r.Int63n(100_000_000) }

func (g *generator) ttl(ms bool) string {
	if g.one(8) {
		return pick(g, "0", "-1", "abc", "", "9223372036854775807", "-9223372036854775808", "9223372036854775", "9223372036854776", "1.0")
	}
	n := g.far()
	if ms {
		n *= 1000
	}
	return strconv.FormatInt(n, 10)
}

func (g *generator) at(ms bool) string {
	switch {
	case g.one(8):
		return pick(g, "0", "-1", "1", "abc", "9223372036854775807", "9223372036854775", "9223372036854776")
	case g.one(6):
		return "1000"
	}
	n := g.now + g.far()
	if ms {
		n *= 1000
	}
	return strconv.FormatInt(n, 10)
}

// anyCase changes the case of letters now and then.
func (g *generator) anyCase(s string) string {
	if !g.one(3) {
		return s
	}
	if g.one(2) {
		return strings.ToLower(s)
	}
	b := []byte(strings.ToLower(s))
	for i := range b {
		if g.one(2) {
			b[i] = strings.ToUpper(string(b[i]))[0]
		}
	}
	return string(b)
}

// expiry is an option of SET or GETEX with its value.
func (g *generator) expiry() []string {
	switch g.r.Intn(4) {
	case 0:
		return []string{"EX", g.ttl(false)}
	case 1:
		return []string{"PX", g.ttl(true)}
	case 2:
		return []string{"EXAT", g.at(false)}
	}
	return []string{"PXAT", g.at(true)}
}

// next is the next command.
func (g *generator) next() []string {
	args := g.command()
	if g.one(60) && len(args) > 1 { // too few
		args = args[:len(args)-1]
	}
	if g.one(60) { // too many
		v := g.value()
		args = append(args, v[:min(len(v), 1000)])
	}
	for i := range args {
		if i == 0 || isWord(args[i]) {
			args[i] = g.anyCase(args[i])
		}
	}
	return args
}

// isWord reports whether an argument may be in any case: options are in capitals.
func isWord(s string) bool {
	return len(s) > 1 && s == strings.ToUpper(s) && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// commands are the makers of commands and how often each is taken.
var commands = []struct {
	weight int
	make   func(g *generator) []string
}{
	{40, func(g *generator) []string {
		a := []string{"SET", g.key(), g.value()}
		for g.one(2) {
			if g.one(2) {
				a = append(a, g.expiry()...)
			} else {
				a = append(a, pick(g, "NX", "XX", "GET", "KEEPTTL", "GET", "EX", "foo"))
			}
		}
		return a
	}},
	{30, func(g *generator) []string { return []string{"GET", g.key()} }},
	{6, func(g *generator) []string { return []string{"SETNX", g.key(), g.value()} }},
	{6, func(g *generator) []string { return []string{"SETEX", g.key(), g.ttl(false), g.value()} }},
	{6, func(g *generator) []string { return []string{"PSETEX", g.key(), g.ttl(true), g.value()} }},
	{6, func(g *generator) []string { return []string{"GETSET", g.key(), g.value()} }},
	{6, func(g *generator) []string { return []string{"GETDEL", g.key()} }},
	{12, func(g *generator) []string {
		a := []string{"GETEX", g.key()}
		for g.one(2) {
			if g.one(3) {
				a = append(a, pick(g, "PERSIST", "foo", "EX"))
			} else {
				a = append(a, g.expiry()...)
			}
		}
		return a
	}},
	{10, func(g *generator) []string { return append([]string{"MGET"}, g.keys()...) }},
	{8, func(g *generator) []string { return append([]string{pick(g, "MSET", "MSETNX")}, g.pairs()...) }},
	{10, func(g *generator) []string { return []string{pick(g, "INCR", "DECR"), g.key()} }},
	{10, func(g *generator) []string { return []string{pick(g, "INCRBY", "DECRBY"), g.key(), g.number()} }},
	{14, func(g *generator) []string { return []string{"INCRBYFLOAT", g.key(), pick(g, g.value(), g.number())} }},
	{12, func(g *generator) []string { return []string{"APPEND", g.key(), g.value()} }},
	{12, func(g *generator) []string {
		return []string{pick(g, "GETRANGE", "SUBSTR"), g.key(), g.number(), g.number()}
	}},
	{12, func(g *generator) []string {
		return []string{"SETRANGE", g.key(), pick(g, g.number(), g.number(), "536870912", "9223372036854775807"), pick(g, g.value(), "", "z")}
	}},
	{6, func(g *generator) []string { return []string{"STRLEN", g.key()} }},
	{12, func(g *generator) []string {
		a := []string{"LCS", g.key(), g.key()}
		for g.one(2) {
			a = append(a, pick(g, "LEN", "IDX", "WITHMATCHLEN", "MINMATCHLEN", "foo"))
			if a[len(a)-1] == "MINMATCHLEN" {
				a = append(a, g.number())
			}
		}
		return a
	}},
	{14, func(g *generator) []string {
		return append([]string{pick(g, "DEL", "UNLINK", "EXISTS", "TOUCH")}, g.keys()...)
	}},
	{24, func(g *generator) []string {
		name := pick(g, "EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT")
		ms := name[0] == 'P'
		t := g.ttl(ms)
		if strings.HasSuffix(name, "AT") {
			t = g.at(ms)
		}
		a := []string{name, g.key(), t}
		for g.one(2) {
			a = append(a, pick(g, "NX", "XX", "GT", "LT", "foo"))
		}
		return a
	}},
	{14, func(g *generator) []string {
		return []string{pick(g, "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"), g.key()}
	}},
	{6, func(g *generator) []string { return []string{"PERSIST", g.key()} }},
	{4, func(g *generator) []string { return []string{"TYPE", g.key()} }},
	{8, func(g *generator) []string { return []string{pick(g, "RENAME", "RENAMENX"), g.key(), g.key()} }},
	{8, func(g *generator) []string {
		a := []string{"COPY", g.key(), g.key()}
		for g.one(2) {
			a = append(a, pick(g, "REPLACE", "DB", "foo"))
			if a[len(a)-1] == "DB" {
				a = append(a, g.db())
			}
		}
		return a
	}},
	{6, func(g *generator) []string { return []string{"MOVE", g.key(), g.db()} }},
	{6, func(g *generator) []string { return []string{"SELECT", g.db()} }},
	{8, func(g *generator) []string { return []string{"OBJECT", "ENCODING", g.key()} }},
	{4, func(g *generator) []string {
		return []string{"OBJECT", pick(g, "REFCOUNT", "REFCOUNT", "FREQ", "IDLETIME", "foo"), g.key()}
	}},
	{2, func(g *generator) []string {
		return append([]string{"MEMORY", "USAGE", g.key()}, pick(g, nil, nil, []string{"SAMPLES", g.number()}, []string{"SAMPLES"}, []string{"foo", "1"})...)
	}},
	{4, func(g *generator) []string {
		return []string{"KEYS", pick(g, "*", "k:*", "?", "[a-c]", "[^a-c]*", "\\*", "k:[12", "Key\\[1]\\*", "*\xff*", "", "a*b")}
	}},
	{4, func(g *generator) []string {
		a := []string{"SCAN", "0", "COUNT", "1000"}
		for g.one(2) {
			a = append(a, pick(g, []string{"MATCH", "k:*"}, []string{"TYPE", "string"}, []string{"TYPE", "hash"}, []string{"MATCH", "*"}, []string{"COUNT", pick(g, "0", "abc", "500")}, []string{"foo", "bar"}, []string{"MATCH"})...)
		}
		return a
	}},
	{1, func(g *generator) []string {
		return []string{"SCAN", pick(g, "abc", "-1x", "0 ", "18446744073709551616")}
	}},
	{2, func(*generator) []string { return []string{"RANDOMKEY"} }},
	{1, func(g *generator) []string {
		return append([]string{pick(g, "FLUSHDB", "FLUSHALL")}, pick(g, nil, []string{"ASYNC"}, []string{"SYNC"}, []string{"foo"})...)
	}},
	{2, func(g *generator) []string {
		return pick(g, []string{"PING"}, []string{"PING", g.value()}, []string{"PING", "a", "b"})
	}},
	{2, func(g *generator) []string { return []string{"ECHO", g.value()} }},
	{1, func(g *generator) []string {
		return []string{"WAIT", pick(g, "0", "-1", "abc", "1"), pick(g, "1", "-1", "abc", "5")}
	}},
	{2, func(g *generator) []string {
		return pick(g, []string{"EXEC"}, []string{"DISCARD"}, []string{"UNWATCH"}, []string{"MULTI"})
	}},
	{2, func(g *generator) []string {
		return pick(g, []string{"CLIENT", "GETNAME"}, []string{"CLIENT", "SETNAME", pick(g, "name", "", "two words", "x")},
			[]string{"CLIENT", "GETREDIR"}, []string{"CLIENT", "TRACKINGINFO"}, []string{"CLIENT", "NO-EVICT", pick(g, "ON", "OFF", "foo")},
			[]string{"CLIENT", "UNBLOCK", g.number()}, []string{"CLIENT", "ID"}, []string{"CLIENT", "foo"}, []string{"CLIENT"},
			[]string{"CLIENT", "LIST", "TYPE", pick(g, "master", "pubsub", "replica", "foo")}, []string{"CLIENT", "LIST", "ID", "abc"},
			[]string{"CLIENT", "KILL", pick(g, "1.2.3.4:5", "foo")}, []string{"CLIENT", "KILL", pick(g, "ID", "ADDR", "LADDR", "TYPE", "USER", "SKIPME", "foo"), pick(g, "0", "99999999", "foo", "pubsub", "nobody")})
	}},
	{2, func(g *generator) []string {
		return pick(g, []string{"HELLO"}, []string{"HELLO", pick(g, "2", "3", "4", "abc")}, []string{"HELLO", "3", "SETNAME", pick(g, "n", "a b")},
			[]string{"HELLO", "2", "foo"}, []string{"HELLO", "3", "AUTH", pick(g, "default", "nobody"), "x"}, []string{"HELLO", "2", "AUTH", "x"})
	}},
	{1, func(g *generator) []string {
		return pick(g, []string{"AUTH", "x"}, []string{"AUTH", "default", "x"}, []string{"AUTH", "nobody", "x"}, []string{"AUTH", "a", "b", "c"})
	}},
	{1, func(*generator) []string { return []string{"ACL", "WHOAMI"} }},
	{1, func(*generator) []string { return []string{"RESET"} }},
	{2, func(g *generator) []string {
		return append([]string{"CONFIG", "GET"}, pick(g, []string{"maxmemory"}, []string{"SAVE"}, []string{"appendonly", "databases"}, []string{"timeout", "TimeOut"}, []string{"proto-max-*"}, []string{"nothing"}, []string{"no*such"})...)
	}},
	{2, func(g *generator) []string {
		return append([]string{"CONFIG", "SET"}, pick(g, []string{"nothing", "1"}, []string{"timeout", "abc"}, []string{"timeout", "0", "TIMEOUT", "0"}, []string{"databases", "17"}, []string{"timeout", "0"}, []string{"timeout", "0", "nothing"}, []string{"timeout", "-1"})...)
	}},
	{2, func(g *generator) []string {
		return append(pick(g, []string{"nosuchcommand"}, []string{"GET|x"}, []string{"config|get"}, []string{""}, []string{strings.Repeat("n", 200)}, []string{"a\r\nb"}, []string{"OBJECT"}, []string{"OBJECT", strings.Repeat("s", 150)}), g.keys()...)
	}},
}

var totalWeight = func() (n int) {
	for _, c := range commands {
		n += c.weight
	}
	return n
}()

func (g *generator) command() []string {
	if g.multi == 0 {
		g.multi = -1
		return []string{pick(g, "EXEC", "EXEC", "EXEC", "DISCARD")}
	}
	if g.multi > 0 {
		g.multi--
	} else if g.one(40) {
		g.multi = g.r.Intn(8)
		return []string{"MULTI"}
	}
	n := g.r.Intn(totalWeight)
	for _, c := range commands {
		if n -= c.weight; n < 0 {
			return c.make(g)
		}
	}
	panic(fmt.Sprint("weights", n))
}

func (g *generator) keys() []string {
	var a []string
	for range 1 + g.r.Intn(4) {
		a = append(a, g.key())
	}
	return a
}

func (g *generator) pairs() []string {
	var a []string
	for range 1 + g.r.Intn(3) {
		a = append(a, g.key(), g.value())
	}
	return a
}

func (g *generator) db() string {
	return pick(g, "0", "0", "0", "1", "2", "15", "16", "-1", "abc", "4294967296")
}
