package lsm_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// fillDisk writes until the disk is full, and returns how many keys were taken. What
// is refused is refused at once.
func fillDisk(t *testing.T, db *lsm.DB, d lsm.Durability, from int) int {
	t.Helper()
	for i := from; ; i++ {
		b := db.NewBatch()
		must(t, b.Put(key(i), val(i, 500)))
		start := time.Now()
		err := b.Commit(d)
		if took := time.Since(start); took > 5*time.Second {
			t.Fatalf("write %d took %v", i, took)
		}
		switch {
		case errors.Is(err, lsm.ErrNoSpace):
			return i
		case err != nil:
			t.Fatalf("write %d on a disk that fills: %v", i, err)
		case i > 1_000_000:
			t.Fatal("the disk is never full")
		}
	}
}

func hasKeys(t *testing.T, db *lsm.DB, n int) {
	t.Helper()
	for i := range n {
		if v, err := db.Get(key(i)); err != nil || !bytes.Equal(v, val(i, 500)) {
			t.Fatalf("key %d of %d: %.20q, %v", i, n, v, err)
		}
	}
	if _, err := db.Get(key(n)); !errors.Is(err, lsm.ErrNotFound) {
		t.Fatalf("key %d was refused, and is there: %v", n, err)
	}
}

// TestFullDisk fills the disk, sees that writes are refused and reads go on, makes
// room, and sees that writing recovers by itself; with goroutines and stepped, at each
// durability, several times over.
func TestFullDisk(t *testing.T) {
	for _, stepped := range []bool{true, false} {
		for _, d := range []lsm.Durability{lsm.Sync, lsm.OS, lsm.None} {
			t.Run(fmt.Sprintf("stepped=%v/%v", stepped, d), func(t *testing.T) {
				if stepped {
					lsm.Alone(t)
				}
				m := vfs.NewMem()
				o := &lsm.Options{FS: m, Seed: 1, Durability: d, BlockSize: 1 << 10}
				if stepped {
					o.Executor = lsm.NewStepper()
				}
				m.SetCapacity(300 << 10)
				db, err := lsm.OpenShaped(storeDir, o, tiny)
				must(t, err)
				n := 0
				for round := range 3 {
					n = fillDisk(t, db, d, n)
					hasKeys(t, db, n)
					for range 20 { // it stays refused, and stays quick
						if got := fillDisk(t, db, d, n); got > n {
							n = got // a compaction made room
						}
					}
					hasKeys(t, db, n)
					m.SetCapacity(int64(300<<10) * int64(round+2))
					writesAgain(t, db, d, n)
					n++
					hasKeys(t, db, n)
				}
				m.SetCapacity(0)
				must(t, db.Flush())
				hasKeys(t, db, n)
				must(t, db.Close())
				o.Executor = lsm.NewStepper()
				db, err = lsm.OpenShaped(storeDir, o, tiny)
				must(t, err)
				hasKeys(t, db, n)
				must(t, noOrphans(m, db))
				must(t, db.Close())
			})
		}
	}
}

// writesAgain waits until the store takes writes, and writes key n.
func writesAgain(t *testing.T, db *lsm.DB, d lsm.Durability, n int) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		b := db.NewBatch()
		must(t, b.Put(key(n), val(n, 500)))
		err := b.Commit(d)
		if err == nil {
			return
		}
		if !errors.Is(err, lsm.ErrNoSpace) || time.Since(start) > 3*time.Second {
			t.Fatalf("there is room for %v, and a write gets: %v", time.Since(start), err)
		}
	}
}

// TestFullDiskManyWriters is a full disk under concurrent writers and readers.
func TestFullDiskManyWriters(t *testing.T) {
	m := vfs.NewMem()
	m.SetCapacity(600 << 10)
	db, err := lsm.OpenShaped(storeDir, &lsm.Options{FS: m, BlockSize: 1 << 10}, tiny)
	must(t, err)
	var wg sync.WaitGroup
	taken := make([]map[int]bool, 4)
	stop := make(chan struct{})
	time.AfterFunc(500*time.Millisecond, func() { m.SetCapacity(8 << 20) })
	time.AfterFunc(1200*time.Millisecond, func() { close(stop) })
	for w := range taken {
		taken[w] = map[int]bool{}
		wg.Go(func() {
			for i := w; ; i += len(taken) {
				select {
				case <-stop:
					return
				default:
				}
				err := db.Put(key(i), val(i, 300))
				switch {
				case err == nil:
					taken[w][i] = true
				case !errors.Is(err, lsm.ErrNoSpace):
					t.Errorf("write: %v", err)
					return
				default:
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
	m.SetCapacity(0)
	total := 0
	for w := range taken {
		for i := range taken[w] {
			total++
			if v, err := db.Get(key(i)); err != nil || !bytes.Equal(v, val(i, 300)) {
				t.Fatalf("key %d: %.20q, %v", i, v, err)
			}
		}
	}
	it, err := db.NewIter(nil)
	must(t, err)
	n := 0
	for range it.All() {
		n++
	}
	must(t, errors.Join(it.Err(), it.Close()))
	if n != total {
		t.Fatalf("%d keys are there, %d were acknowledged", n, total)
	}
	must(t, db.Put([]byte("end"), nil))
	must(t, db.Close())
}
