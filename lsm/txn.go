package lsm

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/batch"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
)

// Txn is a transaction: it reads one moment and its own writes, and commits all of
// its writes or none. It belongs to the function that it was handed to and ends
// with it. Not safe for concurrent use.
//
// Transactions are optimistic and serializable. A Txn of Update remembers the keys
// it read and the ranges its iterators walked. At commit, if any of that was changed
// by another commit since, nothing is written and the function runs again.
type Txn struct {
	db     *DB
	snap   *Snapshot
	batch  *Batch // nil in a View
	own    map[string]ownWrite
	ownDel []rangedel.Tombstone
	reads  txnReads
	iters  []*Iterator // the open ones, and some that are closed
	epoch  uint64      // DB.nonMVCC at the start
	done   bool
}

// ownWrite is the last write of a transaction to a key.
type ownWrite struct {
	seq   base.SeqNum
	kind  base.Kind
	value []byte
}

// overlaySeq is where the sequence numbers of a transaction's own writes begin while
// it reads them back: beyond any that a commit can have.
const overlaySeq = base.SeqNumMax - 1<<40

// updateTries is how often Update runs its function.
const updateTries = 32

// View runs fn with a transaction that only reads. An error of fn is returned.
func (db *DB) View(fn func(tx *Txn) error) error {
	tx, err := db.begin(false)
	if err != nil {
		return err
	}
	defer tx.end()
	if fn == nil {
		return errNoFunction
	}
	return fn(tx)
}

// Update runs fn with a transaction and commits what it wrote, as durable as
// Options.Durability. If another commit changed what fn read, fn runs again, up to 32
// times in all; then Update returns ErrConflict. If fn returns an error nothing is
// written and Update returns it. fn should have no effects outside of the Txn.
func (db *DB) Update(fn func(tx *Txn) error) error {
	for try := 0; ; try++ {
		err := db.updateOnce(fn)
		if !errors.Is(err, errConflictNow) {
			return err
		}
		if try+1 == updateTries {
			return fmt.Errorf("%w: gave up after %d tries", ErrConflict, updateTries)
		}
		db.stats.conflicts.Add(1)
		if try > 2 && !db.stepped {
			time.Sleep(time.Duration(rand.IntN(1<<min(try, 10))) * time.Microsecond)
		}
	}
}

var errNoFunction = errors.New("lsm: a transaction without a function")

// errConflictNow is one lost race; an ErrConflict that fn returns is not taken for it.
var errConflictNow = errors.New("lsm: conflict in this try")

func (db *DB) updateOnce(fn func(tx *Txn) error) error {
	if fn == nil {
		return errNoFunction
	}
	if err := db.writable(); err != nil {
		return err
	}
	tx, err := db.begin(true)
	if err != nil {
		return err
	}
	defer tx.end()
	if err := fn(tx); err != nil {
		return err
	}
	if tx.batch.Len() == 0 && tx.batch.err == nil {
		return nil
	}
	return db.commit(tx.batch, db.opts.Durability, tx.validate)
}

func (db *DB) begin(write bool) (*Txn, error) {
	tx := &Txn{db: db}
	db.mu.Lock()
	tx.epoch = db.nonMVCC
	db.mu.Unlock()
	tx.snap = db.NewSnapshot()
	if tx.snap.closed.Load() {
		return nil, ErrClosed
	}
	if write {
		tx.batch = db.NewBatch()
		tx.own = make(map[string]ownWrite)
	}
	return tx, nil
}

func (tx *Txn) end() {
	tx.done = true
	for _, it := range tx.iters {
		_ = it.Close()
	}
	_ = tx.snap.Close()
}

// Get returns a copy of the value of key, or ErrNotFound.
func (tx *Txn) Get(key []byte) ([]byte, error) { return tx.AppendGet(nil, key) }

// AppendGet is DB.AppendGet within the transaction.
func (tx *Txn) AppendGet(dst, key []byte) ([]byte, error) {
	if tx.done {
		return dst, ErrClosed
	}
	v, err := tx.snap.view()
	if err != nil {
		return dst, err
	}
	defer v.release()
	covered := tx.covered(key)
	if w, ok := tx.own[string(key)]; ok {
		return tx.db.finishGet(dst, key, w.value, base.MakeTrailer(w.seq, w.kind), covered, &v, true)
	}
	if covered > 0 {
		return dst, ErrNotFound
	}
	tx.read(key)
	return tx.db.get(dst, key, &v, true)
}

// Has reports whether key has a value.
func (tx *Txn) Has(key []byte) (bool, error) {
	_, err := tx.AppendGet(nil, key)
	return found(err)
}

// NewIter returns an iterator over the transaction's moment and the writes that it
// made before this call. The transaction closes it at its end.
func (tx *Txn) NewIter(o *IterOptions) (*Iterator, error) {
	if tx.done {
		return nil, ErrClosed
	}
	v, err := tx.snap.view()
	if err != nil {
		return nil, err
	}
	it := &Iterator{db: tx.db, snap: tx.snap, plain: len(tx.own)+len(tx.ownDel) == 0, v: v}
	if tx.batch != nil {
		it.txn = &tx.reads
	}
	if len(tx.ownDel) > 0 {
		it.own = rangedel.Build(slices.Clone(tx.ownDel))
	}
	var own base.Iter
	if len(tx.own) > 0 {
		own = tx.overlay()
	}
	if err := it.init(o, own); err != nil {
		return nil, err
	}
	if len(tx.iters) == cap(tx.iters) { // before there is room for more
		tx.iters = slices.DeleteFunc(tx.iters, func(x *Iterator) bool { return x.closed })
	}
	tx.iters = append(tx.iters, it)
	return it, nil
}

// Put sets key to value.
func (tx *Txn) Put(key, value []byte) error {
	return tx.write(key, base.KindSet, func(b *Batch) error { return b.Put(key, value) })
}

// PutTTL sets key to value until ttl from now.
func (tx *Txn) PutTTL(key, value []byte, ttl time.Duration) error {
	return tx.write(key, base.KindSetTTL, func(b *Batch) error { return b.PutTTL(key, value, ttl) })
}

// Delete removes key.
func (tx *Txn) Delete(key []byte) error {
	return tx.write(key, base.KindDelete, func(b *Batch) error { return b.Delete(key) })
}

// DeleteRange removes the keys in [start, end); end == nil means to the end.
func (tx *Txn) DeleteRange(start, end []byte) error {
	if end != nil && bytes.Compare(start, end) >= 0 {
		return tx.writeErr()
	}
	return tx.write(start, base.KindRangeDelete, func(b *Batch) error { return b.DeleteRange(start, end) })
}

func (tx *Txn) writeErr() error {
	switch {
	case tx.done || tx.db.closing.Load():
		return ErrClosed
	case tx.batch == nil:
		return fmt.Errorf("%w: a View cannot write, use Update", ErrReadOnly)
	}
	return nil
}

// write adds one operation to the batch and to what the transaction reads back.
func (tx *Txn) write(key []byte, kind base.Kind, add func(*Batch) error) error {
	if err := tx.writeErr(); err != nil {
		return err
	}
	at := len(tx.batch.ops)
	if err := add(tx.batch); err != nil {
		return err
	}
	op, _, err := batch.DecodeOp(tx.batch.ops[at:])
	if err != nil {
		return err
	}
	seq := overlaySeq + base.SeqNum(tx.batch.count)
	if kind == base.KindRangeDelete {
		t := rangedel.Tombstone{Start: bytes.Clone(op.Key), Seq: seq}
		if len(op.Value) > 0 {
			t.End = bytes.Clone(op.Value)
		}
		if t.Start == nil {
			t.Start = []byte{}
		}
		tx.ownDel = append(tx.ownDel, t)
		return nil
	}
	tx.own[string(key)] = ownWrite{seq: seq, kind: kind, value: bytes.Clone(op.Value)}
	return nil
}

// covered returns the sequence number of the last own range tombstone over key.
func (tx *Txn) covered(key []byte) base.SeqNum {
	for i := len(tx.ownDel) - 1; i >= 0; i-- {
		if tx.ownDel[i].Contains(key) {
			return tx.ownDel[i].Seq
		}
	}
	return 0
}

// overlay shows the own writes as a source for an iterator.
func (tx *Txn) overlay() base.Iter {
	kvs := make([]base.KV, 0, len(tx.own))
	for k, w := range tx.own {
		kvs = append(kvs, base.KV{Key: []byte(k), Trailer: base.MakeTrailer(w.seq, w.kind), Value: w.value})
	}
	slices.SortFunc(kvs, func(a, b base.KV) int { return bytes.Compare(a.Key, b.Key) })
	return &sliceIter{kvs: kvs, at: -1}
}

// sliceIter iterates over records in memory, one version of each key.
type sliceIter struct {
	kvs []base.KV
	at  int
}

func (s *sliceIter) to(i int) *base.KV {
	s.at = min(max(i, -1), len(s.kvs))
	if s.at < 0 || s.at == len(s.kvs) {
		return nil
	}
	return &s.kvs[s.at]
}

func (s *sliceIter) search(key []byte) int {
	i, _ := slices.BinarySearchFunc(s.kvs, key, func(kv base.KV, k []byte) int { return bytes.Compare(kv.Key, k) })
	return i
}

func (s *sliceIter) First() *base.KV            { return s.to(0) }
func (s *sliceIter) Last() *base.KV             { return s.to(len(s.kvs) - 1) }
func (s *sliceIter) SeekGE(key []byte) *base.KV { return s.to(s.search(key)) }
func (s *sliceIter) SeekLT(key []byte) *base.KV { return s.to(s.search(key) - 1) }
func (s *sliceIter) Err() error                 { return nil }
func (s *sliceIter) Close() error               { return nil }

func (s *sliceIter) Next() *base.KV {
	if s.at < 0 || s.at >= len(s.kvs) {
		return nil
	}
	return s.to(s.at + 1)
}

func (s *sliceIter) Prev() *base.KV {
	if s.at < 0 || s.at >= len(s.kvs) {
		return nil
	}
	return s.to(s.at - 1)
}
