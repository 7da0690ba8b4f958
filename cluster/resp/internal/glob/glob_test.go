package glob

import (
	"strings"
	"testing"
)

var cases = []struct {
	pattern, s string
	fold, want bool
}{
	{"", "", false, true},
	{"", "a", false, false},
	{"*", "", false, false}, // the callers do not ask
	{"*", "a", false, true},
	{"**", "abc", false, true},
	{"?", "", false, false},
	{"?", "a", false, true},
	{"a*", "a", false, true},
	{"a**", "a", false, true},
	{"*a", "a", false, true},
	{"h?llo", "hello", false, true},
	{"h*llo", "heeeello", false, true},
	{"h*llo", "hell", false, false},
	{"*ab*ab", "xabyab", false, true},
	{"*ab*ab", "ab", false, false},
	{"a*b*c", "aXbXbXc", false, true},
	{"a*b*c", "aXbXbX", false, false},
	{"h[ae]llo", "hallo", false, true},
	{"h[ae]llo", "hillo", false, false},
	{"h[^e]llo", "hallo", false, true},
	{"h[^e]llo", "hello", false, false},
	{"h[a-b]llo", "hbllo", false, true},
	{"h[b-a]llo", "hbllo", false, true},
	{"[a-]", "-", false, false}, // the range reaches to the bracket, which is swapped: ] to a
	{"[a-]", "`", false, true},
	{"[a-]", "a", false, true},
	{"[]a]", "a]", false, false},
	{"[]", "a", false, false},
	{"[^]", "a", false, true},
	{"[^]", "", false, false},
	{"[", "a", false, false},
	{"[^", "a", false, true},
	{"[a", "a", false, true},
	{"[a*", "*", false, true},
	{"[ab", "b", false, true},
	{"[\\]]", "]", false, true},
	{"[\\-x]", "-", false, true},
	{"[a\\", "\\", false, true},
	{"[\\a-c]", "-", false, true}, // an escape is no end of a range
	{"\\*", "*", false, true},
	{"\\*", "a", false, false},
	{"\\", "\\", false, true},
	{"a\\", "a\\", false, true},
	{"\\\\", "\\", false, true},
	{"A*", "abc", false, false},
	{"A*", "abc", true, true},
	{"a?C", "ABc", true, true},
	{"[A-C]", "b", true, true},
	{"[X]", "x", true, true},
	{"[\\X]", "x", true, false}, // an escape in a set keeps its case
	{"\\X", "x", true, true},
	{"[Z-a]", "_", true, false}, // ordered first, folded then: z to a is nothing
	{"[\x80-\xff]", "\x90", false, true},
	{"[a-\xff]", "b", false, false}, // signed: \xff to a
	{"[a-\xff]", "A", false, true},
	{"[\x00-\x1f]", "\x10", false, true},
	{"\x00*", "\x00\x01", false, true},
	{"save", "SAVE", true, true},
}

func TestMatch(t *testing.T) {
	for _, c := range cases {
		p, err := Compile([]byte(c.pattern), c.fold)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := p.Match([]byte(c.s), nil); got != c.want {
			t.Errorf("%q %q, fold %v: %v", c.pattern, c.s, c.fold, got)
		}
		if got := reference([]byte(c.pattern), []byte(c.s), c.fold); got != c.want {
			t.Errorf("%q %q, fold %v: the reference says %v", c.pattern, c.s, c.fold, got)
		}
	}
}

func TestPrefix(t *testing.T) {
	for pattern, want := range map[string]string{"": "", "*": "", "user:*": "user:", "a\\*b?": "a*b", "abc": "abc", "x[a]": "x"} {
		p, _ := Compile([]byte(pattern), false)
		if string(p.Prefix()) != want || p.All() != (pattern == "*") {
			t.Errorf("%q: %q %v", pattern, p.Prefix(), p.All())
		}
	}
	if p, _ := Compile([]byte("abc"), true); len(p.Prefix()) != 0 {
		t.Errorf("%q", p.Prefix())
	}
}

// TestWork runs patterns that take a recursive matcher exponential time, or deep
// recursion.
func TestWork(t *testing.T) {
	s := []byte(strings.Repeat("a", 60000))
	for _, pattern := range []string{
		strings.Repeat("*a", 2000) + "b", strings.Repeat("a*", 2000) + "b", strings.Repeat("*?", 2048), strings.Repeat("*", MaxLen),
		"*" + strings.Repeat("a", MaxLen-2) + "b",
	} {
		p, err := Compile([]byte(pattern), false)
		if err != nil {
			t.Fatal(err)
		}
		budget := 1 << 30
		_, err = p.Match(s[:6000], &budget)
		if used := 1<<30 - budget; err != nil || used > 6001*(p.Len()+1) {
			t.Errorf("%.20q: %d steps, %v", pattern, used, err)
		}
		budget = 1000
		for range 3 {
			if _, err = p.Match(s[:2000], &budget); err != nil {
				break
			}
		}
		if pattern[1] != '*' && err != ErrBudget {
			t.Errorf("%.20q: the budget holds no longer than %d", pattern, budget)
		}
	}
	if _, err := Compile(make([]byte, MaxLen+1), false); err != ErrTooLong {
		t.Error(err)
	}
	if _, err := Compile(make([]byte, MaxLen), false); err != nil {
		t.Error(err)
	}
}

func TestMatchAllocs(t *testing.T) {
	p, _ := Compile([]byte("user:*:[a-z]?"), false)
	s := []byte("user:1234:xy")
	budget := 1 << 30
	if n := testing.AllocsPerRun(100, func() { p.Match(s, &budget) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// reference matches by recursion and reads the pattern as it goes. It is slow on
// purpose.
func reference(p, s []byte, fold bool) bool {
	low := func(c byte) byte {
		if fold && c >= 'A' && c <= 'Z' {
			return c + 32
		}
		return c
	}
	if len(p) == 0 || len(s) == 0 {
		return len(p) == 0 && len(s) == 0
	}
	rest := p[1:]
	switch c := p[0]; c {
	case '*':
		for len(rest) > 0 && rest[0] == '*' {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return true
		}
		for i := range s {
			if reference(rest, s[i:], fold) {
				return true
			}
		}
		return false
	case '?':
	case '[':
		not := len(rest) > 0 && rest[0] == '^'
		if not {
			rest = rest[1:]
		}
		in := false
		for len(rest) > 0 && rest[0] != ']' {
			switch {
			case rest[0] == '\\' && len(rest) > 1:
				in = in || rest[1] == s[0]
				rest = rest[2:]
			case len(rest) > 2 && rest[1] == '-':
				a, b := int8(rest[0]), int8(rest[2])
				if a > b {
					a, b = b, a
				}
				v := int8(low(s[0]))
				in = in || v >= int8(low(byte(a))) && v <= int8(low(byte(b)))
				rest = rest[3:]
			default:
				in = in || low(rest[0]) == low(s[0])
				rest = rest[1:]
			}
		}
		if len(rest) > 0 {
			rest = rest[1:]
		}
		if in == not {
			return false
		}
	default:
		if c == '\\' && len(rest) > 0 {
			c, rest = rest[0], rest[1:]
		}
		if low(c) != low(s[0]) {
			return false
		}
	}
	s = s[1:]
	if len(s) == 0 {
		for len(rest) > 0 && rest[0] == '*' {
			rest = rest[1:]
		}
	}
	return reference(rest, s, fold)
}

func FuzzGlob(f *testing.F) {
	for _, c := range cases {
		f.Add([]byte(c.pattern), []byte(c.s), c.fold)
	}
	f.Fuzz(func(t *testing.T, pattern, s []byte, fold bool) {
		if len(pattern) > 24 || len(s) > 24 {
			return // the reference takes its time
		}
		p, err := Compile(pattern, fold)
		if err != nil {
			t.Fatal(err)
		}
		got, steps := p.match(s)
		if steps > (len(s)+1)*(p.Len()+1) {
			t.Fatalf("%d steps", steps)
		}
		if want := reference(pattern, s, fold); got != want {
			t.Fatalf("%q %q, fold %v: %v, want %v", pattern, s, fold, got, want)
		}
		if got && string(s[:len(p.Prefix())]) != string(p.Prefix()) {
			t.Fatalf("%q does not begin with %q", s, p.Prefix())
		}
	})
}
