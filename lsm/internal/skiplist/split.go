package skiplist

import (
	"sync/atomic"
	"unsafe"
)

func asInner(b *block) *inner { return (*inner)(unsafe.Pointer(b)) }

// room reports whether the arena has room for a record and for the splits that
// its insertion into the finger's full block causes, so that Add fails before it
// changes anything.
func (l *List) room(key, value []byte) bool {
	w := &l.w
	need := uint64(leafSize) + blockAlign
	lane := 1
	for lane <= w.height && count(l.block(w.path[lane].block).perm) == fanout {
		need += uint64(innerSize) + blockAlign
		lane++
	}
	if lane > w.height { // a new root
		if w.height+1 > maxHeight {
			return false
		}
		need += uint64(innerSize) + blockAlign
	}
	need += uint64(nodeSize) + uint64(len(key)) + uint64(len(value)) + nodeAlign
	return need <= uint64(l.arena.Cap()-l.arena.Size())
}

// split makes two blocks of the finger's full one and inserts an entry at rank.
// sequential says that the record before is the last insertion: where the new one
// comes at the end of the block, more are likely to follow there, and the old block stays
// full. room has made sure of the memory.
func (l *List) split(rank int, p uint64, rec uint32, sequential bool) {
	w := &l.w
	w.known = false
	left := l.block(w.path[0].block)
	keep := splitAt(rank, sequential)
	roff, right := l.sibling(left, keep, false)
	if rank > keep || keep == fanout {
		right.insert(rank-keep, p, rec)
	}
	// The right block is reachable before the left one lets go of its entries.
	s := slotAt(right.perm, 0)
	l.addToLane(1, right.prefix[s], right.off[s], roff, sequential)
	if keep < fanout {
		left.cut(keep)
		if rank <= keep {
			left.insert(rank, p, rec)
		}
	}
}

func splitAt(rank int, sequential bool) int {
	if sequential && rank == fanout {
		return fanout
	}
	return fanout/2 + 1
}

// sibling makes a block with the entries of b from rank keep on.
func (l *List) sibling(b *block, keep int, upper bool) (uint32, *block) {
	size, init := leafSize, l.initBlock
	if upper {
		size, init = innerSize, l.initInner
	}
	off, _ := l.arena.Alloc(size, blockAlign) // room has checked
	nb := init(off)
	for r := keep; r < fanout; r++ {
		s := slotAt(b.perm, r)
		ns := nb.insert(r-keep, b.prefix[s], b.off[s])
		if upper {
			asInner(nb).sep[ns] = asInner(b).sep[s]
		}
	}
	return off, nb
}

// addToLane enters the block at child, which begins with the record sep, behind the
// entry that the finger's path goes through.
func (l *List) addToLane(lane int, prefix uint64, sep, child uint32, sequential bool) {
	w := &l.w
	if lane > w.height {
		l.newRoot(prefix, sep, child)
		return
	}
	left := l.inner(w.path[lane].block)
	rank := w.path[lane].rank + 1
	if count(left.perm) < fanout {
		left.insertChild(rank, prefix, sep, child)
		return
	}
	keep := splitAt(rank, sequential)
	roff, rb := l.sibling(&left.block, keep, true)
	right := asInner(rb)
	if rank > keep || keep == fanout {
		right.insertChild(rank-keep, prefix, sep, child)
	}
	s := slotAt(right.perm, 0)
	l.addToLane(lane+1, right.prefix[s], right.sep[s], roff, sequential)
	if keep < fanout {
		left.cut(keep)
		if rank <= keep {
			left.insertChild(rank, prefix, sep, child)
		}
	}
}

// insertChild is insert for a block above the lowest lane.
func (b *inner) insertChild(rank int, prefix uint64, sep, child uint32) {
	slot := slotAt(b.perm, count(b.perm))
	atomic.StoreUint32(&b.sep[slot], sep)
	b.insert(rank, prefix, child)
}

// newRoot puts a lane above the highest: the old root, and the block that was split
// from it.
func (l *List) newRoot(prefix uint64, sep, child uint32) {
	old := l.root.Load()
	off, _ := l.arena.Alloc(innerSize, blockAlign) // room has checked
	l.initInner(off)
	b := l.inner(off)
	b.insertChild(0, 0, l.head, uint32(old>>8))
	b.insertChild(1, prefix, sep, child)
	l.root.Store(uint64(off)<<8 | (old&0xff + 1))
}
