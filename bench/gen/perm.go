package gen

import "math/bits"

// Permutation visits each of the numbers 0..n-1 once, in an order that looks random,
// without storing it: a balanced Feistel network over the next even number of bits,
// walked until it falls below n (Black and Rogaway, "Ciphers with arbitrary finite
// domains", 2002). It is safe for concurrent use.
type Permutation struct {
	n    int64
	half uint // bits in each half
	keys [4]uint64
}

// NewPermutation permutes 0..n-1, for n >= 1, in an order given by seed.
func NewPermutation(n int64, seed uint64) Permutation {
	width := uint(bits.Len64(uint64(n - 1)))
	p := Permutation{n: n, half: max(1, (width+1)/2)}
	r := Rand{state: seed}
	for i := range p.keys {
		p.keys[i] = r.Uint64()
	}
	return p
}

// At returns the i-th number of the order, for 0 <= i < n.
func (p *Permutation) At(i int64) int64 {
	v := uint64(i)
	for {
		v = p.encrypt(v)
		if v < uint64(p.n) {
			return int64(v)
		}
	}
}

func (p *Permutation) encrypt(v uint64) uint64 {
	mask := uint64(1)<<p.half - 1
	left, right := v>>p.half, v&mask
	for _, k := range p.keys {
		left, right = right, left^(Mix(right+k)&mask)
	}
	return left<<p.half | right
}
