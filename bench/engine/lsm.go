package engine

import (
	"context"
	"errors"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
)

// LSM is this repository's engine, with its default options but for the memory budget
// and the durability.
var LSM = Kind{
	Name:   "lsm",
	Help:   "Ringwood's own log-structured merge tree",
	Limits: Limits{Key: lsm.MaxKeyLen, Value: lsm.MaxValueLen},
	Marker: "CURRENT",
	Open:   openLSM,
}

func openLSM(c Config) (Engine, error) {
	d := lsmDurability(c.Durability)
	db, err := lsm.Open(c.Dir, &lsm.Options{Memory: c.Memory, Durability: d})
	if err != nil {
		return nil, err
	}
	return &lsmEngine{DB: db, durability: d}, nil
}

func lsmDurability(d Durability) lsm.Durability {
	return [...]lsm.Durability{Sync: lsm.Sync, OS: lsm.OS, None: lsm.None}[d]
}

type lsmEngine struct {
	*lsm.DB
	durability lsm.Durability
}

func (e *lsmEngine) AppendGet(dst, key []byte) ([]byte, error) {
	dst, err := e.DB.AppendGet(dst, key)
	if err != nil && errors.Is(err, lsm.ErrNotFound) {
		err = ErrNotFound
	}
	return dst, err
}

func (e *lsmEngine) NewBatch() Batch { return &lsmBatch{e.DB.NewBatch(), e.durability} }

func (e *lsmEngine) NewIter(lower, upper []byte) (Iter, error) {
	it, err := e.DB.NewIter(&lsm.IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		return nil, err
	}
	return it, nil
}

// Settle flushes, because WaitIdle alone leaves the memtable and its log as they are.
func (e *lsmEngine) Settle(ctx context.Context) (time.Duration, error) {
	if err := e.Flush(); err != nil {
		return 0, err
	}
	return 0, e.WaitIdle(ctx)
}

func (e *lsmEngine) Stats() Stats {
	m := e.Metrics()
	stall := int64(m.StallTime + m.DelayTime)
	return Stats{
		BytesIn: &m.UserBytes, LogBytes: &m.LogBytes, FlushBytes: &m.FlushBytes,
		CompactedBytes: &m.CompactionWrittenBytes, CompactionReads: &m.CompactionReadBytes,
		Syncs: &m.LogSyncs, BlockReads: &m.BlockReads, BlockHits: &m.CacheHits,
		FilterProbes: &m.FilterProbes, FilterNegatives: &m.FilterNegatives,
		Stalls: &m.Stalls, StallNanoseconds: &stall,
		MemoryUsed: &m.Memory.Total, Text: m.String(),
	}
}

type lsmBatch struct {
	*lsm.Batch
	durability lsm.Durability
}

func (b *lsmBatch) Commit() error {
	err := b.Batch.Commit(b.durability)
	b.Reset()
	return err
}

func (b *lsmBatch) Close() error { return nil }
