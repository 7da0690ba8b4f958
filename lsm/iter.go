package lsm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"sync"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/merge"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/internal/skiplist"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
)

// IterOptions bounds an iterator. The bytes are copied.
type IterOptions struct {
	Lower  []byte // inclusive; nil: from the first key
	Upper  []byte // exclusive; nil: to the last key
	Prefix []byte // only keys with this prefix; intersects the bounds

	// KeysOnly: Value is always nil, and values that are kept outside of the tree are not
	// read.
	KeysOnly bool
}

// Iterator walks the keys of one moment in order, in both directions. It is not
// positioned at first. It belongs to one goroutine, and must be closed: it keeps
// memory and files of its moment alive.
//
//	for it.First(); it.Valid(); it.Next() {
//		use(it.Key(), it.Value())
//	}
//	err := it.Err()
type Iterator struct {
	*iterParts // nil once closed
	db         *DB
	v          view
	lower      []byte         // nil: none
	upper      []byte         // nil: none
	snap       *Snapshot      // ends with it; nil for the DB's own
	txn        *txnReads      // records what was read; nil outside of transactions
	own        *rangedel.List // a transaction's own range tombstones
	plain      bool           // dead spans may be used
	keysOnly   bool
	closed     bool

	// Going forward, kv is the raw record of the current key; going backward too, if
	// stands. Else raw stands before the current key, at kv, and the current key was copied
	// to keyBuf and valBuf.
	kv       *base.KV
	backward bool
	stands   bool
	valid    bool
	key, val []byte
	err      error
}

// iterParts is the memory of an iterator, which the next one uses again. The Iterator
// itself is not reused: a handle that was closed stays closed.
type iterParts struct {
	raw     merge.Iter
	sources []base.Iter
	mems    []skiplist.Iter
	tables  []tableSource // of L0
	levels  [base.NumLevels]levelSource
	dels    covering
	keyBuf  []byte
	valBuf  []byte
	blob    sstable.Value // of the current key, if that is in a blob file
	blobs   int           // values read from blob files since the last seek
}

// cachedBlobs is how many values in blob files a walk leaves in the block cache: a short
// one may come again, a long one should not sweep it.
const cachedBlobs = 4

// keyBuf is never nil, which would be an end of the key space to back.
var iterPool = sync.Pool{New: func() any { return &iterParts{keyBuf: []byte{}} }}

// grow returns a slice of n elements, with s's memory if that is enough.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+4)
	}
	return s[:n]
}

// NewIter returns an iterator over what is visible now; o may be nil.
func (db *DB) NewIter(o *IterOptions) (*Iterator, error) {
	s := db.acquire()
	if s == nil {
		return nil, ErrClosed
	}
	it := &Iterator{db: db, v: view{state: s, now: db.now()}}
	it.v.seq = base.SeqNum(db.visible.Load())
	// If the state was replaced in between, commits up to that number may be missing in
	// it: such a view shows one moment, but not the one that a dead span speaks of.
	it.plain = db.state.Load() == s
	if err := it.init(o, nil); err != nil {
		return nil, err
	}
	return it, nil
}

// init opens the sources; extra, if any, is newer than all of them. From here on it keeps
// no more of the state of its view than an iterator needs. On an error the iterator is
// closed.
func (it *Iterator) init(o *IterOptions, extra base.Iter) error {
	v := it.v
	it.v.state.keep(holdMemory)
	it.v.readers = nil
	defer v.release()
	if o != nil {
		it.setBounds(o)
	}
	it.db.stats.iterators.Add(1)
	p := iterPool.Get().(*iterParts)
	it.iterParts = p
	p.sources, p.blobs = p.sources[:0], 0
	p.dels.reset()
	if extra != nil {
		p.sources = append(p.sources, extra)
	}
	it.addMemtables()
	err := it.addTables()
	p.raw.Init(p.sources)
	if err != nil {
		it.err = err
		_ = it.Close()
	}
	return err
}

func (it *Iterator) addMemtables() {
	p, s := it.iterParts, it.v.state
	p.mems = grow(p.mems, len(s.imm)+1)
	add := func(i int, m *memtable) {
		m.list.Init(&p.mems[i])
		p.sources = append(p.sources, &p.mems[i])
		for _, l := range m.delLists() {
			p.dels.addList(l)
		}
	}
	if s.mem != nil {
		add(len(s.imm), s.mem)
	}
	for i, m := range s.imm {
		add(i, m)
	}
}

func (it *Iterator) addTables() error {
	p, s := it.iterParts, it.v.state
	p.tables = grow(p.tables, len(s.tables[0]))
	for i, t := range s.tables[0] {
		if it.misses(t) {
			continue
		}
		src, err := p.tables[i].open(it.db, t, sstable.IterOptions{})
		if err != nil {
			return err
		}
		p.sources = append(p.sources, src)
		p.dels.addList(p.tables[i].of.dels)
	}
	for level := 1; level < base.NumLevels; level++ {
		tables := s.tables[level]
		if len(tables) > 0 && it.lower != nil && tables[0].meta.EndsBefore(it.lower) {
			tables = tables[searchTables(tables, it.lower):]
		}
		for len(tables) > 0 && it.misses(tables[len(tables)-1]) {
			tables = tables[:len(tables)-1]
		}
		if len(tables) > 0 {
			l := &p.levels[level]
			l.db, l.tables, l.cur, l.err = it.db, tables, nil, nil
			p.sources = append(p.sources, l)
			if s.dels[level] {
				p.dels.addLevel(l)
			}
		}
	}
	return nil
}

// misses reports whether a table lies outside of the bounds.
func (it *Iterator) misses(t *table) bool {
	return it.lower != nil && t.meta.EndsBefore(it.lower) ||
		it.upper != nil && bytes.Compare(t.meta.Smallest, it.upper) >= 0
}

func (it *Iterator) setBounds(o *IterOptions) {
	it.keysOnly = o.KeysOnly
	it.lower, it.upper = bytes.Clone(o.Lower), bytes.Clone(o.Upper)
	if len(o.Prefix) == 0 {
		return
	}
	if bytes.Compare(o.Prefix, it.lower) > 0 {
		it.lower = bytes.Clone(o.Prefix)
	}
	if end := prefixEnd(o.Prefix); end != nil && (it.upper == nil || bytes.Compare(end, it.upper) < 0) {
		it.upper = end
	}
}

// prefixEnd returns the smallest key after all keys with prefix, nil if there is
// none.
func prefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := bytes.Clone(prefix[:i+1])
			end[i]++
			return end
		}
	}
	return nil
}

// First moves to the first key. Like every move it reports whether there is one.
func (it *Iterator) First() bool {
	if !it.usable() {
		return false
	}
	it.blobs = 0
	if it.lower != nil {
		return it.forward(it.raw.SeekGE(it.lower), it.lower)
	}
	return it.forward(it.raw.First(), nil)
}

// Last moves to the last key.
func (it *Iterator) Last() bool {
	if !it.usable() {
		return false
	}
	it.blobs = 0
	if it.upper != nil {
		return it.back(it.raw.SeekLT(it.upper), it.upper)
	}
	return it.back(it.raw.Last(), nil)
}

// SeekGE moves to the first key >= key.
func (it *Iterator) SeekGE(key []byte) bool {
	if !it.usable() {
		return false
	}
	if it.lower != nil && bytes.Compare(key, it.lower) < 0 {
		key = it.lower
	}
	if it.upper != nil && bytes.Compare(key, it.upper) >= 0 {
		return it.invalidate()
	}
	// A copy: key may be this iterator's own, which the first source to move overwrites.
	it.keyBuf = append(it.keyBuf[:0], key...)
	it.blobs = 0
	return it.forward(it.raw.SeekGE(it.keyBuf), it.keyBuf)
}

// SeekLT moves to the last key < key.
func (it *Iterator) SeekLT(key []byte) bool {
	if !it.usable() {
		return false
	}
	if it.upper != nil && bytes.Compare(key, it.upper) > 0 {
		key = it.upper
	}
	if it.lower != nil && bytes.Compare(key, it.lower) <= 0 {
		return it.invalidate()
	}
	it.keyBuf = append(it.keyBuf[:0], key...)
	it.blobs = 0
	return it.back(it.raw.SeekLT(it.keyBuf), it.keyBuf)
}

// Next moves to the following key. It does nothing on an iterator that is not
// valid.
func (it *Iterator) Next() bool {
	if !it.valid || !it.usable() {
		return false
	}
	var kv *base.KV
	if it.backward {
		it.keyBuf = append(it.keyBuf[:0], it.key...)
		kv = it.raw.SeekGE(it.keyBuf)
	} else if it.kv.Trailer.Seq() == 0 && it.txn == nil { // no version is older
		return it.forward(it.raw.Next(), nil)
	} else {
		it.keyBuf = append(it.keyBuf[:0], it.kv.Key...)
		kv = it.raw.Next()
	}
	for kv != nil && bytes.Equal(kv.Key, it.keyBuf) {
		kv = it.raw.Next()
	}
	return it.forward(kv, it.keyBuf)
}

// Prev moves to the key before.
func (it *Iterator) Prev() bool {
	if !it.valid || !it.usable() {
		return false
	}
	if it.backward {
		if it.stands {
			return it.back(it.raw.Prev(), nil)
		}
		return it.back(it.kv, it.key)
	}
	it.keyBuf = append(it.keyBuf[:0], it.key...)
	return it.back(it.raw.SeekLT(it.keyBuf), it.keyBuf)
}

// Valid reports whether the iterator stands on a key.
func (it *Iterator) Valid() bool { return it.valid && !it.ended() }

// Key returns the current key, nil when not valid. It lives until the next move;
// the caller must not change it.
func (it *Iterator) Key() []byte {
	if !it.valid {
		return nil
	}
	return it.key
}

// Value returns the current value under the same terms as Key.
func (it *Iterator) Value() []byte {
	if !it.valid {
		return nil
	}
	return it.val
}

// Err returns the error that ended the walk, or ErrClosed; nil at an ordinary end.
func (it *Iterator) Err() error {
	if it.err == nil && it.ended() {
		return ErrClosed
	}
	return it.err
}

// All walks from First to the end. Errors are in Err afterwards. Key and value live
// until the next round.
func (it *Iterator) All() iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for it.First(); it.Valid(); it.Next() {
			if !yield(it.key, it.val) {
				return
			}
		}
	}
}

// Close releases the iterator and returns Err's error, ErrClosed aside. Closing
// twice is fine.
func (it *Iterator) Close() error {
	if it.closed || it.db == nil {
		return nil
	}
	it.closed, it.valid = true, false
	it.db.stats.iterators.Add(-1)
	p := it.iterParts
	p.blob.Release()
	err := p.raw.Close()
	for i := range p.tables {
		p.tables[i].done()
	}
	p.dels.reset()
	clear(p.sources)
	it.iterParts = nil
	iterPool.Put(p)
	it.v.state.drop(holdMemory)
	if it.err != nil {
		err = it.err
	}
	return err
}

// ended reports whether the iterator, its snapshot or its DB was closed.
func (it *Iterator) ended() bool {
	return it.closed || it.db == nil || it.db.closing.Load() || it.snap != nil && it.snap.closed.Load()
}

// usable begins a move.
func (it *Iterator) usable() bool {
	it.valid = false
	if it.ended() {
		return false
	}
	it.err = nil
	return true
}

func (it *Iterator) invalidate() bool {
	it.valid = false
	return false
}

// fail ends the walk at a nil record: an error, or nothing more.
func (it *Iterator) fail() bool {
	if err := it.raw.Err(); err != nil {
		it.err = err
		it.db.noteCorruption(err)
	}
	return it.invalidate()
}

// alive reports whether kv, the newest visible version of its key, is a value, and
// which. If that cannot be known it is not, and err is set.
func (it *Iterator) alive(kv *base.KV) ([]byte, bool) {
	value := kv.Value
	switch kind := kv.Trailer.Kind(); {
	case kind == base.KindSet, kind == base.KindBlob:
	case kind.TTL():
		if len(value) < 8 {
			it.err = fmt.Errorf("%w: a value with a time to live has no expiry", ErrCorruption)
			return nil, false
		}
		if it.v.expired(it.db, int64(binary.BigEndian.Uint64(value))) {
			return nil, false
		}
		value = value[8:]
	default:
		return nil, false
	}
	if it.own != nil && it.own.Covering(kv.Key, base.SeqNumMax) > kv.Trailer.Seq() {
		return nil, false
	}
	if len(it.dels.sets) == 0 {
		return value, true
	}
	covered, err := it.dels.newest(kv.Key, it.v.seq)
	if err != nil {
		it.err = err
		return nil, false
	}
	return value, covered <= kv.Trailer.Seq()
}

// settle makes key the current one; t and value are as its table has them, and kv is what
// the next move begins at. It fails if the value is elsewhere and cannot be read.
func (it *Iterator) settle(kv *base.KV, t base.Trailer, key, value []byte) bool {
	switch {
	case it.keysOnly:
		value = nil
	case t.Kind().Blob():
		ref, ok := base.DecodeBlobRef(value)
		it.blob.Release()
		var err error
		if !ok {
			err = errBadRef
		} else {
			it.blob, err = it.db.readBlob(it.v.state, key, ref, it.blobs < cachedBlobs)
			it.blobs++
		}
		if err != nil {
			it.err = err
			it.db.noteCorruption(err)
			return it.invalidate()
		}
		value = it.blob.Bytes
	}
	it.kv, it.key, it.val, it.valid = kv, key, value, true
	return true
}

// forward settles on the first live key at or after the raw record kv. from is where
// the move began.
func (it *Iterator) forward(kv *base.KV, from []byte) bool {
	it.backward = false
	if it.txn != nil {
		defer it.txn.forward(it, bytes.Clone(from))
	}
	var run deadWalk
	for kv != nil {
		if it.upper != nil && bytes.Compare(kv.Key, it.upper) >= 0 {
			run.end(it, it.upper)
			return it.invalidate()
		}
		if seq := kv.Trailer.Seq(); seq > it.v.seq && seq < overlaySeq {
			kv = it.raw.Next()
			continue
		}
		if value, ok := it.alive(kv); ok {
			run.end(it, kv.Key)
			key := kv.Key
			if key == nil { // of a table; nil is for no key at all
				key = it.keyBuf[:0]
			}
			return it.settle(kv, kv.Trailer, key, value)
		}
		if it.err != nil {
			return it.invalidate()
		}
		if s := run.step(it, kv.Key); s != nil {
			kv = it.raw.SeekGE(s)
			continue
		}
		it.keyBuf = append(it.keyBuf[:0], kv.Key...)
		for kv = it.raw.Next(); kv != nil && bytes.Equal(kv.Key, it.keyBuf); {
			kv = it.raw.Next()
		}
	}
	if it.raw.Err() == nil {
		run.end(it, it.upper) // tables beyond it were not asked
	}
	return it.fail()
}

// back settles on the last live key at or before the raw record kv.
func (it *Iterator) back(kv *base.KV, from []byte) bool {
	it.backward, it.stands = true, false
	if it.txn != nil {
		defer it.txn.back(it, bytes.Clone(from))
	}
	var run deadWalk
	for kv != nil {
		if it.lower != nil && bytes.Compare(kv.Key, it.lower) < 0 {
			return it.invalidate()
		}
		if kv.Single && it.txn == nil && it.raw.Sole() {
			if value, ok := it.alive(kv); ok {
				key := kv.Key
				if key == nil {
					key = it.keyBuf[:0]
				}
				it.stands = it.settle(kv, kv.Trailer, key, value)
				return it.stands
			}
			if it.err != nil {
				return it.invalidate()
			}
			if s := run.stepBack(it, kv.Key); s != nil {
				kv = it.raw.SeekLT(s)
			} else {
				kv = it.raw.Prev()
			}
			continue
		}
		// The versions of a key come oldest first: the last visible one counts.
		it.keyBuf = append(it.keyBuf[:0], kv.Key...)
		newest := base.KV{Key: it.keyBuf}
		seen := false
		for ; kv != nil && bytes.Equal(kv.Key, it.keyBuf); kv = it.raw.Prev() {
			if seq := kv.Trailer.Seq(); seq <= it.v.seq || seq >= overlaySeq {
				it.valBuf = append(it.valBuf[:0], kv.Value...)
				newest.Trailer, seen = kv.Trailer, true
			}
		}
		newest.Value = it.valBuf
		if !seen {
			continue
		}
		if kv == nil && it.raw.Err() != nil {
			return it.fail()
		}
		if value, ok := it.alive(&newest); ok {
			return it.settle(kv, newest.Trailer, it.keyBuf, value)
		}
		if it.err != nil {
			return it.invalidate()
		}
		if s := run.stepBack(it, it.keyBuf); s != nil {
			kv = it.raw.SeekLT(s)
		}
	}
	return it.fail()
}
