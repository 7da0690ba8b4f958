package lsm

import (
	"bytes"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/filter"
	"github.com/ringwood-kv/ringwood/lsm/internal/skiplist"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
)

// txnReads is what a transaction read: keys one by one, and ranges that iterators
// walked, as far as they walked them. A key that was looked for and not found counts,
// and so does the gap that an iterator passed over.
type txnReads struct {
	keys   map[string]struct{}
	ranges []keyRange
}

func (tx *Txn) read(key []byte) {
	if tx.batch == nil {
		return
	}
	if tx.reads.keys == nil {
		tx.reads.keys = make(map[string]struct{})
	}
	tx.reads.keys[string(key)] = struct{}{}
}

// forward notes a move that began at from (nil: the first key) and went to where it
// stands now.
func (r *txnReads) forward(it *Iterator, from []byte) {
	x := keyRange{start: from, end: it.upper}
	if it.valid {
		x.end = append(bytes.Clone(it.key), 0)
	}
	r.add(x)
}

// back notes a move that began before from (nil: after the last key).
func (r *txnReads) back(it *Iterator, from []byte) {
	x := keyRange{start: it.lower, end: from}
	if it.valid {
		x.start = bytes.Clone(it.key)
	}
	r.add(x)
}

// add joins x to the last range where they touch, which they do along a walk.
func (r *txnReads) add(x keyRange) {
	if x.empty() {
		return
	}
	if n := len(r.ranges); n > 0 {
		l := &r.ranges[n-1]
		touches := (l.end == nil || bytes.Compare(x.start, l.end) <= 0) && (x.end == nil || bytes.Compare(l.start, x.end) <= 0)
		if touches {
			if bytes.Compare(x.start, l.start) < 0 {
				l.start = x.start
			}
			if l.end != nil && (x.end == nil || bytes.Compare(x.end, l.end) > 0) {
				l.end = x.end
			}
			return
		}
	}
	r.ranges = append(r.ranges, x)
}

// validate reports a conflict if a commit after the transaction's snapshot changed
// what it read. It runs as leader: no commit is in flight. While the snapshot is open
// compaction drops no change that matters: it may drop a put together with the delete
// that followed, and then the key is as the transaction saw it.
func (tx *Txn) validate() error {
	db := tx.db
	db.mu.Lock()
	epoch := db.nonMVCC
	db.mu.Unlock()
	if epoch != tx.epoch {
		return errConflictNow
	}
	if db.lastSeq == tx.snap.seq {
		return nil
	}
	s := db.acquire()
	if s == nil {
		return ErrClosed
	}
	defer s.release()
	for k := range tx.reads.keys {
		changed, err := db.changedSince(s, []byte(k), tx.snap.seq)
		if err != nil {
			return err
		}
		if changed {
			return errConflictNow
		}
	}
	for _, r := range tx.reads.ranges {
		changed, err := db.rangeChangedSince(s, r, tx.snap.seq)
		if err != nil {
			return err
		}
		if changed {
			return errConflictNow
		}
	}
	return nil
}

// changedSince reports whether a commit newer than seq wrote or deleted key.
func (db *DB) changedSince(s *readState, key []byte, seq base.SeqNum) (bool, error) {
	for _, m := range s.memtables() {
		if m.covering(key, base.SeqNumMax) > seq {
			return true, nil
		}
		if _, t, ok := m.list.Get(key, base.SeqNumMax); ok {
			return t.Seq() > seq, nil
		}
	}
	h := filter.HashKey(key)
	for _, tables := range s.tables {
		for _, t := range tables {
			if t.meta.LargestSeq <= seq || !t.meta.Contains(key) {
				continue
			}
			o, err := db.reader(t)
			if err != nil {
				return false, err
			}
			if o.dels != nil && o.dels.Covering(key, base.SeqNumMax) > seq {
				return true, nil
			}
			v, err := o.Get(key, &h, base.SeqNumMax)
			if err != nil {
				return false, err
			}
			newer := v.Found && max(v.Trailer.Seq(), t.meta.GlobalSeq) > seq
			v.Release()
			if newer {
				return true, nil
			}
		}
	}
	return false, nil
}

// rangeChangedSince does the same for a range.
func (db *DB) rangeChangedSince(s *readState, r keyRange, seq base.SeqNum) (bool, error) {
	for _, m := range s.memtables() {
		for _, t := range m.tombstones() {
			if t.Seq > seq && r.overlaps(keyRange{t.Start, t.End}) {
				return true, nil
			}
		}
		var it skiplist.Iter
		m.list.Init(&it)
		if newerIn(&it, r, seq) {
			return true, nil
		}
	}
	for _, tables := range s.tables {
		for _, t := range tables {
			if t.meta.LargestSeq <= seq || !t.meta.Overlaps(r.start, r.end, true) {
				continue
			}
			o, err := db.reader(t)
			if err != nil {
				return false, err
			}
			if o.dels != nil {
				for _, d := range o.dels.Tombstones() {
					if d.Seq > seq && r.overlaps(keyRange{d.Start, d.End}) {
						return true, nil
					}
				}
			}
			var src tableSource
			it, err := src.open(db, t, sstable.IterOptions{})
			if err != nil {
				return false, err
			}
			newer := newerIn(it, r, seq)
			err = it.Close()
			src.done()
			if err != nil {
				return false, err
			}
			if newer {
				return true, nil
			}
		}
	}
	return false, nil
}

// newerIn reports whether it has a record newer than seq in r.
func newerIn(it base.Iter, r keyRange, seq base.SeqNum) bool {
	for kv := it.SeekGE(r.start); kv != nil && r.contains(kv.Key); kv = it.Next() {
		if kv.Trailer.Seq() > seq {
			return true
		}
	}
	return false
}

// memtables lists the mutable memtable and the sealed ones, newest first.
func (s *readState) memtables() []*memtable {
	if s.mem == nil {
		return s.imm
	}
	return append([]*memtable{s.mem}, s.imm...)
}
