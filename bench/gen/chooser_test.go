package gen

import (
	"math"
	"testing"
)

func draw(c Chooser, n, draws int) []int {
	counts := make([]int, n)
	for i := range draws {
		r := At(1, int64(i))
		counts[c.Next(&r)]++
	}
	return counts
}

func hottest(counts []int) (share float64) {
	sum, most := 0, 0
	for _, c := range counts {
		sum += c
		most = max(most, c)
	}
	return float64(most) / float64(sum)
}

// YCSB's zipfian: the hottest record gets 1/26.47 whatever the number of records; the
// exact law over n gets 1/zeta(n), 1/15.39 for a million.
func TestHottestRecord(t *testing.T) {
	const draws = 400_000
	for _, n := range []int{10_000, 1_000_000} {
		got := hottest(draw(NewScrambled(int64(n)), n+1, draws))
		// A few unpopular ranks may hash onto the hottest record as well.
		if want := 1 / scrambledZeta; math.Abs(got-want) > 0.0015 {
			t.Errorf("scrambled, %d records: hottest gets %.4f, want %.4f", n, got, want)
		}
		got = hottest(draw(NewZipf(int64(n), 5), n, draws))
		if want := 1 / Zeta(int64(n), Theta); math.Abs(got-want) > 0.0015 {
			t.Errorf("zipf, %d records: hottest gets %.4f, want %.4f", n, got, want)
		}
	}
}

// Rank 0 hashes to a known place: FNV64(0) mod (records+1).
func TestScrambledPlace(t *testing.T) {
	const n = 1000
	counts := draw(NewScrambled(n), n+1, 100_000)
	top := 0
	for i, c := range counts {
		if c > counts[top] {
			top = i
		}
	}
	if want := int(6284781860667377211 % (n + 1)); top != want {
		t.Errorf("hottest record is %d, want %d", top, want)
	}
}

// Distances from the newest record are zipfian, and follow it as it moves.
func TestLatest(t *testing.T) {
	const n, draws = 10_000, 200_000
	ack := NewAck(n)
	c := NewLatest(ack)
	counts := draw(c, n, draws)
	if counts[0] != 0 {
		t.Errorf("record 0 was chosen %d times; YCSB never chooses it", counts[0])
	}
	got, want := float64(counts[n-1])/draws, 1/Zeta(n-1, Theta)
	if math.Abs(got-want) > 0.03*want {
		t.Errorf("newest record gets %.4f, want %.4f", got, want)
	}
	for range 500 {
		ack.Done(ack.Next())
	}
	counts = draw(c.Fork(), n+500, draws)
	got, want = float64(counts[n+499])/draws, 1/Zeta(n+499, Theta)
	if math.Abs(got-want) > 0.03*want {
		t.Errorf("after 500 inserts the newest record gets %.4f, want %.4f", got, want)
	}
}

func TestHotspot(t *testing.T) {
	const n, draws = 1000, 100_000
	counts := draw(NewHotspot(n, 0.2, 0.8), n, draws)
	hot := 0
	for _, c := range counts[:200] {
		hot += c
	}
	if got := float64(hot) / draws; math.Abs(got-0.8) > 0.01 {
		t.Errorf("the hot fifth gets %.3f, want 0.8", got)
	}
	for i, c := range draw(NewHotspot(n, 0.01, 1), n, 1000) {
		if i >= 10 && c > 0 {
			t.Fatalf("record %d was chosen with all operations on the first hundredth", i)
		}
	}
	draw(NewHotspot(1, 0.2, 0.5), 1, 10) // one record is hot and cold
}

func TestUniform(t *testing.T) {
	const n, draws = 100, 200_000
	for i, c := range draw(Uniform{N: n}, n, draws) {
		if math.Abs(float64(c)-draws/n) > 6*math.Sqrt(draws/n) {
			t.Errorf("record %d: %d of %d draws", i, c, draws)
		}
	}
}

func TestSequentialWraps(t *testing.T) {
	s := NewSequential(3)
	for i, want := range []int64{0, 1, 2, 0, 1} {
		if got := s.Next(nil); got != want {
			t.Fatalf("call %d: %d, want %d", i, got, want)
		}
	}
	if got := s.Fork().Next(nil); got != 0 {
		t.Fatalf("a fork starts at %d", got)
	}
}

// Operation n draws the same numbers whoever performs it, and others than n+1.
func TestStreamsByOperation(t *testing.T) {
	c := NewScrambled(1000)
	for n := range int64(100) {
		a, b, next := At(3, n), At(3, n), At(3, n+1)
		if c.Next(&a) != c.Fork().Next(&b) {
			t.Fatalf("operation %d is not reproducible", n)
		}
		if a.Uint64() == next.Uint64() {
			t.Fatalf("operations %d and %d draw the same", n, n+1)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	ack := NewAck(100_000)
	choosers := []Chooser{
		Uniform{N: 1000}, NewScrambled(1000), NewZipf(1000, 1), NewLatest(ack),
		NewHotspot(1000, 0.2, 0.8), NewSequential(1000),
	}
	values := NewValues(1, 1000, 0.5)
	key := make([]byte, 0, 64)
	var n int64
	var r Rand
	allocs := testing.AllocsPerRun(1000, func() {
		n++
		r = At(1, n)
		for _, c := range choosers {
			rec := c.Next(&r)
			key = HashedKeys{}.Append(key[:0], rec)
			key = DecimalKeys{Size: 16}.Append(key[:0], rec)
		}
		_ = values.At(r.Uint64(), 1000)
		ack.Done(ack.Next())
	})
	if allocs != 0 {
		t.Fatalf("%v allocations for an operation", allocs)
	}
}

func BenchmarkChooser(b *testing.B) {
	for name, c := range map[string]Chooser{
		"uniform": Uniform{N: 1e6}, "scrambled": NewScrambled(1e6), "zipf": NewZipf(1e6, 1),
		"latest": NewLatest(NewAck(1e6)), "hotspot": NewHotspot(1e6, 0.2, 0.8),
	} {
		b.Run("dist="+name, func(b *testing.B) {
			b.ReportAllocs()
			var r Rand
			for n := range b.N {
				r = At(1, int64(n))
				c.Next(&r)
			}
		})
	}
}
