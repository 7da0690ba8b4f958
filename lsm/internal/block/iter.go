package block

import (
	"encoding/binary"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// Iter walks a block; it implements base.Iter. Embed it by value and Init it
// for block after block: its buffers are kept. Values alias the block, keys the
// iterator. Moving costs no allocation once the buffers have grown.
type Iter struct {
	Single bool // what base.KV.Single says of the records, from the next Init on

	kv    base.KV
	l     layout
	ord   int  // the current record
	next  int  // where the head of the next record is
	nextV int  // where its value is
	on    bool // positioned
	key   []byte
	err   error
	back  *interval
}

// interval is one restart interval decoded, for walking backwards: each Prev
// would otherwise decode it again up to the wanted record.
type interval struct {
	r       int // -1: nothing here
	keys    []byte
	entries [restartInterval]decoded
}

type decoded struct{ key, keyEnd, value, vlen, next int }

var _ base.Iter = (*Iter)(nil)

// Init takes the iterator to a new block, unpositioned and without error.
func (it *Iter) Init(data []byte) error {
	it.on = false
	it.kv = base.KV{Single: it.Single}
	if it.back != nil {
		it.back.r = -1
	}
	it.err = it.l.parse(data)
	if it.err != nil {
		it.l = layout{}
	}
	return it.err
}

// Reset lets go of the block and keeps the buffers.
func (it *Iter) Reset() {
	it.on = false
	it.kv = base.KV{}
	it.l = layout{}
	it.err = nil
}

// Len returns the number of records in the block.
func (it *Iter) Len() int { return it.l.n }

// Ordinal returns which record of the block is the current one, from 0 on. Only meaningful
// while positioned.
func (it *Iter) Ordinal() int { return it.ord }

// Key returns the current user key, nil if there is none.
func (it *Iter) Key() []byte { return it.kv.Key }

// Err returns what was wrong with the block.
func (it *Iter) Err() error { return it.err }

// Close lets go of the block and returns Err.
func (it *Iter) Close() error {
	err := it.err
	it.Reset()
	return err
}

func (it *Iter) fail() *base.KV {
	it.err = ErrCorrupt
	return it.off()
}

func (it *Iter) off() *base.KV {
	it.on = false
	it.kv = base.KV{Single: it.Single}
	return nil
}

// First goes to the first record.
func (it *Iter) First() *base.KV {
	if it.err != nil || it.l.n == 0 {
		return it.off()
	}
	p, v, ok := it.l.restart(0)
	if !ok {
		return it.fail()
	}
	it.key = it.key[:0]
	it.ord, it.next, it.nextV, it.on = -1, p, v, true
	return it.Next()
}

// Next goes to the next record.
func (it *Iter) Next() *base.KV {
	if !it.on {
		return nil
	}
	l := &it.l
	ord := it.ord + 1
	if ord >= l.n {
		return it.off()
	}
	v := it.nextV
	s, u, vl, at := l.entry(it.next)
	if at == 0 || s > len(it.key) || !l.fits(s, at, u, v, vl) {
		return it.fail()
	}
	t := l.trailer(ord)
	if !legal(t, vl) {
		return it.fail()
	}
	if u <= 8 && at+8 <= len(l.data) && s+8 <= cap(it.key) {
		// Most suffixes are short: eight bytes at once cost less than a call.
		binary.LittleEndian.PutUint64(it.key[s:s+8], binary.LittleEndian.Uint64(l.data[at:]))
		it.key = it.key[:s+u]
	} else {
		it.key = append(it.key[:s], l.data[at:at+u]...)
	}
	it.ord, it.next, it.nextV = ord, at+u, v+vl
	it.kv.Key = it.key
	it.kv.Trailer = t
	it.kv.Value = l.data[v : v+vl : v+vl]
	return &it.kv
}

// SeekGE goes to the newest version of the first user key >= key.
func (it *Iter) SeekGE(key []byte) *base.KV { return it.SeekInternal(key, base.TrailerMax) }

// SeekInternal goes to the first record that is not before (key, t).
func (it *Iter) SeekInternal(key []byte, t base.Trailer) *base.KV {
	if it.err != nil || it.l.n == 0 {
		return it.off()
	}
	var pl place
	if !it.l.seek(key, t, &pl) {
		return it.fail()
	}
	if pl.ord == it.l.n {
		return it.off()
	}
	kt := it.l.trailer(pl.ord)
	if !legal(kt, pl.vlen) {
		return it.fail()
	}
	it.key = append(it.key[:0], key[:pl.shared]...)
	it.key = append(it.key, it.l.data[pl.suffix:pl.suffix+pl.unshared]...)
	it.on = true
	it.ord, it.next, it.nextV = pl.ord, pl.suffix+pl.unshared, pl.value+pl.vlen
	it.kv.Key = it.key
	it.kv.Trailer = kt
	it.kv.Value = it.l.data[pl.value:it.nextV:it.nextV]
	return &it.kv
}

// Last goes to the last record.
func (it *Iter) Last() *base.KV {
	if it.err != nil {
		return it.off()
	}
	return it.backTo(it.l.n - 1)
}

// SeekLT goes to the oldest version of the last user key < key.
func (it *Iter) SeekLT(key []byte) *base.KV {
	if it.err != nil || it.l.n == 0 {
		return it.off()
	}
	var pl place
	if !it.l.seek(key, base.TrailerMax, &pl) {
		return it.fail()
	}
	return it.backTo(pl.ord - 1)
}

// Prev goes to the record before.
func (it *Iter) Prev() *base.KV {
	if !it.on {
		return nil
	}
	return it.backTo(it.ord - 1)
}

// backTo goes to record ord, by way of its decoded interval.
func (it *Iter) backTo(ord int) *base.KV {
	if ord < 0 {
		return it.off()
	}
	if it.back == nil {
		it.back = &interval{r: -1}
	}
	b := it.back
	if r := ord / restartInterval; b.r != r && !it.decode(r) {
		return it.fail()
	}
	e := &b.entries[ord%restartInterval]
	t := it.l.trailer(ord)
	if !legal(t, e.vlen) {
		return it.fail()
	}
	// Next builds on it.key, so that the key must be copied there.
	it.key = append(it.key[:0], b.keys[e.key:e.keyEnd]...)
	it.on = true
	it.ord, it.next, it.nextV = ord, e.next, e.value+e.vlen
	it.kv.Key = it.key
	it.kv.Trailer = t
	it.kv.Value = it.l.data[e.value:it.nextV:it.nextV]
	return &it.kv
}

// first returns the first key of the block, which stands there whole.
func (l *layout) first() ([]byte, bool) {
	s, u, vl, at := l.entry(l.keys)
	if at == 0 || s != 0 || !l.fits(0, at, u, l.values, vl) {
		return nil, false
	}
	return l.data[at : at+u], true
}

// decode fills back with restart interval r.
func (it *Iter) decode(r int) bool {
	b, l := it.back, &it.l
	b.r = -1
	b.keys = b.keys[:0]
	p, v, ok := l.restart(r)
	if !ok {
		return false
	}
	prev, ok := l.first()
	if !ok {
		return false
	}
	for i := range min(restartInterval, l.n-r*restartInterval) {
		s, u, vl, at := l.entry(p)
		if at == 0 || s > len(prev) || !l.fits(s, at, u, v, vl) {
			return false
		}
		start := len(b.keys)
		b.keys = append(b.keys, prev[:s]...)
		b.keys = append(b.keys, l.data[at:at+u]...)
		p = at + u
		b.entries[i] = decoded{key: start, keyEnd: len(b.keys), value: v, vlen: vl, next: p}
		v += vl
		prev = b.keys[start:]
	}
	b.r = r
	return true
}

// Park makes the iterator unpositioned; it keeps the block.
func (it *Iter) Park() { it.off() }
