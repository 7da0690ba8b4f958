package cache

import (
	"cmp"
	"slices"
)

// SetCapacity changes the capacity. Shrinking evicts and gives memory back before it
// returns, except slabs with pins: these go when the last pin does. 0 turns
// the cache off.
func (c *Cache) SetCapacity(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		n = 0
	}
	c.setCapacity(max(n, 0))
}

func (c *Cache) setCapacity(n int64) {
	c.capacity = n
	c.setFull(false)
	buckets := bucketsFor(n)
	rest := n - mapBytes(buckets)
	c.maxSlabs = int(max(rest, 0) / int64(c.slab+slabOverhead))
	c.maxSlabs = min(c.maxSlabs, 1<<(32-slotBits)-2)
	c.shrink()
	c.resize(buckets)
}

func mapBytes(buckets int) int64 { return int64(4*buckets+ghostsFor(buckets)) * numShards }

// used is what all that is allocated now takes.
func (c *Cache) used() int64 {
	if c.nslabs == 0 {
		return 0
	}
	return int64(c.nslabs)*int64(c.slab+slabOverhead) + mapBytes(len(c.shards[0].buckets))
}

// shrink condemns slabs until the others fit: blank ones first, then by hits, pinned ones
// last.
func (c *Cache) shrink() {
	type candidate struct {
		s      *slab
		weight int64
	}
	var live []candidate
	c.eachSlab(func(s *slab) {
		if s.condemned.Load() {
			return
		}
		pinned, hit := s.weigh()
		live = append(live, candidate{s, int64(s.used) + int64(hit)<<16 + int64(pinned)<<32})
	})
	excess := len(live) - c.maxSlabs
	if excess <= 0 {
		return
	}
	slices.SortStableFunc(live, func(a, b candidate) int { return cmp.Compare(a.weight, b.weight) })
	live = live[:excess]
	for _, v := range live {
		c.detach(v.s)
		v.s.condemned.Store(true)
	}
	c.blank = slices.DeleteFunc(c.blank, func(s *slab) bool { return s.condemned.Load() })
	// A Publish that did not see the mark yet holds its shard's lock. Once each was free, none
	// of these slabs gets a link any more.
	for i := range c.shards {
		c.shards[i].mu.Lock()
		//lint:ignore SA2001 a barrier
		c.shards[i].mu.Unlock()
	}
	for _, v := range live {
		if v.s.used == 0 {
			c.drop(v.s)
			continue
		}
		last := v.s.used
		for i := uint32(0); i < v.s.nslots && last > 0; i++ {
			if v.s.slot(i).state.Load()&linked == 0 || !c.disown(v.s, i) {
				continue
			}
			last--
			c.free(v.s, i)
		}
	}
}

// disown takes a block out of the map, pinned or not. true means that it was not
// pinned, and the slot is the caller's to free; else its last Release does that.
func (c *Cache) disown(s *slab, idx uint32) bool {
	sl := s.slot(idx)
	h := hash(sl.id, sl.block)
	sh := &c.shards[h>>shardShift]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c.unlink(sh, h, s.ref(idx))
	c.evicted++
	return sl.state.And(^uint32(linked))&pinMask == 0
}

// EvictIDs drops all blocks of tables that are gone, and sorts ids. It reads the bookkeeping of
// every slot (2 to 3 us per 1000 blocks), slab by slab, so that others get the lock between.
func (c *Cache) EvictIDs(ids ...uint64) {
	if c.closed.Load() {
		return // and empty: Close of a DB drops every table
	}
	slices.Sort(ids)
	gone := func(id uint64) bool {
		_, ok := slices.BinarySearch(ids, id)
		return ok
	}
	for num := uint32(1); ; num++ {
		c.mu.Lock()
		dir := *c.dir.Load()
		if int(num) >= len(dir) {
			c.mu.Unlock()
			return
		}
		if s := dir[num].Load(); s != nil && s.class >= 0 {
			for i, n := uint32(0), s.nslots; i < n && s.class >= 0; i++ {
				if sl := s.slot(i); sl.state.Load()&linked != 0 && gone(sl.id) && c.disown(s, i) {
					c.free(s, i)
				}
			}
		}
		c.mu.Unlock()
	}
}

// Close empties the cache, and it stays empty. What is pinned stays valid; its
// memory goes when the last pin is released. Closing twice is fine.
func (c *Cache) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed.Store(true)
	c.setCapacity(0)
}
