package rows

import (
	"hash/maphash"
	"sync/atomic"
)

// What the commit leader does. While the cache is on, each key that becomes visible
// anew goes through Begin before that, and End after it, in the same order; ranges go
// through BeginAll and EndAll.

// TurnOn makes the cache be used. From now on the leader announces what it writes.
func (c *Cache) TurnOn() {
	c.mu.Lock()
	c.gate.Add(over) // no ticket is from before
	c.on.Store(true)
	c.mu.Unlock()
}

// TurnOff empties the cache, and ends the duty to announce.
func (c *Cache) TurnOff() {
	c.mu.Lock()
	c.on.Store(false)
	c.wanted.Store(false)
	c.gate.Add(over)
	c.oldest.Swap(c.head)
	c.mu.Unlock()
}

// Unused reports whether nobody looked anything up since it was last asked.
func (c *Cache) Unused() bool {
	var n uint64
	for i := range c.counts {
		n += c.counts[i].hits.Load() + c.counts[i].misses.Load()
	}
	unused := n == c.idle
	c.idle = n
	return unused
}

// Lock is taken around several calls of Begin, and around several of End.
func (c *Cache) Lock() { c.mu.Lock() }

// Unlock ends it.
func (c *Cache) Unlock() { c.mu.Unlock() }

// Begin hides the row of a key, and keeps others from adding one, until End. At most
// MaxKeys keys may be between the two.
func (c *Cache) Begin(key []byte) {
	hash := maphash.Bytes(c.seed, key)
	c.busy = append(c.busy, hash)
	atomic.AddUint64(&c.bucketOf(hash).ctl, 1)
}

// MaxKeys is how many keys may be between Begin and End: what one bucket can count.
// For more there is BeginAll.
const MaxKeys = busyMask

// End replaces the row of a key that has one: by value, or by none if keep is false.
// Keys come in the order of Begin.
func (c *Cache) End(key, value []byte, keep bool) {
	hash := c.busy[c.ends]
	c.ends++
	b := c.bucketOf(hash)
	if slot, pos, old, ok := c.find(b, hash, key); ok {
		c.replace(b, slot, pos, hash, key, old, value, keep)
	}
	atomic.AddUint64(&b.ctl, over-1)
	if c.ends == len(c.busy) {
		c.busy, c.ends = c.busy[:0], 0
	}
}

// replace changes the row in slot, which is at pos.
func (c *Cache) replace(b *bucket, slot *uint64, pos, hash uint64, key, old, value []byte, keep bool) {
	switch {
	case keep && len(value) <= cap(old):
		c.setValue(pos, len(key), value, cap(old))
	case keep && len(value) <= maxValue:
		atomic.StoreUint64(slot, 0)
		c.add(b, hash, key, value)
	default:
		atomic.StoreUint64(slot, 0)
	}
}

// BeginAll hides all rows, and keeps others from adding any, until EndAll.
func (c *Cache) BeginAll() {
	c.mu.Lock()
	c.gate.Add(1)
	c.mu.Unlock()
}

// EndAll empties the cache.
func (c *Cache) EndAll() {
	c.mu.Lock()
	c.oldest.Swap(c.head)
	c.gate.Add(over - 1)
	c.mu.Unlock()
}
