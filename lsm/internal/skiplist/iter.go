package skiplist

import (
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// Iter walks a List; see base.Iter. It shows at least the records whose Add had
// returned when it moved, holds nothing that needs closing, and its keys and values
// alias the arena. The zero value is made usable by List.Init; it may be copied
// while it is not positioned.
type Iter struct {
	l   *List
	off uint32 // 0: not positioned
	kv  base.KV
}

var _ base.Iter = (*Iter)(nil)

// Init makes it an iterator over l, not positioned. No allocation.
func (l *List) Init(it *Iter) { *it = Iter{l: l} }

func (it *Iter) land(off uint32) *base.KV {
	it.off = off
	if off == 0 {
		return nil
	}
	n := it.l.node(off)
	it.kv.Key = it.l.key(off, n)
	it.kv.Value = it.l.value(off, n)
	it.kv.Trailer = base.Trailer(n.trailer)
	return &it.kv
}

// First moves to the first record.
func (it *Iter) First() *base.KV { return it.land(it.l.first()) }

// Last moves to the last record.
func (it *Iter) Last() *base.KV { return it.land(it.l.end()) }

// SeekGE moves to the newest version of the first key >= key.
func (it *Iter) SeekGE(key []byte) *base.KV { return it.land(it.l.seek(key, base.TrailerMax)) }

// SeekLT moves to the oldest version of the last key < key.
func (it *Iter) SeekLT(key []byte) *base.KV { return it.land(it.l.lastBefore(key, base.TrailerMax)) }

// Next moves to the next record.
func (it *Iter) Next() *base.KV {
	if it.off == 0 {
		return nil
	}
	kv := it.land(it.l.next(it.off))
	if kv != nil {
		it.l.fetchNext(it.l.node(it.off))
	}
	return kv
}

// Prev moves to the record before.
func (it *Iter) Prev() *base.KV {
	if it.off == 0 {
		return nil
	}
	off := atomic.LoadUint32(&it.l.node(it.off).prev)
	if off == it.l.head {
		off = 0
	}
	return it.land(off)
}

// Err is always nil.
func (it *Iter) Err() error { return nil }

// Close does nothing but forget the position.
func (it *Iter) Close() error {
	it.off = 0
	return nil
}
