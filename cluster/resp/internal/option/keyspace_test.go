package option

import (
	"fmt"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

func TestScan(t *testing.T) {
	for line, want := range map[string]string{
		"SCAN 0":                              "0 10 - -",
		"SCAN 18446744073709551615 COUNT 5":   "18446744073709551615 5 - -",
		"SCAN +7":                             "7 10 - -",
		"SCAN -1":                             "18446744073709551615 10 - -",
		"SCAN 007":                            "7 10 - -",
		`SCAN 7\0x`:                           "7 10 - -",
		"SCAN 0 MATCH a* COUNT 1 TYPE String": "0 1 a* String",
		"SCAN 0 MATCH *":                      "0 10 - -",
		"SCAN 0 MATCH a MATCH b":              "0 10 b -",
		"SCAN x":                              "ERR invalid cursor",
		"SCAN 1x":                             "ERR invalid cursor",
		"SCAN -":                              "ERR invalid cursor",
		"SCAN 0x1":                            "ERR invalid cursor",
		"SCAN 18446744073709551616":           "ERR invalid cursor",
		"SCAN 99999999999999999999999":        "ERR invalid cursor",
		"SCAN x foo":                          "ERR invalid cursor",
		"SCAN 0 COUNT 0":                      string(wire.ErrSyntax),
		"SCAN 0 COUNT -1":                     string(wire.ErrSyntax),
		"SCAN 0 COUNT x":                      string(wire.ErrNotInteger),
		"SCAN 0 COUNT":                        string(wire.ErrSyntax),
		"SCAN 0 foo 1":                        string(wire.ErrSyntax),
		"SCAN 0 COUNT x foo":                  string(wire.ErrNotInteger),
	} {
		s, err := ParseScan(words(line))
		got := show("", err)
		if err == nil {
			dash := func(b []byte) string {
				if b == nil {
					return "-"
				}
				return string(b)
			}
			got = fmt.Sprintf("%d %d %s %s", s.Cursor, s.Count, dash(s.Match), dash(s.Type))
		}
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	if s, err := ParseScan([][]byte{[]byte("SCAN"), {}}); err != nil || s.Cursor != 0 {
		t.Error("an empty cursor:", s, err)
	}
	for _, c := range []string{" 1", "\t1"} {
		if _, err := ParseScan([][]byte{[]byte("SCAN"), []byte(c)}); err == nil {
			t.Errorf("cursor %q", c)
		}
	}
	if s := (Scan{Type: []byte("sTring")}); !s.IsType("STRING") || s.IsType("LIST") || !(Scan{}).IsType("LIST") {
		t.Error("types")
	}
}

func TestCopy(t *testing.T) {
	for line, want := range map[string]string{
		"COPY a b":               "{DB:1 Replace:false}",
		"COPY a b replace DB 0":  "{DB:0 Replace:true}",
		"COPY a a DB 0":          "{DB:0 Replace:false}",
		"COPY a a":               string(wire.ErrSameObject),
		"COPY a a DB 1":          string(wire.ErrSameObject),
		"COPY a b DB":            string(wire.ErrSyntax),
		"COPY a b foo":           string(wire.ErrSyntax),
		"COPY a b DB 2":          string(wire.ErrDBRange),
		"COPY a b DB -1":         string(wire.ErrDBRange),
		"COPY a b DB x":          string(wire.ErrNotInteger),
		"COPY a b DB 2147483648": "ERR value is out of range, value must between -2147483648 and 2147483647",
	} {
		if got := show(ParseCopy(words(line), 1, 2)); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	for arg, want := range map[string]string{"0": "0", "15": "15", "16": string(wire.ErrDBRange), "-2147483649": "ERR value is out of range, value must between -2147483648 and 2147483647"} {
		if got := show(ParseDB([]byte(arg), 16)); got != want {
			t.Errorf("%s: %s", arg, got)
		}
	}
}

func TestSmallParsers(t *testing.T) {
	for line, want := range map[string]string{"FLUSHALL": "false", "FLUSHALL sync": "false", "FLUSHDB ASYNC": "true", "FLUSHDB x": string(wire.ErrSyntax), "FLUSHDB SYNC ASYNC": string(wire.ErrSyntax)} {
		if got := show(ParseFlush(words(line))); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
	for line, want := range map[string]string{
		"MEMORY USAGE k": "ok", "MEMORY USAGE k samples 0": "ok", "MEMORY USAGE k SAMPLES -1": string(wire.ErrSyntax),
		"MEMORY USAGE k SAMPLES x": string(wire.ErrNotInteger), "MEMORY USAGE k SAMPLES": string(wire.ErrSyntax), "MEMORY USAGE k x 1": string(wire.ErrSyntax),
	} {
		if got := show("ok", ParseMemoryUsage(words(line))); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
	for line, want := range map[string]string{
		"WAIT 0 100": "{Replicas:0 Timeout:100}", "WAIT x 1": string(wire.ErrNotInteger), "WAIT 1 x": "ERR timeout is not an integer or out of range",
		"WAIT 1 -1": "ERR timeout is negative", "WAIT 1 9223372036854775807": "ERR timeout is out of range",
	} {
		if got := show(ParseWait(words(line), now)); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
}
