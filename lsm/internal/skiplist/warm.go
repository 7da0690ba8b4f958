package skiplist

import (
	"sync/atomic"
	"unsafe"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// WarmGroup is how many keys Warm takes at a time.
const WarmGroup = 16

// Warm has the processor bring what adding keys is going to touch into its caches. Each
// Add by itself waits for a block on every lane that is not there, and then for the two
// neighbours; here the keys of a batch go down the lanes side by side, so that their waits
// are one. It is a hint: it goes by prefixes alone, and does nothing for keys in order, which
// need no search. Only the writer may call it, with up to WarmGroup keys.
func (l *List) Warm(keys [][]byte) {
	if l.head == 0 || len(keys) < 2 || len(keys) > WarmGroup {
		return
	}
	var prefixes [WarmGroup]uint64
	var at [WarmGroup]uint32
	root := l.root.Load()
	inFinger := true
	for i, k := range keys {
		prefixes[i], at[i] = base.Prefix(k, l.common), uint32(root>>8)
		w := &l.w
		inFinger = inFinger && w.known && prefixes[i] > w.lo.prefix && (w.hi.node == 0 || prefixes[i] < w.hi.prefix)
	}
	if inFinger {
		return
	}
	for range root & 0xff {
		for i := range keys {
			b := l.block(at[i])
			at[i] = b.off[slotAt(b.perm, max(b.below(prefixes[i]), 1)-1)]
			arena.Fetch(unsafe.Pointer(l.block(at[i])))
		}
	}
	for i := range keys {
		b := l.block(at[i])
		r := b.below(prefixes[i])
		if r < count(b.perm) {
			s := slotAt(b.perm, r)
			l.fetch(b.off[s])
			if b.prefix[s] == prefixes[i] {
				continue // probably a version of it, whose neighbours stay as they are
			}
		}
		l.fetch(b.off[slotAt(b.perm, max(r, 1)-1)])
	}
}

const cacheLine = 64

// fetch brings the links and the key of a record.
func (l *List) fetch(off uint32) {
	arena.FetchLine(unsafe.Pointer(l.node(off)))
	if int(off)+cacheLine < l.arena.Size() {
		arena.FetchLine(unsafe.Pointer(l.node(off + cacheLine)))
	}
}

// fetchNext brings the record behind one that was reached, whole.
func (l *List) fetchNext(n *node) {
	arena.Fetch(unsafe.Pointer(l.node(atomic.LoadUint32(&n.next))))
}

// fetchOlder brings what comes behind a version that was reached: an older one, or the newest
// of the record after.
func (l *List) fetchOlder(off, at uint32) {
	var next uint32
	if at != 0 {
		next = atomic.LoadUint32(&l.version(at).older)
	}
	if next == 0 && l.newest(off) != 0 {
		next = l.newest(l.next(off))
	}
	if next != 0 {
		arena.Fetch(unsafe.Pointer(l.version(next)))
	}
}
