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
func (l *layout) seek(key []byte, t base.Trailer, pl *place) bool {
	lo, hi := 0, l.nr // restart lo-1 is before the target, restart hi is not
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		before, ok := l.restartBefore(mid, key, t)
		if !ok {
			return false
		}
		if before {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return l.scan(max(lo-1, 0), key, t, pl)
}

func (l *layout) restartBefore(r int, key []byte, t base.Trailer) (before, ok bool) {
	p, v, ok := l.restart(r)
	if !ok {
		return false, false
	}
	s, u, vl, at := l.entry(p)
	if at == 0 || s != 0 || !l.fits(0, at, u, v, vl) {
		return false, false
	}
	k := l.data[at : at+u]
	if u >= 8 && len(key) >= 8 {
		a, b := binary.BigEndian.Uint64(k), binary.BigEndian.Uint64(key)
		if a != b {
			return a < b, true
		}
	}
	switch n := base.CommonPrefixLen(k, key); {
	case n < u && n < len(key):
		return k[n] < key[n], true
	case u != len(key):
		return u < len(key), true
	}
	return l.trailer(r*restartInterval) > t, true
}

// scan walks from restart point r, whose record is before the target (or is the
// first of the block), without building keys. m is the length of the prefix that
// the target and the record before, which is smaller, have in common. A record
// that shares more than m bytes with its predecessor stands to the target as
// that did; one that shares fewer is larger; only if it shares exactly m bytes
// must its suffix be compared.
func (l *layout) scan(r int, key []byte, t base.Trailer, pl *place) bool {
	p, v, ok := l.restart(r)
	if !ok {
		return false
	}
	m, prevLen := 0, 0
	equal := false
	ord := r * restartInterval
	for ; ord < l.n; ord++ {
		s, u, vl, at := l.entry(p)
		if at == 0 || s > prevLen || !l.fits(s, at, u, v, vl) {
			return false
		}
		if ord%restartInterval == 0 {
			if s != 0 {
				return false
			}
			m = 0 // nothing is known of a key that stands alone
		}
		prevLen = s + u
		if s <= m {
			equal = false
			stop := s < m
			if !stop {
				n := base.CommonPrefixLen(l.data[at:at+u], key[m:])
				m += n
				switch {
				case n == u && m == len(key):
					equal = true
					stop = l.trailer(ord) <= t
				case n < u:
					stop = m == len(key) || l.data[at+n] > key[m]
				}
			}
			if stop {
				*pl = place{ord: ord, shared: s, suffix: at, unshared: u, value: v, vlen: vl, equal: equal}
				return true
			}
		}
		p = at + u
		v += vl
	}
	*pl = place{ord: ord, equal: equal}
	return true
}
