package vfs

import (
	"math"
	"slices"
	"syscall"
)

const (
	pageSize    = 4096
	sectorSize  = 512
	maxFileSize = 1 << 36 // bounds the page table a write at a wild offset makes
)

type page [pageSize]byte

// content is the bytes of a file: what is seen, and what is durable.
//
// Pages are shared between the two states and between clones, and so are whole
// tables of pages. The rules that make this safe:
//
//  1. A page may be written in place only while its bit in owned is set. The bit
//     goes when the page becomes durable or gets into a clone.
//  2. A table may be written in place only while its shared flag is false.
//  3. A nil page, or one beyond the table, reads as zeros.
//  4. Bytes of a page beyond the size are zero, in both states.
//  5. Outside [dirtyLo, dirtyHi), and below lowSize, both tables are equal.
type content struct {
	size   int64
	pages  []*page
	owned  bitset
	alloc  int // pages that are not nil
	shared bool

	syncedSize   int64
	syncedPages  []*page
	syncedAlloc  int
	syncedShared bool

	lowSize          int64 // the smallest size since the last sync
	dirtyLo, dirtyHi int   // page numbers written since the last sync; empty when Lo >= Hi
	lost             bitset
}

func pagesFor(size int64) int { return int((size + pageSize - 1) / pageSize) }

func (c *content) dirty(i int) {
	if c.dirtyLo >= c.dirtyHi {
		c.dirtyLo, c.dirtyHi = i, i+1
		return
	}
	c.dirtyLo, c.dirtyHi = min(c.dirtyLo, i), max(c.dirtyHi, i+1)
}

// pending says whether a sync would change anything.
func (c *content) pending() bool {
	return c.dirtyLo < c.dirtyHi || c.size != c.syncedSize || c.lowSize < c.syncedSize
}

// ownTable makes the table of pages writable and long enough for n of them.
func (c *content) ownTable(n int) {
	if c.shared {
		c.pages = slices.Clone(c.pages)
		c.shared = false
	}
	if k := n - len(c.pages); k > 0 {
		c.pages = slices.Grow(c.pages, k)
		clear(c.pages[len(c.pages):n]) // what a truncation left behind
		c.pages = c.pages[:n]
	}
}

// ownPage makes page i writable in place. The caller has owned the table. With
// whole the old bytes are not wanted.
func (c *content) ownPage(i int, whole bool) *page {
	p := c.pages[i]
	if p != nil && c.owned.get(i) {
		return p
	}
	q := new(page)
	if p == nil {
		c.alloc++
	} else if !whole {
		*q = *p
	}
	c.pages[i] = q
	c.owned.set(i)
	c.lost.unset(i)
	c.dirty(i)
	return q
}

func (c *content) readAt(b []byte, off int64) int {
	if off >= c.size {
		return 0
	}
	b = b[:min(int64(len(b)), c.size-off)]
	for n := 0; n < len(b); {
		i, at := int((off+int64(n))/pageSize), int((off+int64(n))%pageSize)
		k := min(len(b)-n, pageSize-at)
		if i < len(c.pages) && c.pages[i] != nil {
			copy(b[n:n+k], c.pages[i][at:])
		} else {
			clear(b[n : n+k])
		}
		n += k
	}
	return len(b)
}

// writeAt writes while room for new pages lasts, and returns how much it wrote.
func (c *content) writeAt(b []byte, off int64, room int64) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if off < 0 {
		return 0, syscall.EINVAL
	}
	if off > maxFileSize-int64(len(b)) {
		return 0, syscall.EFBIG
	}
	c.ownTable(pagesFor(off + int64(len(b))))
	n := 0
	for n < len(b) {
		i, at := int((off+int64(n))/pageSize), int((off+int64(n))%pageSize)
		k := min(len(b)-n, pageSize-at)
		if c.pages[i] == nil {
			if room < pageSize {
				break
			}
			room -= pageSize
		}
		copy(c.ownPage(i, k == pageSize)[at:], b[n:n+k])
		n += k
		c.size = max(c.size, off+int64(n))
	}
	if n < len(b) {
		c.pages = c.pages[:min(len(c.pages), pagesFor(c.size))]
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (c *content) truncate(size int64) error {
	if size < 0 {
		return syscall.EINVAL
	}
	if size > maxFileSize {
		return syscall.EFBIG
	}
	if size < c.size {
		if n := pagesFor(size); n < len(c.pages) {
			for i := n; i < len(c.pages); i++ {
				if c.pages[i] != nil {
					c.alloc--
				}
				c.owned.unset(i)
				c.lost.unset(i)
			}
			c.pages = c.pages[:n] // rule 2 holds: what is cut is cleared before reuse, in an owned table
		}
		if i := int(size / pageSize); size%pageSize != 0 && i < len(c.pages) && c.pages[i] != nil {
			c.ownTable(0)
			clear(c.ownPage(i, false)[size%pageSize:])
		}
		c.lowSize = min(c.lowSize, size)
	}
	c.size = size
	return nil
}

// sync makes the state that is seen the durable one, but for the pages a failed
// sync has lost.
func (c *content) sync() {
	if !c.pending() {
		return
	}
	lo, hi := c.dirtyLo, c.dirtyHi
	if lo >= hi {
		lo, hi = math.MaxInt, 0
	}
	if c.lowSize < c.syncedSize { // a truncation cut durable pages: rule 5
		lo, hi = min(lo, int(c.lowSize/pageSize)), len(c.pages)
	}
	lo, hi = min(lo, len(c.pages)), min(hi, len(c.pages))
	c.ownSynced(len(c.pages))
	c.dirtyLo, c.dirtyHi = 0, 0
	for i := lo; i < hi; i++ {
		switch {
		case !c.lost.get(i):
			c.syncedPages[i] = c.pages[i]
			c.owned.unset(i)
		case int64(i)*pageSize >= c.lowSize:
			c.syncedPages[i] = nil
			c.dirty(i)
		default:
			clearTail(c.syncedPages, c.lowSize)
			c.dirty(i)
		}
	}
	c.syncedSize, c.lowSize = c.size, c.size
	c.syncedAlloc = c.alloc
	if c.pending() { // some are lost
		c.syncedAlloc = count(c.syncedPages)
	}
}

func count(pages []*page) int {
	n := 0
	for _, p := range pages {
		if p != nil {
			n++
		}
	}
	return n
}

// ownSynced makes the durable table writable, and n long.
func (c *content) ownSynced(n int) {
	old := c.syncedPages
	if !c.syncedShared && n <= cap(old) {
		c.syncedPages = old[:n]
		if n < len(old) {
			clear(old[n:])
		}
		return
	}
	if !c.syncedShared {
		c.syncedPages = slices.Grow(old, n-len(old))[:n]
		clear(c.syncedPages[len(old):])
		return
	}
	c.syncedPages, c.syncedShared = make([]*page, n), false
	copy(c.syncedPages, old)
}

// failSync is what the kernel does where the disk refuses a sync: the pages count
// as clean though they are not on the disk. They are still read, and no later
// sync writes them, unless they are written to again.
func (c *content) failSync() {
	for i := c.dirtyLo; i < min(c.dirtyHi, len(c.pages)); i++ {
		if c.pages[i] != nil && (i >= len(c.syncedPages) || c.pages[i] != c.syncedPages[i]) {
			c.lost.set(i)
			c.owned.unset(i) // so that a write comes by ownPage
		}
	}
}

// clearTail makes the bytes beyond size zero in the page that holds them: rule 4.
// It replaces the page, and needs a table that is owned.
func clearTail(t []*page, size int64) {
	i, at := int(size/pageSize), int(size%pageSize)
	if at == 0 || i >= len(t) || t[i] == nil {
		return
	}
	for _, b := range t[i][at:] {
		if b != 0 {
			q := new(page)
			copy(q[:at], t[i][:at])
			t[i] = q
			return
		}
	}
}

// bitset grows as bits are set.
type bitset []uint64

func (s bitset) get(i int) bool { return i>>6 < len(s) && s[i>>6]&(1<<(i&63)) != 0 }

func (s *bitset) set(i int) {
	for i>>6 >= len(*s) {
		*s = append(*s, 0)
	}
	(*s)[i>>6] |= 1 << (i & 63)
}

func (s bitset) unset(i int) {
	if i>>6 < len(s) {
		s[i>>6] &^= 1 << (i & 63)
	}
}
