package lsm_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// TestCompactEndsBesideWriters: new tables of L0 and new records on their way down do not
// keep it from the bottom, and it does not keep them from going down.
func TestCompactEndsBesideWriters(t *testing.T) {
	for _, jobs := range []int{1, 2} {
		t.Run(fmt.Sprint(jobs), func(t *testing.T) {
			o := &lsm.Options{FS: slowFS{vfs.NewMem()}, Durability: lsm.None, CompactionConcurrency: jobs}
			db, err := lsm.OpenShaped("/db", o, lsm.Shape{Memory: 16 << 20, Memtable: 256 << 10, Table: 64 << 10, BaseLevel: 256 << 10, Fanout: 4})
			must(t, err)
			defer db.Close()
			keys, limit := 40000, 20*time.Second
			if lsm.RaceEnabled {
				keys, limit = 8000, time.Minute
			}
			put := func(rng *rand.Rand) error {
				value := make([]byte, 100)
				binary.LittleEndian.PutUint64(value, rng.Uint64())
				return db.Put(key(rng.IntN(keys)), value)
			}
			rng := rand.New(rand.NewPCG(1, 1))
			for range 2 * keys {
				must(t, put(rng))
			}
			var stop atomic.Bool
			var writer sync.WaitGroup
			writer.Add(1)
			go func() {
				defer writer.Done()
				rng := rand.New(rand.NewPCG(2, 2))
				for !stop.Load() {
					if err := put(rng); err != nil {
						t.Error(err)
						return
					}
				}
			}()
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			begun := time.Now()
			err = db.Compact(ctx, nil, nil)
			took := time.Since(begun)
			stop.Store(true)
			writer.Wait()
			if err != nil {
				t.Errorf("not done after %v: %v", took, err)
			}
			must(t, db.Verify(context.Background()))
		})
	}
}

// TestCompactTakesTurns: what is flushed between the steps of a long Compact goes down
// between them too.
func TestCompactTakesTurns(t *testing.T) {
	lsm.Alone(t)
	var db *lsm.DB
	rng := rand.New(rand.NewPCG(1, 1))
	fill := func(n int) {
		for range n {
			must(t, db.Put(key(rng.IntN(20000)), make([]byte, 100)))
		}
		must(t, db.Flush())
	}
	steps, most := 0, 0
	armed := false
	events := func(e lsm.Event) {
		if armed && e.Kind == lsm.EventCompaction && e.Reason == "manual" {
			steps++
			for range 4 {
				fill(50)
			}
			most = max(most, lsm.Levels(db)[0])
		}
	}
	o := &lsm.Options{FS: vfs.NewMem(), Durability: lsm.None, Seed: 1, Executor: lsm.NewStepper(), CompactionConcurrency: 1, Events: events}
	var err error
	db, err = lsm.OpenShaped("/db", o, lsm.Shape{Memory: 16 << 20, Memtable: 256 << 10, Table: 4 << 10, BaseLevel: 64 << 10, Fanout: 4})
	must(t, err)
	defer db.Close()
	for range 20 {
		fill(2000)
		must(t, db.WaitIdle(context.Background()))
	}
	fill(20000)
	armed = true
	must(t, db.Compact(context.Background(), nil, nil))
	armed = false
	if steps < 8 || most > 2*steps {
		t.Errorf("%d steps, and up to %d tables in L0 beside them", steps, most)
	}
}
