package skiplist

import (
	"math"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

const (
	fanout     = 15 // entries of a block: as many 4-bit slot numbers as fit in a word beside their count
	blockAlign = 64
	leafSize   = uint32(unsafe.Sizeof(block{}))
	innerSize  = uint32(unsafe.Sizeof(inner{}))
)

// block is a piece of an express lane: three cache lines. The entries of a block
// on the lowest lane name records, those above name blocks of the lane below.
//
// All fields are read by others while the writer changes them, hence by atomic
// operations. Slots that are not in use have the prefix unused, so that a
// search counts over all slots without asking which are.
type block struct {
	perm    uint64 // low 4 bits: count; then slot numbers by rank, 4 bits each, the free ones last
	prefix  [fanout]uint64
	off     [fanout]uint32
	version uint32 // raised by a split, before any slot is reused
}

// inner is a block above the lowest lane. sep is the record that each entry begins
// with, to compare where prefixes are equal.
type inner struct {
	block
	sep [fanout]uint32
	_   uint32
}

const (
	unused    = math.MaxUint64
	emptyPerm = 0xedcba98765432100 // count 0, slots in order
)

func (l *List) block(off uint32) *block { return (*block)(unsafe.Add(l.base, uintptr(off))) }
func (l *List) inner(off uint32) *inner { return (*inner)(unsafe.Add(l.base, uintptr(off))) }

// initInner is initBlock for a block above the lowest lane.
func (l *List) initInner(off uint32) *block {
	l.inner(off).sep = [fanout]uint32{}
	return l.initBlock(off)
}

// initBlock prepares a block that nobody can reach yet.
func (l *List) initBlock(off uint32) *block {
	b := l.block(off)
	b.perm = emptyPerm
	for i := range b.prefix {
		b.prefix[i] = unused
	}
	return b
}

func count(perm uint64) int { return int(perm & 15) }

// slotAt returns the slot of the entry of the given rank, always below fanout.
func slotAt(perm uint64, rank int) int {
	s := int(perm >> (uint(rank)*4 + 4) & 15)
	if s >= fanout { // never; for the compiler, which then needs no bounds check
		s = 0
	}
	return s
}

// insert puts an entry at rank into a block that is not full, and publishes it.
func (b *block) insert(rank int, prefix uint64, off uint32) (slot int) {
	perm := b.perm
	slot = slotAt(perm, count(perm))
	atomic.StoreUint64(&b.prefix[slot], prefix)
	atomic.StoreUint32(&b.off[slot], off)
	atomic.StoreUint64(&b.perm, permInsert(perm, rank))
	return slot
}

// permInsert moves the first free slot to rank.
func permInsert(perm uint64, rank int) uint64 {
	n := uint(count(perm))
	at := uint(rank)*4 + 4
	slot := perm >> (n*4 + 4) & 15
	low := perm & (1<<at - 1)
	mid := perm >> at << at & (1<<(n*4+4) - 1)
	var high uint64
	if n+1 < fanout {
		high = perm >> (n*4 + 8) << (n*4 + 8)
	}
	return (low | slot<<at | mid<<4 | high) + 1
}

// cut drops the entries of rank keep and above, which another block has by now,
// and makes their slots free.
func (b *block) cut(keep int) {
	perm := b.perm
	atomic.StoreUint64(&b.perm, perm&^15|uint64(keep))
	atomic.StoreUint32(&b.version, b.version+1)
	for r := keep; r < count(perm); r++ {
		atomic.StoreUint64(&b.prefix[slotAt(perm, r)], unused)
	}
}

// below counts the entries whose prefix is less than p, without a branch: the
// borrow of a subtraction is the comparison. Fifteen independent reads of two
// cache lines cost less than a search that has to guess four times.
func (b *block) below(p uint64) int {
	var n, c0, c1, c2 uint64
	for i := 0; i < fanout; i += 3 {
		_, c0 = bits.Sub64(atomic.LoadUint64(&b.prefix[i]), p, 0)
		_, c1 = bits.Sub64(atomic.LoadUint64(&b.prefix[i+1]), p, 0)
		_, c2 = bits.Sub64(atomic.LoadUint64(&b.prefix[i+2]), p, 0)
		n += c0 + c1 + c2
	}
	return int(n)
}

// belowByRank is below for a block that is being changed: it asks only the slots that perm
// has.
func (b *block) belowByRank(perm uint64, p uint64) int {
	r := 0
	for r < count(perm) && atomic.LoadUint64(&b.prefix[slotAt(perm, r)]) < p {
		r++
	}
	return r
}
