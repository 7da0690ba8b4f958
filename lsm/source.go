package lsm

import (
	"bytes"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
)

// tableSource is an iterator over the records of one table as the tree counts them.
// The zero value is ready to be opened; one that is done may be opened again, and uses
// its memory again.
type tableSource struct {
	it   sstable.Iter
	rest restricted
	of   *openTable // pinned; nil when done
}

// open begins at t, which the caller keeps. The reader of t is pinned until done, which
// comes after the iterator's Close.
func (x *tableSource) open(db *DB, t *table, o sstable.IterOptions) (base.Iter, error) {
	of, err := db.pinned(t)
	if err != nil {
		return nil, err
	}
	x.of = of
	of.InitIter(&x.it, o)
	meta := t.meta
	if !meta.Clipped && meta.GlobalSeq == 0 {
		return &x.it, nil
	}
	x.rest = restricted{it: &x.it, global: meta.GlobalSeq}
	if meta.Clipped {
		x.rest.lower, x.rest.upper = meta.Smallest, clipEnd(meta)
	}
	return &x.rest, nil
}

// done lets the reader go. It does nothing for one that is not open.
func (x *tableSource) done() {
	if x.of != nil {
		x.of.unpin()
		x.of = nil
	}
}

// restricted shows the part of a table in [lower, upper), with every sequence
// number replaced by global unless that is 0.
type restricted struct {
	it           base.Iter
	lower, upper []byte // nil: not bounded on that side
	global       base.SeqNum
	kv           base.KV
}

func (x *restricted) show(kv *base.KV) *base.KV {
	if kv == nil || x.lower != nil && bytes.Compare(kv.Key, x.lower) < 0 ||
		x.upper != nil && bytes.Compare(kv.Key, x.upper) >= 0 {
		return nil
	}
	if x.global == 0 {
		return kv
	}
	x.kv = base.KV{Key: kv.Key, Trailer: base.MakeTrailer(x.global, kv.Trailer.Kind()), Value: kv.Value}
	return &x.kv
}

func (x *restricted) First() *base.KV {
	if x.lower != nil {
		return x.show(x.it.SeekGE(x.lower))
	}
	return x.show(x.it.First())
}

func (x *restricted) Last() *base.KV {
	if x.upper != nil {
		return x.show(x.it.SeekLT(x.upper))
	}
	return x.show(x.it.Last())
}

func (x *restricted) SeekGE(key []byte) *base.KV {
	if x.lower != nil && bytes.Compare(key, x.lower) < 0 {
		key = x.lower
	}
	return x.show(x.it.SeekGE(key))
}

func (x *restricted) SeekLT(key []byte) *base.KV {
	if x.upper != nil && bytes.Compare(key, x.upper) > 0 {
		key = x.upper
	}
	return x.show(x.it.SeekLT(key))
}

func (x *restricted) Next() *base.KV { return x.show(x.it.Next()) }
func (x *restricted) Prev() *base.KV { return x.show(x.it.Prev()) }
func (x *restricted) Err() error     { return x.it.Err() }
func (x *restricted) Close() error   { return x.it.Close() }

// levelSource is one iterator over the disjoint tables of a level. Tables are
// opened when the walk reaches them.
type levelSource struct {
	db     *DB
	tables []*table
	opts   sstable.IterOptions
	at     int       // the table of cur
	cur    base.Iter // nil, or of src
	src    tableSource
	err    error
	lo, hi []byte // memory of fragment
}

// open makes table i the current one.
func (l *levelSource) open(i int) bool {
	if l.cur != nil && l.at == i {
		return true
	}
	l.closeCur()
	if i < 0 || i >= len(l.tables) {
		return false
	}
	cur, err := l.src.open(l.db, l.tables[i], l.opts)
	if err != nil {
		l.err = err
		return false
	}
	l.cur, l.at = cur, i
	return true
}

// closeCur drops the error of cur: if it ended a move, err has it, or had it before the
// next seek.
func (l *levelSource) closeCur() {
	if l.cur != nil {
		_ = l.cur.Close()
		l.cur = nil
		l.src.done()
	}
}

// onward returns kv, or the first record of the tables after the current one.
func (l *levelSource) onward(kv *base.KV) *base.KV {
	for kv == nil {
		if l.err = l.cur.Err(); l.err != nil || !l.open(l.at+1) {
			return nil
		}
		kv = l.cur.First()
	}
	return kv
}

func (l *levelSource) backward(kv *base.KV) *base.KV {
	for kv == nil {
		if l.err = l.cur.Err(); l.err != nil || !l.open(l.at-1) {
			return nil
		}
		kv = l.cur.Last()
	}
	return kv
}

func (l *levelSource) First() *base.KV {
	if l.err = nil; !l.open(0) {
		return nil
	}
	return l.onward(l.cur.First())
}

func (l *levelSource) Last() *base.KV {
	if l.err = nil; !l.open(len(l.tables) - 1) {
		return nil
	}
	return l.backward(l.cur.Last())
}

// searchTables returns the first of a level's tables that may hold a key >= key.
func searchTables(tables []*table, key []byte) int {
	lo, hi := 0, len(tables)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if tables[mid].meta.EndsBefore(key) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (l *levelSource) SeekGE(key []byte) *base.KV {
	if l.err = nil; !l.open(searchTables(l.tables, key)) {
		return nil
	}
	return l.onward(l.cur.SeekGE(key))
}

func (l *levelSource) SeekLT(key []byte) *base.KV {
	l.err = nil
	i := searchTables(l.tables, key)
	if i == len(l.tables) || bytes.Compare(l.tables[i].meta.Smallest, key) >= 0 {
		i--
	}
	if !l.open(i) {
		return nil
	}
	return l.backward(l.cur.SeekLT(key))
}

func (l *levelSource) Next() *base.KV {
	if l.cur == nil {
		return nil
	}
	return l.onward(l.cur.Next())
}

func (l *levelSource) Prev() *base.KV {
	if l.cur == nil {
		return nil
	}
	return l.backward(l.cur.Prev())
}

// Ahead implements merge.Blocks, but for tables that are clipped or have another sequence
// number.
func (l *levelSource) Ahead(key []byte, back bool) int {
	if it, ok := l.cur.(*sstable.Iter); ok {
		return it.Ahead(key, back)
	}
	return 0
}

func (l *levelSource) Err() error { return l.err }

func (l *levelSource) Close() error {
	l.closeCur()
	return l.err
}
