package gen

import "math"

// Theta is the skew of YCSB's zipfian distributions.
const Theta = 0.99

// Zeta returns the sum of 1/i^theta for i = 1..n. Beyond ten thousand terms it adds
// the rest by the Euler-Maclaurin formula, which agrees with the sum to better than
// one part in 10^12 and takes no time even for 10^10 terms.
func Zeta(n int64, theta float64) float64 {
	const direct = 10_000
	sum := 0.0
	for i := min(n, direct); i >= 1; i-- { // small terms first
		sum += math.Pow(float64(i), -theta)
	}
	if n <= direct {
		return sum
	}
	a, b := float64(direct), float64(n)
	integral := func(x float64) float64 { return math.Pow(x, 1-theta) / (1 - theta) }
	f := func(x float64) float64 { return math.Pow(x, -theta) }
	df := func(x float64) float64 { return -theta * math.Pow(x, -theta-1) }
	return sum + integral(b) - integral(a) + (f(b)-f(a))/2 + (df(b)-df(a))/12
}

// Zipfian draws ranks, 0 the most popular, by the closed form of Gray et al.
// ("Quickly generating billion-record synthetic databases", SIGMOD 1994) as YCSB uses
// it. It belongs to one goroutine while Grow is in use; Rank alone may be shared.
type Zipfian struct {
	theta, alpha, zeta2, second float64

	first int64 // items when constructed; YCSB's eta keeps using it when the set grows
	items int64
	zetan float64
	eta   float64
}

// NewZipfian draws from items ranks with YCSB's theta.
func NewZipfian(items int64) *Zipfian {
	return newZipfian(items, Zeta(items, Theta))
}

func newZipfian(items int64, zetan float64) *Zipfian {
	z := &Zipfian{theta: Theta, first: items, items: items, zetan: zetan}
	z.alpha = 1 / (1 - z.theta)
	z.zeta2 = Zeta(2, z.theta)
	z.second = 1 + math.Pow(0.5, z.theta)
	z.setEta()
	return z
}

func (z *Zipfian) setEta() {
	z.eta = (1 - math.Pow(2/float64(z.first), 1-z.theta)) / (1 - z.zeta2/z.zetan)
}

// Items returns how many ranks there are.
func (z *Zipfian) Items() int64 { return z.items }

// Grow extends the set to items ranks. It costs one term of zeta for each new one.
// A smaller number does nothing.
func (z *Zipfian) Grow(items int64) {
	if items <= z.items {
		return
	}
	for i := z.items; i < items; i++ {
		z.zetan += math.Pow(float64(i+1), -z.theta)
	}
	z.items = items
	z.setEta()
}

// Rank returns the rank for u, which must be in [0, 1).
func (z *Zipfian) Rank(u float64) int64 {
	uz := u * z.zetan
	if uz < 1 {
		return 0
	}
	if uz < z.second {
		return min(1, z.items-1)
	}
	// math.Pow takes five times as long for digits that no rank can show.
	rank := int64(float64(z.items) * math.Exp(z.alpha*math.Log(z.eta*u-z.eta+1)))
	return min(rank, z.items-1)
}
