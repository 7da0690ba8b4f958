package vclock

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
)

func keyring(t testing.TB, keys ...byte) *Keyring {
	t.Helper()
	var all [][]byte
	for _, k := range keys {
		all = append(all, bytes.Repeat([]byte{k}, MinTokenKey))
	}
	k, err := NewKeyring(all...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func token(t testing.TB, k *Keyring, bucket uint64, key string, c Context) []byte {
	t.Helper()
	b, err := k.Append(nil, bucket, []byte(key), c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func contexts() (names []string, m map[string]Context) {
	long := Context{HLC: hlc.Max}
	for i := range MaxActors {
		long.Vector = append(long.Vector, Dot{Actor{byte(i >> 8), byte(i), 1}, math.MaxUint64})
	}
	return []string{"absent", "one", "three"}, map[string]Context{
		"absent": {},
		"one":    {dots("a1"), hlc.At(1_700_000_000_000, 5)},
		"three":  {dots("a1 b300 c70000"), hlc.At(1_700_000_000_000, 5)},
		"long":   long,
	}
}

func TestToken(t *testing.T) {
	k := keyring(t, 1)
	names, m := contexts()
	got := make(map[string]string)
	var c Context // reused
	for name, want := range m {
		text := token(t, k, 3, "key", want)
		got[name] = string(text)
		if err := k.Open(&c, 3, []byte("key"), text); err != nil || c.HLC != want.HLC || c.Vector.Compare(want.Vector) != Equal {
			t.Errorf("%s: %v %v", name, c, err)
		}
		if len(text) > MaxTokenLen {
			t.Errorf("%s: %d characters", name, len(text))
		}
		if with, err := k.Append([]byte("prefix"), 3, []byte("key"), want); err != nil || string(with) != "prefix"+string(text) {
			t.Errorf("%s: Append does not append: %v", name, err)
		}
	}
	golden(t, "testdata/tokens.txt", names, got)
	if b, err := k.Append([]byte("x"), 3, nil, Context{Vector: dots("b1 a1")}); !errors.Is(err, ErrInvalid) || string(b) != "x" {
		t.Error(err)
	}
	largest := token(t, k, math.MaxUint64, "key", m["long"])
	if len(largest) != MaxTokenLen {
		t.Errorf("the largest token has %d characters, not %d", len(largest), MaxTokenLen)
	}
	if err := k.Open(&c, math.MaxUint64, []byte("key"), largest); err != nil {
		t.Error(err)
	}
	if err := k.Open(&c, math.MaxUint64, []byte("key"), append(largest, 'A')); !errors.Is(err, ErrTokenMalformed) {
		t.Error("one character more:", err)
	}
}

func TestTokenIsBound(t *testing.T) {
	k := keyring(t, 1)
	text := token(t, k, 3, "key", Context{dots("a1"), 5})
	for name, c := range map[string]struct {
		k      *Keyring
		bucket uint64
		key    string
		want   error
	}{
		"another key":     {k, 3, "yek", ErrTokenOtherKey},
		"the empty key":   {k, 3, "", ErrTokenOtherKey},
		"another bucket":  {k, 4, "key", ErrTokenOtherKey},
		"another cluster": {keyring(t, 2), 3, "key", ErrTokenForged},
		"as it should be": {k, 3, "key", nil},
	} {
		ctx := Context{dots("z9"), 9}
		err := c.k.Open(&ctx, c.bucket, []byte(c.key), text)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (len(ctx.Vector) != 0 || ctx.HLC != 0) {
			t.Errorf("%s: a refused token left %v", name, ctx)
		}
	}
}

func TestTokenRotation(t *testing.T) {
	before, between, after, without := keyring(t, 1), keyring(t, 1, 2), keyring(t, 2, 1), keyring(t, 2)
	c := Context{dots("a1"), 5}
	for i, step := range []struct {
		made, opened *Keyring
		want         error
	}{
		{before, between, nil},
		{between, before, nil},
		{between, after, nil},
		{after, between, nil},
		{after, without, nil},
		{before, without, ErrTokenForged},
		{after, before, ErrTokenForged},
	} {
		var got Context
		if err := step.opened.Open(&got, 1, []byte("k"), token(t, step.made, 1, "k", c)); !errors.Is(err, step.want) {
			t.Errorf("step %d: %v", i, err)
		}
	}
}

func TestNewKeyring(t *testing.T) {
	if _, err := NewKeyring(); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := NewKeyring(make([]byte, MinTokenKey-1)); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	keys := make([][]byte, MaxTokenKeys+1)
	for i := range keys {
		keys[i] = make([]byte, MinTokenKey)
	}
	if _, err := NewKeyring(keys...); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := NewKeyring(keys[1:]...); err != nil {
		t.Error(err)
	}
	// Keys are copied, and do not show.
	key := bytes.Repeat([]byte("secret.."), 4)
	k, err := NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	text := token(t, k, 1, "k", Context{})
	clear(key)
	var c Context
	if err := k.Open(&c, 1, []byte("k"), text); err != nil {
		t.Error(err)
	}
	if s := fmt.Sprintf("%v %+v %#v", k, *k, *k); strings.Contains(s, "secret") {
		t.Error(s)
	}
}

// Every altered token is refused, with one of the three errors.
func TestAlteredToken(t *testing.T) {
	k := keyring(t, 1)
	text := token(t, k, 3, "key", Context{dots("a1 b2"), 5})
	var c Context
	refused := func(what string, b []byte) {
		t.Helper()
		err := k.Open(&c, 3, []byte("key"), b)
		if !errors.Is(err, ErrTokenMalformed) && !errors.Is(err, ErrTokenForged) && !errors.Is(err, ErrTokenOtherKey) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for i := range text {
		refused("cut", text[:i])
		for _, ch := range []byte("AZ_-0=\n\r +/\x00\xff") {
			if text[i] == ch {
				continue
			}
			b := bytes.Clone(text)
			b[i] = ch
			refused("one character changed", b)
			b = append(append(bytes.Clone(text[:i]), ch), text[i:]...)
			refused("one character more", b)
		}
	}
	raw, err := tokenText.AppendDecode(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			b := bytes.Clone(raw)
			b[i] ^= 1 << bit
			refused("one bit", tokenText.AppendEncode(nil, b))
		}
	}
	refused("huge", bytes.Repeat([]byte("A"), 1<<20))
	// Nonsense with a right MAC, as a later version might write it.
	body := string(raw[:len(raw)-macLen])
	for name, b := range map[string]string{
		"an entry cut short":        body[:len(body)-1],
		"an actor twice":            body + body[len(body)-ActorLen-1:],
		"another version":           "\x02" + body[1:],
		"another mode":              body[:1] + "\x02" + body[2:],
		"a long form of a bucket":   body[:2] + "\x83\x00" + body[3:],
		"a bucket without an end":   body[:2] + strings.Repeat("\xff", len(body)-2),
		"no room for a timestamp":   body[:2] + "\x83\x83\x83\x03" + body[3:17],
		"a vector out of its order": body[:len(body)-2*ActorLen-2] + body[len(body)-ActorLen-1:] + body[len(body)-2*ActorLen-2:len(body)-ActorLen-1],
	} {
		if err := k.Open(&c, 3, []byte("key"), seal(k, []byte(b), "key")); !errors.Is(err, ErrTokenMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// seal makes a token from any body, as only the cluster can.
func seal(k *Keyring, body []byte, key string) []byte {
	s := k.keys[0].Get().(*sealer)
	defer k.keys[0].Put(s)
	sum := sha256.Sum256([]byte(key))
	return tokenText.AppendEncode(nil, append(bytes.Clone(body), s.authenticate(body, &sum)...))
}

// FuzzDecodeToken takes its input as a token, and as the body of one with a right MAC.
func FuzzDecodeToken(f *testing.F) {
	k := keyring(f, 1)
	_, m := contexts()
	for _, c := range m {
		text := token(f, k, 3, "key", c)
		f.Add(text)
		raw, err := tokenText.AppendDecode(nil, text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[:len(raw)-macLen])
	}
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, text := range [][]byte{b, seal(k, b, "key")} {
			var c Context
			err := k.Open(&c, 3, []byte("key"), text)
			if err != nil {
				if !errors.Is(err, ErrTokenMalformed) && !errors.Is(err, ErrTokenForged) && !errors.Is(err, ErrTokenOtherKey) {
					t.Fatal(err)
				}
				continue
			}
			if again := token(t, k, 3, "key", c); !bytes.Equal(again, text) {
				t.Fatalf("two tokens of one context:\n%s\n%s", text, again)
			}
		}
	})
}
