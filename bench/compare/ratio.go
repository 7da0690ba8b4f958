package compare

import (
	"math"
	"slices"
)

// Verdict says what a comparison found out about the subject.
type Verdict string

const (
	Win  Verdict = "win"  // the whole interval is above 1
	Tie  Verdict = "tie"  // the interval has 1 in it
	Loss Verdict = "loss" // the whole interval is below 1
	Few  Verdict = "few"  // fewer than fewest pairs: no verdict
)

// fewest is the number of pairs from which there is a verdict: the interval of five
// has a confidence of 93.75%, that of four 87.5%.
const fewest = 5

// Confidence is what an interval is to have. Below six pairs none has it.
const Confidence = 0.95

// Ratio is the median of paired ratios, with an interval for the true median.
//
// The interval is exact and assumes nothing of the distribution but that the pairs are
// independent: of n sorted ratios, the k-th from below and the k-th from above enclose
// the median with the probability 1 - 2·P(B < k), B binomial with n and ½. k is the
// largest that reaches Confidence. With fewer than six pairs k is 1, and the interval,
// lowest to highest, has the Coverage that is written beside it.
type Ratio struct {
	N        int     `json:"n"`
	Median   float64 `json:"median"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Coverage float64 `json:"coverage"` // probability that the interval has the true median
	Verdict  Verdict `json:"verdict"`
}

// NewRatio makes a Ratio of at least one paired ratio above 0, where more than 1 is
// better for the subject.
func NewRatio(pairs []float64) Ratio {
	sorted := slices.Sorted(slices.Values(pairs))
	n := len(sorted)
	k, coverage := rank(n)
	r := Ratio{N: n, Median: geometricMedian(sorted), Low: sorted[k-1], High: sorted[n-k], Coverage: coverage}
	switch {
	case n < fewest:
		r.Verdict = Few
	case r.Low > 1:
		r.Verdict = Win
	case r.High < 1:
		r.Verdict = Loss
	default:
		r.Verdict = Tie
	}
	return r
}

// rank returns the largest k whose interval has Confidence, or 1, and what it has.
func rank(n int) (k int, coverage float64) {
	// below is P(B < k): the terms n over i, each by 2 to the n.
	term, below := math.Exp2(-float64(n)), 0.0
	for i := 0; i < n; i++ {
		next := below + term
		if i > 0 && (1-2*next < Confidence || 2*i+1 >= n) {
			break
		}
		k, below = i+1, next
		term *= float64(n-i) / float64(i+1)
	}
	return k, 1 - 2*below
}

// geometricMedian is the middle one, or the geometric mean of the middle two: the
// median of the inverse ratios is then its inverse.
func geometricMedian(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return math.Sqrt(sorted[n/2-1] * sorted[n/2])
}

// Median returns the middle of the values, or the mean of the middle two.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
