package lsm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// TestUseAfterClose calls everything there is on a closed store.
func TestUseAfterClose(t *testing.T) {
	for _, stepped := range []bool{false, true} {
		o := &lsm.Options{FS: vfs.NewMem()}
		if stepped {
			o.Executor = lsm.NewStepper()
		}
		db := open(t, "/db", o)
		must(t, db.Put([]byte("k"), []byte("value")))
		it, err := db.NewIter(nil)
		must(t, err)
		it.First()
		snap := db.NewSnapshot()
		snapIter, err := snap.NewIter(nil)
		must(t, err)
		b := db.NewBatch()
		must(t, b.Put([]byte("k"), nil))
		var inTxn error
		txErr := db.Update(func(tx *lsm.Txn) error {
			must(t, db.Close())
			_, inTxn = tx.Get([]byte("k"))
			_, err := tx.NewIter(nil)
			return errors.Join(err, tx.Put([]byte("k"), nil))
		})
		if string(it.Value()) != "value" {
			t.Errorf("the value under an open iterator is %q", it.Value())
		}
		for name, err := range closedAnswers(db, b, snap) {
			if !errors.Is(err, lsm.ErrClosed) {
				t.Errorf("%s answers %v", name, err)
			}
		}
		for name, err := range map[string]error{"Txn.Get": inTxn, "Update": txErr, "Iterator.Err": it.Err()} {
			if !errors.Is(err, lsm.ErrClosed) {
				t.Errorf("%s answers %v", name, err)
			}
		}
		for _, it := range []*lsm.Iterator{it, snapIter} {
			if it.First() || it.Last() || it.SeekGE(nil) || it.SeekLT([]byte("z")) || it.Next() || it.Prev() || it.Valid() {
				t.Error("an iterator moves on a closed store")
			}
			must(t, it.Close())
		}
		must(t, snap.Close())
		must(t, db.Close())
		_ = db.Metrics().String()
	}
}

// closedAnswers is what each call on a closed store answers.
func closedAnswers(db *lsm.DB, b *lsm.Batch, snap *lsm.Snapshot) map[string]error {
	k, ctx := []byte("k"), context.Background()
	second := func(_ any, err error) error { return err }
	async := make(chan error, 1)
	b.CommitAsync(lsm.None, func(_ uint64, err error) { async <- err })
	out := map[string]error{
		"CommitAsync": <-async,
		"Commit":      b.Commit(lsm.Sync),
		"Put":         db.Put(k, k), "PutTTL": db.PutTTL(k, k, time.Second), "Delete": db.Delete(k), "DeleteRange": db.DeleteRange(k, nil),
		"Sync": db.Sync(), "Flush": db.Flush(), "Compact": db.Compact(ctx, nil, nil), "Compact of nothing": db.Compact(ctx, k, k),
		"Checkpoint": db.Checkpoint("/copy"), "Verify": db.Verify(ctx), "WaitIdle": db.WaitIdle(ctx),
		"Ingest": db.Ingest([]string{"/x"}), "Excise": db.Excise(k, nil),
		"View":   db.View(func(*lsm.Txn) error { return nil }),
		"Update": db.Update(func(*lsm.Txn) error { return nil }),
	}
	read := func(name string, x interface {
		Get([]byte) ([]byte, error)
		AppendGet(dst, key []byte) ([]byte, error)
		Has([]byte) (bool, error)
		MultiGet([][]byte) ([][]byte, error)
		NewIter(*lsm.IterOptions) (*lsm.Iterator, error)
	}) {
		v, err := x.Get(k)
		out[name+".Get"] = second(v, err)
		v, err = x.AppendGet(nil, k)
		out[name+".AppendGet"] = second(v, err)
		ok, err := x.Has(k)
		out[name+".Has"] = second(ok, err)
		vs, err := x.MultiGet([][]byte{k})
		out[name+".MultiGet"] = second(vs, err)
		it, err := x.NewIter(nil)
		out[name+".NewIter"] = second(it, err)
	}
	read("DB", db)
	read("Snapshot", snap)
	read("Snapshot made afterwards", db.NewSnapshot())
	return out
}

// TestCloseUnderUse closes a store while everything goes on: each call ends with a
// result or ErrClosed, and no goroutine is left.
func TestCloseUnderUse(t *testing.T) {
	before := engineGoroutines()
	for round := range 6 {
		db, err := lsm.OpenShaped("/db", &lsm.Options{FS: vfs.NewMem(), Durability: lsm.Durability(round % 3)},
			lsm.Shape{Memory: 1 << 20, Memtable: 16 << 10, Table: 8 << 10, BaseLevel: 32 << 10, Fanout: 3})
		must(t, err)
		var wait sync.WaitGroup
		for i := range 8 {
			wait.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(i), uint64(round)))
				for {
					err := useOnce(db, rng)
					if errors.Is(err, lsm.ErrClosed) {
						return
					}
					if err != nil && !errors.Is(err, lsm.ErrConflict) && !errors.Is(err, lsm.ErrNotFound) {
						t.Error(err)
						return
					}
				}
			})
		}
		time.Sleep(time.Duration(20+round*10) * time.Millisecond)
		must(t, db.Close())
		wait.Wait()
	}
	deadline := time.Now().Add(5 * time.Second)
	for engineGoroutines() > before {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("goroutines are left:\n%s", buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(time.Millisecond)
	}
}

// engineGoroutines counts the goroutines that are in the package.
func engineGoroutines() int {
	buf := make([]byte, 1<<20)
	n := 0
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "ringwood/lsm.(*") || strings.Contains(g, "ringwood/lsm/internal/") {
			n++
		}
	}
	return n
}

// useOnce does one thing.
func useOnce(db *lsm.DB, rng *rand.Rand) error {
	k, ctx := key(rng.IntN(300)), context.Background()
	switch rng.IntN(14) {
	case 0:
		_, err := db.Get(k)
		return err
	case 1, 2:
		it, err := db.NewIter(nil)
		if err != nil {
			return err
		}
		defer it.Close()
		for it.SeekGE(k); it.Valid() && rng.IntN(20) > 0; it.Next() {
			_ = fmt.Sprint(len(it.Key()), len(it.Value()))
		}
		return it.Err()
	case 3:
		s := db.NewSnapshot()
		defer s.Close()
		_, err := s.Get(k)
		return err
	case 4:
		return db.Update(func(tx *lsm.Txn) error {
			if _, err := tx.Get(k); err != nil && !errors.Is(err, lsm.ErrNotFound) {
				return err
			}
			return tx.Put(key(rng.IntN(300)), k)
		})
	case 5:
		return db.Flush()
	case 6:
		return db.Compact(ctx, k, nil)
	case 7:
		return db.DeleteRange(k, key(rng.IntN(300)))
	case 8:
		b := db.NewBatch()
		_ = b.Put(k, make([]byte, 100))
		done := make(chan error, 1)
		b.CommitAsync(lsm.OS, func(_ uint64, err error) { done <- err })
		return <-done
	case 9:
		if rng.IntN(10) == 0 {
			return db.WaitIdle(ctx)
		}
		return db.Excise(k, key(rng.IntN(300)))
	case 10:
		return db.Verify(ctx)
	}
	return db.Put(k, make([]byte, rng.IntN(2000)))
}
