package access

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	form := regexp.MustCompile(`^rwt_[0-9a-hjkmnp-tv-z]{36}$`)
	seen := map[string]bool{}
	r := source(7)
	for range 1000 {
		secret, sum, err := NewToken(r)
		text := secret.Reveal()
		if err != nil || !form.MatchString(text) || len(text) != TokenLen || seen[text] || !IsToken(text) {
			t.Fatalf("%q: %v", text, err)
		}
		seen[text] = true
		again, err := parseTokenSum(sum.encode())
		if err != nil || *again.d.sumBytes != *sum.d.sumBytes || len(sum.Fingerprint()) != 8 {
			t.Fatal(err)
		}
	}
}

// A mistake in one character is noticed but for one in a million, and never changes the
// answer of the server.
func TestTokenMistakes(t *testing.T) {
	secret, _, _ := NewToken(source(1))
	text := secret.Reveal()
	tried, missed := 0, 0
	for i := range text {
		for c := range 256 {
			b := []byte(text)
			b[i] = byte(c)
			if string(b) == text {
				continue
			}
			tried++
			if IsToken(string(b)) {
				missed++
			}
		}
	}
	if missed > 1 {
		t.Errorf("%d of %d mistakes", missed, tried)
	}
	for _, s := range []string{"", TokenPrefix, text[1:], text + "0", text + "\n", strings.ToUpper(text), " " + text} {
		if IsToken(s) {
			t.Errorf("%q", s)
		}
	}
}

func TestNewPassword(t *testing.T) {
	form := regexp.MustCompile(`^([0-9a-hjkmnp-tv-z]{6}-){3}[0-9a-hjkmnp-tv-z]{6}$`)
	r := source(2)
	a, b := must(NewPassword(r)), must(NewPassword(r))
	if !form.MatchString(a.Reveal()) || a.Reveal() == b.Reveal() || IsToken(a.Reveal()) {
		t.Errorf("%q %q", a.Reveal(), b.Reveal())
	}
	if got := base32Text([]byte{0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x08, 0x42, 0x10, 0x84, 0x21}); got != "00000000zzzzzzzz11111111" {
		t.Error(got)
	}
}

func TestNoRandom(t *testing.T) {
	short := bytes.NewReader(make([]byte, 10))
	if _, _, err := NewToken(short); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if _, err := NewPassword(short); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if _, err := NewSalt(short); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func FuzzToken(f *testing.F) {
	secret, sum, _ := NewToken(source(1))
	f.Add(secret.Reveal(), sum.encode())
	f.Add(TokenPrefix, tokenSumPrefix)
	f.Fuzz(func(t *testing.T, text, sum string) {
		if _, ok := sumToken(text); ok && (len(text) != TokenLen || !strings.HasPrefix(text, TokenPrefix)) {
			t.Fatal(text)
		}
		if s, err := parseTokenSum(sum); err == nil && s.encode() != sum {
			t.Fatalf("%q is %q", sum, s.encode())
		}
	})
}
