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
	off uint32 // the record, 0: not positioned
	at  uint32 // the version of it, 0 for the record's own
	kv  base.KV
}

var _ base.Iter = (*Iter)(nil)

// Init makes it an iterator over l, not positioned. No allocation.
func (l *List) Init(it *Iter) { *it = Iter{l: l} }

// land moves to a version of a record.
func (it *Iter) land(off, at uint32) *base.KV {
	it.off, it.at = off, at
	if off == 0 {
		return nil
	}
	l := it.l
	n := l.node(off)
	it.kv.Key = l.key(off, n)
	if at == 0 {
		it.kv.Value, it.kv.Trailer = l.value(off, n), base.Trailer(n.trailer)
	} else {
		v := l.version(at)
		it.kv.Value, it.kv.Trailer = l.bytes(at+versionSize, int(v.valLen)), base.Trailer(v.trailer)
	}
	return &it.kv
}

// landNewest moves to the newest version of a record.
func (it *Iter) landNewest(off uint32) *base.KV {
	if off == 0 {
		return it.land(0, 0)
	}
	return it.land(off, it.l.newest(off))
}

// First moves to the first record.
func (it *Iter) First() *base.KV { return it.landNewest(it.l.first()) }

// Last moves to the last record.
func (it *Iter) Last() *base.KV { return it.land(it.l.end(), 0) }

// SeekGE moves to the newest version of the first key >= key.
func (it *Iter) SeekGE(key []byte) *base.KV { return it.landNewest(it.l.seek(key, base.TrailerMax)) }

// SeekLT moves to the oldest version of the last key < key.
func (it *Iter) SeekLT(key []byte) *base.KV { return it.land(it.l.lastBefore(key, base.TrailerMax), 0) }

// Next moves to the next record.
func (it *Iter) Next() *base.KV {
	l := it.l
	switch {
	case it.off == 0:
		return nil
	case it.at != 0:
		kv := it.land(it.off, atomic.LoadUint32(&l.version(it.at).older))
		l.fetchOlder(it.off, it.at)
		return kv
	}
	kv := it.landNewest(l.next(it.off))
	if kv != nil {
		l.fetchNext(l.node(it.off))
		l.fetchOlder(it.off, it.at)
	}
	return kv
}

// Prev moves to the record before.
func (it *Iter) Prev() *base.KV {
	if it.off == 0 {
		return nil
	}
	l := it.l
	newer := l.newest(it.off)
	if newer == it.at {
		off := atomic.LoadUint32(&l.node(it.off).prev)
		if off == l.head {
			off = 0
		}
		return it.land(off, 0)
	}
	for {
		older := atomic.LoadUint32(&l.version(newer).older)
		if older == it.at {
			return it.land(it.off, newer)
		}
		newer = older
	}
}

// Err is always nil.
func (it *Iter) Err() error { return nil }

// Close does nothing but forget the position.
func (it *Iter) Close() error {
	it.off = 0
	return nil
}
