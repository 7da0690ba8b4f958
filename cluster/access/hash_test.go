package access

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
)

// From the tests of the reference implementation of Argon2 (argon2id, version 19).
func TestHashVectors(t *testing.T) {
	for _, c := range []struct {
		password string
		text     string
		sum      string
	}{
		{"password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"},
		{"password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"},
		{"differentpassword", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94", "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde"},
	} {
		h, err := ParseHash(c.text)
		if err != nil || h.Encode() != c.text || hex.EncodeToString(h.d.sum) != c.sum {
			t.Fatal(c.text, err)
		}
		for password, want := range map[string]bool{c.password: true, c.password + "x": false} {
			if err := newCheap(t).compute(context.Background(), password, h, nil, func(sum []byte) {
				if h.equal(sum) != want {
					t.Errorf("%s: %x", c.text, sum)
				}
			}); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestParseHash(t *testing.T) {
	good := "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	if h, err := ParseHash(good); err != nil || h.Params() != DefaultParams() {
		t.Fatal(err)
	}
	for _, edit := range []struct{ old, new string }{
		{"argon2id", "argon2i"}, {"argon2id", "argon2d"}, {"argon2id", "bcrypt"}, {"v=19", "v=16"}, {"v=19$", ""}, {"$argon", "argon"},
		{"m=19456", "m=019456"}, {"m=19456", "m=+19456"}, {"m=19456", "m=-1"}, {"m=19456", "m=7"}, {"m=19456", "m=65537"}, {"m=19456", "m=4294967296"}, {"m=19456", ""},
		{"t=2", "t=0"}, {"t=2", "t=17"}, {"p=1", "p=0"}, {"p=1", "p=5"}, {"p=1", "p=257"}, {"p=1", "p=1,x=2"}, {"t=2,p=1", "p=1,t=2"}, {"m=19456", "M=19456"},
		{"c2FsdHNhbHRzYWx0c2FsdA", ""}, {"c2FsdHNhbHRzYWx0c2FsdA", "c2FsdA"}, {"c2FsdHNhbHRzYWx0c2FsdA", "c2FsdHNhbHRzYWx0c2FsdB"}, {"c2FsdHNhbHRzYWx0c2FsdA", "c2FsdHNhbHRzYWx0c2FsdA=="},
		{"c2FsdHNhbHRzYWx0c2FsdA", "c2FsdHNhbHRzYWx0\nc2FsdA"}, {"c2FsdHNhbHRzYWx0c2FsdA", strings.Repeat("A", 88)}, {"/uIP", "_uIP"}, {"nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "nf65"}, {"Gi/4", "Gi/4$"}, {"Gi/4", "Gi/4\n"},
	} {
		text := strings.Replace(good, edit.old, edit.new, 1)
		if h, err := ParseHash(text); !errors.Is(err, ErrFormat) || !h.IsZero() || strings.Contains(err.Error(), "c2Fs") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "$", "$$$$$", strings.Repeat("$", 1<<20), "[secret]"} {
		if _, err := ParseHash(text); !errors.Is(err, ErrFormat) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if (Hash{}).Encode() != "" || (Hash{}).Params() != (Params{}) {
		t.Error("the zero hash")
	}
}

func TestHashLimits(t *testing.T) {
	h, ctx, salt := newCheap(t), context.Background(), make([]byte, saltLen)
	for n, ok := range map[int]bool{0: false, MinPassword - 1: false, MinPassword: true, MaxPassword: true, MaxPassword + 1: false} {
		if _, err := h.Hash(ctx, NewSecret(strings.Repeat("x", n)), salt); (err == nil) != ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := h.Hash(ctx, NewSecret("long enough"), salt[1:]); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	token, _, _ := NewToken(source(1))
	if _, err := h.Hash(ctx, token, salt); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := h.HashLike(ctx, NewSecret("long enough"), Hash{}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	a := must(h.Hash(ctx, NewSecret("long enough"), salt))
	b := must(h.HashLike(ctx, NewSecret("another one"), a))
	if !a.sameBase(b) || a.equal(b.d.sum) || a.sameBase(Hash{}) {
		t.Error("HashLike")
	}
	for _, o := range []HasherOptions{{Params: Params{Memory: 7, Passes: 1, Lanes: 1}}, {Params: Params{Memory: maxMemory + 1, Passes: 1, Lanes: 1}}, {Memory: -1}, {Parallel: -1}, {Waiting: -1}} {
		if _, err := NewHasher(o); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$m=65536,t=16,p=4$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg")
	f.Add("$argon2id$v=19$m=08,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHash(text)
		if err != nil {
			if !errors.Is(err, ErrFormat) || !h.IsZero() {
				t.Fatal(err)
			}
			return
		}
		if h.Encode() != text || h.Params().Validate() != nil {
			t.Fatalf("%q is encoded as %q", text, h.Encode())
		}
	})
}

func BenchmarkHash(b *testing.B) {
	for name, p := range map[string]Params{"m=19MiB,t=2": DefaultParams(), "m=7MiB,t=5": {7 << 10, 5, 1}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				argon2.IDKey([]byte("password"), make([]byte, saltLen), p.Passes, p.Memory, p.Lanes, sumLen)
			}
		})
	}
}
