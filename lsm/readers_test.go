package lsm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// openFS counts how often tables are opened.
type openFS struct {
	vfs.FS
	tables atomic.Int64
}

func (f *openFS) Open(name string) (vfs.File, error) {
	if filepath.Ext(name) == ".sst" {
		f.tables.Add(1)
	}
	return f.FS.Open(name)
}

// Where filters and indexes do not fit the budget, the last level does without filters:
// lookups still find what is there and nothing else, and after a while no reader is opened
// again and again.
func TestFiltersBeyondMemory(t *testing.T) {
	const keys = 120_000
	fs := &openFS{FS: vfs.NewMem()}
	db, err := lsm.OpenShaped("/db", &lsm.Options{FS: fs, Durability: lsm.None, FilterBitsPerKey: 20},
		lsm.Shape{Memory: 1 << 20, Memtable: 64 << 10, Table: 64 << 10, BaseLevel: 256 << 10})
	must(t, err)
	defer db.Close()
	name := func(i int) []byte { return fmt.Appendf(nil, "key%07d", i) }
	b := db.NewBatch()
	put := func(i, round int) {
		must(t, b.Put(name(2*i), fmt.Appendf(nil, "%d of %d", i, round)))
		if b.Len() == 1000 {
			must(t, b.Commit(lsm.None))
			b.Reset()
		}
	}
	for i := range keys {
		put(i, 0)
	}
	must(t, db.Flush())
	must(t, db.Compact(context.Background(), nil, nil))
	for i := 0; i < keys; i += 40 {
		put(i, 1) // in the levels above
	}
	must(t, b.Commit(lsm.None))
	must(t, db.Flush())
	must(t, db.WaitIdle(context.Background()))

	rng := rand.New(rand.NewPCG(3, 1))
	pass := func() (opened int64) {
		before := fs.tables.Load()
		for range 20_000 {
			i := rng.IntN(keys)
			want := fmt.Sprintf("%d of 0", i)
			if i%40 == 0 {
				want = fmt.Sprintf("%d of 1", i)
			}
			if v, err := db.Get(name(2 * i)); err != nil || string(v) != want {
				t.Fatalf("key %d: %q, %v; want %q", i, v, err, want)
			}
			if v, err := db.Get(name(2*i + 1)); !errors.Is(err, lsm.ErrNotFound) {
				t.Fatalf("absent key %d: %q, %v", i, v, err)
			}
		}
		return fs.tables.Load() - before
	}
	pass()
	opened := pass()
	m := db.Metrics()
	if m.FiltersLeftOut == 0 || m.FiltersLeftOut == m.OpenTables {
		t.Errorf("%d of %d tables without their filter", m.FiltersLeftOut, m.OpenTables)
	}
	if opened > 0 {
		t.Errorf("%d readers were opened again by 40,000 lookups", opened)
	}
	must(t, db.Verify(context.Background()))
}
