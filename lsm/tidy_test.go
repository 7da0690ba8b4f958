package lsm_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// removeFS takes its time to remove a table, and counts how many are being removed.
type removeFS struct {
	vfs.FS
	now, most, removed atomic.Int64
}

func (f *removeFS) Remove(name string) error {
	if filepath.Ext(name) != ".sst" {
		return f.FS.Remove(name)
	}
	n := f.now.Add(1)
	defer f.now.Add(-1)
	for m := f.most.Load(); n > m && !f.most.CompareAndSwap(m, n); m = f.most.Load() {
	}
	f.removed.Add(1)
	time.Sleep(time.Millisecond)
	return f.FS.Remove(name)
}

// The files of tables that a compaction replaced are removed one after the other, and all
// of them are gone when the store is idle.
func TestTablesAreRemovedOneByOne(t *testing.T) {
	fs := &removeFS{FS: vfs.NewMem()}
	o := &lsm.Options{FS: fs, Durability: lsm.None, Memory: 64 << 20}
	db, err := lsm.OpenShaped("/db", o, lsm.Shape{Memtable: 256 << 10, Table: 32 << 10, BaseLevel: 4 << 20})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	rng := rand.NewChaCha8([32]byte{1})
	value := make([]byte, 100)
	for range 3 {
		for i := range 4000 {
			_, _ = rng.Read(value)
			must(t, db.Put(fmt.Appendf(nil, "key%06d", i*7919%4000), value))
		}
		must(t, db.Flush())
		must(t, db.Compact(context.Background(), nil, nil))
	}
	must(t, db.WaitIdle(context.Background()))
	names, err := fs.List("/db")
	must(t, err)
	left := 0
	for _, name := range names {
		if filepath.Ext(name) == ".sst" {
			left++
		}
	}
	m := db.Metrics()
	tables := 0
	for _, l := range m.Levels {
		tables += l.Tables
	}
	if fs.removed.Load() < 20 || left != tables {
		t.Errorf("%d tables were removed; %d files are there for %d tables", fs.removed.Load(), left, tables)
	}
	if n := fs.most.Load(); n != 1 {
		t.Errorf("%d removals at the same time", n)
	}
}
