// Package filter holds the bloom filter of a table: whether a user key may be in
// it, answered from one cache line.
//
// The filter is an array of lines of 64 bytes. Every line is a filter of
// bits-and-blooms/bloom/v3 with m = 512 bits; a key belongs to one line, chosen
// by high bits of its hash, and its k positions inside the line are those of the
// library. A plain filter touches k cache lines where this one touches one, at
// 200-400 ns each; the price is about 0.1% more false positives at 10 bits a key.
//
// Encoding: the lines; then the line count as a 32-bit little-endian integer, k
// as one byte, and three zero bytes. Bit i of a line is bit i%8 of its byte i/8.
// The encoding has no checksum: the table puts one around it.
//
// A Builder belongs to one goroutine. A Filter is a value over bytes that must
// not change; it is safe for concurrent use.
package filter

import (
	"encoding/binary"
	"errors"
)

const (
	lineBytes = 64
	lineBits  = lineBytes * 8
	footerLen = 8
	maxProbes = 16

	// A line is chosen by the top lineSelect bits of the first hash, positions by
	// the low 9 bits of all four: the two do not overlap, and together they fit
	// the 64 bits that a Builder keeps of a key.
	lineSelect = 28
	maxLines   = 1<<lineSelect - 1
)

var errFilter = errors.New("malformed filter")

// Filter answers for one table. The zero Filter, that of a table without one,
// answers that everything may be there.
type Filter struct {
	lines []byte
	count uint64
	k     int
}

// Decode reads an encoded filter; the result aliases b. Aligning b to 64 bytes
// is what makes a lookup touch one cache line, correctness does not need it.
func Decode(b []byte) (Filter, error) {
	if len(b) < footerLen {
		return Filter{}, errFilter
	}
	f := b[len(b)-footerLen:]
	lines := b[:len(b)-footerLen]
	count := uint64(binary.LittleEndian.Uint32(f))
	k := int(f[4])
	if count == 0 || count > maxLines || count*lineBytes != uint64(len(lines)) ||
		k < 1 || k > maxProbes || f[5]|f[6]|f[7] != 0 {
		return Filter{}, errFilter
	}
	return Filter{lines: lines, count: count, k: k}, nil
}

// Valid reports whether f came from Decode.
func (f *Filter) Valid() bool { return f.count != 0 }

// MayContain reports whether the key with hash h may have been added; false is
// certain.
func (f *Filter) MayContain(h *Hash) bool {
	off := (h[0] >> (64 - lineSelect) * f.count) >> lineSelect * lineBytes
	if off+lineBytes > uint64(len(f.lines)) {
		return true // the zero Filter
	}
	line := (*[lineBytes]byte)(f.lines[off:])
	if f.k == 6 {
		return probe6(line, h)
	}
	return probe(line, h, f.k)
}

// probe6 is probe for the k of 10 bits a key. All bits are fetched before
// deciding: a branch per bit is mispredicted half the time.
func probe6(line *[lineBytes]byte, h *Hash) bool {
	a, b, c, d := h[0], h[1], h[2], h[3]
	return (bit(line, a)&bit(line, b+d)&bit(line, a+2*d)&
		bit(line, b+3*c)&bit(line, a+4*c)&bit(line, b+5*d))&1 != 0
}

func probe(line *[lineBytes]byte, h *Hash, k int) bool {
	acc := bit(line, h[0])
	for i := 1; i < k; i++ {
		acc &= bit(line, position(h, i))
	}
	return acc&1 != 0
}

// position is the library's i-th location; only its low 9 bits count.
func position(h *Hash, i int) uint64 {
	return h[i&1] + uint64(i)*h[2+(i+i&1)&3>>1]
}

func bit(line *[lineBytes]byte, p uint64) byte {
	return line[p>>3&(lineBytes-1)] >> (p & 7)
}
