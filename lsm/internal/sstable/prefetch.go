package sstable

import "sort"

// prefetch decodes the blocks that a long walk is coming to, in another goroutine: a
// chunk of them while the walk goes through the chunk before. Reading, checking and
// decompressing is a third of what a walk costs, and two processors can share it.
//
// A chunk ends before the first block that cannot be read or decoded; the walk then meets
// it by itself, and says what is wrong with it. The goroutine ends with its chunk, and
// whoever drops the chunk waits for it.
type prefetch struct {
	cur  *chunk // decoded; nil if there is none
	next *chunk // under way or decoded; nil if there is none
}

// chunk is a run of decoded blocks.
type chunk struct {
	lo, hi int // blocks [lo, hi)
	down   bool
	plain  *scratch
	ends   []int // where they end in plain, in the direction of the walk
	ready  chan struct{}
}

const (
	chunkRaw   = largeScratch / 2 // read for a chunk
	chunkPlain = largeScratch     // decoded of it
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
	p.next = c
	c.lo, c.hi, c.down, c.ends = i, i, down, c.ends[:0]
	if i < 0 || i >= r.idx.n {
		c.ready <- struct{}{}
		return
	}
	go c.decode(r)
}

// release waits for what is under way, and lets go of the buffers.
func (p *prefetch) release(r *Reader) {
	if p.next == nil {
		return
	}
	for _, c := range []*chunk{p.cur, p.next} {
		if c != nil {
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
		lo = sort.Search(first, func(j int) bool { return offs[hi]-offs[j] <= chunkRaw })
	} else {
		hi += sort.Search(r.idx.n-hi, func(j int) bool { return offs[hi+j+1]-offs[lo] > chunkRaw })
	}
	n := int(offs[hi] - offs[lo])
	if n > chunkRaw {
		return // a block of its own size
	}
	raw := takeBuffer(r.o.Stats, chunkRaw)
	defer giveBuffer(r.o.Stats, raw)
	if s := r.o.Stats; s != nil {
		s.BlockReads.Add(int64(hi - lo))
		s.BytesRead.Add(int64(n))
	}
	if readFull(r.f, r.o.Name, raw.b[:n], int64(offs[lo])) != nil {
		return
	}
	step, used := 1, 0
	if c.down {
		step = -1
	}
	for i := first; lo <= i && i < hi; i += step {
		payload, codec, err := openBlock(raw.b[offs[i]-offs[lo]:offs[i+1]-offs[lo]], r.uid, int64(offs[i]))
		if err != nil {
			return
		}
		size, err := decodedLen(payload, codec, maxRecordBlock)
		if err != nil || size > len(c.plain.b)-used {
			return
		}
		if codec == None {
			copy(c.plain.b[used:used+size], payload)
		} else if decode(c.plain.b[used:used+size], payload, codec) != nil {
			return
		}
		used += size
		c.ends = append(c.ends, used)
		c.lo, c.hi = min(c.lo, i), max(c.hi, i+1)
	}
}
