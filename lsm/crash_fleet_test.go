package lsm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// fleet is a store with goroutines of its own under several writers and a goroutine
// that flushes, compacts and makes checkpoints.
type fleet struct {
	t     *testing.T
	mem   *vfs.Mem
	fault *vfs.Fault
	shape lsm.Shape

	mu   sync.Mutex
	acks []ack
	stop atomic.Bool
	wg   sync.WaitGroup
}

func newFleet(t *testing.T) *fleet {
	f := &fleet{t: t, mem: vfs.NewMem(), shape: tiny}
	f.fault = vfs.NewFault(f.mem)
	return f
}

func (f *fleet) open(sys vfs.FS) (*lsm.DB, error) {
	return lsm.OpenShaped(storeDir, &lsm.Options{FS: sys, BlockSize: 1 << 10, CompactionConcurrency: 2, BlobThreshold: 40}, f.shape)
}

// acknowledged returns what was so far.
func (f *fleet) acknowledged() []ack {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.acks[:len(f.acks):len(f.acks)]
}

// sail writes until stop is set. Errors go to tolerate; false ends a writer.
func (f *fleet) sail(db *lsm.DB, seed uint64, tolerate func(error) bool) {
	for w := range writerCount {
		f.wg.Go(func() {
			write(db, w, rand.New(rand.NewPCG(seed, uint64(w))), []int{2, 2, 3}, func(a ack, err error) bool {
				if err != nil {
					return tolerate(err) && !f.stop.Load()
				}
				f.mu.Lock()
				defer f.mu.Unlock()
				f.acks = append(f.acks, a)
				return !f.stop.Load()
			})
		})
	}
	f.wg.Go(func() {
		rng := rand.New(rand.NewPCG(seed, 77))
		for i := 0; !f.stop.Load(); i++ {
			var err error
			switch rng.IntN(5) {
			case 0:
				err = db.Flush()
			case 1:
				err = db.Compact(context.Background(), nil, nil)
			case 2:
				err = db.Sync()
			case 3:
				err = lsm.RollManifest(db)
			case 4:
				dir := fmt.Sprintf("/a/cp/%d-%d", seed, i)
				if err = db.Checkpoint(dir); err == nil {
					_ = removeAll(f.mem, dir)
				}
			}
			if err != nil && !tolerate(err) {
				return
			}
			time.Sleep(time.Duration(rng.IntN(5)) * time.Millisecond)
		}
	})
}

// home stops the writers; they must come to an end.
func (f *fleet) home() {
	f.stop.Store(true)
	f.within("writers", f.wg.Wait)
	f.stop.Store(false)
}

// within wants fn to end.
func (f *fleet) within(what string, fn func()) {
	f.t.Helper()
	done := make(chan struct{})
	go func() { fn(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		buf := make([]byte, 1<<20)
		f.t.Fatalf("%s: hangs\n%s", what, buf[:runtime.Stack(buf, true)])
	}
}

// TestCrashConcurrently crashes a store with goroutines, in the middle of flushes,
// compactions, groups of commits and checkpoints that run at the same time.
func TestCrashConcurrently(t *testing.T) {
	crashes := 60
	switch {
	case *crashAll:
		crashes = 4000
	case testing.Short():
		crashes = 20
	}
	f := newFleet(t)
	type crashed struct {
		mem     *vfs.Mem
		acks    []ack
		survive float64
		op      vfs.Op
	}
	clones := make(chan crashed, 2)
	var due atomic.Int64
	f.fault.SetHook(func(op vfs.Op) error {
		if due.Add(-1) != 0 {
			return nil
		}
		c := crashed{acks: f.acknowledged(), op: op, survive: []float64{0, 0.5, 1}[rand.IntN(3)]}
		c.mem = f.mem.CrashClone(vfs.CrashOptions{Survive: c.survive, Torn: true, Rand: rand.New(rand.NewPCG(rand.Uint64(), 1))})
		clones <- c
		return nil
	})
	db, err := f.open(f.fault)
	must(t, err)
	f.sail(db, 1, func(err error) bool { t.Error(err); return false })
	for range crashes {
		due.Store(1 + rand.Int64N(200))
		c := <-clones
		floor := lsm.Sync
		if c.survive == 1 {
			floor = lsm.OS
		}
		db, err := f.open(c.mem)
		if err == nil {
			err = errors.Join(judge(db, c.acks, floor), db.Verify(t.Context()), db.Close())
		}
		if err != nil {
			t.Errorf("crash before %v, %.1f survives, %d acknowledged: %v", c.op, c.survive, len(c.acks), err)
			break
		}
	}
	f.home()
	must(t, judge(db, f.acks, lsm.None))
	must(t, db.Close())
	t.Logf("%d crashes, %d commits", crashes, len(f.acks))
}

// TestFaultsConcurrently fails operations at random under a store with goroutines.
func TestFaultsConcurrently(t *testing.T) {
	rounds := 12
	switch {
	case *faultAll:
		rounds = 600
	case testing.Short():
		rounds = 6
	}
	poisonings := 0
	for round := range rounds {
		how := faults[round%len(faults)]
		f := newFleet(t)
		var down atomic.Bool
		f.fault.SetHook(func(op vfs.Op) error {
			if down.Load() && how.hits(op.Kind) && (how.forGood || rand.IntN(30) == 0) {
				return how.err
			}
			return nil
		})
		db, err := f.open(f.fault)
		must(t, err)
		f.sail(db, uint64(round), func(err error) bool { return f.tolerates(how, err) })
		time.Sleep(time.Duration(5+rand.IntN(60)) * time.Millisecond)
		down.Store(true)
		time.Sleep(time.Duration(5+rand.IntN(150)) * time.Millisecond)
		down.Store(false)
		time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
		f.home()
		if f.after(how, db) {
			poisonings++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d rounds, in %d a sync failed", rounds, poisonings)
}

// tolerates reports whether a writer may go on after err.
func (f *fleet) tolerates(how fault, err error) bool {
	switch {
	case errors.Is(err, lsm.ErrReadOnly):
		return false
	case errors.Is(err, lsm.ErrCorruption):
		f.t.Errorf("%s: %v", how.name, err)
		return false
	case vfs.IsNoSpace(err) && !errors.Is(err, lsm.ErrNoSpace),
		!errors.Is(err, syscall.EIO) && !errors.Is(err, io.ErrShortWrite) && !errors.Is(err, lsm.ErrNoSpace):
		f.t.Errorf("%s: %v", how.name, err)
	}
	time.Sleep(time.Millisecond)
	return true
}

// after judges the store after the faults: as it is, after a crash, and after
// reopening. It reports whether it was poisoned.
func (f *fleet) after(how fault, db *lsm.DB) (poisoned bool) {
	t := f.t
	check := func(when string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s, %s: %v", how.name, when, err)
		}
	}
	check("reads go on", judge(db, f.acks, lsm.None))
	clone, err := f.open(f.mem.CrashClone(vfs.CrashOptions{}))
	check("open after a crash", err)
	if err == nil {
		check("after a crash", judge(clone, f.acks, lsm.Sync))
		check("close", clone.Close())
	}
	err = db.Put([]byte("last/9"), nil)
	poisoned = errors.Is(err, lsm.ErrReadOnly)
	if !poisoned {
		check("write after healing", err)
		check("delete", db.Delete([]byte("last/9")))
		f.within("flush", func() { check("flush after healing", db.Flush()) })
		f.within("wait", func() { check("background work after healing", db.WaitIdle(t.Context())) })
	}
	f.within("close", func() { err = db.Close() })
	floor := lsm.None
	if poisoned {
		floor = lsm.Sync
	} else {
		check("close", err)
	}
	db, err = f.open(f.fault)
	check("reopen", err)
	if err != nil {
		return poisoned
	}
	check("after reopening", judge(db, f.acks, floor))
	check("verify", db.Verify(t.Context()))
	check("close", db.Close())
	return poisoned
}
