package lsm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Each test here is a bug that there was.

// regress opens a small stepped store in memory.
func regress(t *testing.T, sys *vfs.Mem, now *int64) (*lsm.DB, *lsm.Stepper) {
	t.Helper()
	steps := lsm.NewStepper()
	o := &lsm.Options{FS: sys, Executor: steps, Seed: 1, Clock: func() time.Time { return time.Unix(0, *now) }}
	db, err := lsm.OpenShaped("/db", o, lsm.Shape{Memory: 1 << 20, Memtable: 32 << 10})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db, steps
}

// TestBatchIntoFullBlocks is a batch of small records that come between records which
// were added in order and left the memtable's blocks full: each splits one.
func TestBatchIntoFullBlocks(t *testing.T) {
	lsm.Alone(t)
	for n := 2500; n < 6000; n += 100 {
		db, err := lsm.OpenShaped("/db", &lsm.Options{FS: vfs.NewMem(), Executor: lsm.NewStepper(), Durability: lsm.None},
			lsm.Shape{Memory: 4 << 20, Memtable: 256 << 10})
		must(t, err)
		for i := range n {
			must(t, db.Put(fmt.Appendf(nil, "%06d", i*10), nil))
		}
		b := db.NewBatch()
		for i := 0; i < n; i += 15 {
			must(t, b.Put(fmt.Appendf(nil, "%06d", i*10+75), nil))
		}
		must(t, b.Commit(lsm.Sync))
		must(t, db.Close())
	}
}

// TestTxnRangeIsPrivate walks over what a transaction has removed for itself alone: no
// other iterator may take it for dead.
func TestTxnRangeIsPrivate(t *testing.T) {
	now := int64(1)
	db, _ := regress(t, vfs.NewMem(), &now)
	const n = 200
	for i := range n {
		must(t, db.Put(key(i), nil))
	}
	must(t, db.Delete(key(30)))
	stop := errors.New("stop")
	for range 3 {
		err := db.Update(func(tx *lsm.Txn) error {
			must(t, tx.DeleteRange(key(20), key(n-20)))
			for range 3 {
				it, err := tx.NewIter(nil)
				must(t, err)
				for it.First(); it.Valid(); it.Next() {
				}
			}
			return stop
		})
		if err != stop {
			t.Fatal(err)
		}
	}
	countKeys(t, db, n-1)
}

type iterable interface {
	NewIter(o *lsm.IterOptions) (*lsm.Iterator, error)
}

func countKeys(t *testing.T, x iterable, want int) {
	t.Helper()
	it, err := x.NewIter(nil)
	must(t, err)
	defer it.Close()
	got := 0
	for range it.All() {
		got++
	}
	must(t, it.Err())
	if got != want {
		t.Fatalf("%d keys, want %d", got, want)
	}
}

// table writes a table of the keys [from, to) in /in.
func table(t *testing.T, sys *vfs.Mem, name string, from, to int) string {
	t.Helper()
	must(t, sys.MkdirAll("/in"))
	w, err := lsm.NewTableWriter("/in/"+name, &lsm.Options{FS: sys})
	must(t, err)
	for i := from; i < to; i++ {
		must(t, w.Put(key(i), nil))
	}
	must(t, w.Finish())
	return "/in/" + name
}

// TestIngestUnderOldSnapshot walks a run of dead keys in a snapshot from before an
// ingest put some there: what the snapshot proves is over.
func TestIngestUnderOldSnapshot(t *testing.T) {
	now := int64(1)
	sys := vfs.NewMem()
	db, _ := regress(t, sys, &now)
	const n = 200
	for i := range n {
		must(t, db.Put(key(i), nil))
	}
	for i := 1; i < n-1; i++ {
		must(t, db.Delete(key(i)))
	}
	snap := db.NewSnapshot()
	defer snap.Close()
	must(t, db.Ingest([]string{table(t, sys, "a", 50, 150)}))
	for range 3 {
		countKeys(t, snap, 2)
	}
	countKeys(t, db, 102)
}

// TestExciseUnderSnapshot cuts a table in two and lets compaction drop both parts: the
// file is there as long as a snapshot reads the whole of it.
func TestExciseUnderSnapshot(t *testing.T) {
	now := int64(1)
	sys := vfs.NewMem()
	db, _ := regress(t, sys, &now)
	const n = 100
	for i := range n {
		must(t, db.Put(key(i), nil))
	}
	must(t, db.Compact(context.Background(), nil, nil))
	must(t, db.Close())
	db, steps := regress(t, sys, &now) // no table is open
	snap := db.NewSnapshot()
	defer snap.Close()
	must(t, db.Excise(key(40), key(60)))
	must(t, db.Excise(nil, nil))
	steps.Run()
	countKeys(t, snap, n)
	countKeys(t, db, 0)
	must(t, snap.Close())
	steps.Run()
	names, err := sys.List("/db")
	must(t, err)
	for _, n := range names {
		if !lsm.StoreFiles(db)[n] {
			t.Errorf("%s is left over", n)
		}
	}
}

// TestSeekToOwnKey seeks to the bytes that the iterator itself has handed out, which
// moving overwrites.
func TestSeekToOwnKey(t *testing.T) {
	now := int64(1)
	db, _ := regress(t, vfs.NewMem(), &now)
	const n = 300
	for round := range 4 {
		for i := round; i < n; i += 4 {
			must(t, db.Put(key(i), nil))
		}
		if round < 3 {
			must(t, db.Flush())
		}
	}
	it, err := db.NewIter(nil)
	must(t, err)
	defer it.Close()
	for i := 1; i < n; i++ {
		if !it.SeekGE(key(i)) || !it.SeekLT(it.Key()) || string(it.Key()) != string(key(i-1)) {
			t.Fatalf("at %q before %d", it.Key(), i)
		}
		if !it.SeekGE(key(i)) || !it.SeekGE(it.Key()) || string(it.Key()) != string(key(i)) {
			t.Fatalf("at %q, want %d", it.Key(), i)
		}
	}
}

// TestPrevFromEmptyKey reads backward to the empty key, and beyond, in a transaction:
// that is not the whole key space.
func TestPrevFromEmptyKey(t *testing.T) {
	now := int64(1)
	db, _ := regress(t, vfs.NewMem(), &now)
	must(t, db.Put(nil, nil))
	must(t, db.Put([]byte("a"), nil))
	tries := 0
	must(t, db.Update(func(tx *lsm.Txn) error {
		tries++
		it, err := tx.NewIter(nil)
		must(t, err)
		for it.First(); it.Valid(); it.Prev() {
		}
		must(t, db.Put([]byte("z"), nil))
		return tx.Put([]byte("b"), nil)
	}))
	if tries != 1 {
		t.Errorf("%d tries", tries)
	}
}

// TestAsyncAfterClose commits asynchronously to a closed stepped store: the callback
// comes although nobody steps.
func TestAsyncAfterClose(t *testing.T) {
	now := int64(1)
	db, _ := regress(t, vfs.NewMem(), &now)
	b := db.NewBatch()
	must(t, b.Put([]byte("k"), nil))
	must(t, db.Close())
	var got error
	b.CommitAsync(lsm.Sync, func(_ uint64, err error) { got = err })
	if !errors.Is(got, lsm.ErrClosed) {
		t.Errorf("called back with %v", got)
	}
}

// TestExpiredAtOnce writes an expired value in a transaction whose moment is long ago
// by the time it writes.
func TestExpiredAtOnce(t *testing.T) {
	now := int64(1e9)
	db, _ := regress(t, vfs.NewMem(), &now)
	must(t, db.Update(func(tx *lsm.Txn) error {
		now += 1e9
		must(t, tx.PutTTL([]byte("k"), []byte("v"), 0))
		if _, err := tx.Get([]byte("k")); !errors.Is(err, lsm.ErrNotFound) {
			t.Errorf("found: %v", err)
		}
		return nil
	}))
}

// TestFlushedSeqNeverFalls sees what EventFlush tells when an empty memtable was sealed,
// because a value is too large for it.
func TestFlushedSeqNeverFalls(t *testing.T) {
	steps := lsm.NewStepper()
	var last uint64
	db := open(t, "/db", &lsm.Options{FS: vfs.NewMem(), Executor: steps, Memory: 8 << 20, Events: func(e lsm.Event) {
		if e.Kind == lsm.EventFlush {
			if e.FlushedSeq < last {
				t.Errorf("flushed up to %d after %d", e.FlushedSeq, last)
			}
			last = e.FlushedSeq
		}
	}})
	must(t, db.Put([]byte("a"), nil))
	must(t, db.Flush())
	must(t, db.Put([]byte("b"), make([]byte, 4<<20)))
	steps.Run()
	must(t, db.Flush())
}

// TestExciseBesideFlush has Excise look through memtables while flushes end, which frees
// them: it looked at memory that was gone, and the process died.
func TestExciseBesideFlush(t *testing.T) {
	db, _ := openCrowd(t)
	c := newCrowd(t, crowdTime())
	c.add(func(*rand.Rand) error {
		b := db.NewBatch()
		err := b.Put(key(1), nil)
		for i := range 200 { // make the look at a memtable last
			err = errors.Join(err, b.DeleteRange(key(2*i), key(2*i+1)))
		}
		return errors.Join(err, b.Commit(lsm.None))
	})
	for range 2 {
		c.add(func(*rand.Rand) error { return db.Flush() })
		c.add(func(*rand.Rand) error { return db.Excise([]byte("zzz"), nil) })
	}
	c.wait.Wait()
}
