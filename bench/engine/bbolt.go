//go:build !nopeers

package engine

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.etcd.io/bbolt"
)

// Bbolt is go.etcd.io/bbolt, a B+ tree in a memory map: what reads cost without blocks,
// compression or a cache of its own. It takes no memory budget; the pages that it reads
// are the operating system's, and count in the peak RSS. Each write is a transaction,
// which writes its pages; Sync syncs them, OS and None do not (NoSync). It writes no log,
// does not write its list of free pages either (NoFreelistSync: opening a store reads
// through it in turn), and maps more than it will need, so that it never waits for
// iterators in order to map anew.
var Bbolt = Kind{
	Name:   "bbolt",
	Help:   "go.etcd.io/bbolt, a B+ tree in a memory map: takes no memory budget; a roof for reads",
	Limits: Limits{Key: bbolt.MaxKeySize, Value: 1 << 30},
	Marker: bboltFile,
	Open:   openBbolt,
}

const bboltFile = "bbolt.db"

var bboltBucket = []byte("kv")

// bboltMap is how many bytes to map: 16 GiB, 256 MiB in an address space of 32 bits. On
// Windows the file is made as large as the map.
func bboltMap() int {
	if runtime.GOOS == "windows" {
		return 64 << 20
	}
	return 1 << (28 + 6*(^uint(0)>>63))
}

func openBbolt(c Config) (Engine, error) {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, err
	}
	unsynced := c.Durability != Sync
	db, err := bbolt.Open(filepath.Join(c.Dir, bboltFile), 0o644, &bbolt.Options{
		NoSync: unsynced, NoGrowSync: unsynced, NoFreelistSync: true,
		FreelistType: bbolt.FreelistMapType, InitialMmapSize: bboltMap(),
	})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bboltBucket)
		return err
	})
	if err != nil {
		db.Close()
		return nil, err
	}
	e := &bboltEngine{DB: db}
	e.opened, err = e.commits()
	return e, err
}

type bboltEngine struct {
	*bbolt.DB
	opened int64 // commits before
}

func (e *bboltEngine) Put(key, value []byte) error {
	return e.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bboltBucket).Put(key, value) })
}

func (e *bboltEngine) Delete(key []byte) error {
	return e.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bboltBucket).Delete(key) })
}

func (e *bboltEngine) AppendGet(dst, key []byte) ([]byte, error) {
	err := e.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bboltBucket).Get(key)
		if v == nil {
			return ErrNotFound
		}
		dst = append(dst, v...)
		return nil
	})
	return dst, err
}

func (e *bboltEngine) NewBatch() Batch { return &bboltBatch{db: e.DB} }

func (e *bboltEngine) NewIter(lower, upper []byte) (Iter, error) {
	tx, err := e.Begin(false)
	if err != nil {
		return nil, err
	}
	return &bboltIter{tx: tx, c: tx.Bucket(bboltBucket).Cursor(), lower: bytes.Clone(lower), upper: bytes.Clone(upper)}, nil
}

// Settle syncs: there is no other work that was put off.
func (e *bboltEngine) Settle(context.Context) (time.Duration, error) { return 0, e.Sync() }

// commits is how many transactions the store has seen.
func (e *bboltEngine) commits() (n int64, err error) {
	err = e.View(func(tx *bbolt.Tx) error {
		n = int64(tx.ID())
		return nil
	})
	return n, err
}

// Stats counts pages as flushed, and the meta page that each commit writes beside them;
// there is neither a log nor compactions.
func (e *bboltEngine) Stats() Stats {
	commits, err := e.commits()
	if err != nil {
		return Stats{}
	}
	s := e.DB.Stats()
	written := s.TxStats.GetPageAlloc() + (commits-e.opened)*int64(e.Info().PageSize)
	return Stats{LogBytes: new(int64), FlushBytes: &written, CompactedBytes: new(int64)}
}

// bboltBatch collects writes, because bbolt's transaction would keep others from writing
// meanwhile.
type bboltBatch struct {
	db   *bbolt.DB
	data []byte
	ops  []bboltOp
}

// bboltOp is a write, its key and value one after the other in the data of the batch.
type bboltOp struct {
	delete     bool
	key, value int
}

func (b *bboltBatch) Put(key, value []byte) error {
	b.data = append(append(b.data, key...), value...)
	b.ops = append(b.ops, bboltOp{false, len(key), len(value)})
	return nil
}

func (b *bboltBatch) Delete(key []byte) error {
	b.data = append(b.data, key...)
	b.ops = append(b.ops, bboltOp{true, len(key), 0})
	return nil
}

func (b *bboltBatch) Commit() error {
	err := b.db.Update(func(tx *bbolt.Tx) error {
		bucket, data := tx.Bucket(bboltBucket), b.data
		for _, op := range b.ops {
			key, value := data[:op.key:op.key], data[op.key:op.key+op.value]
			data = data[op.key+op.value:]
			if err := op.apply(bucket, key, value); err != nil {
				return err
			}
		}
		return nil
	})
	b.data, b.ops = b.data[:0], b.ops[:0]
	return err
}

func (op bboltOp) apply(bucket *bbolt.Bucket, key, value []byte) error {
	if op.delete {
		return bucket.Delete(key)
	}
	return bucket.Put(key, value)
}

func (b *bboltBatch) Close() error { return nil }

// bboltIter is a cursor with bounds, in a transaction of its own.
type bboltIter struct {
	tx           *bbolt.Tx
	c            *bbolt.Cursor
	lower, upper []byte
	key, value   []byte // key is nil where there is none
}

// at notes where the cursor stands, if that is within the bounds.
func (i *bboltIter) at(key, value []byte) bool {
	if bytes.Compare(key, i.lower) < 0 || i.upper != nil && bytes.Compare(key, i.upper) >= 0 {
		key = nil
	}
	i.key, i.value = key, value
	return key != nil
}

func (i *bboltIter) First() bool {
	if i.lower != nil {
		return i.at(i.c.Seek(i.lower))
	}
	return i.at(i.c.First())
}

func (i *bboltIter) Last() bool {
	if i.upper != nil {
		return i.SeekLT(i.upper)
	}
	return i.at(i.c.Last())
}

func (i *bboltIter) SeekGE(key []byte) bool {
	if bytes.Compare(key, i.lower) < 0 {
		key = i.lower
	}
	return i.at(i.c.Seek(key))
}

func (i *bboltIter) SeekLT(key []byte) bool {
	if i.upper != nil && bytes.Compare(key, i.upper) > 0 {
		key = i.upper
	}
	if k, _ := i.c.Seek(key); k == nil {
		return i.at(i.c.Last())
	}
	return i.at(i.c.Prev())
}

func (i *bboltIter) Next() bool    { return i.key != nil && i.at(i.c.Next()) }
func (i *bboltIter) Prev() bool    { return i.key != nil && i.at(i.c.Prev()) }
func (i *bboltIter) Key() []byte   { return i.key }
func (i *bboltIter) Value() []byte { return i.value }
func (i *bboltIter) Err() error    { return nil }
func (i *bboltIter) Close() error  { return i.tx.Rollback() }
