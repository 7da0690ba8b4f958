package lsm_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

var (
	faultAll   = flag.Bool("fault.all", false, "fail every operation of the file system in turn")
	faultFirst = flag.Int64("fault.first", 0, "with -fault.all: the first operation to fail")
	faultLast  = flag.Int64("fault.last", 1<<40, "with -fault.all: the last operation to fail")
	faultSeed  = flag.Uint64("fault.seed", 1, "seed of the workload")
	faultEvery = flag.Int64("fault.every", 1, "with -fault.all: fail every one of so many")
)

// fault is a way to fail.
type fault struct {
	name    string
	err     error
	forGood bool
	hits    func(vfs.OpKind) bool
}

func writes(k vfs.OpKind) bool { return k == vfs.OpWrite }
func reads(k vfs.OpKind) bool  { return k == vfs.OpRead }
func syncs(k vfs.OpKind) bool  { return k == vfs.OpSync || k == vfs.OpSyncDir }

// anything leaves out the release of the lock, which the death of the process does
// as well: failed, it would hold the store shut.
func anything(k vfs.OpKind) bool { return k != vfs.OpUnlock }

// takesSpace are the operations that a full disk fails.
func takesSpace(k vfs.OpKind) bool {
	switch k {
	case vfs.OpCreate, vfs.OpWrite, vfs.OpRename, vfs.OpLink, vfs.OpMkdir, vfs.OpTruncate:
		return true
	}
	return false
}

var faults = []fault{
	{"EIO", syscall.EIO, false, anything},
	{"EIO for good", syscall.EIO, true, anything},
	{"EIO of writes for good", syscall.EIO, true, func(k vfs.OpKind) bool { return k.Changes() && k != vfs.OpUnlock }},
	{"EIO of reads for good", syscall.EIO, true, reads},
	{"ENOSPC", syscall.ENOSPC, false, takesSpace},
	{"ENOSPC for good", syscall.ENOSPC, true, takesSpace},
	{"short write", vfs.ShortWrite(7), false, writes},
	{"short write, no space, for good", &vfs.Short{N: 100, Err: syscall.ENOSPC}, true, writes},
	{"short read", vfs.ShortRead(5), false, reads},
	{"short read for good", vfs.ShortRead(0), true, reads},
	{"lost sync", vfs.ErrLostSync, false, syncs},
	{"lost sync for good", vfs.ErrLostSync, true, syncs},
}

// TestFaults fails one operation of the file system, or all from one on, for every
// operation of a workload: errors are typed, nothing is acknowledged wrongly, nothing
// panics or hangs, a failed sync poisons, and everything else heals by itself.
func TestFaults(t *testing.T) {
	const ops = 450
	clean := newFaulter(faults[0], 1<<60)
	must(t, clean.w.run(ops))
	total := clean.fault.Counters().Total()
	step := total / 7
	if testing.Short() {
		step = total / 4
	}
	if lsm.RaceEnabled {
		step = total
	}
	first, last := int64(0), total
	if *faultAll {
		step, first, last = *faultEvery, *faultFirst, min(total, *faultLast)
	}
	runs, start := 0, time.Now()
	for i, how := range faults {
		if !*faultAll {
			first = int64(i) * step / int64(len(faults))
		}
		for n := first; n < last; n += step {
			f := newFaulter(how, n)
			err := f.watched(ops)
			runs++
			if err != nil {
				t.Errorf("%s, operation %d (%v): %v", how.name, n, f.hit, err)
				if t.Failed() && !*faultAll {
					break
				}
			}
		}
	}
	t.Logf("%d faults in %v; the workload has %d operations of the file system", runs, time.Since(start).Round(time.Millisecond), total)
}

// faulter runs the workload over a file system that fails.
type faulter struct {
	how   fault
	at    int64
	mem   *vfs.Mem
	fault *vfs.Fault
	w     *workload
	hit   vfs.Op // the first that failed
	down  bool   // the file system fails at present
	fired bool
	// syncOf is how often the store had been opened when a sync of one of its files
	// failed.
	syncOf int
	synced string
}

func newFaulter(how fault, at int64) *faulter {
	f := &faulter{how: how, at: at, mem: vfs.NewMem(), syncOf: -1}
	f.fault = vfs.NewFault(f.mem)
	f.w = newWorkload(f.fault, *faultSeed)
	f.w.tolerate = f.typed
	f.w.heal = f.heal
	f.fault.SetHook(func(op vfs.Op) error {
		if op.Index < f.at || !f.how.hits(op.Kind) || f.fired && !f.down {
			return nil
		}
		if !f.fired {
			f.hit = op
		}
		f.fired, f.down = true, f.how.forGood
		if syncs(op.Kind) && !strings.HasPrefix(op.Name, "/a/ingest-") {
			f.syncOf, f.synced = f.w.opened, op.String()
		}
		return f.how.err
	})
	return f
}

func (f *faulter) heal() { f.down = false }

// typed accepts errors that say what happened.
func (f *faulter) typed(what string, err error) error {
	switch {
	case errors.Is(err, lsm.ErrCorruption), errors.As(err, new(wrongAnswer)):
	case errors.Is(err, lsm.ErrReadOnly), errors.Is(err, lsm.ErrNoSpace):
		return nil
	case vfs.IsNoSpace(err) && what != "table" && what != "remove":
		return fmt.Errorf("%s: %w, which is not ErrNoSpace", what, err)
	case errors.Is(err, syscall.EIO), errors.Is(err, io.ErrShortWrite), errors.Is(err, syscall.ENOSPC):
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// watched is check, with an end.
func (f *faulter) watched(ops int) error {
	done := make(chan error, 1)
	go func() { done <- f.check(ops) }()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		buf := make([]byte, 1<<20)
		return fmt.Errorf("hangs\n%s", buf[:runtime.Stack(buf, true)])
	}
}

// check runs the workload into the fault and some way beyond.
func (f *faulter) check(ops int) error {
	if err := f.w.open(); err != nil {
		return err
	}
	for left := 60; ops > 0 && left > 0; ops-- {
		if err := f.w.op(); err != nil {
			return err
		}
		if err := f.isPoisoned(); err != nil {
			return err
		}
		if !f.fired {
			continue
		}
		if left--; left == 30 {
			f.heal()
		}
	}
	f.heal()
	if !f.fired {
		f.at = math.MaxInt64 // it came to nothing of its kind
	}
	if err := f.crashNow(); err != nil {
		return fmt.Errorf("crash after the fault: %w", err)
	}
	if err := f.readsGoOn(); err != nil {
		return err
	}
	if f.w.poisoned {
		return f.afterReopening()
	}
	// The disk is well again, and no sync has failed: so writes go on.
	if err := f.w.db.Flush(); err != nil {
		return fmt.Errorf("flush after healing: %w", err)
	}
	f.w.h.ackAll()
	for range 10 {
		e := f.w.h.begin(f.w.mutations())
		b := f.w.db.NewBatch()
		for _, m := range e.muts {
			if err := m.write(b); err != nil {
				return err
			}
		}
		if err := b.Commit(lsm.Sync); err != nil {
			return fmt.Errorf("commit after healing: %w", err)
		}
		f.w.h.ack(f.w.h.index(e), lsm.Sync)
	}
	return f.afterReopening()
}

// isPoisoned sees that a failed sync has made the store refuse writes.
func (f *faulter) isPoisoned() error {
	if f.syncOf != f.w.opened {
		return nil
	}
	if err := f.w.db.Put([]byte("probe"), nil); !errors.Is(err, lsm.ErrReadOnly) {
		return fmt.Errorf("after a failed sync (%s) a write gets %v, not ErrReadOnly", f.synced, err)
	}
	if !f.w.poisoned {
		f.w.poisoned, f.w.poisonAt = true, f.w.h.last()
	}
	return nil
}

// crashNow sees what a crash would leave at this moment.
func (f *faulter) crashNow() error {
	for _, survive := range []float64{0, 0.5} {
		rng := rand.New(rand.NewPCG(uint64(f.at), 5))
		clone := f.mem.CrashClone(vfs.CrashOptions{Survive: survive, Rand: rng})
		c := &crasher{w: f.w}
		if _, err := c.recovered(&secondCrash{mem: clone, fault: vfs.NewFault(clone)}, f.w.h, f.w.h.synced, f.w.h.last()); err != nil {
			return err
		}
		if err := c.checkpointsOpen(clone); err != nil {
			return err
		}
	}
	return nil
}

// readsGoOn sees that everything acknowledged can be read.
func (f *faulter) readsGoOn() error {
	hi := f.w.h.last()
	if !f.w.poisoned {
		if err := f.w.db.Sync(); err != nil { // ends what is in the queue
			return fmt.Errorf("sync after healing: %w", err)
		}
		hi = f.w.h.last()
		f.w.h.ackAll()
	}
	if _, err := f.w.h.verify(f.w.db, f.w.h.acked, hi, f.w.now); err != nil {
		return fmt.Errorf("reads after the fault: %w", err)
	}
	return nil
}

// afterReopening closes and opens the store; nothing may be missing, nothing left
// over.
func (f *faulter) afterReopening() error {
	if err := f.w.reopen(); err != nil {
		return err
	}
	at := f.w.h.last()
	if _, err := f.w.h.verify(f.w.db, at, at, f.w.now); err != nil {
		return err
	}
	if err := noOrphans(f.mem, f.w.db); err != nil {
		return err
	}
	return writesOn(f.mem, f.w.db, f.w.steps, f.w.h.only(at), f.w.now)
}
