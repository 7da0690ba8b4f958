// Package rows is the row cache: the newest values of keys that are read again, by key,
// in front of memtables and tables. A hit costs two cache misses, where a lookup of a
// store costs ten or more; a write of a key that is in it replaces its value, so that
// what is read and written again and again stays.
//
// # Structure
//
// Rows lie in a ring of memory that the garbage collector does not see, in the order in
// which they came: a new row takes the place of the oldest. They are found by an index
// of buckets, one cache line each: a control word and seven slots, each with 12 bits of
// the key's hash and the row's position. Positions only grow, in granules of 16 bytes;
// those before Cache.oldest are gone, and their slots free. So evicting and emptying
// cost nothing.
//
// Once the ring is full, a key is admitted when it misses for the second time within as
// many misses as the doors have room for: what is read once costs one byte then.
//
// # Invariants
//
// There is one writer of the store at a time, its commit leader. It announces each key
// before what it wrote becomes visible (Begin) and replaces the row after that (End).
//
//  1. A bucket's control word counts the keys between Begin and End, and how often that
//     was over. While there are any the bucket's rows are not read, and none is added.
//  2. A reader takes the control word, and after that a view of the store. A row that it
//     copied counts, and a value that it read elsewhere is added, only if the word is
//     still the same. So what is in a row, when it is read, is the newest that is visible,
//     and nobody who has seen one key of a commit reads an older row of another.
//  3. Cache.gate is such a control word for all buckets: for writes of ranges, and for
//     times in which nobody announces (On is false).
//  4. Whatever changes is changed under Cache.mu. Readers take no lock; they may copy bytes
//     that are being overwritten, and forget them by rule 2, or because oldest has passed
//     the row, which it does before the bytes are used again.
package rows

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
)

const (
	granule  = 16
	slots    = 7
	tagShift = 52
	posMask  = 1<<tagShift - 1

	busyMask = 1<<16 - 1 // of a control word: keys between Begin and End
	over     = 1 << 16   // added when one of them ends

	header   = 8
	maxKey   = 1 << 10
	maxValue = 4 << 10

	// bytesPerBucket is for how much memory there is a bucket, or up to twice that.
	bytesPerBucket = 1 << 10
	doorsPerBucket = 8

	// MinCapacity is the least that New makes a cache of.
	MinCapacity = 256 << 10
)

// bucket is a cache line of the index.
type bucket struct {
	ctl   uint64 // atomic
	slots [slots]uint64
}

// Cache is a row cache. AppendGet, Fill, Stats and On are safe for concurrent use; the
// other methods are the leader's. A nil Cache is one that is never on.
type Cache struct {
	seed    maphash.Seed
	buckets []bucket
	ring    []byte
	places  uint64 // granules of the ring
	doors   []byte // what missed lately, one byte of its hash for each
	memory  [2][]byte
	size    int64

	on     atomic.Bool
	wanted atomic.Bool
	gate   atomic.Uint64
	oldest atomic.Uint64
	counts [16]counts

	mu    sync.Mutex // guards changes
	head  uint64     // position of the next row
	fills int64

	// The leader's.
	busy []uint64 // hashes of the keys between Begin and End
	ends int      // of them, how many are over
	idle uint64   // lookups when it was last asked
}

// counts is one stripe of the counters, a cache line.
type counts struct {
	hits, misses atomic.Uint64
	_            [48]byte
}

// Ticket is what a lookup that missed hands to Fill.
type Ticket struct {
	hash, ctl, gate uint64
	ok              bool
}

// Valid reports whether Fill may take the value.
func (t Ticket) Valid() bool { return t.ok }

// New makes a cache in at most capacity bytes, nil below MinCapacity. Memory is
// used as it fills.
func New(capacity int64) (*Cache, error) {
	if capacity < MinCapacity {
		return nil, nil
	}
	const perBucket = int64(unsafe.Sizeof(bucket{})) + doorsPerBucket
	n := int64(1) << (bits.Len64(uint64(capacity)/bytesPerBucket) - 1)
	index, err := arena.Alloc(int(n * int64(unsafe.Sizeof(bucket{}))))
	if err != nil {
		return nil, err
	}
	ring, err := arena.Alloc(int((capacity - n*perBucket) / granule * granule))
	if err != nil {
		arena.Free(index)
		return nil, err
	}
	c := &Cache{
		seed: maphash.MakeSeed(), ring: ring, memory: [2][]byte{index, ring},
		buckets: unsafe.Slice((*bucket)(unsafe.Pointer(unsafe.SliceData(index))), n),
		doors:   make([]byte, doorsPerBucket*n),
		places:  uint64(len(ring) / granule),
		head:    1, // so that no row's slot is zero
	}
	c.size = int64(len(index) + len(ring) + len(c.doors))
	c.oldest.Store(1)
	return c, nil
}

// Free gives the memory back. Nobody may look anything up any more.
func (c *Cache) Free() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on.Store(false)
	for i, m := range c.memory {
		arena.Free(m)
		c.memory[i] = nil
	}
	c.buckets, c.ring = nil, nil
}

// Capacity returns the bytes that it takes when it is full.
func (c *Cache) Capacity() int64 {
	if c == nil {
		return 0
	}
	return c.size
}

// On reports whether lookups make sense: whether the leader announces what it writes.
func (c *Cache) On() bool { return c != nil && c.on.Load() }

// Want notes that somebody reads, for the leader to turn it on.
func (c *Cache) Want() {
	if c != nil && !c.wanted.Load() {
		c.wanted.Store(true)
	}
}

// Wanted reports whether that was noted.
func (c *Cache) Wanted() bool { return c != nil && c.wanted.Load() }

// row is the head of a row as it lies in the ring: the lengths of key and value, and the
// room for the value.
type row uint64

func rowOf(key, value, room int) row { return row(key) | row(value)<<16 | row(room)<<32 }
func (r row) key() int               { return int(r & 0xffff) }
func (r row) value() int             { return int(r >> 16 & 0xffff) }
func (r row) room() int              { return int(r >> 32 & 0xffff) }

func (c *Cache) bucketOf(hash uint64) *bucket { return &c.buckets[hash&uint64(len(c.buckets)-1)] }

func (c *Cache) stripe(hash uint64) *counts { return &c.counts[hash>>8&15] }

// offset is where a position lies in the ring.
func (c *Cache) offset(pos uint64) int { return int(pos % c.places * granule) }

// at returns the value of the row at a position, if it is one of key; the capacity is the
// row's room. Both may be anything while somebody writes there.
func (c *Cache) at(pos uint64, key []byte) (value []byte, ok bool) {
	off := c.offset(pos)
	r := row(atomic.LoadUint64((*uint64)(unsafe.Pointer(&c.ring[off]))))
	off += header
	if r.key() != len(key) || r.value() > r.room() || off+r.key()+r.room() > len(c.ring) {
		return nil, false
	}
	if string(c.ring[off:off+len(key)]) != string(key) {
		return nil, false
	}
	off += len(key)
	return c.ring[off : off+r.value() : off+r.room()], true
}

// find returns the value of key, if it has a row in b, and where that is: its slot, and the
// position that was in it. For a reader another row may be in the slot by now.
func (c *Cache) find(b *bucket, hash uint64, key []byte) (slot *uint64, pos uint64, value []byte, ok bool) {
	oldest := c.oldest.Load()
	for i := range b.slots {
		s := atomic.LoadUint64(&b.slots[i])
		if s>>tagShift != hash>>tagShift || s&posMask < oldest {
			continue
		}
		if v, ok := c.at(s&posMask, key); ok {
			return &b.slots[i], s & posMask, v, true
		}
	}
	return nil, 0, nil, false
}

// AppendGet appends the value of key to dst, if there is a row for it. If not, and the
// caller reads the key elsewhere, in a view of the store that it takes after this call,
// Fill takes the value. The cache is on.
func (c *Cache) AppendGet(dst, key []byte) (out []byte, t Ticket, hit bool) {
	if locks {
		c.mu.Lock()
		defer c.mu.Unlock()
	}
	hash := maphash.Bytes(c.seed, key)
	b := c.bucketOf(hash)
	gate, ctl := c.gate.Load(), atomic.LoadUint64(&b.ctl)
	if (gate|ctl)&busyMask != 0 {
		return dst, Ticket{}, false
	}
	_, pos, value, ok := c.find(b, hash, key)
	if !ok {
		c.stripe(hash).misses.Add(1)
		return dst, Ticket{hash, ctl, gate, true}, false
	}
	if dst == nil {
		dst = make([]byte, 0, len(value))
	}
	out = append(dst, value...)
	fence()
	if pos < c.oldest.Load() || atomic.LoadUint64(&b.ctl) != ctl || c.gate.Load() != gate {
		return dst, Ticket{}, false
	}
	c.stripe(hash).hits.Add(1)
	return out, t, true
}

// Prefetch has the processor bring what it has of keys into its caches, side by side, and
// does not wait for the rows themselves. The cache is on.
func (c *Cache) Prefetch(keys [][]byte) {
	var hashes [32]uint64
	for len(keys) > 0 {
		n := min(len(keys), len(hashes))
		for i, k := range keys[:n] {
			hashes[i] = maphash.Bytes(c.seed, k)
			arena.FetchLine(unsafe.Pointer(c.bucketOf(hashes[i])))
		}
		for _, hash := range hashes[:n] {
			b := c.bucketOf(hash)
			for i := range b.slots {
				if s := atomic.LoadUint64(&b.slots[i]); s != 0 && s>>tagShift == hash>>tagShift {
					arena.Fetch(unsafe.Pointer(&c.ring[c.offset(s&posMask)]))
				}
			}
		}
		keys = keys[n:]
	}
}

// Fill adds the value of key that was read after the lookup that gave t, if nothing was
// written meanwhile and the key is admitted.
func (c *Cache) Fill(t Ticket, key, value []byte) {
	if !t.ok || len(key) > maxKey || len(value) > maxValue || !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	if !c.on.Load() || c.gate.Load() != t.gate {
		return
	}
	b := c.bucketOf(t.hash)
	if b.ctl != t.ctl || !c.admits(t.hash) {
		return
	}
	if _, _, _, ok := c.find(b, t.hash, key); ok {
		return // somebody else was faster
	}
	c.add(b, t.hash, key, value)
	c.fills++
}

// setValue writes another value into a row.
func (c *Cache) setValue(pos uint64, key int, value []byte, room int) {
	off := c.offset(pos)
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&c.ring[off])), uint64(rowOf(key, len(value), room)))
	copy(c.ring[off+header+key:], value)
}

// admits reports whether a key that missed gets a row.
func (c *Cache) admits(hash uint64) bool {
	if c.head < c.places {
		return true
	}
	door, mark := &c.doors[hash>>16&uint64(len(c.doors)-1)], byte(hash>>44)|1
	if *door == mark {
		return true
	}
	*door = mark
	return false
}

// add writes a row and makes it found. c.mu is held.
func (c *Cache) add(b *bucket, hash uint64, key, value []byte) {
	size := (header + len(key) + len(value) + granule - 1) / granule
	n := uint64(size)
	if left := c.places - c.head%c.places; left < n {
		c.head += left // a row does not go around the end
	}
	pos := c.head
	c.head += n
	if c.head > c.places && c.head-c.places > c.oldest.Load() {
		c.oldest.Swap(c.head - c.places) // before the bytes change: Swap, and not Store, orders that
	}
	off := c.offset(pos)
	room := size*granule - header - len(key)
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&c.ring[off])), uint64(rowOf(len(key), len(value), room)))
	copy(c.ring[off+header:], key)
	copy(c.ring[off+header+len(key):], value)
	// A slot that is free, or else the one with the oldest row.
	oldest := 0
	for i := range b.slots {
		if b.slots[i]&posMask < b.slots[oldest]&posMask {
			oldest = i
		}
	}
	atomic.StoreUint64(&b.slots[oldest], hash>>tagShift<<tagShift|pos)
}

// Stats is what the cache did and holds. Counts are since New, sizes in bytes.
type Stats struct {
	Hits, Misses, Fills int64
	Used                int64
}

// Stats returns it.
func (c *Cache) Stats() Stats {
	if c == nil {
		return Stats{}
	}
	var s Stats
	for i := range c.counts {
		s.Hits += int64(c.counts[i].hits.Load())
		s.Misses += int64(c.counts[i].misses.Load())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Fills = c.fills
	ring := int64(len(c.ring))
	s.Used = c.size - ring + min(int64(c.head)*granule, ring)
	return s
}
