package ascii

import "testing"

func TestEqualFold(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"", "", true}, {"get", "GET", true}, {"no-evict", "NO-EVICT", true}, {"get", "gets", false},
		{"\u212aeys", "keys", false}, {"\u017fet", "set", false}, {"@", "`", false}, {"[", "{", false},
	} {
		if got := EqualFold(c.a, c.b); got != c.want {
			t.Errorf("EqualFold(%q, %q) = %v", c.a, c.b, got)
		}
	}
}

func TestHasWord(t *testing.T) {
	for arg, want := range map[string]bool{
		"NX": true, "nx": true, "nX\x00rest": true, "nx\x00": true, "n": false, "nxx": false, "": false, "n\x00x": false,
	} {
		if got := HasWord([]byte(arg), "NX"); got != want {
			t.Errorf("HasWord(%q) = %v", arg, got)
		}
	}
}

func TestCase(t *testing.T) {
	for i := range 256 {
		c := byte(i)
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if letter && (Lower(c) != c|0x20 || Upper(c) != c&^0x20) || !letter && (Lower(c) != c || Upper(c) != c) {
			t.Errorf("%q: %q %q", c, Lower(c), Upper(c))
		}
	}
}
