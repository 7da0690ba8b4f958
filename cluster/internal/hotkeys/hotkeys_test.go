package hotkeys

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// all counts every use.
func all(capacity int) *Sketch {
	return New(Options{Random: func() uint32 { return 0 }, Every: 1, Capacity: capacity})
}

// Against exact counts: whoever has more than one in Capacity of all uses is there, and
// no count is too low, or too high by more than it says.
func TestLeadersAreFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := all(50)
	zipf := rand.NewZipf(rng, 1.1, 1, 10_000)
	exact, writes := map[string]uint64{}, map[string]uint64{}
	const uses = 100_000
	for range uses {
		k := fmt.Sprint("key", zipf.Uint64())
		write := rng.IntN(3) == 0
		exact[k]++
		if write {
			writes[k]++
		}
		s.Note("b", []byte(k), write)
	}
	top := s.Top(1000)
	if len(top) != 50 {
		t.Fatal(len(top))
	}
	there := map[string]bool{}
	for i, k := range top {
		there[k.Key] = true
		if k.Uses < exact[k.Key] || k.Uses-k.Over > exact[k.Key] || k.Writes > writes[k.Key] {
			t.Errorf("%+v, exactly %d", k, exact[k.Key])
		}
		if i < 3 && k.Key != fmt.Sprint("key", i) {
			t.Errorf("place %d has %s", i, k.Key)
		}
	}
	for k, n := range exact {
		if n > uses/50 && !there[k] {
			t.Errorf("%s with %d uses is not there", k, n)
		}
	}
	if got := s.Top(2); len(got) != 2 || got[0] != top[0] {
		t.Fatal(got)
	}
	if len(s.Top(-1)) != 0 {
		t.Fatal("minus one")
	}
}

func TestAge(t *testing.T) {
	s := all(4)
	for range 8 {
		s.Note("b", []byte("old"), true)
	}
	s.Note("b", []byte("once"), false)
	for range 3 {
		s.Age()
	}
	s.Note("b", []byte("new"), false)
	s.Note("b", []byte("new"), false)
	got := s.Top(10)
	if len(got) != 2 || got[0].Key != "new" || got[1] != (Key{Bucket: "b", Key: "old", Uses: 1, Writes: 1}) {
		t.Fatalf("%+v", got)
	}
	s.Age()
	s.Age()
	if len(s.Top(10)) != 0 || len(s.index) != 0 {
		t.Fatal("not forgotten")
	}
}

func TestLongKeysAndSamples(t *testing.T) {
	s := all(4)
	long := strings.Repeat("x", MaxKey+1)
	s.Note("b", []byte(long), false)
	s.Note("c", []byte(long[1:]), false)
	for _, k := range s.Top(2) {
		if len(k.Key) != MaxKey || k.Cut != (k.Bucket == "b") {
			t.Errorf("%+v", k)
		}
	}
	sampled := New(Options{Random: rand.Uint32})
	for range 64_000 {
		sampled.Note("b", []byte("k"), false)
	}
	if n := sampled.Top(1)[0].Uses; n < 48_000 || n > 80_000 {
		t.Errorf("about 64,000 uses, by the sample %d", n)
	}
}

func TestNoteAllocatesNothing(t *testing.T) {
	s := all(4)
	k := []byte("key")
	s.Note("b", k, false)
	if n := testing.AllocsPerRun(100, func() { s.Note("b", k, true) }); n != 0 {
		t.Error(n)
	}
}

func TestTogether(t *testing.T) {
	s := all(8)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 2000 {
				s.Note("b", []byte{byte(i), byte(j)}, true)
				if j%500 == 0 {
					s.Age()
					s.Top(3)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkNote(b *testing.B) {
	s := New(Options{Random: rand.Uint32})
	k := []byte("key:000000000001")
	b.ReportAllocs()
	for b.Loop() {
		s.Note("available", k, false)
	}
}
