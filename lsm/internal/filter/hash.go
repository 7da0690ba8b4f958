package filter

import (
	"encoding/binary"
	"math/bits"
)

// Hash is what a filter knows of a key: the four base hashes from which
// bits-and-blooms derives all bit positions. It is computed once per lookup and
// serves the filters of all tables.
type Hash [4]uint64

const (
	c1 = 0x87c37b91114253d5
	c2 = 0x4cf5ad432745937f
)

// HashKey returns murmur3-128 of key, then murmur3-128 of key followed by one
// byte 1, which is what the library does inside Add and Test. The library keeps
// it private and its Locations allocates, so it is written out here;
// TestHashIsTheLibrarys holds the two together.
func HashKey(key []byte) Hash {
	var h1, h2 uint64
	n := uint64(len(key))
	p := key
	for len(p) >= 16 {
		h1, h2 = mixBlock(h1, h2, binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:]))
		p = p[16:]
	}
	k1, k2 := tailWords(p)
	a1, a2 := finish(h1^mix1(k1), h2^mix2(k2), n)
	switch t := len(p); {
	case t < 8:
		k1 |= 1 << (8 * t)
	case t < 15:
		k2 |= 1 << (8 * (t - 8))
	default: // the appended byte completes a block
		k2 |= 1 << 56
		h1, h2 = mixBlock(h1, h2, k1, k2)
		k1, k2 = 0, 0
	}
	b1, b2 := finish(h1^mix1(k1), h2^mix2(k2), n+1)
	return Hash{a1, a2, b1, b2}
}

// tailWords returns fewer than 16 bytes as two zero-padded words.
func tailWords(p []byte) (k1, k2 uint64) {
	n := len(p)
	switch {
	case n >= 8:
		k1 = binary.LittleEndian.Uint64(p)
		k2 = binary.LittleEndian.Uint64(p[n-8:]) >> (8 * (16 - n))
	case n >= 4: // two loads that overlap; the bits in both are the same
		k1 = uint64(binary.LittleEndian.Uint32(p)) | uint64(binary.LittleEndian.Uint32(p[n-4:]))<<(8*(n-4))
	default:
		for i, c := range p {
			k1 |= uint64(c) << (8 * i)
		}
	}
	return k1, k2
}

func mix1(k uint64) uint64 { return bits.RotateLeft64(k*c1, 31) * c2 }
func mix2(k uint64) uint64 { return bits.RotateLeft64(k*c2, 33) * c1 }

func mixBlock(h1, h2, k1, k2 uint64) (uint64, uint64) {
	h1 = (bits.RotateLeft64(h1^mix1(k1), 27)+h2)*5 + 0x52dce729
	h2 = (bits.RotateLeft64(h2^mix2(k2), 31)+h1)*5 + 0x38495ab5
	return h1, h2
}

func finish(h1, h2, n uint64) (uint64, uint64) {
	h1 ^= n
	h2 ^= n
	h1 += h2
	h2 += h1
	h1, h2 = fmix(h1), fmix(h2)
	h1 += h2
	return h1, h2 + h1
}

func fmix(k uint64) uint64 {
	k = (k ^ k>>33) * 0xff51afd7ed558ccd
	k = (k ^ k>>33) * 0xc4ceb9fe1a85ec53
	return k ^ k>>33
}
