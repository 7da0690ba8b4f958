package sstable

import "sort"

// readAhead reads a run of blocks at once and decodes them one by one, all in
// buffers of its own.
type readAhead struct {
	raw    *scratch // the file from offset off
	lo, hi int      // blocks [lo, hi) are in raw
	size   int      // of the last read; the next is twice that
	plain  *scratch // the block decoded last
	stats  *Stats   // where the buffers are counted; may be nil
}

const (
	firstAhead = 32 << 10
	mostAhead  = largeScratch
)

func (a *readAhead) has(i int) bool { return a.lo <= i && i < a.hi }

// after returns the block that follows what was read, in the direction of the walk.
func (a *readAhead) after(down bool) int {
	if down {
		return a.lo - 1
	}
	return a.hi
}

func (a *readAhead) release() {
	a.put(a.raw)
	a.put(a.plain)
	*a = readAhead{}
}

func (a *readAhead) get(r *Reader, n int) *scratch {
	a.stats = r.o.Stats
	return takeBuffer(a.stats, n)
}

func (a *readAhead) put(s *scratch) { giveBuffer(a.stats, s) }

// block returns block i, valid until the next call. down says which way the walk
// goes, full that it will go on to the end. With keep it goes into the cache, pinned by
// keep, if there is a place.
func (a *readAhead) block(r *Reader, i int, down, full bool, keep *pin) ([]byte, error) {
	if !a.has(i) {
		if err := a.fill(r, i, down, full); err != nil {
			return nil, err
		}
	}
	from := r.idx.offsets[a.lo]
	off := r.idx.offsets[i]
	raw := a.raw.b[off-from : r.idx.offsets[i+1]-from]
	payload, c, err := openBlock(raw, r.uid, int64(off))
	if err != nil {
		return nil, r.corruptBlock(i, err)
	}
	size, err := decodedLen(payload, c, maxRecordBlock)
	if err != nil {
		return nil, r.corruptBlock(i, err)
	}
	if keep != nil {
		if h, ok := r.o.Cache.Reserve(size + trailerLen); ok {
			keep.h, keep.data = h, h.Bytes()[:size:size+trailerLen]
			if err := decode(keep.data, payload, c); err != nil {
				keep.release()
				return nil, r.corruptBlock(i, err)
			}
			r.publish(keep, uint64(i))
			return keep.data, nil
		}
	}
	if c == None {
		return payload, nil
	}
	if a.plain == nil || len(a.plain.b) < size {
		a.put(a.plain)
		a.plain = a.get(r, size)
	}
	if err := decode(a.plain.b[:size], payload, c); err != nil {
		return nil, r.corruptBlock(i, err)
	}
	return a.plain.b[:size], nil
}

// fill reads block i and as many beyond it, in the direction of the walk, as fit
// the size; at least the one.
func (a *readAhead) fill(r *Reader, i int, down, full bool) error {
	a.size = min(max(2*a.size, firstAhead), mostAhead)
	if full {
		a.size = mostAhead
	}
	offs := r.idx.offsets
	lo, hi := i, i+1
	if down {
		lo = sort.Search(i, func(j int) bool { return offs[hi]-offs[j] <= uint64(a.size) })
	} else {
		hi += sort.Search(r.idx.n-hi, func(j int) bool { return offs[hi+j+1]-offs[lo] > uint64(a.size) })
	}
	n := int(offs[hi] - offs[lo])
	if a.raw == nil || len(a.raw.b) < n {
		a.put(a.raw)
		a.raw = a.get(r, max(n, a.size))
	}
	a.lo, a.hi = 0, 0
	if s := r.o.Stats; s != nil {
		s.BlockReads.Add(int64(hi - lo))
		s.BytesRead.Add(int64(n))
	}
	err := readFull(r.f, r.o.Name, a.raw.b[:n], int64(offs[lo]))
	if err != nil && hi-lo > 1 { // the block that is wanted may still be readable
		lo, hi = i, i+1
		n = int(offs[hi] - offs[lo])
		err = readFull(r.f, r.o.Name, a.raw.b[:n], int64(offs[lo]))
	}
	if err != nil {
		return r.withKeys(i, err)
	}
	a.lo, a.hi = lo, hi
	return nil
}
