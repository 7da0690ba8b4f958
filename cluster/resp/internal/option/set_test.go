package option

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

func TestSet(t *testing.T) {
	const invalid = "ERR invalid expire time in 'set' command"
	for line, want := range map[string]string{
		"SET k v":                          "",
		"SET k v NX":                       "NX",
		"SET k v nX NX":                    "NX",
		"SET k v XX GET":                   "XX GET",
		"SET k v NX GET":                   "NX GET",
		"SET k v GET GET KEEPTTL":          "GET KEEPTTL",
		`SET k v nx\0junk`:                 "NX",
		"SET k v EX 10":                    "1700000010000",
		"SET k v px 10 nx":                 "NX 1700000000010",
		"SET k v EXAT 1":                   "1000",
		"SET k v PXAT 1":                   "1",
		"SET k v EX 1 EX 2":                "1700000002000",
		"SET k v PXAT 9223372036854775807": "9223372036854775807",
		"SET k v NX XX":                    string(wire.ErrSyntax),
		"SET k v XX NX":                    string(wire.ErrSyntax),
		"SET k v EX":                       string(wire.ErrSyntax),
		"SET k v EX 1 PX 1":                string(wire.ErrSyntax),
		"SET k v EX 1 EXAT 1":              string(wire.ErrSyntax),
		"SET k v EX 1 KEEPTTL":             string(wire.ErrSyntax),
		"SET k v KEEPTTL EX 1":             string(wire.ErrSyntax),
		"SET k v PERSIST":                  string(wire.ErrSyntax),
		"SET k v foo":                      string(wire.ErrSyntax),
		"SET k v EX x foo":                 string(wire.ErrSyntax),
		"SET k v EX x":                     string(wire.ErrNotInteger),
		"SET k v EX 1.5":                   string(wire.ErrNotInteger),
		"SET k v EX 9223372036854775808":   string(wire.ErrNotInteger),
		"SET k v EX 0":                     invalid,
		"SET k v EX -1":                    invalid,
		"SET k v EXAT 0":                   invalid,
		"SET k v PX -5":                    invalid,
		"SET k v EX 9223372036854776":      invalid,
		"SET k v EX 9223372036854775":      invalid, // with the time of day it overflows
		"SET k v EXAT 9223372036854775":    "9223372036854775000",
		"SET k v EXAT 9223372036854776":    invalid,
		"SET k v PX 9223372036854775807":   invalid,
	} {
		s, err := ParseSet(words(line), now)
		got := show("", err)
		if err == nil {
			var set []string
			for name, on := range map[string]bool{"1NX": s.NX, "2XX": s.XX, "3GET": s.Get, "4KEEPTTL": s.KeepTTL} {
				if on {
					set = append(set, name)
				}
			}
			slices.Sort(set)
			for i := range set {
				set[i] = set[i][1:]
			}
			if s.Expires {
				set = append(set, fmt.Sprint(s.ExpireAt))
			}
			got = strings.Join(set, " ")
			if string(s.Key) != "k" || string(s.Value) != "v" {
				t.Errorf("%s: %q %q", line, s.Key, s.Value)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestSetAllocs(t *testing.T) {
	args := words("SET k v EX 10 NX GET")
	if n := testing.AllocsPerRun(100, func() { ParseSet(args, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSetEx(t *testing.T) {
	for line, want := range map[string]string{
		"SETEX k 10 v":                   "1700000010000",
		"psetex k 10 v":                  "1700000000010",
		"SETEX k 0 v":                    "ERR invalid expire time in 'setex' command",
		"PSETEX k -1 v":                  "ERR invalid expire time in 'psetex' command",
		"SETEX k 9223372036854775807 v":  "ERR invalid expire time in 'setex' command",
		"PSETEX k 9223372036854775807 v": "ERR invalid expire time in 'psetex' command",
		"SETEX k x v":                    string(wire.ErrNotInteger),
	} {
		s, err := ParseSetEx(words(line), now)
		got := show(s.ExpireAt, err)
		if got != want || string(s.Value) != "v" || !s.Expires {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func TestGetEx(t *testing.T) {
	for line, want := range map[string]string{
		"GETEX k":                 "",
		"GETEX k PERSIST":         "persist",
		"GETEX k persist Persist": "persist",
		"GETEX k EX 10":           "1700000010000 false",
		"GETEX k PX 10":           "1700000000010 false",
		"GETEX k EXAT 10":         "10000 true",
		"GETEX k PXAT 10":         "10 true",
		"GETEX k EX 0":            "ERR invalid expire time in 'getex' command",
		"GETEX k EX x":            string(wire.ErrNotInteger),
		"GETEX k EX":              string(wire.ErrSyntax),
		"GETEX k PERSIST EX 1":    string(wire.ErrSyntax),
		"GETEX k EX 1 PERSIST":    string(wire.ErrSyntax),
		"GETEX k EX 1 PX 1":       string(wire.ErrSyntax),
		"GETEX k KEEPTTL":         string(wire.ErrSyntax),
		"GETEX k NX":              string(wire.ErrSyntax),
	} {
		g, err := ParseGetEx(words(line))
		got := ""
		switch {
		case err != nil:
			got = err.Error()
		case g.Persist:
			got = "persist"
		case g.TTL.Set():
			at, err := g.TTL.At(now, "getex")
			if got = fmt.Sprint(at, g.TTL.Absolute()); err != nil {
				got = err.Error()
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func TestCheckPairs(t *testing.T) {
	if err := CheckPairs(words("MSET a 1"), "mset"); err != nil {
		t.Error(err)
	}
	if err := CheckPairs(words("MSET a 1 b"), "mset"); err == nil || err.Error() != "ERR wrong number of arguments for 'mset' command" {
		t.Error(err)
	}
}
