package lcs

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
)

// reference fills the whole table and walks it back like Redis.
func reference(a, b []byte, minLen int64) (sequence []byte, matches []Match, length int) {
	t := make([][]int, len(a)+1)
	for i := range t {
		t[i] = make([]int, len(b)+1)
		for j := range t[i] {
			switch {
			case i == 0 || j == 0:
			case a[i-1] == b[j-1]:
				t[i][j] = t[i-1][j-1] + 1
			default:
				t[i][j] = max(t[i-1][j], t[i][j-1])
			}
		}
	}
	length = t[len(a)][len(b)]
	sequence = make([]byte, length)
	at := length
	unset := len(a)
	m := Match{AStart: unset}
	for i, j := len(a), len(b); i > 0 && j > 0; {
		emit := false
		if a[i-1] == b[j-1] {
			at--
			sequence[at] = a[i-1]
			switch {
			case m.AStart == unset:
				m = Match{i - 1, i - 1, j - 1, j - 1}
			case m.AStart == i && m.BStart == j:
				m.AStart--
				m.BStart--
			default:
				emit = true
			}
			emit = emit || m.AStart == 0 || m.BStart == 0
			i--
			j--
		} else {
			if t[i-1][j] > t[i][j-1] {
				i--
			} else {
				j--
			}
			emit = m.AStart != unset
		}
		if emit {
			if minLen == 0 || int64(m.Len()) >= minLen {
				matches = append(matches, m)
			}
			m.AStart = unset
		}
	}
	return sequence, matches, length
}

func check(t *testing.T, a, b string, minLen int64) {
	t.Helper()
	sequence, matches, length := reference([]byte(a), []byte(b), minLen)
	if got := Length([]byte(a), []byte(b)); got != length {
		t.Errorf("%q %q: length %d, want %d", a, b, got, length)
	}
	if got := Sequence([]byte("x"), []byte(a), []byte(b)); string(got) != "x"+string(sequence) {
		t.Errorf("%q %q: %q, want %q", a, b, got, sequence)
	}
	var got []Match
	n := Matches([]byte(a), []byte(b), minLen, func(m Match) { got = append(got, m) })
	if n != length || !reflect.DeepEqual(got, matches) {
		t.Errorf("%q %q: %d %v, want %d %v", a, b, n, got, length, matches)
	}
}

func TestAgainstTheTable(t *testing.T) {
	for _, c := range [][2]string{{"", ""}, {"a", ""}, {"", "a"}, {"a", "a"}, {"ab", "ba"}, {"ohmytext", "mynewtext"}, {"abcabc", "abc"}, {"xaxbx", "yaybyay"}} {
		for minLen := range int64(4) {
			check(t, c[0], c[1], minLen)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	word := func(letters int) string {
		b := make([]byte, rng.IntN(40))
		for i := range b {
			b[i] = 'a' + byte(rng.IntN(letters))
		}
		return string(b)
	}
	for range 2000 {
		letters := 1 + rng.IntN(5)
		check(t, word(letters), word(letters), int64(rng.IntN(4)))
	}
}

// TestDocumented has the example of the manual of Redis.
func TestDocumented(t *testing.T) {
	a, b := []byte("ohmytext"), []byte("mynewtext")
	if got := Sequence(nil, a, b); string(got) != "mytext" {
		t.Errorf("%q", got)
	}
	var got []Match
	n := Matches(a, b, 0, func(m Match) { got = append(got, m) })
	if want := []Match{{4, 7, 5, 8}, {2, 3, 0, 1}}; n != 6 || !reflect.DeepEqual(got, want) || got[0].Len() != 4 {
		t.Errorf("%d %v", n, got)
	}
	got = nil
	if n = Matches(a, b, 4, func(m Match) { got = append(got, m) }); n != 6 || len(got) != 1 {
		t.Errorf("%d %v", n, got)
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		alen, blen int
		limit      int64
		want       bool
	}{
		{0, 0, 4, true}, {0, 0, 3, false}, {9, 9, 400, true}, {9, 9, 399, false}, {9, 10, 400, false}, {1, 1, -1, false},
		{1<<30 - 1, 1<<30 - 1, 1 << 62, true}, {1 << 30, 1<<30 - 1, 1 << 62, false},
	} {
		if got := Fits(c.alen, c.blen, c.limit); got != c.want {
			t.Errorf("%+v", c)
		}
	}
}

func TestMemory(t *testing.T) {
	a, b := bytes.Repeat([]byte("ab"), 1000), bytes.Repeat([]byte("ba"), 1000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	Sequence(nil, a, b)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 2000*2000/8+40000 {
		t.Errorf("%d bytes", n)
	}
}
