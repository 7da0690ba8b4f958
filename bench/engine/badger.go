//go:build !nopeers

package engine

import (
	"bytes"
	"context"
	"errors"
	"expvar"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Badger is github.com/dgraph-io/badger/v4 within the same memory as lsm: memtables of
// an eighth, of which there are at most three, an eighth for indexes and filters, half
// for the block cache. Snappy, one version of each key, no detection of conflicts,
// two compactions (the fewest it takes), values of up to 1 MiB in the tree, its default. Each write is a transaction. Iterators do not fetch values
// ahead, because short scans lose more by that than long ones gain.
//
// Its log is a memory map: a write reaches the operating system's memory at once, so
// that None is the same as OS.
var Badger = Kind{
	Name:   "badger",
	Help:   "github.com/dgraph-io/badger/v4, memory as lsm",
	Limits: Limits{Key: 65000, Value: 512 << 20},
	Marker: "MANIFEST",
	Open:   func(c Config) (Engine, error) { return openBadger(c, 1<<20) },
}

// BadgerVlog is Badger with values from 4 KiB in its value log, which does not compress
// them and is not collected: a roof where the others compress.
var BadgerVlog = Kind{
	Name:   "badger-vlog",
	Help:   "Badger with values from 4 KiB in its value log, which does not compress them",
	Limits: Badger.Limits,
	Marker: Badger.Marker, Variant: true,
	Open: func(c Config) (Engine, error) { return openBadger(c, blobThreshold) },
}

// openBadger opens a store that has values from threshold bytes on in the value log.
func openBadger(c Config, threshold int64) (Engine, error) {
	memory := c.memory()
	o := badger.DefaultOptions(c.Dir)
	o.Logger = nil
	o.SyncWrites = c.Durability == Sync
	o.NumVersionsToKeep = 1
	o.DetectConflicts = false
	o.Compression = options.Snappy
	o.MemTableSize = min(memory/8, 1<<30)
	o.NumMemtables = 2 // full ones, beside the one that is written
	o.IndexCacheSize = memory / 8
	o.BlockCacheSize = memory / 2
	o.BloomFalsePositive = 0.0014                            // Badger makes 10 bits of that, and 7 of its default 0.01
	o.ValueThreshold = min(threshold, o.MemTableSize*15/100) // which is the most it accepts
	o.NumCompactors = 2
	db, err := badger.Open(o)
	if err != nil {
		return nil, err
	}
	return &badgerEngine{db: db, dir: c.Dir}, nil
}

type badgerEngine struct {
	db  *badger.DB
	dir string
}

func (e *badgerEngine) Put(key, value []byte) error {
	return e.db.Update(func(txn *badger.Txn) error { return txn.Set(key, value) })
}

func (e *badgerEngine) Delete(key []byte) error {
	return e.db.Update(func(txn *badger.Txn) error { return txn.Delete(key) })
}

func (e *badgerEngine) AppendGet(dst, key []byte) ([]byte, error) {
	txn := e.db.NewTransaction(false)
	defer txn.Discard()
	item, err := txn.Get(key)
	if err != nil {
		if errors.Is(err, badger.ErrKeyNotFound) {
			err = ErrNotFound
		}
		return dst, err
	}
	err = item.Value(func(v []byte) error {
		dst = append(dst, v...)
		return nil
	})
	return dst, err
}

func (e *badgerEngine) NewBatch() Batch { return &badgerBatch{db: e.db} }

func (e *badgerEngine) NewIter(lower, upper []byte) (Iter, error) {
	return &badgerIter{txn: e.db.NewTransaction(false), lower: bytes.Clone(lower), upper: bytes.Clone(upper)}, nil
}

func (e *badgerEngine) Sync() error { return e.db.Sync() }

// Settle waits until full memtables are flushed and no level asks for a compaction. The
// memtable that is written to stays in memory: Badger flushes it on Close only. Flatten
// would merge the whole tree into one level, which its own compactions never do.
func (e *badgerEngine) Settle(ctx context.Context) (time.Duration, error) {
	return rest(ctx, 5, func() (bool, error) {
		logs, err := filepath.Glob(filepath.Join(e.dir, "*.mem")) // one for each memtable
		if err != nil || len(logs) > 1 || *badgerCount("badger_compaction_current_num_lsm") != 0 {
			return false, err
		}
		for _, l := range e.db.Levels() {
			if l.Adjusted >= 1 {
				return false, nil
			}
		}
		return true, nil
	})
}

// Stats has what Badger counts; it does so for the process, whatever the store.
func (e *badgerEngine) Stats() Stats {
	s := Stats{
		FilterProbes:    badgerCount("badger_hit_num_lsm_bloom_filter", "DoesNotHave_ALL"),
		FilterNegatives: badgerCount("badger_hit_num_lsm_bloom_filter", "DoesNotHave_HIT"),
		CompactedBytes:  new(int64),
		Text:            e.db.LevelsToString(),
	}
	for level := range e.db.Opts().MaxLevels {
		*s.CompactedBytes += *badgerCount("badger_write_bytes_compaction", "l"+strconv.Itoa(level))
	}
	if m := e.db.BlockCacheMetrics(); m != nil {
		hits, misses := int64(m.Hits()), int64(m.Misses())
		s.BlockHits, s.BlockReads = &hits, &misses
	}
	return s
}

// badgerCount reads one of Badger's published counters, or a part of it.
func badgerCount(name string, part ...string) *int64 {
	v := expvar.Get(name)
	if m, ok := v.(*expvar.Map); ok && len(part) > 0 {
		v = m.Get(part[0])
	}
	n := new(int64)
	if i, ok := v.(*expvar.Int); ok {
		*n = i.Value()
	}
	return n
}

func (e *badgerEngine) Close() error { return errors.Join(e.db.Sync(), e.db.Close()) }

// badgerBatch is one transaction. It can't have more than Badger allows for one: an
// eighth of the memtable's size, or so.
type badgerBatch struct {
	db  *badger.DB
	txn *badger.Txn
}

func (b *badgerBatch) begin() *badger.Txn {
	if b.txn == nil {
		b.txn = b.db.NewTransaction(true)
	}
	return b.txn
}

// Put copies, because a transaction keeps what it is given.
func (b *badgerBatch) Put(key, value []byte) error {
	return b.begin().Set(bytes.Clone(key), bytes.Clone(value))
}

func (b *badgerBatch) Delete(key []byte) error { return b.begin().Delete(bytes.Clone(key)) }

func (b *badgerBatch) Commit() error {
	err := b.begin().Commit()
	b.txn = nil
	return err
}

func (b *badgerBatch) Close() error {
	if b.txn != nil {
		b.txn.Discard()
	}
	return nil
}

// badgerIter makes of Badger's iterators, which go one way each and know no bounds, one
// that does both. Those of a direction are made when it is first taken.
type badgerIter struct {
	txn          *badger.Txn
	lower, upper []byte
	ways         [2]*badger.Iterator
	it           *badger.Iterator // one of ways, standing on a key if valid
	valid        bool
	key          []byte
	err          error
}

const (
	forwards = iota
	backwards
)

func (i *badgerIter) take(way int) *badger.Iterator {
	if i.ways[way] == nil {
		i.ways[way] = i.txn.NewIterator(badger.IteratorOptions{Reverse: way == backwards})
	}
	i.it = i.ways[way]
	return i.it
}

// check notes whether the iterator stands on a key within the bounds.
func (i *badgerIter) check() bool {
	i.valid = i.it.Valid()
	if i.valid {
		key := i.it.Item().Key()
		i.valid = bytes.Compare(key, i.lower) >= 0 && (i.upper == nil || bytes.Compare(key, i.upper) < 0)
	}
	return i.valid
}

func (i *badgerIter) First() bool { return i.SeekGE(i.lower) }

func (i *badgerIter) SeekGE(key []byte) bool {
	if bytes.Compare(key, i.lower) < 0 {
		key = i.lower
	}
	i.take(forwards).Seek(key) // the first key if it is empty
	return i.check()
}

func (i *badgerIter) Last() bool {
	if i.upper != nil {
		return i.SeekLT(i.upper)
	}
	i.take(backwards).Rewind()
	return i.check()
}

func (i *badgerIter) SeekLT(key []byte) bool {
	if i.upper != nil && bytes.Compare(key, i.upper) > 0 {
		key = i.upper
	}
	if len(key) == 0 {
		i.valid = false // an empty key would mean the last one
		return false
	}
	it := i.take(backwards)
	it.Seek(key)
	if it.Valid() && bytes.Equal(it.Item().Key(), key) {
		it.Next()
	}
	return i.check()
}

func (i *badgerIter) Next() bool { return i.step(forwards) }
func (i *badgerIter) Prev() bool { return i.step(backwards) }

// step moves on. Where the direction changes, the other iterator is brought to the key.
func (i *badgerIter) step(way int) bool {
	if !i.valid {
		return false
	}
	if i.it != i.ways[way] {
		i.key = i.it.Item().KeyCopy(i.key)
		i.take(way).Seek(i.key)
	}
	i.it.Next()
	return i.check()
}

func (i *badgerIter) Key() []byte { return i.it.Item().Key() }

func (i *badgerIter) Value() []byte {
	var value []byte
	err := i.it.Item().Value(func(v []byte) error {
		value = v // it lives as long as the item
		return nil
	})
	if err != nil {
		i.err = fmt.Errorf("value of %q: %w", i.Key(), err)
	}
	return value
}

func (i *badgerIter) Err() error { return i.err }

func (i *badgerIter) Close() error {
	for _, it := range i.ways {
		if it != nil {
			it.Close()
		}
	}
	i.txn.Discard()
	return i.err
}
