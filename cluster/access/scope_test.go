package access

import (
	"errors"
	"strings"
	"testing"
)

func TestParseScope(t *testing.T) {
	for text, want := range map[string]string{
		"*:*":                   "*:*",
		"orders:user:*":         "orders:user:*",
		"orders:":               "orders:", // the empty key
		"orders:*":              "orders:*",
		`a:\*`:                  `a:\*`,
		`a:\**`:                 `a:\**`,
		`a:\x2a\x5c\x61*`:       `a:\*\\a*`,
		`a:\xFF\xaB`:            `a:\xff\xab`,
		"a:k\u00e4se d*":        `a:k\xc3\xa4se\x20d*`,
		"a:<&>\"'*":             "a:<&>\"'*",
		"a":                     "",
		"":                      "",
		":x":                    "",
		"a*:x":                  "",
		"**:x":                  "",
		"-a:x":                  "",
		"a:**":                  "",
		"a:x*y":                 "",
		`a:\`:                   "",
		`a:\y`:                  "",
		`a:\x`:                  "",
		`a:\x1`:                 "",
		`a:\x1g`:                "",
		`a:\x1` + "\x10":        "", // 0x10 is 0 in the other case
		"a:\n":                  "",
		"a:\x7f":                "",
		strings.Repeat("a", 65): "",
		"a:" + strings.Repeat("k", MaxPrefix) + "*":    "a:" + strings.Repeat("k", MaxPrefix) + "*",
		"a:" + strings.Repeat("k", MaxPrefix+1):        "",
		"a:" + strings.Repeat("k", 4*MaxPrefix+2):      "",
		strings.Repeat("b", MaxName) + ":x":            strings.Repeat("b", MaxName) + ":x",
		strings.Repeat("b", MaxName+1) + ":x":          "",
		"a:" + strings.Repeat(`\xff`, MaxPrefix) + "*": "a:" + strings.Repeat(`\xff`, MaxPrefix) + "*",
	} {
		s, err := ParseScope(text)
		if want == "" {
			if !errors.Is(err, ErrInvalid) || !s.IsZero() {
				t.Errorf("%.40q: %v, %v", text, s, err)
			}
		} else if err != nil || s.String() != want {
			t.Errorf("%.40q: %.40v, %v", text, s, err)
		}
	}
	if (Scope{}).String() != "" || (Scope{}).Contains(Scope{}) || (Scope{}).Validate() == nil {
		t.Error("the zero scope")
	}
}

// Contains and Intersect mean what they say, on all keys of a small world.
func TestScopeAlgebra(t *testing.T) {
	var scopes []Scope
	for _, b := range []string{"x", "y", "*"} {
		for _, k := range []string{"", "a", "b", "ab", "abc"} {
			scopes = append(scopes, Scope{b, k, false}, Scope{b, k, true})
		}
	}
	buckets, keys := []string{"x", "y", "z"}, []string{"", "a", "b", "ab", "ac", "abc", "abcd", "ba"}
	in := func(s Scope, bucket, key string) bool { return oracleMatches(s.String(), bucket, key) }
	for _, s := range scopes {
		for _, u := range scopes {
			both, some := s.Intersect(u)
			contains, any := true, false
			for _, b := range buckets {
				for _, k := range keys {
					x, y := in(s, b, k), in(u, b, k)
					contains = contains && (x || !y)
					any = any || x && y
					if got := some && in(both, b, k); got != (x && y) {
						t.Fatalf("%v and %v are %v, at %s:%s", s, u, both, b, k)
					}
				}
			}
			if s.Contains(u) != contains || some != any {
				t.Fatalf("%v, %v: contains %v, intersect %v", s, u, s.Contains(u), some)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "A.b_c-d@e": true, "0": true, strings.Repeat("a", MaxName): true,
		"": false, strings.Repeat("a", MaxName+1): false, "-a": false, ".": false, "a b": false, "a:b": false, "a*": false, "k\u00e4": false, "a\n": false, "a\x00": false,
	} {
		if ValidName(name) != want {
			t.Errorf("%q", name)
		}
	}
}

func TestVerbs(t *testing.T) {
	var all Verb
	for i, n := range verbNames {
		v, err := ParseVerb(n)
		if err != nil || v != 1<<i || v.String() != n {
			t.Error(n, v, err)
		}
		all |= v
	}
	if all != AllVerbs || DataVerbs.String() != "read+write+delete+scan" || len(AllVerbs.Names()) != len(verbNames) || verbEnd.String() != "" {
		t.Error("sets")
	}
	if _, err := ParseVerb("reads"); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "admin-users") {
		t.Error(err)
	}
}

func FuzzParseScope(f *testing.F) {
	for _, s := range []string{"*:*", "a:b*", `a:\xff\*`, "a:", `a:\x1`, "*:\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseScope(text)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		again, err := ParseScope(s.String())
		if err != nil || again != s || s.Validate() != nil {
			t.Fatalf("%q is %q, and then %v", text, s.String(), err)
		}
		for _, c := range []byte(s.String()) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q is not ASCII", s.String())
			}
		}
	})
}
