package cache

import "sync"

const (
	numShards  = 64
	shardShift = 58
	// bucketBytes is how much capacity there is for one bucket of the map; at blocks of 4 KiB
	// every other bucket has one.
	bucketBytes = 2048
	minBuckets  = 4
)

// shard is a part of the map from keys to slots.
type shard struct {
	mu       sync.Mutex
	buckets  []uint32 // a slot's ref, 0 = none; the chain goes on in slot.next
	mask     uint64
	hits     int64
	misses   int64
	inserted int64
	ghosts   []uint8  // what Admit was asked for last, by hash: 8 other bits of the hash
	_        [64]byte // shards do not share a cache line
}

// bucketsFor returns the buckets of each shard for a capacity.
func bucketsFor(capacity int64) int {
	n := minBuckets
	for int64(n) < capacity/bucketBytes/numShards && n < 1<<26 {
		n *= 2
	}
	return n
}

// ghostsFor returns the ghosts of each shard. At blocks of 4 KiB there are half to one for each
// block: as many misses later, a key has probably been forgotten.
func ghostsFor(buckets int) int { return buckets / 4 }

// at returns the slot that ref names.
func (c *Cache) at(ref uint32) (*slab, uint32) {
	dir := *c.dir.Load()
	return dir[ref>>slotBits].Load(), ref & (1<<slotBits - 1)
}

// unlink takes a slot out of the map, with its shard locked.
func (c *Cache) unlink(sh *shard, h uint64, ref uint32) {
	p := &sh.buckets[h&sh.mask]
	for *p != 0 {
		s, idx := c.at(*p)
		if *p == ref {
			*p = s.slot(idx).next
			return
		}
		p = &s.slot(idx).next
	}
}

// resize gives every shard n buckets.
func (c *Cache) resize(n int) {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		if len(sh.buckets) != n {
			old := sh.buckets
			sh.buckets, sh.mask = make([]uint32, n), uint64(n-1)
			sh.ghosts = make([]uint8, ghostsFor(n))
			for _, ref := range old {
				for ref != 0 {
					sl, idx := c.at(ref)
					s := sl.slot(idx)
					b := &sh.buckets[hash(s.id, s.block)&sh.mask]
					next := s.next
					s.next, *b = *b, ref
					ref = next
				}
			}
		}
		sh.mu.Unlock()
	}
}
