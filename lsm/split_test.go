package lsm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// pairFS has whoever begins a table wait for a second one, until two have met, and can
// fail them.
type pairFS struct {
	vfs.FS
	armed   atomic.Bool
	waiting chan struct{} // unbuffered: the two meet here
	failing atomic.Int64  // so many more creations succeed, then one fails; negative: all do
}

var errNoTable = errors.New("no more tables")

func (p *pairFS) Create(name string) (vfs.File, error) {
	if filepath.Ext(name) != ".sst" {
		return p.FS.Create(name)
	}
	if p.failing.Load() >= 0 && p.failing.Add(-1) < 0 {
		return nil, errNoTable
	}
	if p.armed.Load() {
		select {
		case p.waiting <- struct{}{}:
			p.armed.Store(false)
		case <-p.waiting:
		case <-time.After(time.Second): // perhaps there is nothing to share
		}
	}
	return p.FS.Create(name)
}

// openShared opens a store whose compactions have many parts, and memory for helpers.
func openShared(t *testing.T) (*lsm.DB, *pairFS) {
	t.Helper()
	old := runtime.GOMAXPROCS(3)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
	fs := &pairFS{FS: vfs.NewMem(), waiting: make(chan struct{})}
	fs.failing.Store(-1)
	o := &lsm.Options{FS: fs, Durability: lsm.None, CompactionConcurrency: 1, Memory: 64 << 20}
	db, err := lsm.OpenShaped("/db", o, lsm.Shape{Memtable: 256 << 10, Table: 32 << 10, BaseLevel: 4 << 20})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db, fs
}

// While somebody waits for it and nobody writes, one compaction has two processors.
func TestCompactionIsShared(t *testing.T) {
	db, fs := openShared(t)
	rng := rand.New(rand.NewPCG(1, 1))
	value := make([]byte, 100)
	for round := 0; round < 2 || fs.armed.Load(); round++ {
		if round == 10 {
			t.Fatal("no second goroutine ever came")
		}
		for i := range 4000 {
			for j := range value {
				value[j] = byte(rng.Uint32())
			}
			must(t, db.Put(fmt.Appendf(nil, "key%06d", i*7919%4000), value))
		}
		must(t, db.Flush())
		if round == 1 {
			fs.armed.Store(true)
		}
		must(t, db.Compact(context.Background(), nil, nil))
	}
	must(t, db.Verify(context.Background()))
}

// Compactions that are shared, left to writers, tried again after failures and taken up
// anew make what compactions make.
func TestSharedCompactionsAgainstMap(t *testing.T) {
	db, fs := openShared(t)
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(2, 2))
	want := make(map[string]string)
	const keys = 3000
	put := func() {
		i := rng.IntN(keys)
		k := fmt.Sprintf("key%06d", i)
		switch rng.IntN(1000) {
		case 0:
			end := min(i+rng.IntN(200), keys)
			must(t, db.DeleteRange([]byte(k), fmt.Appendf(nil, "key%06d", end)))
			for ; i < end; i++ {
				delete(want, fmt.Sprintf("key%06d", i))
			}
		case 1, 2, 3, 4, 5, 6, 7, 8, 9:
			must(t, db.Delete([]byte(k)))
			delete(want, k)
		default:
			v := fmt.Sprintf("%0100d", rng.Uint64())
			must(t, db.Put([]byte(k), []byte(v)))
			want[k] = v
		}
	}
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		for range 2000 + rng.IntN(6000) {
			put()
		}
		must(t, db.Flush())
		if round%4 == 3 {
			fs.failing.Store(int64(rng.IntN(12)))
		}
		done := make(chan error, 1)
		go func() {
			if round%2 == 0 {
				done <- db.WaitIdle(ctx)
			} else {
				done <- db.Compact(ctx, nil, nil)
			}
		}()
		if round%3 > 0 { // somebody writes now and then
			for range 20 {
				time.Sleep(time.Duration(rng.IntN(2000)) * time.Microsecond)
				put()
			}
		}
		if err := <-done; err != nil && !errors.Is(err, errNoTable) {
			t.Fatal(err)
		}
		fs.failing.Store(-1)
		n := 0
		it, err := db.NewIter(nil)
		must(t, err)
		for it.First(); it.Valid(); it.Next() {
			if v, ok := want[string(it.Key())]; !ok || v != string(it.Value()) {
				t.Fatalf("round %d: %s=%s, want %s", round, it.Key(), it.Value(), v)
			}
			n++
		}
		must(t, it.Err())
		must(t, it.Close())
		if n != len(want) {
			t.Fatalf("round %d: %d keys, want %d", round, n, len(want))
		}
	}
	must(t, db.WaitIdle(ctx))
	must(t, db.Verify(ctx))
	files := lsm.StoreFiles(db)
	names, err := fs.List("/db")
	must(t, err)
	for _, name := range names {
		if filepath.Ext(name) == ".sst" && !files[name] {
			t.Errorf("%s was left behind", name)
		}
	}
}
