package gen

import (
	"math"
	"testing"
)

// The published constants: YCSB's ZETAN for 10^10 items, and the sums by definition.
func TestZeta(t *testing.T) {
	for n, want := range map[int64]float64{
		1:              1,
		2:              1 + math.Pow(0.5, 0.99),
		100_000:        12.78,
		1_000_000:      15.39,
		10_000_000:     18.07,
		100_000_000:    20.80,
		scrambledItems: scrambledZeta,
	} {
		tolerance := 0.01
		if n <= 2 || n == scrambledItems {
			tolerance = 1e-6
		}
		if got := Zeta(n, Theta); math.Abs(got-want) > tolerance {
			t.Errorf("Zeta(%d) = %.9f, want %.9f", n, got, want)
		}
	}
	sum := 0.0
	for i := 1; i <= 300_000; i++ {
		sum += math.Pow(float64(i), -Theta)
	}
	if got := Zeta(300_000, Theta); math.Abs(got-sum) > 1e-10 {
		t.Errorf("Zeta(300000) = %.12f, its terms add up to %.12f", got, sum)
	}
}

// A set that grows must end with the same zeta as one that was built large.
func TestZipfianGrows(t *testing.T) {
	z := NewZipfian(1000)
	for n := int64(1001); n <= 5000; n += 7 {
		z.Grow(n)
	}
	z.Grow(5000)
	z.Grow(10) // ignored, as in YCSB
	if want := Zeta(5000, Theta); z.Items() != 5000 || math.Abs(z.zetan-want) > 1e-9 {
		t.Fatalf("after growing: %d items, zeta %.12f, want 5000 and %.12f", z.Items(), z.zetan, want)
	}
}

// The shares of the first two ranks are exact in Gray's closed form; of the rest it
// is an approximation, so the deciles are held against the true law loosely.
func TestZipfianShares(t *testing.T) {
	const items, draws = 10_000, 1_000_000
	z := NewZipfian(items)
	counts := make([]int, items)
	r := At(7, 0)
	for range draws {
		counts[z.Rank(r.Float64())]++
	}
	share := func(from, to int) (got, want float64) {
		for i := from; i < to; i++ {
			got += float64(counts[i]) / draws
			want += math.Pow(float64(i+1), -Theta) / z.zetan
		}
		return got, want
	}
	for _, c := range []struct {
		from, to  int
		tolerance float64
	}{{0, 1, 0.02}, {1, 2, 0.02}, {0, 10, 0.06}, {0, 100, 0.03}, {0, 1000, 0.02}, {5000, 10_000, 0.05}} {
		got, want := share(c.from, c.to)
		if math.Abs(got-want) > c.tolerance*want {
			t.Errorf("ranks %d to %d: share %.4f, law says %.4f", c.from, c.to, got, want)
		}
	}
}

func TestZipfianEdges(t *testing.T) {
	for _, items := range []int64{1, 2, 3, scrambledItems + 1} {
		z := NewZipfian(items)
		for _, u := range []float64{0, 0.25, 0.5, 0.999999, math.Nextafter(1, 0)} {
			if rank := z.Rank(u); rank < 0 || rank >= items {
				t.Errorf("%d items, u=%v: rank %d", items, u, rank)
			}
		}
	}
}
