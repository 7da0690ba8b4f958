package lsm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func walkAll(t testing.TB, db *DB, o *IterOptions) (keys []string) {
	t.Helper()
	it, err := db.NewIter(o)
	mustDo(t, err)
	for k := range it.All() {
		keys = append(keys, string(k))
	}
	mustDo(t, it.Err())
	mustDo(t, it.Close())
	return keys
}

// TestDeadSpanOfBoundedIterator: an iterator with an upper bound leaves out the tables
// beyond it, so a run of dead keys that it sees to its end proves nothing about them.
func TestDeadSpanOfBoundedIterator(t *testing.T) {
	st := NewStepper()
	db, err := Open("/db", &Options{FS: vfs.NewMem(), Executor: st, Seed: 1})
	mustDo(t, err)
	defer db.Close()
	mustDo(t, db.Put([]byte("n"), []byte("alive")))
	mustDo(t, db.Flush())
	for i := range 2 * deadRun {
		mustDo(t, db.Delete(fmt.Appendf(nil, "a%03d", i)))
	}
	walkAll(t, db, &IterOptions{Upper: []byte("m")}) // begins to watch
	mustDo(t, db.Flush())
	mustDo(t, db.Put([]byte("z"), []byte("ends what is watched")))
	mustDo(t, db.Flush())
	for range 3 {
		walkAll(t, db, &IterOptions{Upper: []byte("m")})
		if got := walkAll(t, db, nil); fmt.Sprint(got) != "[n z]" {
			t.Fatalf("keys %q, want n and z", got)
		}
	}
}

// TestDeadSpanOfTornView: between taking the state and the visible sequence number, the
// memtable is rotated and a key is put into the next one. The iterator does not have
// that key, and must not prove to others that it is dead.
func TestDeadSpanOfTornView(t *testing.T) {
	st := NewStepper()
	var between func()
	clock := func() time.Time {
		if f := between; f != nil {
			between = nil
			f()
		}
		return time.Unix(1e9, 0)
	}
	db, err := Open("/db", &Options{FS: vfs.NewMem(), Executor: st, Seed: 1, Clock: clock})
	mustDo(t, err)
	defer db.Close()
	for i := range 2 * deadRun {
		mustDo(t, db.Delete(fmt.Appendf(nil, "a%03d", i)))
	}
	mustDo(t, db.Put([]byte("z"), nil))
	snap := db.NewSnapshot()
	defer snap.Close()
	between = func() {
		mustDo(t, db.Flush())
		mustDo(t, db.Put([]byte("a010x"), nil))
	}
	torn, err := db.NewIter(nil)
	mustDo(t, err)
	defer torn.Close()
	for range 3 {
		torn.First()
	}
	if got := walkAll(t, db, nil); fmt.Sprint(got) != "[a010x z]" {
		t.Fatalf("keys %q, want a010x and z", got)
	}
}

// TestSpareLogIsNewer: a log made ahead while a rotation makes its own must have the
// larger number, because recovery replays logs by number.
func TestSpareLogIsNewer(t *testing.T) {
	db, err := Open("/db", &Options{FS: vfs.NewMem()})
	mustDo(t, err)
	defer db.Close()
	for range 200 {
		var wg sync.WaitGroup
		db.mu.Lock()
		for db.sparing {
			db.cond.Wait()
		}
		old := db.spareLog
		db.spareLog = nil // as after one that could not be made
		db.mu.Unlock()
		if old != nil {
			mustDo(t, old.close())
			mustDo(t, db.fs.Remove(db.logPath(old.num)))
		}
		stop := make(chan bool)
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				db.mu.Lock()
				db.scheduleLocked()
				db.mu.Unlock()
			}
		})
		mine, err := db.takeSpareLog()
		mustDo(t, err)
		db.mu.Lock()
		for db.sparing || db.spareLog == nil {
			if !db.sparing {
				db.scheduleLocked()
			}
			db.cond.Wait()
		}
		spare := db.spareLog.num
		db.mu.Unlock()
		close(stop)
		wg.Wait()
		if spare < mine.num {
			t.Fatalf("the log in use is %d, the next one %d", mine.num, spare)
		}
		mustDo(t, mine.close())
		mustDo(t, db.fs.Remove(db.logPath(mine.num)))
	}
}

// TestReadOnlyIdle: a read-only store has nothing to wait for, not even with commits
// that were replayed into memory.
func TestReadOnlyIdle(t *testing.T) {
	fs := vfs.NewMem()
	db, err := Open("/db", &Options{FS: fs})
	mustDo(t, err)
	mustDo(t, db.Put([]byte("k"), nil))
	mustDo(t, db.Close())
	ro, err := Open("/db", &Options{FS: fs, ReadOnly: true})
	mustDo(t, err)
	defer ro.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	mustDo(t, ro.WaitIdle(ctx))
}

// countingFS counts files that are open.
type countingFS struct {
	vfs.FS
	mu   sync.Mutex
	open map[string]int
	hook func(op, name string)
}

type countedFile struct {
	vfs.File
	fs   *countingFS
	name string
	once *sync.Once
}

func (c *countingFS) count(f vfs.File, err error, name string) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[name]++
	return countedFile{f, c, name, new(sync.Once)}, nil
}

func (c *countingFS) Open(name string) (vfs.File, error) {
	f, err := c.FS.Open(name)
	return c.count(f, err, name)
}

func (c *countingFS) Create(name string) (vfs.File, error) {
	f, err := c.FS.Create(name)
	return c.count(f, err, name)
}

func (c *countingFS) Link(from, to string) error {
	if h := c.hook; h != nil {
		h("link", to)
	}
	return c.FS.Link(from, to)
}

func (f countedFile) Close() error {
	f.once.Do(func() {
		f.fs.mu.Lock()
		defer f.fs.mu.Unlock()
		if f.fs.open[f.name]--; f.fs.open[f.name] == 0 {
			delete(f.fs.open, f.name)
		}
	})
	return f.File.Close()
}

// TestFilesAreClosed: neither a checkpoint that is refused nor a read-only store keeps
// files open.
func TestFilesAreClosed(t *testing.T) {
	fs := &countingFS{FS: vfs.NewMem(), open: make(map[string]int)}
	db, err := Open("/db", &Options{FS: fs})
	mustDo(t, err)
	mustDo(t, db.Put([]byte("k"), nil))
	mustDo(t, db.Flush())
	mustDo(t, db.Put([]byte("l"), nil))
	if err := db.Checkpoint("/db"); err == nil {
		t.Fatal("a checkpoint over the store itself")
	}
	mustDo(t, db.Close())
	if len(fs.open) > 0 {
		t.Fatalf("open after Checkpoint and Close: %v", fs.open)
	}
	ro, err := Open("/db", &Options{FS: fs, ReadOnly: true})
	mustDo(t, err)
	it, err := ro.NewIter(nil)
	mustDo(t, err)
	it.First()
	mustDo(t, ro.Close())
	mustDo(t, it.Close())
	if len(fs.open) > 0 {
		t.Fatalf("open after Close of a read-only store: %v", fs.open)
	}
}

// TestCloseWaitsForIngest: an Ingest that brings files in has Close wait: afterwards the
// directory may belong to somebody else, who gives out the same file numbers.
func TestCloseWaitsForIngest(t *testing.T) {
	fs := &countingFS{FS: vfs.NewMem(), open: make(map[string]int)}
	db, err := Open("/db", &Options{FS: fs})
	mustDo(t, err)
	mustDo(t, fs.MkdirAll("/in"))
	w, err := NewTableWriter("/in/t", &Options{FS: fs})
	mustDo(t, err)
	mustDo(t, w.Put([]byte("k"), nil))
	mustDo(t, w.Finish())
	closed := make(chan error, 1)
	early := false
	fs.hook = func(string, string) {
		go func() { closed <- db.Close() }()
		select {
		case err := <-closed:
			closed <- err
			early = true
		case <-time.After(200 * time.Millisecond):
		}
	}
	err = db.Ingest([]string{"/in/t"})
	if early {
		t.Fatal("Close returned while Ingest was writing into the directory")
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	mustDo(t, <-closed)
}

// TestBatchOfTinyOps: what a batch takes in memory is bounded too, not only its encoding.
func TestBatchOfTinyOps(t *testing.T) {
	db, err := Open("/db", &Options{FS: vfs.NewMem()})
	mustDo(t, err)
	defer db.Close()
	b := db.NewBatch()
	b.need = maxBatchNeed - opOverhead
	if err := b.Delete([]byte("k")); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if err := b.Commit(None); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	b.Reset()
	mustDo(t, b.Delete([]byte("k")))
	mustDo(t, b.Commit(None))
}

// TestMetricsDuringDeleteRange is for the race detector.
func TestMetricsDuringDeleteRange(t *testing.T) {
	db, err := Open("/db", &Options{FS: vfs.NewMem(), Durability: None})
	mustDo(t, err)
	defer db.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 200 {
			db.Metrics()
		}
	})
	for i := range 200 {
		mustDo(t, db.DeleteRange(fmt.Appendf(nil, "%03d", i), nil))
	}
	wg.Wait()
}

// TestTxnForgetsClosedIterators: a long View with many iterators, one at a time, does not
// keep them all.
func TestTxnForgetsClosedIterators(t *testing.T) {
	db, err := Open("/db", &Options{FS: vfs.NewMem(), Executor: NewStepper()})
	mustDo(t, err)
	defer db.Close()
	mustDo(t, db.Put([]byte("k"), nil))
	var open *Iterator
	mustDo(t, db.View(func(tx *Txn) error {
		open, err = tx.NewIter(nil)
		mustDo(t, err)
		for range 1000 {
			it, err := tx.NewIter(nil)
			mustDo(t, err)
			mustDo(t, it.Close())
		}
		if n := len(tx.iters); n > 10 {
			t.Errorf("%d iterators are kept", n)
		}
		if !open.First() {
			t.Error(open.Err())
		}
		return nil
	}))
	if !errors.Is(open.Err(), ErrClosed) || db.stats.iterators.Load() != 0 {
		t.Errorf("after the transaction: %v, %d iterators", open.Err(), db.stats.iterators.Load())
	}
}
