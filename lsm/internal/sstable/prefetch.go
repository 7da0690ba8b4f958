package sstable

import (
	"sort"
	"sync/atomic"
)

// prefetch decodes the blocks that a long walk is coming to, in another goroutine: a
// chunk of them while the walk goes through the chunk before. Reading, checking and
// decompressing is a third of what a walk costs, and two processors can share it.
//
// A chunk ends before the first block that cannot be read or decoded; the walk then meets
// it by itself, and says what is wrong with it. The goroutine ends with its chunk, and
// whoever drops the chunk tells it to and waits.
type prefetch struct {
	cur  *chunk // decoded; nil if there is none
	next *chunk // under way or decoded; nil if there is none
	raw  int    // how much of the file a chunk reads
}

// chunk is a run of decoded blocks.
type chunk struct {
	lo, hi int // blocks [lo, hi)
	down   bool
	plain  *scratch
	ends   []int // where they end in plain, in the direction of the walk
	raw    int   // how much of the file to read; then how much of it was decoded
	full   bool  // plain had no room for all of it
	stop   atomic.Bool
	ready  chan struct{} // has an element while nobody decodes
}

const (
	chunkRaw   = largeScratch / 2 // read for a chunk, at most
	leastRaw   = 8 << 10
	chunkPlain = largeScratch // decoded of it
)

func (c *chunk) has(i int) bool { return c != nil && c.lo <= i && i < c.hi }

// block returns block i, valid until the next call; nil if it was not decoded ahead.
func (p *prefetch) block(r *Reader, i int, down bool) []byte {
	if !p.cur.has(i) {
		if p.next == nil {
			return nil
		}
		<-p.next.ready
		p.next.ready <- struct{}{}
		if !p.next.has(i) || p.next.down != down {
			p.release(r)
			return nil
		}
		p.cur, p.next = p.next, p.cur
		if p.cur.full { // what compresses well: to read more would be to read it twice
			p.raw = max(p.cur.raw, leastRaw)
		} else {
			p.raw = min(p.raw+p.raw/8, chunkRaw)
		}
		p.begin(r, p.cur.after(), down)
	}
	return p.cur.block(i)
}

// begin has a chunk decoded that starts with block i, if the table has it.
func (p *prefetch) begin(r *Reader, i int, down bool) {
	c := p.next
	if c == nil {
		c = &chunk{ready: make(chan struct{}, 1)}
		c.plain = takeBuffer(r.o.Stats, chunkPlain)
	} else {
		<-c.ready
	}
	if p.raw == 0 {
		p.raw = chunkRaw
	}
	p.next = c
	c.lo, c.hi, c.down, c.ends, c.raw, c.full = i, i, down, c.ends[:0], p.raw, false
	if i < 0 || i >= r.idx.n || !r.o.Spawn(func() { c.decode(r) }) {
		c.ready <- struct{}{}
	}
}

// release waits for what is under way, and lets go of the buffers.
func (p *prefetch) release(r *Reader) {
	if p.next == nil {
		return
	}
	for _, c := range []*chunk{p.cur, p.next} {
		if c != nil {
			c.stop.Store(true)
			<-c.ready
			giveBuffer(r.o.Stats, c.plain)
		}
	}
	*p = prefetch{}
}

// after returns the block that follows the chunk in the direction of the walk.
func (c *chunk) after() int {
	if c.down {
		return c.lo - 1
	}
	return c.hi
}

func (c *chunk) block(i int) []byte {
	k := i - c.lo
	if c.down {
		k = c.hi - 1 - i
	}
	from := 0
	if k > 0 {
		from = c.ends[k-1]
	}
	return c.plain.b[from:c.ends[k]:c.ends[k]]
}

// decode reads and decodes blocks from c.lo on, in the direction of the walk, until
// there is no room or one is bad.
func (c *chunk) decode(r *Reader) {
	defer func() { c.ready <- struct{}{} }()
	offs, first := r.idx.offsets, c.lo
	lo, hi := first, first+1
	if c.down {
		lo = sort.Search(first, func(j int) bool { return offs[hi]-offs[j] <= uint64(c.raw) })
	} else {
		hi += sort.Search(r.idx.n-hi, func(j int) bool { return offs[hi+j+1]-offs[lo] > uint64(c.raw) })
	}
	n := int(offs[hi] - offs[lo])
	c.raw = 0
	if n > chunkRaw || c.stop.Load() {
		return // a block of its own size, or nobody waits any more
	}
	raw := takeBuffer(r.o.Stats, chunkRaw)
	defer giveBuffer(r.o.Stats, raw)
	if s := r.o.Stats; s != nil {
		s.BytesRead.Add(int64(n))
		defer func() { s.BlockReads.Add(int64(c.hi - c.lo)) }()
	}
	if readFull(r.f, r.o.Name, raw.b[:n], int64(offs[lo])) != nil {
		return
	}
	step, used := 1, 0
	if c.down {
		step = -1
	}
	for i := first; lo <= i && i < hi && !c.stop.Load(); i += step {
		payload, codec, err := openBlock(raw.b[offs[i]-offs[lo]:offs[i+1]-offs[lo]], r.uid, int64(offs[i]))
		if err != nil {
			return
		}
		size, err := decodedLen(payload, codec, maxRecordBlock)
		if err != nil {
			return
		}
		if size > len(c.plain.b)-used {
			c.full = true
			return
		}
		if codec == None {
			copy(c.plain.b[used:used+size], payload)
		} else if decode(c.plain.b[used:used+size], payload, codec) != nil {
			return
		}
		used += size
		c.raw += int(offs[i+1] - offs[i])
		c.ends = append(c.ends, used)
		c.lo, c.hi = min(c.lo, i), max(c.hi, i+1)
	}
}
