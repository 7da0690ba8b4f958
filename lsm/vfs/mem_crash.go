package vfs

import "math/rand/v2"

// CrashOptions says what survives a crash besides that which was synced.
type CrashOptions struct {
	// Survive is the probability, for each unsynced page of 4 KiB, each unsynced
	// change of a file's size and each unsynced change of a directory, that it got
	// to the disk by itself. 0 is the synced state only, 1 is everything.
	Survive float64

	// Torn lets a quarter of the unsynced pages that survive do so in part: each
	// sector of 512 bytes with probability one half. No effect at Survive 0 or 1.
	Torn bool

	// Rand makes the choices. The same state, options and sequence of random numbers
	// give the same clone. nil is a fixed sequence.
	Rand *rand.Rand
}

// CrashClone returns the file system that a power cut at this moment would leave,
// with everything in it durable, no lock held and the same capacity. m goes on
// undisturbed. Pages are shared and copied only when written: a clone costs about
// as much as its table of pages, 8 bytes for each 4 KiB.
//
// What is unsynced survives independently, within what file systems keep:
//
//   - A rename is one change: never both names, never none.
//   - Changes of one name survive in their order: if a later one did, so did the
//     earlier ones. Different names are independent: a removal may survive where an
//     earlier rename next to it did not.
//   - A directory's entries survive only where its own entry did. A move between
//     directories takes along their making.
//   - A file that grew may have its new size, its old one, or one between, whatever
//     its pages did; what was not written reads as zeros. If it was cut shorter and
//     grew again, the new growth survives only where the cut did.
func (m *Mem) CrashClone(o CrashOptions) *Mem {
	if o.Rand == nil {
		o.Rand = rand.New(rand.NewPCG(1, 1))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := cloner{o: o, m: &Mem{capacity: m.capacity}}
	switch {
	case o.Survive >= 1:
		c.entriesOf = func(d *inode) dir { return d.entries }
	case o.Survive <= 0 || len(m.ops) == 0:
		c.entriesOf = func(d *inode) dir { return d.durable }
	default:
		crashed := c.surviving(m.ops)
		c.entriesOf = func(d *inode) dir {
			if e, ok := crashed[d]; ok {
				return e
			}
			return d.durable
		}
	}
	c.m.root = c.inode(m.root)
	for _, n := range c.done {
		n.clone = nil
	}
	return c.m
}

type cloner struct {
	o         CrashOptions
	m         *Mem
	entriesOf func(*inode) dir
	done      []*inode // originals whose clone field is set
}

func (c *cloner) hit() bool { return c.o.Rand.Float64() < c.o.Survive }

// surviving returns the directories that differ from their durable state. It
// draws from the last change to the first, because a change that survives takes
// along the earlier ones of the same names.
func (c *cloner) surviving(ops []entryOp) map[*inode]dir {
	type slot struct {
		dir  *inode
		name string
	}
	needed := make(map[slot]bool)
	made := make(map[*inode]bool) // directories that something was moved from or to
	keep := make([]bool, len(ops))
	for i := len(ops) - 1; i >= 0; i-- {
		op := &ops[i]
		makes := op.makes(made)
		keep[i] = c.hit() || makes
		for _, ch := range op.all() {
			keep[i] = keep[i] || needed[slot{ch.dir, ch.name}]
		}
		for _, ch := range op.all() {
			if keep[i] {
				needed[slot{ch.dir, ch.name}] = true
			}
			if keep[i] && (makes || op.moves()) {
				made[ch.dir] = true
			}
		}
	}
	crashed := make(map[*inode]dir)
	for i, op := range ops {
		if !keep[i] {
			continue
		}
		for _, ch := range op.all() {
			d, ok := crashed[ch.dir]
			if !ok {
				d = ch.dir.durable
			}
			crashed[ch.dir] = d.with(ch.name, ch.ino)
		}
	}
	return crashed
}

// inode copies a file or a tree; a file of several names is copied once.
func (c *cloner) inode(n *inode) *inode {
	if n.clone != nil {
		n.clone.nlink++
		return n.clone
	}
	out := &inode{isDir: n.isDir, nlink: 1}
	n.clone = out
	c.done = append(c.done, n)
	if !n.isDir {
		c.file(&out.content, &n.content)
		c.m.used += int64(out.alloc) * pageSize
		return out
	}
	from := c.entriesOf(n)
	entries := make(dir, len(from))
	for i, e := range from {
		entries[i] = dirent{e.name, c.inode(e.ino)}
	}
	out.entries, out.durable = entries, entries
	return out
}

// file makes out what is left of f.
func (c *cloner) file(out, f *content) {
	switch {
	case c.o.Survive <= 0 || !f.pending():
		f.syncedShared = true
		out.pages, out.size, out.alloc = f.syncedPages, f.syncedSize, f.syncedAlloc
	case c.o.Survive >= 1:
		f.shared = true
		clear(f.owned)
		out.pages, out.size, out.alloc = f.pages, f.size, f.alloc
	default:
		c.unsynced(out, f)
	}
	out.shared, out.syncedShared = true, true
	out.syncedPages, out.syncedSize, out.syncedAlloc = out.pages, out.size, out.alloc
	out.lowSize = out.size
}

// unsynced chooses the size, then the pages.
func (c *cloner) unsynced(out, f *content) {
	size, cut := f.syncedSize, f.syncedSize
	if f.lowSize < cut && c.hit() {
		size, cut = f.lowSize, f.lowSize
	}
	if f.lowSize >= cut && f.size > size {
		size = c.grown(size, f.size)
	}
	hi := min(f.dirtyHi, len(f.pages), pagesFor(size))
	kept := min(len(f.syncedPages), pagesFor(cut))
	t := make([]*page, max(kept, hi))
	copy(t, f.syncedPages[:kept])
	clearTail(t, cut)
	for i := f.dirtyLo; i < hi; i++ {
		p := f.pages[i]
		if p == nil || i < len(f.syncedPages) && p == f.syncedPages[i] || !c.hit() {
			continue
		}
		if c.o.Torn && c.o.Rand.Uint32()%4 == 0 {
			t[i] = c.torn(t[i], p)
		} else {
			t[i] = p
			f.owned.unset(i)
		}
	}
	clearTail(t, size)
	out.pages, out.size, out.alloc = t, size, count(t)
}

// grown chooses the size of a file that grew from lo to hi: all of it, or else
// none of it or part of it.
func (c *cloner) grown(lo, hi int64) int64 {
	if c.hit() {
		return hi
	}
	unit := int64(pageSize)
	if c.o.Torn {
		unit = sectorSize
	}
	first := lo/unit + 1
	steps := (hi-1)/unit - first + 1 // multiples of unit strictly between
	if steps <= 0 || !c.hit() {
		return lo
	}
	return (first + c.o.Rand.Int64N(steps)) * unit
}

// torn returns some sectors of now over those of before.
func (c *cloner) torn(before, now *page) *page {
	q := new(page)
	if before != nil {
		*q = *before
	}
	bits := c.o.Rand.Uint32()
	for at := 0; at < pageSize; at += sectorSize {
		if bits&1 != 0 {
			copy(q[at:at+sectorSize], now[at:])
		}
		bits >>= 1
	}
	return q
}
