package compare

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The ranks are those of published tables for the confidence interval of a median.
func TestRank(t *testing.T) {
	for n, want := range map[int]struct {
		k        int
		coverage float64
	}{
		1: {1, 0}, 2: {1, 0.5}, 3: {1, 0.75}, 4: {1, 0.875}, 5: {1, 0.9375}, 6: {1, 0.96875}, 8: {1, 0.9921875},
		9: {2, 0.9609375}, 10: {2, 0.978515625}, 15: {4, 0.96484375}, 20: {6, 0.958610535}, 50: {18, 0.967160862},
	} {
		k, coverage := rank(n)
		if k != want.k || math.Abs(coverage-want.coverage) > 1e-8 {
			t.Errorf("%d pairs: rank %d with %.9f, want %d with %.9f", n, k, coverage, want.k, want.coverage)
		}
	}
}

func TestRatio(t *testing.T) {
	for _, c := range []struct {
		pairs []float64
		want  Ratio
	}{
		{[]float64{3}, Ratio{1, 3, 3, 3, 0, Few}},
		{[]float64{4, 1}, Ratio{2, 2, 1, 4, 0.5, Few}},
		{[]float64{1.3, 1.1, 1.2, 1.5, 1.4}, Ratio{5, 1.3, 1.1, 1.5, 0.9375, Win}},
		{[]float64{0.9, 0.8, 0.7, 0.6, 0.5}, Ratio{5, 0.7, 0.5, 0.9, 0.9375, Loss}},
		{[]float64{0.9, 1.1, 1.2, 1.3, 1.4}, Ratio{5, 1.2, 0.9, 1.4, 0.9375, Tie}},
		{[]float64{1, 1.1, 1.2, 1.3, 1.4}, Ratio{5, 1.2, 1, 1.4, 0.9375, Tie}},
		{[]float64{0.5, 1.1, 1.1, 1.2, 1.2, 1.3, 1.3, 1.4, 9}, Ratio{9, 1.2, 1.1, 1.4, 0.9609375, Win}},
	} {
		if got := NewRatio(c.pairs); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.pairs, got, c.want)
		}
	}
	if Median([]float64{3, 1, 2}) != 2 || Median([]float64{4, 1}) != 2.5 {
		t.Error("Median")
	}
}

// The interval has the true median about as often as it says, whatever the
// distribution; noise that both of a pair have does not matter; a planted difference
// is found, and an equal pair is not taken for one.
func TestIntervalCovers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const trials = 4000
	covered := func(n int, truth float64) (covers, wins, losses float64) {
		for range trials {
			pairs := make([]float64, n)
			for i := range pairs {
				drift := math.Exp(r.NormFloat64()) // of the machine, in this round
				noise := func() float64 { return math.Exp(0.1*r.NormFloat64() - 0.2*r.ExpFloat64()) }
				pairs[i] = truth * drift * noise() / (drift * noise())
			}
			ratio := NewRatio(pairs)
			if ratio.Low <= truth && truth <= ratio.High {
				covers++
			}
			switch ratio.Verdict {
			case Win:
				wins++
			case Loss:
				losses++
			}
		}
		return covers / trials, wins / trials, losses / trials
	}
	for _, n := range []int{5, 8, 20} {
		_, promised := rank(n)
		covers, wins, losses := covered(n, 1)
		if math.Abs(covers-promised) > 0.015 {
			t.Errorf("%d pairs: covers %.3f, promises %.3f", n, covers, promised)
		}
		if wins+losses > 1-promised+0.015 {
			t.Errorf("%d equal pairs: %.3f won, %.3f lost", n, wins, losses)
		}
		if _, wins, _ := covered(n, 3); wins < 0.95 {
			t.Errorf("%d pairs, three times as fast: found in %.3f", n, wins)
		}
		if _, _, losses := covered(n, 1/3.0); losses < 0.95 {
			t.Errorf("%d pairs, a third as fast: found in %.3f", n, losses)
		}
	}
}
