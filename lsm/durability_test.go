package lsm_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Moments that the random tests meet too seldom.

// TestGroupSyncsForAnyMember commits a group of which one member asks for Sync: all of
// it, and what came before, survives a power cut.
func TestGroupSyncsForAnyMember(t *testing.T) {
	for who := range 3 {
		m, steps := vfs.NewMem(), lsm.NewStepper()
		db, err := lsm.OpenShaped(storeDir, &lsm.Options{FS: m, Executor: steps, Seed: 1, Durability: lsm.None}, tiny)
		must(t, err)
		must(t, db.Put(key(0), nil))
		done := 0
		for i := range 3 {
			d := lsm.None
			if i == who {
				d = lsm.Sync
			}
			b := db.NewBatch()
			must(t, b.Put(key(1+i), nil))
			b.CommitAsync(d, func(_ uint64, err error) {
				must(t, err)
				done++
			})
		}
		for done < 3 && steps.Step() {
		}
		after := reopened(t, m.CrashClone(vfs.CrashOptions{}))
		for i := range 2 + who {
			if _, err := after.Get(key(i)); done != 3 || err != nil {
				t.Errorf("member %d asked for Sync, %d were acknowledged, and key %d: %v", who, done, i, err)
			}
		}
		must(t, db.Close())
	}
}

// TestFailedSyncPoisons fails each sync of everything that a store does, one in each
// run: Open fails, or writes are refused from then on, or Close says so; and nobody
// syncs that file again.
func TestFailedSyncPoisons(t *testing.T) {
	// everything fails sync number n and returns which that was, how often its file was
	// synced afterwards, and what Open, else a write at the end, else Close answers.
	everything := func(n int, how error) (hit vfs.Op, again int, err error) {
		m := vfs.NewMem()
		f := vfs.NewFault(m)
		f.SetHook(func(op vfs.Op) error {
			if !syncs(op.Kind) || strings.HasPrefix(op.Name, "/table") {
				return nil
			}
			if n--; n == -1 {
				hit = op
				return how
			}
			if n < -1 && op.Kind == vfs.OpSync && op.Name == hit.Name {
				again++
			}
			return nil
		})
		db, err := lsm.OpenShaped(storeDir, &lsm.Options{FS: f, Executor: lsm.NewStepper(), Seed: 1}, tiny)
		if err != nil {
			return hit, again, err
		}
		w, err := lsm.NewTableWriter("/table", &lsm.Options{FS: f})
		must(t, err)
		must(t, w.Put(key(7), nil))
		must(t, w.Finish())
		for i := range 3 {
			_ = errors.Join(
				db.Put(key(i), nil), db.Flush(), db.Put(key(i), nil), db.Sync(), db.Put(key(i), nil),
				lsm.RollManifest(db), db.Compact(t.Context(), nil, nil),
			)
			if i == 1 {
				_ = errors.Join(db.Checkpoint("/copy"), db.Ingest([]string{"/table"}), db.Excise(key(1), key(2)))
			}
		}
		before := hit.Name != ""
		err = db.Put(key(8), nil)
		if before && !errors.Is(err, lsm.ErrReadOnly) {
			t.Errorf("after a failed %v a write answers %v", hit, err)
		}
		return hit, again, errors.Join(err, db.Close())
	}
	for _, how := range []error{syscall.EIO, vfs.ErrLostSync} {
		for n := 0; ; n++ {
			hit, again, err := everything(n, how)
			if hit.Name == "" {
				must(t, err)
				if n < 30 {
					t.Errorf("%d syncs only", n)
				}
				break
			}
			if err == nil {
				t.Errorf("a failed %v went unnoticed", hit)
			}
			if again > 0 {
				t.Errorf("after a failed %v the file was synced again", hit)
			}
		}
	}
}

// TestLogBehindATornOne loses the end of a log, from each of its frames on, while the
// log that follows is whole: what is left is a prefix.
func TestLogBehindATornOne(t *testing.T) {
	m := vfs.NewMem()
	db, err := lsm.OpenShaped(storeDir, &lsm.Options{FS: m, Executor: lsm.NewStepper(), Seed: 1, Durability: lsm.OS}, tiny)
	must(t, err)
	defer db.Close()
	n := 0
	for ; len(storeFiles(t, m, ".log")) < 2 || n%10 != 0; n++ { // nothing is flushed meanwhile
		must(t, db.Put(key(n), val(n, 500)))
	}
	logs := storeFiles(t, m, ".log")
	slices.Sort(logs)
	whole := filesOf(t, m, storeDir)[filepath.Base(logs[0])]
	_, num, _ := manifest.ParseName(filepath.Base(logs[0]))
	var ends []int64
	_, err = wal.ScanFrames(bytes.NewReader(whole), int64(len(whole)), logs[0], wal.KindLog, num, wal.ScanOptions{}, func(f *wal.Frame) error {
		ends = append(ends, f.Offset+f.Len, f.Offset+f.Len-1)
		return nil
	})
	must(t, err)
	for _, end := range ends[:len(ends)-2] {
		clone := m.CrashClone(vfs.CrashOptions{Survive: 1})
		putFile(t, clone, logs[0], whole[:end])
		db := reopened(t, clone)
		gone := false
		for i := range n {
			_, err := db.Get(key(i))
			if err == nil && gone {
				t.Fatalf("the log was cut to %d of %d bytes; key %d is there, and one before is not", end, len(whole), i)
			}
			gone = gone || err != nil
		}
		if !gone {
			t.Errorf("the log was cut to %d of %d bytes, and nothing is missing", end, len(whole))
		}
	}
}

// TestCheckpointOfSealedMemtables makes a checkpoint while memtables wait for their
// flush: what is in them is in it.
func TestCheckpointOfSealedMemtables(t *testing.T) {
	m := vfs.NewMem()
	db, err := lsm.OpenShaped(storeDir, &lsm.Options{FS: m, Executor: lsm.NewStepper(), Seed: 1, Durability: lsm.None}, tiny)
	must(t, err)
	defer db.Close()
	n := 0
	for ; db.Metrics().SealedMemtables < tiny.Sealed; n++ {
		must(t, db.Put(key(n), val(n, 500)))
	}
	must(t, db.Checkpoint("/copy"))
	for _, sys := range []*vfs.Mem{m, m.CrashClone(vfs.CrashOptions{})} {
		copied, err := lsm.Open("/copy", &lsm.Options{FS: sys, ReadOnly: true})
		must(t, err)
		hasKeys(t, copied, n)
		must(t, copied.Close())
	}
}

// TestRotationDuringFlush seals a memtable while another one is being flushed: its log
// stays.
func TestRotationDuringFlush(t *testing.T) {
	m, steps := vfs.NewMem(), lsm.NewStepper()
	f := vfs.NewFault(m)
	db, err := lsm.OpenShaped(storeDir, &lsm.Options{FS: f, Executor: steps, Seed: 1, Durability: lsm.Sync}, tiny)
	must(t, err)
	n := 0
	fill := func(until func() bool) {
		for ; !until(); n++ {
			must(t, db.Put(key(n), val(n, 500)))
		}
	}
	fill(func() bool { return db.Metrics().SealedMemtables == 1 })
	inside := false
	f.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpCreate && strings.HasSuffix(op.Name, ".sst") && !inside {
			inside = true
			fill(func() bool { return db.Metrics().SealedMemtables == 2 })
		}
		return nil
	})
	for db.Metrics().Flushes == 0 && steps.Step() {
	}
	f.SetHook(nil)
	if got := db.Metrics(); !inside || got.Flushes != 1 || got.SealedMemtables != 1 {
		t.Fatalf("%v, %d flushes, %d memtables are sealed", inside, got.Flushes, got.SealedMemtables)
	}
	for _, survive := range []float64{0, 1} {
		hasKeys(t, reopened(t, m.CrashClone(vfs.CrashOptions{Survive: survive})), n)
	}
	must(t, db.Close())
}
