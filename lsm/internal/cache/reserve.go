package cache

import "slices"

// maxScan bounds the hot slots the CLOCK hand passes for one eviction, and the slabs
// that a look skips, so that a large cache does not hold the lock for a walk over all of it.
const maxScan = 128

// Reserve returns a pinned slot of n bytes that only the caller knows, to be filled and
// published, or just released. It says no when n is 0 or exceeds a slab, when the
// capacity is too small for a slab, and when pins hold all slabs.
func (c *Cache) Reserve(n int) (Handle, bool) {
	if n <= 0 || !c.fits(n) {
		return Handle{}, false
	}
	k := c.classFor(n)
	c.mu.Lock()
	s, idx, ok := c.take(k)
	c.mu.Unlock()
	if !ok {
		return Handle{}, false
	}
	s.slot(idx).n = uint32(n)
	return Handle{s, idx, uint32(n)}, true
}

// fits reports whether a slab has room for n bytes.
func (c *Cache) fits(n int) bool { return n <= c.slab-slotSize }

func (c *Cache) classFor(n int) int {
	k, _ := slices.BinarySearch(c.sizes, int32(n))
	return k
}

// take finds a slot of class k: a free one, one of a new slab, or at the cost of
// other blocks.
func (c *Cache) take(k int) (*slab, uint32, bool) {
	if c.closed.Load() || c.maxSlabs == 0 {
		return nil, 0, false
	}
	cl := &c.classes[k]
	if len(cl.partial) == 0 {
		c.refill(k)
	}
	if len(cl.partial) > 0 {
		s := cl.partial[len(cl.partial)-1]
		idx := s.pop()
		if s.freeList == 0 {
			cl.partial = cl.partial[:len(cl.partial)-1]
		}
		return s, idx, true
	}
	if s, idx, ok := c.evictFrom(cl); ok {
		s.slot(idx).state.Store(1)
		c.setFull(true)
		return s, idx, true
	}
	if s := c.steal(k, true); s != nil {
		c.assign(s, k)
		return c.take(k)
	}
	return nil, 0, false
}

// refill gives class k a slab, if there is one to be had without harm.
func (c *Cache) refill(k int) {
	cl := &c.classes[k]
	var s *slab
	if n := len(c.blank); n > 0 {
		s, c.blank = c.blank[n-1], c.blank[:n-1]
	} else {
		s = c.newSlab()
	}
	if s == nil && len(cl.slabs) > 0 && cl.evicted >= int(cl.slabs[0].nslots) {
		s = c.steal(k, false)
		cl.evicted, cl.scanned, cl.hit = 0, 0, 0
	}
	if s != nil {
		c.assign(s, k)
	}
}

func (c *Cache) assign(s *slab, k int) {
	cl := &c.classes[k]
	s.format(k, c.sizes[k])
	cl.slabs = append(cl.slabs, s)
	cl.partial = append(cl.partial, s)
}

// detach takes a slab from its class.
func (c *Cache) detach(s *slab) {
	if s.class < 0 {
		return
	}
	cl := &c.classes[s.class]
	cl.slabs = remove(cl.slabs, s)
	cl.partial = remove(cl.partial, s)
	s.class = -1
}

func remove(list []*slab, s *slab) []*slab {
	if i := slices.Index(list, s); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// evictFrom moves the class's CLOCK hand to a block that may go, and evicts it. The slot
// is the caller's: not free, without pins.
func (c *Cache) evictFrom(cl *class) (*slab, uint32, bool) {
	var spare *slab // the block with the fewest hits that the hand passed
	var spareIdx uint32
	fewest := uint32(hitMask + 1)
	total, hot := 0, 0
	if len(cl.slabs) > 0 {
		total = len(cl.slabs) * int(cl.slabs[0].nslots)
	}
	for i := 0; i < 4*total && hot < maxScan; i++ {
		if i >= total && hot == 0 {
			break // all pinned
		}
		s, idx := cl.advance()
		st := s.slot(idx).state.Load()
		if st&linked == 0 || st&pinMask != 0 {
			continue
		}
		cl.scanned++
		if st&hitMask == 0 {
			if c.evict(s, idx) {
				cl.evicted++
				return s, idx, true
			}
			continue
		}
		hot++
		cl.hit++
		if st&hitMask < fewest {
			spare, spareIdx, fewest = s, idx, st&hitMask
		}
		s.slot(idx).state.Add(^uint32(hitOne - 1))
	}
	if spare != nil && c.evict(spare, spareIdx) {
		cl.evicted++
		return spare, spareIdx, true
	}
	return nil, 0, false
}

// advance moves the hand one slot on and returns where it is. The class has slabs.
func (cl *class) advance() (*slab, uint32) {
	h := &cl.hand
	h.slot++
	if h.slab >= len(cl.slabs) || h.slot >= cl.slabs[h.slab].nslots {
		h.slot = 0
		h.slab++
		if h.slab >= len(cl.slabs) {
			h.slab = 0
		}
	}
	return cl.slabs[h.slab], h.slot
}

// evict takes a block out of the map, unless it is pinned. Its slot is then in use
// by nobody, and not in the free list.
func (c *Cache) evict(s *slab, idx uint32) bool {
	sl := s.slot(idx)
	h := hash(sl.id, sl.block)
	sh := &c.shards[h>>shardShift]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st := sl.state.Load()
	if st&linked == 0 || st&pinMask != 0 {
		return false
	}
	c.unlink(sh, h, s.ref(idx))
	sl.state.Store(0)
	c.evicted++
	return true
}

// steal empties a slab of another class than k and returns it, of no class. Unless
// forced it looks at the next one only, and takes it when its blocks were hit less than
// those of class k; forced it takes the one least hit of the next eight that have no pin.
func (c *Cache) steal(k int, force bool) *slab {
	dir := *c.dir.Load()
	cl := &c.classes[k]
	var best *slab
	bestHit, seen := 0.0, 0
	tries := len(dir)
	if !force {
		tries = min(tries, maxScan)
	}
	for range tries {
		c.look = (c.look + 1) % uint32(len(dir))
		s := dir[c.look].Load()
		if s == nil || s.class < 0 || int(s.class) == k || s.condemned.Load() {
			continue
		}
		pinned, hit := s.weigh()
		share := float64(hit) / float64(s.nslots)
		if !force {
			if own := float64(cl.hit) / float64(max(cl.scanned, 1)); pinned == 0 && share <= max(own, 1.0/16) {
				best = s
			} else {
				s.cool()
			}
			break
		}
		if pinned > 0 {
			continue
		}
		if best == nil || share < bestHit {
			best, bestHit = s, share
		}
		if seen++; seen == 8 {
			break
		}
	}
	if best == nil || !c.empty(best) {
		return nil
	}
	c.detach(best)
	return best
}

// empty evicts all blocks of a slab. It says no when one was pinned meanwhile; the
// others have gone.
func (c *Cache) empty(s *slab) bool {
	for i := uint32(0); i < s.nslots; i++ {
		if s.slot(i).state.Load()&linked != 0 && c.evict(s, i) {
			c.release(s, i)
		}
	}
	return s.used == 0
}

// release puts a slot that nobody uses into the free list.
func (c *Cache) release(s *slab, idx uint32) {
	if s.freeList == 0 && s.class >= 0 {
		cl := &c.classes[s.class]
		cl.partial = append(cl.partial, s)
	}
	s.push(idx)
	s.used--
	c.setFull(false)
}

// setFull leaves alone what is so already: every hit reads that cache line.
func (c *Cache) setFull(full bool) {
	if c.full.Load() != full {
		c.full.Store(full)
	}
}

// free is release for a slot that stands alone: it also sees to a slab that has become
// empty.
func (c *Cache) free(s *slab, idx uint32) {
	c.release(s, idx)
	if s.used > 0 {
		return
	}
	c.detach(s)
	if s.condemned.Load() {
		c.drop(s)
		return
	}
	c.blank = append(c.blank, s)
}
