package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
	"unsafe"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/block"
)

var errIndex = errors.New("malformed index")

// index finds the block of a key. It is decoded from the index block into flat
// arrays, in memory that the reader owns. Prefixes decide, and separators only
// where prefixes tie. Above the prefixes stand levels with every 16th of the level
// below, so that a search reads two neighbouring cache lines of each: a table of
// 27,000 blocks has two such levels, and costs 2 or 3 misses where halving its way
// through the prefixes would cost 11.
type index struct {
	n        int
	common   []byte   // what all separators begin with
	prefixes []uint64 // base.Prefix of separator i
	up       [maxUp][]uint64
	ups      int      // levels in use
	offsets  []uint64 // n+1: block i with its trailer is [offsets[i], offsets[i+1])
	sepEnds  []uint32 // n+1: separator i without common is seps[sepEnds[i]:sepEnds[i+1]]
	seps     []byte
}

const (
	fanout = 16
	maxUp  = 5   // enough for 100 million blocks
	topLen = 128 // no further level above one that is as short as this
)

// indexSize is what a first pass over the index block finds: how much memory the
// index takes.
type indexSize struct {
	n      int
	common []byte
	seps   int
}

// bytes returns the length of the region that build needs.
func (s *indexSize) bytes() uint64 {
	size := uint64(s.n)*8 + (uint64(s.n)+1)*(8+4) + uint64(len(s.common)) + uint64(s.seps)
	for _, n := range s.levels() {
		size += uint64(n) * 8
	}
	return size
}

// levels returns the lengths of the levels above the prefixes. Group j of a level
// is its entries [16j, 16j+16); the level above has the last entry of each full group.
func (s *indexSize) levels() (lens [maxUp]int) {
	n := s.n
	for i := range lens {
		if n <= topLen {
			break
		}
		n /= fanout
		lens[i] = n
	}
	return lens
}

// measureIndex walks the index block b of a table whose data blocks end at dataEnd.
func measureIndex(b []byte, dataEnd uint64) (s indexSize, err error) {
	// A separator is no longer than a key of its block, and every key of a block is
	// put together from bytes in it; so the file bounds all separators, however far
	// their shared prefixes blow up.
	limit := min(maxSnappyGain*dataEnd, 1<<31-1)
	var it block.Iter
	if err := it.Init(b); err != nil {
		return s, err
	}
	first := true
	for kv := it.First(); kv != nil; kv = it.Next() {
		if first {
			s.common = append([]byte{}, kv.Key...)
			first = false
		}
		s.common = s.common[:base.CommonPrefixLen(s.common, kv.Key)]
		s.n++
		s.seps += len(kv.Key)
		if uint64(s.seps) > limit {
			return s, errIndex
		}
	}
	s.seps -= s.n * len(s.common)
	return s, it.Err()
}

// buildIndex decodes the index block b into region, of s.bytes() bytes, aligned to
// 8. Data blocks must end at dataEnd. The result aliases region and nothing else.
func buildIndex(b []byte, s indexSize, region []byte, dataEnd uint64) (x index, err error) {
	x.n = s.n
	x.prefixes, region = cut[uint64](region, s.n)
	for i, n := range s.levels() {
		if n > 0 {
			x.up[i], region = cut[uint64](region, n)
			x.ups = i + 1
		}
	}
	x.offsets, region = cut[uint64](region, s.n+1)
	x.sepEnds, region = cut[uint32](region, s.n+1)
	x.common, region = cut[byte](region, len(s.common))
	x.seps, _ = cut[byte](region, s.seps)
	copy(x.common, s.common)
	var it block.Iter
	if err := it.Init(b); err != nil {
		return index{}, err
	}
	i, seps, off := 0, 0, uint64(0)
	for kv := it.First(); kv != nil; kv = it.Next() {
		size, n := binary.Uvarint(kv.Value)
		if n <= 0 || n != len(kv.Value) || size <= trailerLen || size > dataEnd-off ||
			size > maxRecordBlock+trailerLen {
			return index{}, errIndex
		}
		x.prefixes[i] = base.Prefix(kv.Key, x.common)
		if i > 0 && bytes.Compare(x.separator(i-1), kv.Key[len(x.common):]) > 0 {
			return index{}, errIndex
		}
		seps += copy(x.seps[seps:], kv.Key[len(x.common):])
		off += size
		i++
		x.offsets[i] = off
		x.sepEnds[i] = uint32(seps)
	}
	if err := it.Err(); err != nil {
		return index{}, err
	}
	if off != dataEnd {
		return index{}, errIndex
	}
	x.raise()
	return x, nil
}

// raise fills the levels above the prefixes.
func (x *index) raise() {
	below := x.prefixes
	for _, u := range x.up[:x.ups] {
		for j := range u {
			u[j] = below[fanout*j+fanout-1]
		}
		below = u
	}
}

// cut takes the first n elements off region. unsafe: the region is plain memory
// that only this file writes, and long enough.
func cut[T byte | uint32 | uint64](region []byte, n int) ([]T, []byte) {
	var t T
	size := n * int(unsafe.Sizeof(t))
	if n == 0 {
		return nil, region
	}
	head := region[:size]
	return unsafe.Slice((*T)(unsafe.Pointer(&head[0])), n), region[size:]
}

// separator returns separator i without the common prefix.
func (x *index) separator(i int) []byte { return x.seps[x.sepEnds[i]:x.sepEnds[i+1]] }

// compare compares separator i with key.
func (x *index) compare(i int, key []byte) int {
	c := len(x.common)
	if len(key) < c || string(key[:c]) != string(x.common) {
		return bytes.Compare(x.common, key) // which differs within it
	}
	return bytes.Compare(x.separator(i), key[c:])
}

// key returns separator i, as a copy.
func (x *index) key(i int) []byte {
	return append(append([]byte{}, x.common...), x.separator(i)...)
}

// find returns the first block whose separator is >= key: the only one that key
// can begin in. n means that key is beyond the table.
func (x *index) find(key []byte) int {
	c := len(x.common)
	if len(key) < c || string(key[:c]) != string(x.common) {
		if bytes.Compare(key, x.common) < 0 {
			return 0
		}
		return x.n
	}
	rest := key[c:]
	p := base.Prefix(rest, nil)
	lo := x.countBelow(p)
	if lo < len(x.prefixes) && x.prefixes[lo] == p {
		return x.findTied(lo, p, rest)
	}
	return lo
}

// countBelow returns how many prefixes are < p. Everywhere it counts rather than
// jumps: which way a comparison goes cannot be predicted.
func (x *index) countBelow(p uint64) int {
	top := x.prefixes
	if x.ups > 0 {
		top = x.up[x.ups-1]
	}
	c, n := 0, len(top)
	for n > 0 {
		half := (n + 1) >> 1
		_, less := bits.Sub64(top[c+half-1], p, 0)
		c += half & -int(less)
		n -= half
	}
	for i := x.ups - 2; i >= -1; i-- {
		level := x.prefixes
		if i >= 0 {
			level = x.up[i]
		}
		// c groups of this level are entirely below p, the next is not.
		level = level[min(c*fanout, len(level)):]
		c *= fanout
		if len(level) >= fanout {
			c += countGroup((*[fanout]uint64)(level), p)
			continue
		}
		for _, v := range level {
			_, less := bits.Sub64(v, p, 0)
			c += int(less)
		}
	}
	return c
}

func countGroup(g *[fanout]uint64, p uint64) int {
	var a, b uint64
	for i := 0; i < fanout; i += 2 {
		_, less := bits.Sub64(g[i], p, 0)
		a += less
		_, less = bits.Sub64(g[i+1], p, 0)
		b += less
	}
	return int(a + b)
}

// findTied goes on from lo, the first of the separators whose prefix is p.
func (x *index) findTied(lo int, p uint64, rest []byte) int {
	hi := lo + 1
	for step := 1; hi < x.n && x.prefixes[hi] == p; step *= 2 {
		hi = min(hi+step, x.n)
	}
	// Everything from hi on has a larger prefix, or hi is the end.
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if x.prefixes[mid] <= p && bytes.Compare(x.separator(mid), rest) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// Marks calls f with at most n keys in ascending order and how many bytes of data
// blocks lie between each and the one before. The keys are copies.
func (r *Reader) Marks(n int, f func(key []byte, bytes int64)) {
	x := &r.idx
	n = min(n, x.n)
	at := 0
	for i := 1; i <= n; i++ {
		next := int(int64(x.n) * int64(i) / int64(n))
		f(x.key(next-1), int64(x.offsets[next]-x.offsets[at]))
		at = next
	}
}
