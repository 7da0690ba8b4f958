package skiplist

import (
	"math"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// rank returns how many entries of b, as perm has them, sort before (key, t),
// whose prefix is p, and how many records it compared for that. upper says that b is
// above the lowest lane.
func (l *List) rank(b *block, perm uint64, p uint64, key []byte, t base.Trailer, upper bool) (r, compared int) {
	n := count(perm)
	r = b.below(p)
	// The count is over all slots. One that is being filled, or was dropped, may have
	// been counted though perm has it not; then the neighbours do not fit.
	if r > n || r > 0 && atomic.LoadUint64(&b.prefix[slotAt(perm, r-1)]) >= p {
		r = b.belowByRank(perm, p)
	}
	if r == n {
		return r, 0
	}
	q := atomic.LoadUint64(&b.prefix[slotAt(perm, r)])
	if q > p {
		return r, 0
	}
	if q < p {
		r = b.belowByRank(perm, p)
	}
	// Some prefixes are equal: these records decide.
	hi := r
	for hi < n && atomic.LoadUint64(&b.prefix[slotAt(perm, hi)]) == p {
		hi++
	}
	for r < hi {
		m := int(uint(r+hi) / 2)
		s := slotAt(perm, m)
		var rec uint32
		if upper {
			rec = atomic.LoadUint32(&asInner(b).sep[s])
		} else {
			rec = atomic.LoadUint32(&b.off[s])
		}
		compared++
		if rec != 0 && l.before(rec, key, t) {
			r = m + 1
		} else {
			hi = m
		}
	}
	return r, compared
}

// seek returns the first record that does not sort before (key, t), 0 when there is
// none. It sees every record whose Add returned before seek was called.
func (l *List) seek(key []byte, t base.Trailer) uint32 {
	if l.head == 0 {
		return 0
	}
	p := base.Prefix(key, l.common)
	before, after, _ := l.lookup(p, key, t)
	if after != 0 {
		return after
	}
	return l.walk(before, key, t)
}

// walk goes on from a record that sorts before (key, t) to the first that does not.
func (l *List) walk(off uint32, key []byte, t base.Trailer) uint32 {
	off = l.next(off)
	for off != 0 && l.before(off, key, t) {
		off = l.next(off)
	}
	return off
}

// lookup goes down the lanes to a record that sorts before (key, t). after is
// the next one in the same block, and then they are neighbours, but for records that are
// being added, afterPrefix being its prefix; or 0: what follows is in another block, or nowhere, or a split took
// it away, and the caller has to walk.
func (l *List) lookup(p uint64, key []byte, t base.Trailer) (before, after uint32, afterPrefix uint64) {
retry:
	root := l.root.Load()
	off := uint32(root >> 8)
	for lane := int(root & 0xff); ; lane-- {
		b := l.block(off)
		// In this order: see invariant 4. What is read between the two looks at the version
		// belongs to the perm that was read first.
		version := atomic.LoadUint32(&b.version)
		perm := atomic.LoadUint64(&b.perm)
		r, _ := l.rank(b, perm, p, key, t, lane > 0)
		if r == 0 {
			// The first entry always sorts before what is looked for on this path, so slots
			// changed under the search.
			goto retry
		}
		off = atomic.LoadUint32(&b.off[slotAt(perm, r-1)])
		after = 0
		if lane == 0 && r < count(perm) {
			s := slotAt(perm, r)
			after, afterPrefix = atomic.LoadUint32(&b.off[s]), atomic.LoadUint64(&b.prefix[s])
		}
		if atomic.LoadUint32(&b.version) != version {
			goto retry
		}
		if lane == 0 {
			return off, after, afterPrefix
		}
	}
}

// lastBefore returns the last record that sorts before (key, t), 0 when there is none.
func (l *List) lastBefore(key []byte, t base.Trailer) uint32 {
	if l.head == 0 {
		return 0
	}
	p := base.Prefix(key, l.common)
	off, after, _ := l.lookup(p, key, t)
	if after == 0 {
		for {
			next := l.next(off)
			if next == 0 || !l.before(next, key, t) {
				break
			}
			off = next
		}
	}
	if off == l.head {
		return 0
	}
	return off
}

// maxHeight bounds the lanes. Blocks that are split in the middle keep at least
// seven entries, and seven to the eleventh exceeds what 4 GiB can hold.
const maxHeight = 12

// edge is the record that a block begins with.
type edge struct {
	prefix uint64
	node   uint32
}

// finger remembers the writer's way to the block of the lowest lane where the
// last insertion went. As long as insertions stay in its range they need no search from
// the root: the sequential load does not search at all.
type finger struct {
	lo, hi edge // the block's range: lo <= record < hi; hi.node = 0 means no bound
	height int  // lanes above the lowest
	path   [maxHeight + 1]struct {
		block uint32
		rank  int // of the entry that the way down goes through
	}
	recent uint32 // the last insertion, whatever block it went to
	known  bool   // whether path, lo and hi hold
	sink   uint32 // keeps reads whose only purpose is to fetch a cache line

	blocks, compared int64 // see List.Searched
}

// covers reports whether (key, t) belongs to the block the finger is at.
func (w *finger) covers(l *List, p uint64, key []byte, t base.Trailer) bool {
	if !w.known || p < w.lo.prefix || w.hi.node != 0 && p > w.hi.prefix {
		return false
	}
	if p == w.lo.prefix {
		w.compared++
		if !l.before(w.lo.node, key, t) {
			return false
		}
	}
	if w.hi.node == 0 || p < w.hi.prefix {
		return true
	}
	w.compared++
	return !l.before(w.hi.node, key, t)
}

// descend brings the finger to the block where (key, t) belongs.
func (l *List) descend(p uint64, key []byte, t base.Trailer) {
	w := &l.w
	root := l.root.Load()
	off := uint32(root >> 8)
	w.height = int(root & 0xff)
	w.lo, w.hi = edge{0, l.head}, edge{math.MaxUint64, 0}
	for lane := w.height; lane > 0; lane-- {
		b := l.inner(off)
		r, compared := l.rank(&b.block, b.perm, p, key, t, true)
		w.blocks, w.compared = w.blocks+1, w.compared+int64(compared)
		s := slotAt(b.perm, r-1)
		w.path[lane].block, w.path[lane].rank = off, r-1
		w.lo = edge{b.prefix[s], b.sep[s]}
		if r < count(b.perm) {
			s := slotAt(b.perm, r)
			w.hi = edge{b.prefix[s], b.sep[s]}
		}
		off = b.off[slotAt(b.perm, r-1)]
	}
	w.path[0].block = off
	w.known = true
}
