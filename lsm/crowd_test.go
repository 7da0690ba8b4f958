package lsm_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// crowd runs functions until time is up, or one has failed.
type crowd struct {
	t    *testing.T
	wait sync.WaitGroup
	stop atomic.Bool
}

func newCrowd(t *testing.T, d time.Duration) *crowd {
	c := &crowd{t: t}
	time.AfterFunc(d, func() { c.stop.Store(true) })
	return c
}

// add runs f again and again on a goroutine of its own.
func (c *crowd) add(f func(rng *rand.Rand) error) {
	seed := rand.Uint64()
	c.wait.Go(func() {
		rng := rand.New(rand.NewPCG(seed, 0))
		for !c.stop.Load() {
			if err := f(rng); err != nil {
				c.t.Error(err)
				c.stop.Store(true)
			}
		}
	})
}

func crowdTime() time.Duration {
	if testing.Short() {
		return 300 * time.Millisecond
	}
	return 1500 * time.Millisecond
}

// openCrowd opens a store on goroutines whose memtables and tables are small.
func openCrowd(t *testing.T) (*lsm.DB, vfs.FS) {
	t.Helper()
	sys := vfs.NewMem()
	o := &lsm.Options{FS: sys, Durability: lsm.None, CompactionConcurrency: 2, MaxOpenFiles: 16, RowCache: 256 << 10}
	db, err := lsm.OpenShaped("/db", o, lsm.Shape{Memory: 2 << 20, Memtable: 32 << 10, Table: 16 << 10, BaseLevel: 64 << 10, Fanout: 3})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db, sys
}

// addUpkeep has flushes, compactions, checkpoints, ingests and looks at the whole store
// happen all the time.
func (c *crowd) addUpkeep(db *lsm.DB, sys vfs.FS) {
	ctx := context.Background()
	var n atomic.Int64
	c.add(func(rng *rand.Rand) error {
		time.Sleep(time.Millisecond)
		switch rng.IntN(8) {
		case 0:
			return db.Flush()
		case 1:
			return db.Compact(ctx, nil, nil)
		case 2:
			return db.Compact(ctx, key(rng.IntN(50)), key(50+rng.IntN(50)))
		case 3:
			return db.Verify(ctx)
		case 4:
			return db.Sync()
		case 5:
			_ = db.Metrics().String()
			return nil
		case 6:
			return db.Excise([]byte("zzz-excised"), nil)
		}
		dir := fmt.Sprintf("/copy%d", n.Add(1))
		if err := db.Checkpoint(dir); err != nil {
			return err
		}
		names, err := sys.List(dir)
		for _, name := range names {
			err = errors.Join(err, sys.Remove(filepath.Join(dir, name)))
		}
		return errors.Join(err, sys.Remove(dir))
	})
}

func encode(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// TestConcurrentMonotone has a writer for each key that counts upwards, with padding
// and deletes elsewhere; whoever reads a key never sees it go back, not by Get, not by
// iterators, and a snapshot always says the same.
func TestConcurrentMonotone(t *testing.T) {
	db, sys := openCrowd(t)
	c := newCrowd(t, crowdTime())
	const keys = 8
	name := func(i int) []byte { return fmt.Appendf(nil, "count%d", i) }
	var acked [keys]atomic.Uint64
	for i := range keys {
		must(t, db.Put(name(i), encode(0)))
		n := uint64(0)
		c.add(func(rng *rand.Rand) error {
			n++
			b := db.NewBatch()
			err := errors.Join(b.Put(name(i), encode(n)), b.Put(key(rng.IntN(500)), make([]byte, rng.IntN(500))), b.Delete(key(rng.IntN(500))))
			if rng.IntN(20) == 0 {
				k := rng.IntN(500)
				err = errors.Join(err, b.DeleteRange(key(k), key(k+20)))
			}
			if err = errors.Join(err, b.Commit(lsm.Durability(rng.IntN(3)))); err == nil {
				acked[i].Store(n)
			}
			return err
		})
	}
	for range 2 {
		var seen [keys]uint64
		note := func(how string, i int, v []byte, least uint64) error {
			n := binary.BigEndian.Uint64(v)
			if n < seen[i] || n < least {
				return fmt.Errorf("%s: key %d is %d after %d, and %d was acknowledged", how, i, n, seen[i], least)
			}
			seen[i] = n
			return nil
		}
		c.add(func(rng *rand.Rand) error {
			i := rng.IntN(keys)
			least := acked[i].Load()
			v, err := db.Get(name(i))
			if err != nil {
				return err
			}
			return note("get", i, v, least)
		})
		var seenIter [keys]uint64
		c.add(func(rng *rand.Rand) error { return iterateCounts(db, rng, &seenIter) })
	}
	c.add(func(rng *rand.Rand) error { return stableSnapshot(db, rng) })
	c.addUpkeep(db, sys)
	c.wait.Wait()
}

// iterateCounts reads the counters by an iterator, forward or backward.
func iterateCounts(db *lsm.DB, rng *rand.Rand, seen *[8]uint64) error {
	it, err := db.NewIter(&lsm.IterOptions{Prefix: []byte("count")})
	if err != nil {
		return err
	}
	defer it.Close()
	next, i, step := it.Next, 0, 1
	if rng.IntN(2) == 0 {
		it.First()
	} else {
		it.Last()
		next, i, step = it.Prev, len(seen)-1, -1
	}
	for ; it.Valid(); next() {
		if want := fmt.Sprintf("count%d", i); string(it.Key()) != want {
			return fmt.Errorf("iterator at %q, want %q", it.Key(), want)
		}
		n := binary.BigEndian.Uint64(it.Value())
		if n < seen[i] {
			return fmt.Errorf("iterator: key %d is %d after %d", i, n, seen[i])
		}
		seen[i] = n
		i += step
	}
	if it.Err() == nil && i != -1 && i != len(seen) {
		return fmt.Errorf("iterator ended at %d", i)
	}
	return it.Err()
}

// stableSnapshot reads a snapshot twice, a while apart.
func stableSnapshot(db *lsm.DB, rng *rand.Rand) error {
	s := db.NewSnapshot()
	defer s.Close()
	read := func() (out []byte, err error) {
		it, err := s.NewIter(nil)
		if err != nil {
			return nil, err
		}
		defer it.Close()
		for k, v := range it.All() {
			out = append(append(out, k...), v...)
		}
		return out, it.Err()
	}
	first, err := read()
	time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
	again, err2 := read()
	if err == nil && !bytes.Equal(first, again) {
		return fmt.Errorf("a snapshot has changed: %d bytes, then %d", len(first), len(again))
	}
	return errors.Join(err, err2)
}

// TestConcurrentBatches moves amounts between keys in batches whose changes cancel out:
// every moment has the same sum. The keys are deleted and written in the same batch now
// and then, singly and by range.
func TestConcurrentBatches(t *testing.T) {
	db, sys := openCrowd(t)
	c := newCrowd(t, crowdTime())
	const keys, each = 100, 1000
	set := func(b *lsm.Batch, amounts *[keys]uint64) error {
		err := b.DeleteRange(key(0), key(keys))
		for i, n := range amounts {
			err = errors.Join(err, b.Put(key(i), encode(n)))
		}
		return err
	}
	var amounts [keys]uint64
	for i := range amounts {
		amounts[i] = each
	}
	b := db.NewBatch()
	must(t, set(b, &amounts))
	must(t, b.Commit(lsm.Sync))
	c.add(func(rng *rand.Rand) error { // the only writer of these keys
		b := db.NewBatch()
		for range 1 + rng.IntN(5) {
			i, j := rng.IntN(keys), rng.IntN(keys)
			n := min(amounts[i], uint64(rng.IntN(50)))
			amounts[i] -= n
			amounts[j] += n
			if err := errors.Join(b.Delete(key(j)), b.Put(key(i), encode(amounts[i])), b.Put(key(j), encode(amounts[j]))); err != nil {
				return err
			}
		}
		if rng.IntN(50) == 0 {
			if err := set(b, &amounts); err != nil {
				return err
			}
		}
		return b.Commit(lsm.Durability(rng.IntN(3)))
	})
	c.add(func(rng *rand.Rand) error {
		return db.Put(fmt.Appendf(nil, "other%d", rng.IntN(1000)), make([]byte, 200))
	})
	all := make([][]byte, keys)
	for i := range all {
		all[i] = key(i)
	}
	for range 2 {
		c.add(func(rng *rand.Rand) error {
			values, err := db.MultiGet(all)
			return errors.Join(err, sumIs(values, keys, keys*each))
		})
		c.add(func(rng *rand.Rand) error {
			var values [][]byte
			it, err := db.NewIter(&lsm.IterOptions{Lower: key(0), Upper: key(keys)})
			if err != nil {
				return err
			}
			defer it.Close()
			for it.Last(); it.Valid(); it.Prev() {
				values = append(values, bytes.Clone(it.Value()))
			}
			return errors.Join(it.Err(), sumIs(values, keys, keys*each))
		})
	}
	c.addUpkeep(db, sys)
	c.wait.Wait()
}

func sumIs(values [][]byte, count int, want uint64) error {
	sum := uint64(0)
	for i, v := range values {
		if len(v) != 8 {
			return fmt.Errorf("key %d of %d has %d bytes", i, len(values), len(v))
		}
		sum += binary.BigEndian.Uint64(v)
	}
	if sum != want || len(values) != count {
		return fmt.Errorf("%d keys sum up to %d, want %d and %d", len(values), sum, count, want)
	}
	return nil
}

// TestConcurrentTransfers moves money by Update from several goroutines; no money is
// made or lost, and what goroutines count themselves is what is there at the end.
func TestConcurrentTransfers(t *testing.T) {
	db, sys := openCrowd(t)
	c := newCrowd(t, crowdTime())
	const accounts, each = 20, 100
	for i := range accounts {
		must(t, db.Put(key(i), encode(each)))
	}
	var done atomic.Int64
	for range 4 {
		c.add(func(rng *rand.Rand) error {
			from, to := rng.IntN(accounts), rng.IntN(accounts)
			err := db.Update(func(tx *lsm.Txn) error { return transfer(tx, key(from), key(to), uint64(rng.IntN(20))) })
			if errors.Is(err, lsm.ErrConflict) {
				return nil
			}
			done.Add(1)
			return err
		})
	}
	c.add(func(rng *rand.Rand) error {
		return db.View(func(tx *lsm.Txn) error {
			var values [][]byte
			it, err := tx.NewIter(&lsm.IterOptions{Upper: key(accounts)})
			if err != nil {
				return err
			}
			for _, v := range it.All() {
				values = append(values, bytes.Clone(v))
			}
			return errors.Join(it.Err(), sumIs(values, accounts, accounts*each))
		})
	})
	c.addUpkeep(db, sys)
	c.wait.Wait()
	t.Logf("%d transfers, %d conflicts", done.Load(), db.Metrics().TxnConflicts)
}

func transfer(tx *lsm.Txn, from, to []byte, n uint64) error {
	a, err := tx.Get(from)
	if err != nil {
		return err
	}
	has := binary.BigEndian.Uint64(a)
	n = min(n, has)
	if err := tx.Put(from, encode(has-n)); err != nil {
		return err
	}
	b, err := tx.Get(to)
	if err != nil {
		return err
	}
	return tx.Put(to, encode(binary.BigEndian.Uint64(b)+n))
}

// TestConcurrentWriteSkew has doctors who go off duty only if another one is on: there
// is always one. Who is on duty is found by keys, by iterators in both directions, or
// by the absence of a key.
func TestConcurrentWriteSkew(t *testing.T) {
	db, sys := openCrowd(t)
	c := newCrowd(t, crowdTime())
	const doctors = 3
	on := func(i int) []byte { return fmt.Appendf(nil, "on%d", i) }
	for i := range doctors {
		must(t, db.Put(on(i), nil))
	}
	count := func(tx *lsm.Txn, way int) (n int, err error) {
		if way == 0 {
			for i := range doctors {
				ok, err := tx.Has(on(i))
				if err != nil {
					return 0, err
				}
				if ok {
					n++
				}
			}
			return n, nil
		}
		it, err := tx.NewIter(&lsm.IterOptions{Prefix: []byte("on")})
		if err != nil {
			return 0, err
		}
		if way == 1 {
			for range it.All() {
				n++
			}
		} else {
			for it.Last(); it.Valid(); it.Prev() {
				n++
			}
		}
		return n, it.Err()
	}
	for i := range doctors {
		c.add(func(rng *rand.Rand) error {
			way := rng.IntN(3)
			err := db.Update(func(tx *lsm.Txn) error {
				n, err := count(tx, way)
				if err != nil {
					return err
				}
				if n == 0 {
					return errors.New("nobody is on duty")
				}
				runtime.Gosched()
				if on, err := tx.Has(on(i)); err != nil || !on || n < 2 {
					return errors.Join(err, tx.Put(fmt.Appendf(nil, "on%d", i), nil))
				}
				return tx.Delete(on(i))
			})
			if errors.Is(err, lsm.ErrConflict) {
				return nil
			}
			return err
		})
	}
	c.add(func(*rand.Rand) error {
		return db.View(func(tx *lsm.Txn) error {
			if n, err := count(tx, 1); n == 0 {
				return errors.Join(err, errors.New("nobody is on duty in a View"))
			}
			return nil
		})
	})
	c.addUpkeep(db, sys)
	c.wait.Wait()
}
