// Package skiplist is the index of a memtable: an ordered list of records in an
// arena, with express lanes over it, for one writer and any number of readers that
// take no lock.
//
// # Structure
//
// The records form a sorted, doubly linked list. It alone is the truth: whoever
// walks it sees every record. A key that is written again does not get another record there:
// its versions hang on the record, newest first, as long as they are few (maxVersions). They repeat
// neither the key nor its place, and adding one touches no neighbour. The version after these starts
// another record, which sorts before, so that an old version of a key that is written all the time
// is found as fast as any.
//
// In a textbook skip list the lanes above it are
// towers on the records themselves, so that a search touches a record, that is
// a cache miss of 200 to 400 ns, for each step: about 30 of them. Here the
// lanes are gathered in blocks: a block has up to 15 entries, each the 8-byte
// base.Prefix of a key and the offset of the record, or of the block one lane
// below, that begins with it. Blocks split when they are full, as in a B+ tree. A
// search reads one block of three cache lines per lane (six lanes for a million records),
// and touches a record only when prefixes are equal or at its destination.
//
// The order of a block's entries is a permutation packed in one word (after
// Masstree: Mao, Kohler, Morris, "Cache Craftiness for Fast Multicore Key-Value
// Storage", 2012), so that the writer fills a free slot and then publishes it, in its
// place, with one store.
//
// # Invariants
//
//  1. A record, or a version of it, is immutable, except for its links, once it is reachable.
//     The store that links it comes after all others, so readers see it entirely or not at all.
//  2. Nothing is ever removed or moved; offsets stay valid until the arena is freed or reset.
//  3. When Add returns, the record is reachable through the list and the lanes.
//  4. A slot of a block is reused only after a split, and a split raises the block's
//     version before; a reader that sees two versions starts again.
//  5. The versions on a record are newer than its own, and older than the record of the same key
//     before it.
//  6. No Go pointers in the arena: links are 32-bit offsets, 0 is nil.
//
// The only failure is a full arena: Add then does nothing and says so.
package skiplist

import (
	"bytes"
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// node is a record; key and value follow it in the arena.
type node struct {
	trailer  uint64
	next     uint32 // atomic
	prev     uint32 // atomic
	newest   uint32 // atomic: the newest of the versions that were added later, 0 when there is none
	valLen   uint32
	keyLen   uint16
	versions uint16 // that were added later; the writer's
}

// version is a newer version of a record; the value follows it in the arena.
type version struct {
	trailer uint64
	older   uint32 // atomic: the next older one, 0 for the record's own
	valLen  uint32
}

const (
	nodeSize    = uint32(unsafe.Offsetof(node{}.versions) + unsafe.Sizeof(node{}.versions))
	versionSize = uint32(unsafe.Sizeof(version{}))
	nodeAlign   = 8

	// maxVersions is how many hang on a record, at most, unless they are added in another order
	// than that of their numbers.
	maxVersions = 16
)

// List is a sorted list of records. One goroutine may Add at a time; everything
// else is safe for concurrent use, while it does.
type List struct {
	base   unsafe.Pointer // the arena's bytes
	arena  *arena.Arena
	common []byte
	head   uint32        // a node without key that sorts before every record
	last   atomic.Uint32 // the last node; head when empty
	root   atomic.Uint64 // root block's offset << 8 | lanes above the lowest
	count  atomic.Int64
	top    base.Trailer // the largest that was added; the writer's
	w      finger       // the writer's
}

// New makes an empty list in a, which it fills from then on and does not free.
// common is what most keys are expected to begin with; it is copied. Only speed
// depends on it: see base.Prefix. In an arena too small for the list itself, every
// Add fails.
func New(a *arena.Arena, common []byte) *List {
	l := &List{base: a.Base(), arena: a, common: bytes.Clone(common)}
	head, ok := l.newNode(nil, 0, nil, 0, 0)
	if !ok {
		return l
	}
	root, ok := a.Alloc(leafSize, blockAlign)
	if !ok {
		return l
	}
	l.head = head
	l.last.Store(head)
	l.initBlock(root)
	l.block(root).insert(0, 0, head)
	l.root.Store(uint64(root) << 8)
	return l
}

// MaxEntrySize returns an upper bound of the arena bytes that one Add takes: the
// record, and a split of a block on every lane. A list that is empty takes up to
// as much once more.
func MaxEntrySize(keyLen, valueLen int) int {
	return int(nodeSize) + keyLen + valueLen + nodeAlign + (maxHeight+1)*int(innerSize+blockAlign)
}

// MaxSplits returns how many blocks at most are split beyond one for seven insertions
// when n records are added: those that are full now, because records came in order.
// Each takes SplitSize bytes.
func (l *List) MaxSplits(n int) int { return min(n, l.Len()/fanout+1) }

// SplitSize is what the split of a leaf takes, with its share of the lanes above.
const SplitSize = int(leafSize+blockAlign) + int(innerSize+blockAlign)/7

// Add inserts a record; key and value are copied. A record with the same key and
// trailer must not be there yet. It returns false, and has changed nothing, when the
// arena has no room for it, or the key is longer than base.MaxKeyLen.
func (l *List) Add(key []byte, t base.Trailer, value []byte) bool {
	if len(key) > base.MaxKeyLen || uint64(len(value)) > base.MaxValueLen+8 || l.head == 0 {
		return false
	}
	p := base.Prefix(key, l.common)
	w := &l.w
	if !w.covers(l, p, key, t) {
		l.descend(p, key, t)
	}
	leaf := l.block(w.path[0].block)
	perm := leaf.perm // the writer's own, a plain read
	rank, compared := l.rank(leaf, perm, p, key, t, false)
	w.blocks, w.compared = w.blocks+1, w.compared+int64(compared)

	before := leaf.off[slotAt(perm, rank-1)]
	after := w.hi
	if rank < count(perm) {
		s := slotAt(perm, rank)
		after = edge{leaf.prefix[s], leaf.off[s]}
	}
	if after.node != 0 && after.prefix == p && l.takes(after.node, key, t) {
		return l.addVersion(l.node(after.node), t, value)
	}
	// Both neighbours are about to be written, and probably not in the cache: the
	// two reads start the misses side by side, and they run on during the copy below.
	pn := l.node(before)
	l.w.sink = atomic.LoadUint32(&pn.next)
	if after.node != 0 {
		l.w.sink += atomic.LoadUint32(&l.node(after.node).prev)
	}

	if count(perm) == fanout && !l.room(key, value) {
		return false
	}
	off, ok := l.newNode(key, t, value, before, after.node)
	if !ok {
		return false
	}
	atomic.StoreUint32(&pn.next, off)
	if after.node != 0 {
		atomic.StoreUint32(&l.node(after.node).prev, off)
	} else {
		l.last.Store(off)
	}
	if count(perm) < fanout {
		leaf.insert(rank, p, off)
	} else {
		l.split(rank, p, off, before == w.recent)
	}
	w.recent = off
	l.added(t)
	return true
}

func (l *List) added(t base.Trailer) {
	l.count.Add(1)
	l.top = max(l.top, t)
}

// takes reports whether a version of key, older than the record before the one at off, belongs
// to the one at off.
func (l *List) takes(off uint32, key []byte, t base.Trailer) bool {
	n := l.node(off)
	if !bytes.Equal(l.key(off, n), key) {
		return false
	}
	return n.versions < maxVersions || t < l.top && uint64(t) < l.version(n.newest).trailer
}

// addVersion hangs a version on a record.
func (l *List) addVersion(n *node, t base.Trailer, value []byte) bool {
	off, ok := l.arena.Alloc(versionSize+uint32(len(value)), nodeAlign)
	if !ok {
		return false
	}
	v := l.version(off)
	v.trailer, v.valLen = uint64(t), uint32(len(value))
	copy(l.bytes(off+versionSize, len(value)), value)
	link := &n.newest
	if t < l.top { // out of order, or of another key's number
		for *link != 0 && l.version(*link).trailer > uint64(t) {
			link = &l.version(*link).older
		}
	}
	v.older = *link
	atomic.StoreUint32(link, off)
	if n.versions < math.MaxUint16 {
		n.versions++
	}
	l.added(t)
	return true
}

// newNode writes a record that nobody can reach yet.
func (l *List) newNode(key []byte, t base.Trailer, value []byte, prev, next uint32) (uint32, bool) {
	size := uint64(nodeSize) + uint64(len(key)) + uint64(len(value))
	off, ok := l.arena.Alloc(uint32(size), nodeAlign)
	if !ok {
		return 0, false
	}
	n := l.node(off)
	n.trailer = uint64(t)
	n.next, n.prev, n.newest, n.versions = next, prev, 0, 0
	n.valLen, n.keyLen = uint32(len(value)), uint16(len(key))
	data := l.bytes(off+nodeSize, len(key)+len(value))
	copy(data, key)
	copy(data[len(key):], value)
	return off, true
}

// Get returns the newest version of key with a sequence number <= seq, tombstones
// included. value aliases the arena: it lives as long, and nobody may write to it.
func (l *List) Get(key []byte, seq base.SeqNum) (value []byte, t base.Trailer, ok bool) {
	if l.head == 0 {
		return nil, 0, false
	}
	p, newest := base.Prefix(key, l.common), base.MakeTrailer(seq, 0xff)
	before, off, q := l.lookup(p, key, newest)
	if off == 0 {
		off = l.walk(before, key, newest)
	} else if q != p {
		return nil, 0, false // told by the lanes alone: no record was touched
	}
	if off == 0 {
		return nil, 0, false
	}
	n := l.node(off)
	if !bytes.Equal(l.key(off, n), key) {
		return nil, 0, false
	}
	for at := atomic.LoadUint32(&n.newest); at != 0; {
		v := l.version(at)
		if v.trailer <= uint64(newest) {
			return l.bytes(at+versionSize, int(v.valLen)), base.Trailer(v.trailer), true
		}
		at = atomic.LoadUint32(&v.older)
	}
	return l.value(off, n), base.Trailer(n.trailer), true
}

// Searched returns what all calls of Add together looked at to find their places: blocks,
// each a comparison with up to 15 prefixes, and records whose keys were compared. Like
// Add, it is for one goroutine at a time.
func (l *List) Searched() (blocks, records int64) { return l.w.blocks, l.w.compared }

// Len returns the number of records, versions included.
func (l *List) Len() int { return int(l.count.Load()) }

// Bounds returns the smallest and the largest key, nil when the list is empty.
func (l *List) Bounds() (first, last []byte) {
	f := l.first()
	if f == 0 {
		return nil, nil
	}
	z := l.end()
	return l.key(f, l.node(f)), l.key(z, l.node(z))
}

// first returns the first record, 0 when there is none.
func (l *List) first() uint32 {
	if l.head == 0 {
		return 0
	}
	return l.next(l.head)
}

// end returns the last record, 0 when there is none.
func (l *List) end() uint32 {
	off := l.last.Load()
	if off == l.head {
		return 0
	}
	return off
}

func (l *List) node(off uint32) *node { return (*node)(unsafe.Add(l.base, uintptr(off))) }

func (l *List) version(off uint32) *version { return (*version)(unsafe.Add(l.base, uintptr(off))) }

// bytes returns n bytes of the arena.
func (l *List) bytes(off uint32, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(l.base, uintptr(off))), n)
}

func (l *List) next(off uint32) uint32 { return atomic.LoadUint32(&l.node(off).next) }

func (l *List) newest(off uint32) uint32 { return atomic.LoadUint32(&l.node(off).newest) }

func (l *List) key(off uint32, n *node) []byte { return l.bytes(off+nodeSize, int(n.keyLen)) }

func (l *List) value(off uint32, n *node) []byte {
	return l.bytes(off+nodeSize+uint32(n.keyLen), int(n.valLen))
}

// before reports whether the record at off sorts before (key, t). The head does.
func (l *List) before(off uint32, key []byte, t base.Trailer) bool {
	if off == l.head {
		return true
	}
	n := l.node(off)
	c := bytes.Compare(l.key(off, n), key)
	return c < 0 || c == 0 && n.trailer > uint64(t)
}
