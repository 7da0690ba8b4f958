package lsm

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// TestWorkingDirectoryChanges: a store that was opened by a relative path stays where it
// is.
func TestWorkingDirectoryChanges(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	t.Chdir(a)
	db, err := Open("data", nil)
	mustDo(t, err)
	other, err := Open(filepath.Join(b, "data"), nil)
	mustDo(t, err)
	mustDo(t, other.Close())
	t.Chdir(b)
	mustDo(t, db.Put([]byte("k"), []byte("v")))
	mustDo(t, db.Flush())
	mustDo(t, db.Put([]byte("l"), []byte("v")))
	mustDo(t, db.Close())
	for dir, want := range map[string]int{a: 2, b: 0} {
		db, err := Open(filepath.Join(dir, "data"), nil)
		mustDo(t, err)
		if got := walkAll(t, db, nil); len(got) != want {
			t.Errorf("%v, want %d keys", got, want)
		}
		mustDo(t, db.Close())
	}
	w, err := NewTableWriter("t.sst", nil)
	mustDo(t, err)
	mustDo(t, w.Put([]byte("k"), nil))
	t.Chdir(a)
	w.Abort()
	if _, err := os.Stat(filepath.Join(b, "t.sst")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an aborted table stays: %v", err)
	}
}

// TestNothingHandedIn: what is nil or zero gets an error or does nothing.
func TestNothingHandedIn(t *testing.T) {
	if _, err := Open("", nil); err == nil {
		t.Error("a store in no directory")
	}
	db, err := Open("/db", &Options{FS: vfs.NewMem()})
	mustDo(t, err)
	defer db.Close()
	b := db.NewBatch()
	mustDo(t, b.Put([]byte("k"), []byte("v")))
	b.CommitAsync(Sync, nil)
	mustDo(t, db.Put([]byte("l"), nil)) // comes after it
	if v, err := db.Get([]byte("k")); err != nil || string(v) != "v" {
		t.Errorf("%q, %v", v, err)
	}
	if db.Update(nil) == nil || db.View(nil) == nil {
		t.Error("a transaction without a function")
	}
	if err := db.VerifyRange(context.Background(), nil, nil, -1); err == nil {
		t.Error("verified at less than nothing a second")
	}
	var s Snapshot
	if _, err := s.Get([]byte("k")); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	mustDo(t, s.Close())
	var it Iterator
	if it.First() || it.Valid() || it.SeekLT(nil) || it.Next() || it.Key() != nil {
		t.Error("an iterator of nothing")
	}
	mustDo(t, it.Close())
	w, err := NewTableWriter("/t.sst", &Options{FS: vfs.NewMem()})
	mustDo(t, err)
	mustDo(t, w.Put([]byte("b"), nil))
	if err := w.Put([]byte("a"), nil); err == nil || !strings.Contains(err.Error(), `key "a" after "b": keys must ascend`) {
		t.Error(err)
	}
}

// TestClockOutOfRange: times are nanoseconds in 64 bits since 1970.
func TestClockOutOfRange(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(-1, 0), time.Unix(0, math.MaxInt64).Add(1)} {
		o := &Options{FS: vfs.NewMem(), Clock: func() time.Time { return at }}
		if _, err := Open("/db", o); err == nil || !strings.Contains(err.Error(), "Clock") {
			t.Errorf("%v: %v", at, err)
		}
	}
}

// TestEmptyKeyIsAKey: nil is for an iterator that stands on none.
func TestEmptyKeyIsAKey(t *testing.T) {
	db, err := Open("/db", &Options{FS: vfs.NewMem()})
	mustDo(t, err)
	defer db.Close()
	mustDo(t, db.Put(nil, []byte("v")))
	for range 2 {
		it, err := db.NewIter(nil)
		mustDo(t, err)
		for _, move := range []func() bool{it.First, it.Last} {
			if !move() || it.Key() == nil || len(it.Key()) != 0 || string(it.Value()) != "v" {
				t.Errorf("%v %q", it.Key(), it.Value())
			}
		}
		mustDo(t, it.Close())
		mustDo(t, db.Flush())
	}
}

// TestTxnAfterClose: a write within a transaction of a closed DB says so.
func TestTxnAfterClose(t *testing.T) {
	db, err := Open("/db", &Options{FS: vfs.NewMem()})
	mustDo(t, err)
	err = db.Update(func(tx *Txn) error {
		mustDo(t, db.Close())
		if err := tx.Put([]byte("k"), nil); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
