package block

import (
	"encoding/binary"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// Result is the outcome of Get.
type Result uint8

const (
	NotFound Result = iota // no such version in this block, and none in the next
	Found
	// MayContinue means that the block ended while still on the key, with versions
	// that are all too new: older ones may begin the next block.
	MayContinue
)

// place is where a search ended: the first record that is not before the target.
type place struct {
	ord      int // n if all records are before the target
	shared   int // the first shared bytes of the record's key are the target's
	suffix   int // the rest of its key lies here
	unshared int
	value    int
	vlen     int
	equal    bool // the record has the target's user key; at ord n: the last record has
}

// Get looks for the newest version of key with a sequence number of at most seq.
// value aliases data. Nothing is copied and nothing is allocated.
func Get(data, key []byte, seq base.SeqNum) (value []byte, t base.Trailer, res Result, err error) {
	var l layout
	if err := l.parse(data); err != nil {
		return nil, 0, NotFound, err
	}
	var pl place
	if !l.seek(key, base.MakeTrailer(seq, 0xff), &pl) {
		return nil, 0, NotFound, ErrCorrupt
	}
	if !pl.equal {
		return nil, 0, NotFound, nil
	}
	if pl.ord == l.n {
		return nil, 0, MayContinue, nil
	}
	t = l.trailer(pl.ord)
	if !legal(t, pl.vlen) {
		return nil, 0, NotFound, ErrCorrupt
	}
	return data[pl.value : pl.value+pl.vlen : pl.value+pl.vlen], t, Found, nil
}

// seek finds the first record that is not before (key, t): among the restart
// points by halving, then record by record. It returns false if the block is
// malformed.
//
// No key is put together for it. Take a record that the target is known to be
// larger than, and let m be the length of their common prefix. A later record that
// shares more than m bytes with that one stands to the target as that does; one
// that shares fewer is larger than the target; only one that shares exactly m must
// have its suffix compared. For restart points that record is the first of the
// block, for all others the one before.
func (l *layout) seek(key []byte, t base.Trailer, pl *place) bool {
	s, firstLen, vl, at := l.entry(l.keys)
	if at == 0 || s != 0 || !l.fits(0, at, firstLen, l.values, vl) {
		return false
	}
	before, equal, m := l.compare(0, at, firstLen, key, 0, t)
	if !before {
		*pl = place{suffix: at, unshared: firstLen, value: l.values, vlen: vl, equal: equal}
		return true
	}
	lo, hi := 1, l.nr // restart lo-1 is before the target, restart hi is not
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		p, v, ok := l.restart(mid)
		if !ok {
			return false
		}
		s, u, vl, at := l.entry(p)
		if at == 0 || s > firstLen || !l.fits(s, at, u, v, vl) {
			return false
		}
		before := s > m
		if s == m {
			before, _, _ = l.compare(mid*restartInterval, at, u, key, m, t)
		}
		if before {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	c := cursor{ord: (lo - 1) * restartInterval, m: m, prevLen: firstLen, equal: equal}
	if c.ord == 0 {
		c.ord, c.p, c.v = 1, at+firstLen, l.values+vl
	} else {
		var ok bool
		if c.p, c.v, ok = l.restart(lo - 1); !ok {
			return false
		}
	}
	return l.scan(c, firstLen, key, t, pl)
}

// cursor is where a scan begins: record ord, its head at p and its value at v. The
// record that it is relative to is before the target, shares m bytes with it, has
// prevLen bytes, and is of the target's user key if equal.
type cursor struct {
	ord, p, v, m, prevLen int
	equal                 bool
}

// scan walks on from c to the first record that is not before the target.
func (l *layout) scan(c cursor, firstLen int, key []byte, t base.Trailer, pl *place) bool {
	p, v, m, prevLen, equal := c.p, c.v, c.m, c.prevLen, c.equal
	first := m // what a restart point is relative to is the block's first record
	ord := c.ord
	for ; ord < l.n; ord++ {
		s, u, vl, at := l.entry(p)
		if at == 0 || !l.fits(s, at, u, v, vl) {
			return false
		}
		if ord%restartInterval == 0 {
			m, prevLen = first, firstLen
		}
		if s > prevLen {
			return false
		}
		prevLen = s + u
		p = at + u
		if s <= m {
			before := false
			equal = false
			if s == m {
				before, equal, m = l.compare(ord, at, u, key, m, t)
			}
			if !before {
				*pl = place{ord: ord, shared: s, suffix: at, unshared: u, value: v, vlen: vl, equal: equal}
				return true
			}
		}
		v += vl
	}
	*pl = place{ord: ord, equal: equal}
	return true
}

// compare sets record ord, whose key is the first m bytes of the target's and then
// the u bytes at at, against the target: whether it is before, whether it is of the
// same user key, and how many bytes of prefix they share.
func (l *layout) compare(ord, at, u int, key []byte, m int, t base.Trailer) (before, equal bool, shared int) {
	suffix, rest := l.data[at:at+u], key[m:]
	n := base.CommonPrefixLen(suffix, rest)
	switch {
	case n < u:
		return n < len(rest) && suffix[n] < rest[n], false, m + n
	case n < len(rest):
		return true, false, m + n
	}
	return l.trailer(ord) > t, true, m + n
}

// Head takes apart what AppendSingle made for key, whatever follows it, and returns its
// length; ok is false for anything else.
func Head(head, key []byte) (t base.Trailer, n int, ok bool) {
	if len(head) < headerLen || binary.LittleEndian.Uint32(head) != 1 || head[16] != 0 {
		return 0, 0, false
	}
	p := headerLen + 4
	if head[17]&flagWide != 0 {
		p += 4
	}
	l := layout{data: head, keysEnd: len(head)}
	s, u, vl, at := l.entry(p)
	t = base.Trailer(binary.LittleEndian.Uint64(head[8:]))
	if at == 0 || s != 0 || u != len(key) || at+u > len(head) || string(head[at:at+u]) != string(key) || !legal(t, vl) {
		return 0, 0, false
	}
	return t, at + u, t.Kind() == base.KindSet
}

// Only returns the record of a block that has but one; ok is false for any other block,
// and if the record is of another key. value aliases data.
func Only(data, key []byte) (value []byte, t base.Trailer, ok bool) {
	var l layout
	if l.parse(data) != nil || l.n != 1 {
		return nil, 0, false
	}
	s, u, vl, at := l.entry(l.keys)
	if at == 0 || s != 0 || !l.fits(0, at, u, l.values, vl) || string(data[at:at+u]) != string(key) {
		return nil, 0, false
	}
	t = l.trailer(0)
	if !legal(t, vl) {
		return nil, 0, false
	}
	return data[l.values : l.values+vl : l.values+vl], t, true
}
