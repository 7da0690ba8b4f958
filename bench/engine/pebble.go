//go:build !nopeers

package engine

import (
	"context"
	"errors"
	"log"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	dto "github.com/prometheus/client_model/go"
)

// Pebble is github.com/cockroachdb/pebble/v2 within the same memory as lsm. Pebble
// charges its memtables to its block cache, so that the size of the cache is the whole
// budget; memtables are an eighth of it. Blocks of 4 KiB, snappy and bloom filters of
// 10 bits on every level, which Get does not consult on the last one; the newest format,
// with columnar blocks; index blocks of 256 KiB, because smaller ones make two-level
// indexes; one compaction, two under load and while it settles. L0 is compacted from four tables on, Pebble's default; it stops no
// writes, and the base level is as in Pebble's own benchmark.
//
// Sync is pebble.Sync. OS and None both are pebble.NoSync, which leaves up to 32 KiB of
// log in the memory of the process: weaker than OS promises, and to Pebble's advantage.
// It offers nothing between the two.
var Pebble = Kind{
	Name:   "pebble",
	Help:   "github.com/cockroachdb/pebble/v2, memory as lsm; durability os is as none",
	Limits: pebbleLimits,
	Marker: "marker.format-version.*", BelowOS: true,
	Open: func(c Config) (Engine, error) { return openPebble(c, pebbleEqual(c), 2) },
}

// PebbleTuned is Pebble with the settings of its own benchmark, cmd/pebble in its
// repository, but for the comparer: memtables of 64 MiB, blocks of 32 KiB, no filter on
// the last level, values from 512 bytes in blob files whose garbage is not collected,
// up to three compactions, L0 compacted from two tables on. Half of the budget is for
// blocks, the other for memtables of as much, at most 64 MiB, of which there are up to four
// while it is written to. Two of them are charged to the cache, on top of its half: a store
// that is only read has little in them, and nearly all of that for blocks too. So 128 MiB of
// budget are 64 MiB of blocks and memtables of 64 MiB while it is written to, and up to
// 192 MiB of blocks while it is only read.
var PebbleTuned = Kind{
	Name:   "pebble-tuned",
	Help:   "Pebble as its own benchmark sets it; blocks have half of the memory, and each of two to four memtables as much, up to 64 MiB",
	Limits: pebbleLimits,
	Marker: Pebble.Marker, BelowOS: true,
	Open: func(c Config) (Engine, error) { return openPebble(c, pebbleTuned(c), 3) },
}

// A batch is a memtable of its own when it does not fit into one, up to 4 GiB.
var pebbleLimits = Limits{Key: 1 << 20, Value: 1 << 30}

// pebbleShape is what both profiles have.
func pebbleShape() *pebble.Options {
	o := &pebble.Options{
		FormatMajorVersion:          pebble.FormatNewest,
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               64 << 20,
		MemTableStopWritesThreshold: 4,
		Logger:                      pebbleLog{},
	}
	o.Experimental.EnableColumnarBlocks = func() bool { return true }
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].IndexBlockSize = 256 << 10
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	}
	return o
}

func pebbleEqual(c Config) *pebble.Options {
	o := pebbleShape()
	o.L0CompactionThreshold = 4
	o.CacheSize = c.memory()
	o.MemTableSize = uint64(min(c.memory()/8, 1<<30))
	return o
}

func pebbleTuned(c Config) *pebble.Options {
	memtable := min(64<<20, c.memory()/2)
	o := pebbleShape()
	o.CacheSize = c.memory()/2 + 2*memtable // which Pebble charges to it
	o.MemTableSize = uint64(memtable)
	o.L0CompactionThreshold = 2
	o.MaxOpenFiles = 16384
	o.Experimental.CompactionGarbageFractionForMaxConcurrency = func() float64 { return -1 }
	o.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{
			Enabled: true, MinimumSize: 512, MaxBlobReferenceDepth: 10,
			RewriteMinimumAge: 5 * time.Minute, TargetGarbageRatio: 1,
		}
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = 32 << 10
	}
	o.Levels[len(o.Levels)-1].FilterPolicy = pebble.NoFilterPolicy
	return o
}

// openPebble opens a store with one compaction, up to most under load.
func openPebble(c Config, o *pebble.Options, most int) (Engine, error) {
	e := &pebbleEngine{write: pebble.NoSync}
	o.CompactionConcurrencyRange = func() (int, int) {
		if e.settling.Load() {
			return 2, max(2, most)
		}
		return 1, most
	}
	if c.Durability == Sync {
		e.write = pebble.Sync
	}
	o.EventListener = e.listener()
	db, err := pebble.Open(c.Dir, o)
	e.db = db
	return e, err
}

type pebbleEngine struct {
	db    *pebble.DB
	write *pebble.WriteOptions

	settling atomic.Bool // somebody waits for it

	// Pebble tells of stalls one after another.
	stalled                  time.Time
	stalls, stallNanoseconds atomic.Int64
}

func (e *pebbleEngine) listener() *pebble.EventListener {
	return &pebble.EventListener{
		WriteStallBegin: func(pebble.WriteStallBeginInfo) {
			e.stalled = time.Now()
			e.stalls.Add(1)
		},
		WriteStallEnd: func() { e.stallNanoseconds.Add(int64(time.Since(e.stalled))) },
	}
}

func (e *pebbleEngine) Put(key, value []byte) error { return e.db.Set(key, value, e.write) }
func (e *pebbleEngine) Delete(key []byte) error     { return e.db.Delete(key, e.write) }

func (e *pebbleEngine) AppendGet(dst, key []byte) ([]byte, error) {
	v, closer, err := e.db.Get(key)
	if err != nil {
		if errors.Is(err, pebble.ErrNotFound) {
			err = ErrNotFound
		}
		return dst, err
	}
	dst = append(dst, v...)
	return dst, closer.Close()
}

func (e *pebbleEngine) NewBatch() Batch { return &pebbleBatch{e.db.NewBatch(), e.write} }

func (e *pebbleEngine) NewIter(lower, upper []byte) (Iter, error) {
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, err
	}
	return pebbleIter{it}, nil
}

// Sync writes a record without meaning, synced: the log before it is then on disk.
func (e *pebbleEngine) Sync() error { return e.db.LogData(nil, pebble.Sync) }

// Settle flushes, and waits until no compaction runs and none is begun: those of
// tombstones are only picked when the statistics of new tables have been read.
func (e *pebbleEngine) Settle(ctx context.Context) (time.Duration, error) {
	e.settling.Store(true)
	defer e.settling.Store(false)
	if err := e.db.Flush(); err != nil {
		return 0, err
	}
	count := e.db.Metrics().Compact.Count
	return rest(ctx, 3, func() (bool, error) {
		m := e.db.Metrics()
		idle := m.Compact.NumInProgress == 0 && m.Flush.NumInProgress == 0 && m.Compact.Count == count &&
			m.Table.PendingStatsCollectionCount == 0
		count = m.Compact.Count
		return idle, nil
	})
}

func (e *pebbleEngine) Stats() Stats {
	m := e.db.Metrics()
	var flushed, compacted, read int64
	for _, l := range m.Levels {
		flushed += int64(l.TableBytesFlushed + l.BlobBytesFlushed)
		compacted += int64(l.TableBytesCompacted + l.BlobBytesCompacted)
		read += int64(l.TableBytesRead + l.BlobBytesReadEstimate)
	}
	logged := int64(m.WAL.BytesWritten)
	probes := m.Filter.Hits + m.Filter.Misses
	stalls, stalled := e.stalls.Load(), e.stallNanoseconds.Load()
	used := m.BlockCache.Size + int64(m.MemTable.Size+m.MemTable.ZombieSize) + m.FileCache.Size
	return Stats{
		LogBytes: &logged, FlushBytes: &flushed, CompactedBytes: &compacted, CompactionReads: &read,
		Syncs: logSyncs(m), BlockReads: &m.BlockCache.Misses, BlockHits: &m.BlockCache.Hits,
		FilterProbes: &probes, FilterNegatives: &m.Filter.Hits, Stalls: &stalls, StallNanoseconds: &stalled,
		MemoryUsed: &used, Text: m.String(),
	}
}

// logSyncs is how many syncs of the log Pebble has timed.
func logSyncs(m *pebble.Metrics) *int64 {
	var h dto.Metric
	if m.LogWriter.FsyncLatency == nil || m.LogWriter.FsyncLatency.Write(&h) != nil {
		return nil
	}
	n := int64(h.GetHistogram().GetSampleCount())
	return &n
}

func (e *pebbleEngine) Close() error { return e.db.Close() }

type pebbleBatch struct {
	*pebble.Batch
	write *pebble.WriteOptions
}

func (b *pebbleBatch) Put(key, value []byte) error { return b.Batch.Set(key, value, nil) }
func (b *pebbleBatch) Delete(key []byte) error     { return b.Batch.Delete(key, nil) }

func (b *pebbleBatch) Commit() error {
	err := b.Batch.Commit(b.write)
	b.Reset()
	return err
}

type pebbleIter struct{ *pebble.Iterator }

func (i pebbleIter) Err() error { return i.Error() }

// pebbleLog passes errors on, and drops what Pebble tells of each recovery.
type pebbleLog struct{}

func (pebbleLog) Infof(string, ...any)              {}
func (pebbleLog) Errorf(format string, args ...any) { log.Printf("pebble: "+format, args...) }
func (pebbleLog) Fatalf(format string, args ...any) { log.Fatalf("pebble: "+format, args...) }
