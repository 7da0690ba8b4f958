package lsm_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Each of these was wrong once.

// failing opens a stepped store on a file system that fails what fails says.
func failing(t *testing.T) (db *lsm.DB, m *vfs.Mem, fail func(func(vfs.Op) error)) {
	t.Helper()
	m = vfs.NewMem()
	f := vfs.NewFault(m)
	db, err := lsm.OpenShaped(storeDir, &lsm.Options{FS: f, Executor: lsm.NewStepper(), Seed: 1, Durability: lsm.None}, tiny)
	must(t, err)
	return db, m, f.SetHook
}

// ends is a hook that fails one kind of operation on files whose names end so.
func ends(kind vfs.OpKind, suffix string, err error) func(vfs.Op) error {
	return func(op vfs.Op) error {
		if op.Kind == kind && strings.HasSuffix(op.Name, suffix) {
			return err
		}
		return nil
	}
}

func reopened(t *testing.T, m *vfs.Mem) *lsm.DB {
	t.Helper()
	db, err := lsm.OpenShaped(storeDir, &lsm.Options{FS: m, Executor: lsm.NewStepper(), Seed: 1}, tiny)
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Close recorded where the log would have ended, had there been room for its end, and
// the next Open took the rest for lost.
func TestCloseOnFullDisk(t *testing.T) {
	db, m, fail := failing(t)
	must(t, db.Put(key(1), val(1, 10)))
	must(t, db.Sync())
	must(t, db.Put(key(2), val(2, 10)))
	fail(ends(vfs.OpWrite, ".log", syscall.ENOSPC))
	if err := db.Close(); !errors.Is(err, lsm.ErrNoSpace) {
		t.Errorf("Close: %v", err)
	}
	db = reopened(t, m)
	if _, err := db.Get(key(1)); err != nil {
		t.Error(err)
	}
	if _, err := db.Get(key(2)); !errors.Is(err, lsm.ErrNotFound) {
		t.Error(err)
	}
}

// A poisoned store was closed without an error, although commits were lost.
func TestCloseOfPoisonedStoreSaysSo(t *testing.T) {
	db, _, fail := failing(t)
	must(t, db.Put(key(1), nil))
	fail(ends(vfs.OpSync, ".log", syscall.EIO))
	if err := db.Sync(); !errors.Is(err, lsm.ErrReadOnly) || !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	if err := db.Close(); !errors.Is(err, lsm.ErrReadOnly) {
		t.Errorf("Close: %v", err)
	}
}

// The sync of a table that a flush writes was tried again when it had failed.
func TestFailedSyncOfTablePoisons(t *testing.T) {
	db, m, fail := failing(t)
	must(t, db.Put(key(1), val(1, 10)))
	must(t, db.Sync())
	fail(ends(vfs.OpSync, ".sst", vfs.ErrLostSync))
	if err := db.Flush(); !errors.Is(err, lsm.ErrReadOnly) {
		t.Errorf("Flush: %v", err)
	}
	fail(nil)
	for _, err := range []error{db.Put(key(2), nil), db.Flush(), db.Compact(t.Context(), nil, nil), db.Sync()} {
		if !errors.Is(err, lsm.ErrReadOnly) {
			t.Error(err)
		}
	}
	if _, err := db.Get(key(1)); err != nil {
		t.Error(err)
	}
	_ = db.Close()
	db = reopened(t, m)
	if _, err := db.Get(key(1)); err != nil {
		t.Error(err)
	}
	must(t, db.Put(key(2), nil))
}

// A failed write to the log that could not be undone left the store taking writes.
func TestBrokenLogPoisons(t *testing.T) {
	for _, undo := range []vfs.OpKind{vfs.OpTruncate, vfs.OpSync} {
		for _, d := range []lsm.Durability{lsm.Sync, lsm.OS} {
			db, _, fail := failing(t)
			fail(func(op vfs.Op) error {
				if op.Kind == vfs.OpWrite || op.Kind == undo {
					return syscall.EIO
				}
				return nil
			})
			for range 2 {
				b := db.NewBatch()
				must(t, b.Put(key(1), nil))
				if err := b.Commit(d); !errors.Is(err, lsm.ErrReadOnly) {
					t.Errorf("%v, %v fails too: %v", d, undo, err)
				}
				fail(nil)
			}
			_ = db.Close()
		}
	}
}

// The note in the manifest that an edit was synced broke the manifest, and nobody
// looked.
func TestBrokenManifestPoisons(t *testing.T) {
	db, m, fail := failing(t)
	must(t, db.Put(key(1), val(1, 10)))
	writes := 0
	fail(func(op vfs.Op) error {
		if !strings.Contains(op.Name, "MANIFEST") {
			return nil
		}
		if op.Kind == vfs.OpWrite {
			writes++
		}
		if writes == 2 && (op.Kind == vfs.OpWrite || op.Kind == vfs.OpTruncate) {
			return syscall.EIO
		}
		return nil
	})
	must(t, db.Flush())
	if writes != 2 {
		t.Fatalf("%d writes to the manifest, the second is to fail", writes)
	}
	if err := db.Put(key(2), nil); !errors.Is(err, lsm.ErrReadOnly) {
		t.Error(err)
	}
	_ = db.Close()
	if _, err := reopened(t, m).Get(key(1)); err != nil {
		t.Error(err)
	}
}

// With a flush that failed for good a stepped store went round for ever.
func TestFlushThatAlwaysFailsDoesNotHang(t *testing.T) {
	db, m, fail := failing(t)
	fail(ends(vfs.OpCreate, ".sst", syscall.EMFILE))
	n := 0
	for ; ; n++ {
		if err := db.Put(key(n), val(n, 500)); err != nil {
			if !errors.Is(err, syscall.EMFILE) {
				t.Error(err)
			}
			break
		}
	}
	for _, err := range []error{db.Flush(), db.Compact(t.Context(), nil, nil), db.WaitIdle(t.Context()), db.Put(key(n), val(n, 50000))} {
		if !errors.Is(err, syscall.EMFILE) {
			t.Error(err)
		}
	}
	fail(nil)
	must(t, db.Put(key(n), val(n, 500)))
	must(t, db.Flush())
	must(t, db.Close())
	hasKeys(t, reopened(t, m), n+1)
}

// A compaction that failed made writes fail, as if it had been a flush.
func TestCompactionThatFailsStopsNoWrites(t *testing.T) {
	m := vfs.NewMem()
	f := vfs.NewFault(m)
	steps := lsm.NewStepper()
	db, err := lsm.OpenShaped(storeDir, &lsm.Options{FS: f, Executor: steps, Seed: 1, Durability: lsm.None}, tiny)
	must(t, err)
	f.SetHook(ends(vfs.OpRead, ".sst", syscall.EIO))
	const n = 3000
	for i := range n {
		j := i * 7919 % n // no table can be moved down as it is
		must(t, db.Put(key(j), val(j, 500)))
		steps.Step()
	}
	if db.Metrics().BackgroundErrors == 0 {
		t.Error("no compaction has failed")
	}
	f.SetHook(nil)
	must(t, db.WaitIdle(t.Context()))
	hasKeys(t, db, n)
	must(t, db.Close())
}

// A rotation that had no room for the next log gave the bare error of the disk.
func TestRotationOnFullDisk(t *testing.T) {
	for _, kind := range []vfs.OpKind{vfs.OpCreate, vfs.OpWrite} {
		db, _, fail := failing(t)
		must(t, db.Put(key(1), nil))
		fail(ends(kind, ".log", syscall.ENOSPC))
		if err := db.Flush(); !errors.Is(err, lsm.ErrNoSpace) {
			t.Errorf("%v: %v", kind, err)
		}
		fail(nil)
		must(t, db.Flush())
		must(t, db.Close())
	}
}

// A log that a failed rotation had made, and could not remove, stood between two logs;
// Open said that the second was missing.
func TestLogLeftByFailedRotation(t *testing.T) {
	db, m, fail := failing(t)
	must(t, db.Put(key(0), val(0, 500)))
	fail(func(op vfs.Op) error {
		if strings.HasSuffix(op.Name, ".log") && (op.Kind == vfs.OpWrite || op.Kind == vfs.OpRemove) {
			return syscall.EIO
		}
		return nil
	})
	if err := db.Flush(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	fail(ends(vfs.OpCreate, ".sst", syscall.EIO))
	if err := db.Flush(); !errors.Is(err, syscall.EIO) { // rotates, and leaves the memtable
		t.Fatal(err)
	}
	must(t, db.Put(key(1), val(1, 500)))
	must(t, db.Sync())
	if logs := storeFiles(t, m, ".log"); len(logs) != 3 {
		t.Fatal(logs)
	}
	for _, survive := range []float64{0, 1} {
		clone := m.CrashClone(vfs.CrashOptions{Survive: survive})
		db := reopened(t, clone)
		hasKeys(t, db, 2)
		must(t, noOrphans(clone, db))
		ro, err := lsm.Open(storeDir, &lsm.Options{FS: m.CrashClone(vfs.CrashOptions{Survive: survive}), ReadOnly: true})
		must(t, err)
		hasKeys(t, ro, 2)
		must(t, ro.Close())
	}
	fail(nil)
	must(t, db.Close())
}

// Finish of a table answered ErrClosed, whatever had gone wrong.
func TestTableWriterTellsWhatFailed(t *testing.T) {
	f := vfs.NewFault(vfs.NewMem())
	w, err := lsm.NewTableWriter("/t", &lsm.Options{FS: f})
	must(t, err)
	must(t, w.Put(key(1), nil))
	f.SetHook(ends(vfs.OpWrite, "/t", syscall.ENOSPC))
	if err := w.Finish(); !errors.Is(err, lsm.ErrNoSpace) {
		t.Error(err)
	}
	if err := w.Finish(); !errors.Is(err, lsm.ErrClosed) {
		t.Error(err)
	}
}

// A table is copied where it cannot be linked; a failed sync of the copy was taken lightly.
func TestFailedSyncOfIngestedCopyPoisons(t *testing.T) {
	db, m, fail := failing(t)
	w, err := lsm.NewTableWriter("/t", &lsm.Options{FS: m})
	must(t, err)
	must(t, w.Put(key(1), nil))
	must(t, w.Finish())
	fail(func(op vfs.Op) error {
		if op.Kind == vfs.OpLink || op.Kind == vfs.OpSync && strings.HasSuffix(op.Name, ".sst") {
			return syscall.EIO
		}
		return nil
	})
	if err := db.Ingest([]string{"/t"}); !errors.Is(err, lsm.ErrReadOnly) {
		t.Error(err)
	}
	fail(nil)
	if err := db.Put(key(2), nil); !errors.Is(err, lsm.ErrReadOnly) {
		t.Error(err)
	}
	_ = db.Close()
}
