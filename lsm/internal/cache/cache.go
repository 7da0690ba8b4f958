// Package cache is the block cache: decoded blocks of tables by (table, number),
// in memory that the garbage collector does not see, within one budget.
//
// # Structure
//
// Memory comes in slabs of 256 KiB from package arena (64 KiB where the capacity is below
// 4 MiB). A slab is cut into slots of one size class, its slots' bookkeeping at
// its own beginning, so a slab is all that it costs. Each class has a CLOCK over its
// slots: a hit counts up to three in the slot, the hand counts down and evicts at zero.
// A block begins at zero, so a scan passes through and evicts only what nobody asked
// for twice.
//
// Once the cache is full a block is admitted when it is read for the second time within as many
// misses as there are blocks, more or less. Most of what does not come back soon costs
// no eviction then, and is decoded into a small buffer that stays in the processor's cache:
// uniformly random reads of three times the capacity were 8% faster for it.
//
// Slabs move between classes. For each slab's worth of evictions in a class the
// cache looks at one slab of another class, and takes it when its blocks were asked for less than
// the class's own since the last look, so that no class keeps memory for the past. A pinned slot
// holds back its slab, no other.
//
// The map from keys to slots is a chained hash table in 64 shards, its chains
// running through the slots: pointer-free, and a hit costs one mutex, two cache misses and one
// atomic addition. The block's own first lines are fetched meanwhile.
//
// # Invariants
//
//  1. slot.state is atomic: pins, hits, and whether the slot is linked into the map.
//     A pin is taken only under the shard's lock, or by Reserve on a free slot. So a linked slot
//     without pins, seen under the shard's lock, may be evicted.
//  2. A slot that is not linked and loses its last pin is free; whoever made that
//     happen frees it.
//  3. A slot without link and pins, and none else, is in its slab's free list.
//  4. Cache.mu guards slabs, classes and free lists; shard.mu the map. Cache.mu comes first. A
//     hit never takes Cache.mu.
//
// # Limits
//
// Stats.Used, all bookkeeping included, stays within the capacity, but for what is pinned
// when SetCapacity lowers it: that goes when the pin does. Reserve says no
// to what exceeds a slab, and when pins hold every slab; callers then use
// memory of their own.
package cache

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
)

// Cache is a block cache. All methods are safe for concurrent use.
type Cache struct {
	shards [numShards]shard
	dir    atomic.Pointer[[]atomic.Pointer[slab]] // slab by number; 0 is never used
	closed atomic.Bool
	full   atomic.Bool // a slot was given out at the cost of a block, and none was freed since
	slab   int         // bytes of a slab
	sizes  []int32     // of the classes' slots, ascending

	mu       sync.Mutex // guards all below
	capacity int64
	maxSlabs int
	nslabs   int // condemned ones included
	numbers  []uint32
	blank    []*slab // slabs that belong to no class
	classes  []class
	look     uint32 // number of the slab to look at next
	evicted  int64
}

// Stats is what the cache did and holds. The first four count since New.
type Stats struct {
	Hits, Misses, Inserted, Evicted int64
	Used                            int64 // bytes allocated, bookkeeping included
	Capacity                        int64
	Pinned                          int64 // bytes of the slots that are pinned now
}

// New makes a cache of capacity bytes. Memory is taken as it fills.
func New(capacity int64) *Cache {
	c := &Cache{slab: slabSize}
	if capacity > 0 && capacity < 16*slabSize {
		c.slab = smallSlabSize
	}
	c.sizes = classSizes(c.slab)
	c.classes = make([]class, len(c.sizes))
	dir := make([]atomic.Pointer[slab], 16)
	c.dir.Store(&dir)
	c.SetCapacity(capacity)
	return c
}

// Handle is a pinned slot: its bytes stay where and what they are until Release.
// The zero Handle is not valid, and its methods do nothing.
type Handle struct {
	slab *slab
	idx  uint32
	n    uint32
}

// Valid reports whether h came from a Get or Reserve that said yes.
func (h Handle) Valid() bool { return h.slab != nil }

// Bytes returns the n bytes that were reserved. Only who reserved them may write, and only
// before Publish. They are not zeroed.
func (h Handle) Bytes() []byte {
	if h.slab == nil {
		return nil
	}
	return h.slab.data(h.idx)[:h.n:h.n]
}

// Release gives up the pin; the bytes must not be touched afterwards. Exactly once for each
// Get and Reserve.
func (h Handle) Release() {
	if h.slab == nil {
		return
	}
	if h.slab.slot(h.idx).state.Add(^uint32(0))&(linked|pinMask) == 0 {
		c := h.slab.cache
		c.mu.Lock()
		c.free(h.slab, h.idx)
		c.mu.Unlock()
	}
}

// Get returns the block that was published as (id, block), pinned.
func (c *Cache) Get(id, block uint64) (Handle, bool) {
	h := hash(id, block)
	sh := &c.shards[h>>shardShift]
	sh.mu.Lock()
	for ref := sh.buckets[h&sh.mask]; ref != 0; {
		sl, idx := c.at(ref)
		s := sl.slot(idx)
		arena.Fetch(sl.at(idx))
		if s.id == id && s.block == block {
			add := uint32(1)
			if s.state.Load()&hitMask != hitMask {
				add += hitOne
			}
			s.state.Add(add)
			sh.hits++
			sh.mu.Unlock()
			return Handle{sl, idx, s.n}, true
		}
		ref = s.next
	}
	sh.misses++
	sh.mu.Unlock()
	return Handle{}, false
}

// Admit reports whether a block of at least n bytes that is read from its file is worth a
// place: always while there is room; then only if Admit was asked for it not long ago. What
// Reserve never takes has none.
func (c *Cache) Admit(id, block uint64, n int) bool {
	if !c.fits(n) {
		return false
	}
	if !c.full.Load() {
		return true
	}
	h := hash(id, block)
	sh := &c.shards[h>>shardShift]
	sh.mu.Lock()
	g := &sh.ghosts[h>>8&uint64(len(sh.ghosts)-1)]
	again := *g == uint8(h)
	*g = uint8(h)
	sh.mu.Unlock()
	return again
}

// Publish enters h, which Reserve returned and the caller has filled, as (id, block). It stays
// pinned by the caller, who still has to Release it. Where that key is there already, or the cache
// is giving the memory back, h stays private and is freed upon its Release.
func (c *Cache) Publish(h Handle, id, block uint64) {
	if h.slab == nil {
		return
	}
	k := hash(id, block)
	sh := &c.shards[k>>shardShift]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := h.slab.slot(h.idx)
	if c.closed.Load() || h.slab.condemned.Load() || s.state.Load()&linked != 0 {
		return
	}
	for ref := sh.buckets[k&sh.mask]; ref != 0; {
		sl, idx := c.at(ref)
		o := sl.slot(idx)
		if o.id == id && o.block == block {
			return
		}
		ref = o.next
	}
	s.id, s.block = id, block
	s.next = sh.buckets[k&sh.mask]
	sh.buckets[k&sh.mask] = h.slab.ref(h.idx)
	s.state.Add(linked)
	sh.inserted++
}

// Stats returns the counters and the sizes. It looks at every slot: not for a hot path.
func (c *Cache) Stats() Stats {
	var st Stats
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		st.Hits += sh.hits
		st.Misses += sh.misses
		st.Inserted += sh.inserted
		sh.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	st.Evicted = c.evicted
	st.Capacity = c.capacity
	st.Used = c.used()
	c.eachSlab(func(s *slab) {
		for i := uint32(0); i < s.nslots; i++ {
			if s.slot(i).state.Load()&pinMask != 0 {
				st.Pinned += int64(s.size)
			}
		}
	})
	return st
}

func hash(id, block uint64) uint64 {
	hi, lo := bits.Mul64(id^0x9e3779b97f4a7c15, block^0xd1b54a32d192ed03)
	h := hi ^ lo ^ id*0xbf58476d1ce4e5b9
	h ^= h >> 32
	h *= 0x94d049bb133111eb
	return h ^ h>>29
}
