package engine

import (
	"context"
	"errors"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// GoLevelDB is github.com/syndtr/goleveldb, configured to its advantage within the
// same memory: write buffers of an eighth, of which three are counted, the rest for the
// block cache; bloom filters of 10 bits, snappy, tables of
// 16 MiB in place of its 2, and no compactions begun by reads. Its log goes to the
// operating system with each write, so that None is the same as OS.
var GoLevelDB = Kind{
	Name:   "goleveldb",
	Help:   "github.com/syndtr/goleveldb",
	Limits: Limits{Key: 1 << 20, Value: 1 << 30},
	Marker: "CURRENT",
	Open:   openGoLevelDB,
}

func openGoLevelDB(c Config) (Engine, error) {
	memory := c.memory()
	db, err := leveldb.OpenFile(c.Dir, &opt.Options{
		WriteBuffer:            int(memory / 8),
		BlockCacheCapacity:     int(memory - memory/8*3),
		Filter:                 filter.NewBloomFilter(10),
		CompactionTableSize:    16 << 20,
		OpenFilesCacheCapacity: 1000,
		DisableSeeksCompaction: true,
	})
	if err != nil {
		return nil, err
	}
	return &goLevelDB{db, &opt.WriteOptions{Sync: c.Durability == Sync}}, nil
}

type goLevelDB struct {
	db    *leveldb.DB
	write *opt.WriteOptions
}

func (e *goLevelDB) Put(key, value []byte) error { return e.db.Put(key, value, e.write) }
func (e *goLevelDB) Delete(key []byte) error     { return e.db.Delete(key, e.write) }

func (e *goLevelDB) AppendGet(dst, key []byte) ([]byte, error) {
	v, err := e.db.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return dst, ErrNotFound
	}
	return append(dst, v...), err
}

func (e *goLevelDB) NewBatch() Batch { return &goLevelBatch{db: e} }

func (e *goLevelDB) NewIter(lower, upper []byte) (Iter, error) {
	return goLevelIter{e.db.NewIterator(&util.Range{Start: lower, Limit: upper}, nil)}, nil
}

// Sync writes an empty batch, synced: the log before it is then on disk.
func (e *goLevelDB) Sync() error {
	b := new(leveldb.Batch)
	b.Delete([]byte{})
	return e.db.Write(b, &opt.WriteOptions{Sync: true})
}

// Settle waits until goleveldb has written nothing for a while: it has no call for
// that. The write buffer stays in memory.
func (e *goLevelDB) Settle(ctx context.Context) (time.Duration, error) {
	var s leveldb.DBStats
	if err := e.db.Stats(&s); err != nil {
		return 0, err
	}
	last := s.IOWrite
	return rest(ctx, 5, func() (bool, error) {
		err := e.db.Stats(&s)
		idle := s.IOWrite == last
		last = s.IOWrite
		return idle, err
	})
}

func (e *goLevelDB) Stats() Stats {
	var s leveldb.DBStats
	if e.db.Stats(&s) != nil {
		return Stats{}
	}
	stall := int64(s.WriteDelayDuration)
	stalls := int64(s.WriteDelayCount)
	return Stats{Stalls: &stalls, StallNanoseconds: &stall}
}

func (e *goLevelDB) Close() error { return e.db.Close() }

type goLevelBatch struct {
	leveldb.Batch
	db *goLevelDB
}

func (b *goLevelBatch) Put(key, value []byte) error { b.Batch.Put(key, value); return nil }
func (b *goLevelBatch) Delete(key []byte) error     { b.Batch.Delete(key); return nil }
func (b *goLevelBatch) Close() error                { return nil }

func (b *goLevelBatch) Commit() error {
	err := b.db.db.Write(&b.Batch, b.db.write)
	b.Reset()
	return err
}

type goLevelIter struct{ iterator.Iterator }

func (i goLevelIter) SeekGE(key []byte) bool { return i.Seek(key) }
func (i goLevelIter) Err() error             { return i.Error() }

func (i goLevelIter) SeekLT(key []byte) bool {
	if !i.Seek(key) {
		return i.Last()
	}
	return i.Prev()
}

func (i goLevelIter) Close() error {
	i.Release()
	return i.Error()
}
