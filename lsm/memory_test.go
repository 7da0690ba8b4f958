package lsm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// countingFS counts the tables that are open for reading, and can hold up the creation
// of one.
type countingFS struct {
	vfs.FS
	opened     atomic.Int64 // so far
	open, most atomic.Int64
	gate       atomic.Pointer[gate]
}

// gate stops who comes first until it is opened.
type gate struct {
	taken         atomic.Bool
	reached, open chan struct{}
}

func newGate() *gate { return &gate{reached: make(chan struct{}), open: make(chan struct{})} }

func (c *countingFS) Create(name string) (vfs.File, error) {
	if g := c.gate.Load(); g != nil && filepath.Ext(name) == ".sst" {
		if !g.taken.Swap(true) {
			close(g.reached)
			<-g.open
		}
	}
	return c.FS.Create(name)
}

func (c *countingFS) Open(name string) (vfs.File, error) {
	f, err := c.FS.Open(name)
	if err != nil || filepath.Ext(name) != ".sst" {
		return f, err
	}
	c.opened.Add(1)
	if n := c.open.Add(1); n > c.most.Load() {
		c.most.Store(n)
	}
	return &countedFile{File: f, fs: c}, nil
}

type countedFile struct {
	vfs.File
	fs *countingFS
}

func (f *countedFile) Close() error {
	f.fs.open.Add(-1)
	return f.File.Close()
}

// manyTables makes a store of many more tables than may be open, which are 16.
func manyTables(t *testing.T, keys int) (*lsm.DB, *countingFS) {
	fs := &countingFS{FS: vfs.NewFault(vfs.NewMem())}
	o := &lsm.Options{FS: fs, Memory: 8 << 20, MaxOpenFiles: 16, Durability: lsm.None, Executor: lsm.NewStepper()}
	db, err := lsm.OpenShaped("/db", o, lsm.Shape{Memtable: 64 << 10, Table: 4 << 10, BaseLevel: 32 << 10, Fanout: 4, Sealed: 2})
	must(t, err)
	for i := range keys {
		must(t, db.Put(key(i*7919%keys), fmt.Appendf(nil, "value of %d", i*7919%keys)))
	}
	must(t, db.Compact(context.Background(), nil, nil))
	tables := 0
	for _, n := range lsm.Levels(db) {
		tables += n
	}
	if tables < 60 {
		t.Fatalf("%d tables only", tables)
	}
	return db, fs
}

// TestScanKeepsFewTablesOpen walks a store of many more tables than may be open, in both
// directions, beside lookups that make the readers change all the time.
func TestScanKeepsFewTablesOpen(t *testing.T) {
	const keys = 20000
	db, fs := manyTables(t, keys)
	defer db.Close()
	fs.most.Store(0)
	it, err := db.NewIter(nil)
	must(t, err)
	look := func(i int) {
		if i%10 == 0 {
			j := i * 31 % keys
			if v, err := db.Get(key(j)); err != nil || string(v) != fmt.Sprintf("value of %d", j) {
				t.Fatalf("%s: %q, %v", key(j), v, err)
			}
		}
	}
	n := 0
	for it.First(); it.Valid(); it.Next() {
		if string(it.Key()) != string(key(n)) || string(it.Value()) != fmt.Sprintf("value of %d", n) {
			t.Fatalf("number %d is %s=%s", n, it.Key(), it.Value())
		}
		look(n)
		n++
	}
	for it.Last(); it.Valid(); it.Prev() {
		n--
		look(n)
	}
	must(t, it.Err())
	if n != 0 {
		t.Fatalf("%d keys fewer backwards", n)
	}
	// What the iterator stands on may come on top, and one being opened.
	if m := fs.most.Load(); m > 16+3 {
		t.Errorf("%d tables were open at a time", m)
	}
	must(t, it.Close())
}

// TestPinnedSnapshotKeepsFewTablesOpen looks keys up beside and in a snapshot that outlives
// an excise.
func TestPinnedSnapshotKeepsFewTablesOpen(t *testing.T) {
	const keys = 20000
	db, fs := manyTables(t, keys)
	defer db.Close()
	snap := db.NewSnapshot()
	defer snap.Close()
	must(t, db.Excise(key(0), key(1)))
	fs.most.Store(0)
	for i := range 2500 {
		j := i*31%(keys-1) + 1
		want := fmt.Sprintf("value of %d", j)
		if v, err := db.Get(key(j)); err != nil || string(v) != want {
			t.Fatalf("%s: %q, %v", key(j), v, err)
		}
		j = i * 37 % keys
		want = fmt.Sprintf("value of %d", j)
		if v, err := snap.Get(key(j)); err != nil || string(v) != want {
			t.Fatalf("%s in the snapshot: %q, %v", key(j), v, err)
		}
	}
	if m := fs.most.Load(); m > 16+3 {
		t.Errorf("%d tables were open at a time", m)
	}
}

// TestPinnedSnapshotKeepsWhatItReads takes the reader away from a lookup in a snapshot that
// outlives an excise, at the moment when it reads a block.
func TestPinnedSnapshotKeepsWhatItReads(t *testing.T) {
	const keys = 20000
	db, fs := manyTables(t, keys)
	defer db.Close()
	snap := db.NewSnapshot()
	defer snap.Close()
	must(t, db.Excise(key(0), key(1)))
	reads, in := 0, -1
	fs.FS.(*vfs.Fault).SetHook(func(op vfs.Op) error {
		if j := in; j >= 0 && op.Kind == vfs.OpRead {
			reads, in = reads+1, -1
			for i := range 100 {
				_, err := db.Get(key((j+keys/2+i*60)%(keys-1) + 1))
				must(t, err)
			}
			in = j
		}
		return nil
	})
	for i := range 50 {
		in = i * 397
		if v, err := snap.Get(key(in)); err != nil || string(v) != fmt.Sprintf("value of %d", i*397) {
			t.Fatalf("%s: %q, %v", key(i*397), v, err)
		}
		in = -1
	}
	if reads < 50 {
		t.Errorf("%d reads", reads)
	}
}

// TestPinnedSnapshotUnderUse reads snapshots that outlive an excise, while others are
// closed beside them, the tables they were of leave the tree and readers change all the
// time.
func TestPinnedSnapshotUnderUse(t *testing.T) {
	const keys = 12000
	db, _ := manyTables(t, keys)
	defer db.Close()
	var wg sync.WaitGroup
	for round := range 6 {
		snap := db.NewSnapshot()
		must(t, db.Excise(key(round*1000), key(round*1000+500)))
		for g := range 3 {
			wg.Go(func() {
				for i := range 400 {
					j := round*1000 + (i*31+g*997)%(keys-round*1000)
					v, err := snap.Get(key(j))
					if errors.Is(err, lsm.ErrClosed) {
						return
					}
					if err != nil || string(v) != fmt.Sprintf("value of %d", j) {
						t.Errorf("%s: %q, %v", key(j), v, err)
						return
					}
				}
			})
		}
		wg.Go(func() {
			for i := range 100 {
				_, _ = db.Get(key(i * 71 % keys))
			}
			must(t, snap.Close())
		})
	}
	wg.Wait()
}

// TestLongWorkKeepsNoMemtables flushes while a compaction and a Verify are under way: the
// memory of the flushed memtables must come back before they end. That of one is kept for the
// next memtable, unless an iterator keeps another: two count against the budget always.
func TestLongWorkKeepsNoMemtables(t *testing.T) {
	fs := &countingFS{FS: vfs.NewMem()}
	db, err := lsm.Open("/db", &lsm.Options{FS: fs, Memory: 64 << 20, Durability: lsm.None})
	must(t, err)
	defer db.Close()
	fill := func() {
		t.Helper()
		for i := range 1000 {
			must(t, db.Put(fmt.Appendf(nil, "key%06d", i), make([]byte, 1000)))
		}
		must(t, db.Flush())
	}
	memtables := func(what string, want int64) {
		t.Helper()
		if n := db.Metrics().Memory.Memtables; n != want<<20 {
			t.Errorf("%d MiB of memtables %s, want %d", n>>20, what, want)
		}
	}
	fill()
	fill()
	memtables("at first", 16)
	it, err := db.NewIter(nil)
	must(t, err)
	fill()
	memtables("beside an iterator", 16)
	fill()
	memtables("beside an iterator, and not one more for later", 16)

	g := newGate()
	fs.gate.Store(g)
	done := make(chan error, 1)
	go func() { done <- db.Compact(context.Background(), nil, nil) }()
	select {
	case <-g.reached:
	case <-time.After(20 * time.Second):
		t.Fatal("no compaction began")
	}
	fill()
	fill()
	memtables("beside a compaction", 16)
	close(g.open)
	must(t, <-done)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { done <- db.VerifyRange(ctx, nil, nil, 1000) }()
	for n := fs.opened.Load(); fs.opened.Load() == n; {
		time.Sleep(time.Millisecond)
	}
	fill()
	memtables("beside a Verify", 16)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}

	must(t, it.Close())
	memtables("in the end", 16)
}

// TestRotationLeavesTheCache fills the block cache, and then memtables: a new one takes nothing
// from the cache, since two count always.
func TestRotationLeavesTheCache(t *testing.T) {
	db, err := lsm.Open("/db", &lsm.Options{FS: vfs.NewMem(), Memory: 32 << 20, Durability: lsm.None, Seed: 1})
	must(t, err)
	defer db.Close()
	rng := rand.New(rand.NewSource(1))
	value := make([]byte, 1000)
	for i := range 30_000 {
		rng.Read(value) // does not compress
		must(t, db.Put(fmt.Appendf(nil, "key%06d", i), value))
	}
	must(t, db.Compact(context.Background(), nil, nil))
	for i := range 30_000 {
		_, err := db.Get(fmt.Appendf(nil, "key%06d", i))
		must(t, err)
	}
	full := db.Metrics().Memory.Cache
	for i := range 4 {
		must(t, db.Put([]byte("one more"), nil))
		must(t, db.Flush())
		if now := db.Metrics().Memory.Cache; now < full-1<<20 {
			t.Fatalf("after %d rotations the cache has %d KiB, and %d before", i+1, now>>10, full>>10)
		}
	}
}

// TestIteratorKeepsItsMemtable walks what an iterator saw, while memtables are flushed and their
// memory has become that of others.
func TestIteratorKeepsItsMemtable(t *testing.T) {
	db, err := lsm.Open("/db", &lsm.Options{FS: vfs.NewMem(), Durability: lsm.None})
	must(t, err)
	defer db.Close()
	fill := func(round byte) {
		for i := range 1000 {
			must(t, db.Put(fmt.Appendf(nil, "key%06d", i), []byte{round}))
		}
	}
	var its []*lsm.Iterator
	for round := range byte(5) {
		fill(round)
		it, err := db.NewIter(nil)
		must(t, err)
		its = append(its, it)
		if round%2 == 0 {
			must(t, db.Flush())
		}
	}
	for round, it := range its {
		n := 0
		for it.First(); it.Valid(); it.Next() {
			if string(it.Key()) != fmt.Sprintf("key%06d", n) || string(it.Value()) != string([]byte{byte(round)}) {
				t.Fatalf("round %d: %q is %v", round, it.Key(), it.Value())
			}
			n++
		}
		if err := it.Err(); err != nil || n != 1000 {
			t.Fatalf("round %d: %d keys, %v", round, n, err)
		}
		must(t, it.Close())
	}
}
