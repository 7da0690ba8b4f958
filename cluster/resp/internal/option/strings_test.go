package option

import (
	"math"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

func TestRange(t *testing.T) {
	s := "This is a string"
	for line, want := range map[string]string{
		"GETRANGE k 0 3": "This", "GETRANGE k -3 -1": "ing", "GETRANGE k 0 -1": s, "GETRANGE k 10 100": "string",
		"GETRANGE k 5 4": "", "GETRANGE k -1 -5": "", "GETRANGE k 16 20": "", "GETRANGE k -100 -100": "T",
		"GETRANGE k -100 -17": "T", "GETRANGE k -5 -100": "", "GETRANGE k -100 2": "Thi", "GETRANGE k 0 0": "T", "GETRANGE k 3 3": "s",
		"GETRANGE k -9223372036854775808 9223372036854775807": s, "GETRANGE k 9223372036854775807 -1": "",
		"GETRANGE k -9223372036854775808 -9223372036854775808": "T",
		"GETRANGE k x 1": string(wire.ErrNotInteger), "GETRANGE k 1 x": string(wire.ErrNotInteger),
	} {
		r, err := ParseRange(words(line))
		from, to := r.Clamp(len(s))
		got := s[from:to]
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
		if from, to := r.Clamp(0); from != 0 || to != 0 {
			t.Errorf("%s of nothing: %d %d", line, from, to)
		}
	}
}

func TestSetRange(t *testing.T) {
	for line, want := range map[string]string{
		"SETRANGE k 0 v": "0", "SETRANGE k 9223372036854775807 v": "9223372036854775807",
		"SETRANGE k -1 v": string(wire.ErrOffset), "SETRANGE k x v": string(wire.ErrNotInteger),
	} {
		if got := show(ParseSetRange(words(line))); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	for _, c := range []struct {
		offset int64
		n      int
		ok     bool
	}{{0, 100, true}, {90, 10, true}, {91, 10, false}, {0, 101, false}, {math.MaxInt64, 1, false}, {math.MaxInt64, math.MaxInt32, false}} {
		err := CheckLength(c.offset, c.n, 100)
		if (err == nil) != c.ok || err != nil && err.Error() != "ERR string exceeds maximum allowed size (proto-max-bulk-len)" {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestIncr(t *testing.T) {
	for line, want := range map[string]string{
		"INCRBY k 5": "5", "DECRBY k 5": "-5", "decrby k -5": "5", "DECRBY k 9223372036854775807": "-9223372036854775807", "DECRBY k 0": "0",
		"INCRBY k -9223372036854775808": "-9223372036854775808", "DECRBY k -9223372036854775808": "ERR decrement would overflow",
		"INCRBY k x": string(wire.ErrNotInteger), "INCRBY k 1.0": string(wire.ErrNotInteger),
	} {
		if got := show(IncrBy(words(line))); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	for _, c := range []struct {
		value string
		n     int64
		want  string
	}{
		{"", 1, "1"}, {"41", 1, "42"}, {"9223372036854775806", 1, "9223372036854775807"},
		{"9223372036854775807", 1, "ERR increment or decrement would overflow"},
		{"-9223372036854775808", -1, "ERR increment or decrement would overflow"},
		{"01", 1, string(wire.ErrNotInteger)}, {" 1", 1, string(wire.ErrNotInteger)}, {"1.5", 1, string(wire.ErrNotInteger)},
	} {
		var value []byte
		if c.value != "" {
			value = []byte(c.value)
		}
		if got := show(Incr(value, c.n)); got != c.want {
			t.Errorf("%q + %d: %s, want %s", c.value, c.n, got, c.want)
		}
	}
	if _, err := Incr([]byte{}, 1); err != wire.ErrNotInteger {
		t.Error("an empty value is taken for none:", err)
	}
	for _, c := range [][3]string{
		{"10.5", "0.1", "10.6"}, {"x", "1", string(wire.ErrNotFloat)}, {"1", "inf", "ERR increment would produce NaN or Infinity"},
	} {
		b, err := IncrFloat(nil, []byte(c[0]), []byte(c[1]))
		if got := show(string(b), err); got != c[2] {
			t.Errorf("%s + %s: %s", c[0], c[1], got)
		}
	}
}

func TestLCS(t *testing.T) {
	for line, want := range map[string]string{
		"LCS a b":                                "{Len:false Idx:false MinMatchLen:0 WithMatchLen:false}",
		"LCS a b len":                            "{Len:true Idx:false MinMatchLen:0 WithMatchLen:false}",
		"LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN": "{Len:false Idx:true MinMatchLen:4 WithMatchLen:true}",
		"LCS a b MINMATCHLEN -4":                 "{Len:false Idx:false MinMatchLen:0 WithMatchLen:false}",
		"LCS a b MINMATCHLEN x":                  string(wire.ErrNotInteger),
		"LCS a b MINMATCHLEN":                    string(wire.ErrSyntax),
		"LCS a b foo":                            string(wire.ErrSyntax),
		"LCS a b IDX LEN":                        "ERR If you want both the length and indexes, please just use IDX.",
	} {
		if got := show(ParseLCS(words(line))); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
