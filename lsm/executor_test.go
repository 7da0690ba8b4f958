package lsm_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// pool is an Executor with a goroutine of its own.
type pool chan func()

func (p pool) Submit(job func()) { p <- job }

// slowFS takes its time to begin a table.
type slowFS struct{ vfs.FS }

func (s slowFS) Create(name string) (vfs.File, error) {
	if filepath.Ext(name) == ".sst" {
		time.Sleep(2 * time.Millisecond)
	}
	return s.FS.Create(name)
}

// TestExecutorWithGoroutine: that no job is queued does not mean that nothing is under
// way.
func TestExecutorWithGoroutine(t *testing.T) {
	jobs := make(pool, 1<<16)
	ended := make(chan bool)
	go func() {
		defer close(ended)
		for f := range jobs {
			f()
			time.Sleep(50 * time.Microsecond)
		}
	}()
	defer func() { close(jobs); <-ended }()
	fs := slowFS{vfs.NewMem()}
	o := &lsm.Options{FS: fs, Executor: jobs, Seed: 1, Durability: lsm.None}
	db, err := lsm.OpenShaped("/db", o, lsm.Shape{Memory: 1 << 20, Memtable: 32 << 10, Table: 16 << 10, BaseLevel: 64 << 10})
	must(t, err)
	defer db.Close()
	ctx := context.Background()
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	value := make([]byte, 100)
	for round := range rounds {
		for i := range 1000 {
			must(t, db.Put(key(i*7919%1000), value))
		}
		must(t, db.Flush())
		for i := range 1000 {
			must(t, db.Put(key(i*7919%1000), value))
		}
		name := fmt.Sprintf("/in%d.sst", round)
		w, err := lsm.NewTableWriter(name, &lsm.Options{FS: fs.FS})
		must(t, err)
		for i := 100; i < 200; i++ {
			must(t, w.Put(key(i), fmt.Appendf(nil, "ingested%d", round)))
		}
		must(t, w.Finish())
		must(t, db.Ingest([]string{name}))
		must(t, db.Excise(key(300), key(400)))
		if round%2 == 0 {
			must(t, db.WaitIdle(ctx))
		}
		must(t, db.Compact(ctx, nil, nil))
		for i := range 1000 {
			want := string(value)
			if i/100 == 1 {
				want = fmt.Sprintf("ingested%d", round)
			}
			v, err := db.Get(key(i))
			if i/100 == 3 && err != lsm.ErrNotFound || i/100 != 3 && (err != nil || string(v) != want) {
				t.Fatalf("key %d: %q, %v", i, v, err)
			}
		}
	}
	must(t, db.Verify(ctx))
}
