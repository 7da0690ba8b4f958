package lsm

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// TestEndOfSnapshotLooksForWork only if it kept something: a look goes over all tables.
func TestEndOfSnapshotLooksForWork(t *testing.T) {
	steps := NewStepper()
	looks := 0
	clock := func() time.Time { looks++; return time.Unix(1e9, 0) }
	db, err := Open("/db", &Options{FS: vfs.NewMem(), Executor: steps, Seed: 1, Clock: clock})
	mustDo(t, err)
	defer db.Close()
	for i := range 100 {
		mustDo(t, db.Put(fmt.Appendf(nil, "%08d", i), nil))
	}
	mustDo(t, db.Compact(t.Context(), nil, nil))
	s := db.NewSnapshot()
	mustDo(t, db.DeleteRange([]byte("0"), []byte("1")))
	mustDo(t, db.Flush())
	walkAll(t, db, nil) // opens the tables
	mustDo(t, db.WaitIdle(t.Context()))
	looks = 0
	mustDo(t, db.View(func(*Txn) error { return nil }))
	if looks != 1 {
		t.Errorf("a View looks %d times at the clock, want once for itself and not for work", looks)
	}
	if mustDo(t, s.Close()); steps.Len() == 0 {
		t.Error("nothing to do after the end of a snapshot that kept a table")
	}
	steps.Run()
	looks = 0
	mustDo(t, db.View(func(*Txn) error { return nil }))
	if looks != 1 {
		t.Errorf("a View looks %d times at the clock, want once for itself and not for work", looks)
	}
}

// BenchmarkView is an empty View, and a look for background work, over trees of several
// sizes, and with range tombstones that a snapshot kept.
func BenchmarkView(b *testing.B) {
	for _, x := range []struct{ tables, dels int }{{10, 0}, {3000, 0}, {10, 5000}} {
		b.Run(fmt.Sprintf("tables=%d/dels=%d", x.tables, x.dels), func(b *testing.B) {
			o := &Options{FS: vfs.NewMem(), Durability: None, CompactionConcurrency: 1}
			db, err := OpenShaped("/db", o, Shape{Memory: 32 << 20, Memtable: 4 << 20, Table: 1 << 10, BaseLevel: 1 << 30})
			mustDo(b, err)
			defer db.Close()
			value := make([]byte, 1000)
			rng := rand.New(rand.NewPCG(1, 1))
			for i := range 2 * x.tables {
				if i == x.tables {
					mustDo(b, db.Flush()) // two tables that overlap are not just moved
				}
				for j := range value {
					value[j] = byte(rng.Uint32())
				}
				mustDo(b, db.Put(fmt.Appendf(nil, "%08d", i%x.tables), value))
			}
			mustDo(b, db.Compact(b.Context(), nil, nil))
			s := db.NewSnapshot()
			for i := range x.dels {
				mustDo(b, db.DeleteRange(fmt.Appendf(nil, "%08d", i*10), fmt.Appendf(nil, "%08d", i*10+5)))
			}
			mustDo(b, db.Flush())
			_ = walkAll(b, db, nil)
			_ = s.Close()
			b.Run("view", func(b *testing.B) {
				for range b.N {
					mustDo(b, db.View(func(*Txn) error { return nil }))
				}
			})
			b.Run("look", func(b *testing.B) {
				for range b.N {
					db.mu.Lock()
					db.scheduleLocked()
					db.mu.Unlock()
				}
			})
		})
	}
}
