package gen

import "math/bits"

const golden = 0x9e3779b97f4a7c15

// Rand is a stream of random numbers: SplitMix64 (Steele, Lea, Flood: "Fast
// splittable pseudorandom number generators", OOPSLA 2014), chosen because a stream
// costs nothing to start. It belongs to one goroutine.
type Rand struct{ state uint64 }

// At returns the stream of operation n under seed.
func At(seed uint64, n int64) Rand {
	return Rand{state: Mix(Mix(seed) + uint64(n)*golden)}
}

// Mix spreads the bits of x over all 64 bits, one to one.
func Mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Uint64 returns 64 random bits.
func (r *Rand) Uint64() uint64 {
	r.state += golden
	return Mix(r.state)
}

// Float64 returns a number in [0, 1) with 53 random bits.
func (r *Rand) Float64() float64 {
	return float64(r.Uint64()>>11) * (1.0 / (1 << 53))
}

// Int64n returns a number in [0, n), for n > 0. The bias is below n/2^64.
func (r *Rand) Int64n(n int64) int64 {
	hi, _ := bits.Mul64(r.Uint64(), uint64(n))
	return int64(hi)
}
