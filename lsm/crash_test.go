package lsm_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

var (
	crashAll   = flag.Bool("crash.all", false, "crash before and after every operation of the file system")
	crashShare = flag.Float64("crash.share", 1, "with -crash.all: the share of the crashes that is tried")
	crashSeeds = flag.Int("crash.seeds", 2, "with -crash.all: how many workloads")
	crashFirst = flag.Uint64("crash.first", 1, "seed of the first workload")
)

// crasher crashes a workload while it runs: at operations of its file system it takes
// what a power cut would leave, and sees what a store makes of that.
type crasher struct {
	w      *workload
	mem    *vfs.Mem
	rng    *rand.Rand
	every  float64 // share of the moments that are tried
	points int
	err    error
	last   int64 // operations of one recovery, about: where to crash within it
	kinds  map[vfs.OpKind]int
}

// TestCrash is the promise of durability, word for word: after a crash at any moment
// the store holds a prefix of the commits, whole ones only, with every commit that
// was acknowledged at Sync and all before it.
func TestCrash(t *testing.T) {
	seeds, every := 1, 0.009
	switch {
	case *crashAll:
		seeds, every = *crashSeeds, *crashShare
	case lsm.RaceEnabled: // one goroutine: the detector has little to see
		every = 0.0007
	case testing.Short():
		every = 0.003
	}
	total := 0
	for i := range seeds {
		c := newCrasher(*crashFirst+uint64(i), every)
		start := time.Now()
		if err := c.run(); err != nil {
			t.Fatalf("seed %d: %v", c.w.seed, err)
		}
		total += c.points
		t.Logf("seed %d: %d crash points in %v; operations %v",
			c.w.seed, c.points, time.Since(start).Round(time.Millisecond), c.w.done)
	}
	t.Logf("%d crash points in all", total)
}

func newCrasher(seed uint64, every float64) *crasher {
	c := &crasher{mem: vfs.NewMem(), rng: rand.New(rand.NewPCG(seed, 99)), every: every, last: 40, kinds: map[vfs.OpKind]int{}}
	fault := vfs.NewFault(c.mem)
	c.w = newWorkload(fault, seed)
	fault.SetHook(func(op vfs.Op) error { c.moment("before", op); return nil })
	fault.SetAfter(func(op vfs.Op) { c.moment("after", op) })
	return c
}

func (c *crasher) run() error {
	err := c.w.run(referenceOps)
	if err == nil {
		err = c.w.db.Close()
	}
	return errors.Join(c.err, err)
}

// moment is called before and after each operation of the workload.
func (c *crasher) moment(when string, op vfs.Op) {
	for _, survive := range []float64{0, 0.5, 1} {
		if c.err != nil || c.rng.Float64() >= c.every {
			continue
		}
		seed := c.rng.Uint64()
		clone := c.mem.CrashClone(vfs.CrashOptions{Survive: survive, Torn: seed&1 == 0, Rand: rand.New(rand.NewPCG(seed, 1))})
		lo := c.w.h.synced
		if survive == 1 {
			lo = c.w.h.written // the death of the process alone
		}
		if err := c.crash(clone, lo, seed); err != nil {
			c.err = fmt.Errorf("crash %s %v, %.1f survives (seed %#x), at entry %d of which %d are synced, %d written: %w",
				when, op, survive, seed, c.w.h.last(), c.w.h.synced, c.w.h.written, err)
		}
	}
}

// crash recovers from one crash, in which a second one happens.
func (c *crasher) crash(clone *vfs.Mem, lo int, seed uint64) error {
	c.points++
	rng := rand.New(rand.NewPCG(seed, 2))
	again, at := crashWithin(clone, rng, rng.Int64N(c.last+c.last/4+1))
	before := c.w.h.last()
	recovered, err := c.recovered(again, c.w.h, lo, before)
	if err != nil {
		return err
	}
	c.last = max(again.ops, 8)
	c.points++
	// What was recovered once is recovered again: all of it was on disk.
	if _, err := c.recovered(&secondCrash{mem: again.clone, fault: vfs.NewFault(again.clone)}, c.w.h, recovered, recovered); err != nil {
		return fmt.Errorf("recovered to entry %d, then crashed again at operation %d of the recovery (%v): %w", recovered, at, again.op, err)
	}
	if rng.IntN(8) == 0 {
		return c.checkpointsOpen(clone)
	}
	return nil
}

// secondCrash is a crash within recovery.
type secondCrash struct {
	mem   *vfs.Mem
	fault *vfs.Fault // over mem
	ops   int64
	clone *vfs.Mem // what the second crash leaves
	late  bool     // it happened right after the recovery
	op    vfs.Op
}

// crashWithin prepares a crash at operation at of what is to happen on m.
func crashWithin(m *vfs.Mem, rng *rand.Rand, at int64) (*secondCrash, int64) {
	s := &secondCrash{mem: m, fault: vfs.NewFault(m)}
	survive := []float64{0, 0.5, 1}[rng.IntN(3)]
	s.fault.SetHook(func(op vfs.Op) error {
		s.ops = op.Index
		if op.Index == at {
			s.op = op
			s.clone = m.CrashClone(vfs.CrashOptions{Survive: survive, Torn: true, Rand: rng})
		}
		return nil
	})
	return s, at
}

// recovered opens the store in s and checks all that is promised about it. It returns
// the entry that the store holds.
func (c *crasher) recovered(s *secondCrash, h *history, lo, hi int) (int, error) {
	f, now, steps := s.fault, c.w.now, lsm.NewStepper()
	db, err := lsm.OpenShaped(storeDir, tinyOptions(f, &now, steps), tiny)
	f.SetHook(nil)
	if err != nil {
		return 0, err
	}
	if s.clone == nil {
		s.clone, s.late = s.mem.CrashClone(vfs.CrashOptions{}), true
	}
	defer func() { _ = db.Close() }()
	at, err := h.verify(db, lo, hi, now)
	if err != nil {
		return 0, err
	}
	if err := noOrphans(f, db); err != nil {
		return 0, err
	}
	if lo == hi {
		return at, nil // the second time, reading is enough
	}
	return at, writesOn(f, db, steps, h.only(at), now)
}

// noOrphans wants no file in the directory that is not the store's.
func noOrphans(sys vfs.FS, db *lsm.DB) error {
	names, err := sys.List(storeDir)
	if err != nil {
		return err
	}
	mine := lsm.StoreFiles(db)
	for _, n := range names {
		if !mine[n] {
			return fmt.Errorf("after Open there is a file %s that belongs to nothing: %v", n, names)
		}
	}
	return nil
}

// writesOn sees that a recovered store takes writes and keeps them.
func writesOn(sys vfs.FS, db *lsm.DB, steps *lsm.Stepper, h *history, now int64) error {
	h.keys = maps.Clone(h.keys)
	muts := []mutation{{kind: 'r', key: "k100", end: "k150"}, {kind: 'p', key: "k120", value: "new"},
		{kind: 'd', key: "k003"}, {kind: 'p', key: marker, value: "after"}}
	for _, m := range muts {
		h.begin([]mutation{m})
		if err := m.write(db); err != nil {
			return fmt.Errorf("write after recovery: %w", err)
		}
	}
	for i := 0; i < 2 && steps.Step(); i++ {
	}
	last := h.last()
	if _, err := h.verifyReads(db, last, last, now); err != nil {
		return fmt.Errorf("after writes on the recovered store: %w", err)
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("close the recovered store: %w", err)
	}
	db, err := lsm.OpenShaped(storeDir, tinyOptions(sys, &now, lsm.NewStepper()), tiny)
	if err != nil {
		return fmt.Errorf("reopen the recovered store: %w", err)
	}
	defer func() { _ = db.Close() }()
	if _, err := h.verify(db, last, last, now); err != nil {
		return fmt.Errorf("after reopening the recovered store: %w", err)
	}
	return noOrphans(sys, db)
}

// checkpointsOpen opens the checkpoints that were finished before the crash.
func (c *crasher) checkpointsOpen(m *vfs.Mem) error {
	for _, cp := range c.w.checkpoints {
		now := c.w.now
		db, err := lsm.OpenShaped(cp.dir, tinyOptions(m, &now, lsm.NewStepper()), tiny)
		if err == nil {
			_, err = cp.h.verify(db, 0, 0, now)
			_ = db.Close()
		}
		if err != nil {
			return fmt.Errorf("checkpoint %s: %w", cp.dir, err)
		}
	}
	return nil
}

// TestCrashWithinRecovery crashes at every operation of some recoveries.
func TestCrashWithinRecovery(t *testing.T) {
	lsm.Alone(t)
	moments := 2
	switch {
	case *crashAll:
		moments = 150
	case testing.Short():
		moments = 1
	}
	c := newCrasher(1000+*crashFirst, 0)
	fault := c.w.fs.(*vfs.Fault)
	countdown := 200
	fault.SetHook(func(op vfs.Op) error {
		if countdown--; countdown > 0 || moments == 0 || c.err != nil || !op.Kind.Changes() {
			return nil
		}
		moments--
		countdown = 10 + c.rng.IntN(60)
		for _, survive := range []float64{0, 0.5, 1} {
			seed := c.rng.Uint64()
			clone := func() *vfs.Mem {
				return c.mem.CrashClone(vfs.CrashOptions{Survive: survive, Torn: true, Rand: rand.New(rand.NewPCG(seed, 1))})
			}
			for at := int64(0); c.err == nil; at++ {
				again, _ := crashWithin(clone(), rand.New(rand.NewPCG(seed, uint64(at))), at)
				to, err := c.recovered(again, c.w.h, c.w.h.synced, c.w.h.last())
				if err == nil {
					_, err = c.recovered(&secondCrash{mem: again.clone, fault: vfs.NewFault(again.clone)}, c.w.h, to, to)
				}
				c.points += 2
				if err != nil {
					c.err = fmt.Errorf("crash before %v, %.1f survives, again at operation %d of the recovery: %w", op, survive, at, err)
				}
				if again.late {
					break
				}
			}
		}
		return nil
	})
	fault.SetAfter(nil)
	if err := c.run(); err != nil {
		t.Fatalf("seed %d: %v", c.w.seed, err)
	}
	t.Logf("%d crash points", c.points)
}

// TestCrashDuringCreate crashes while the first Open makes the store: afterwards
// there is none, or a good one.
func TestCrashDuringCreate(t *testing.T) {
	lsm.Alone(t)
	seeds := uint64(4)
	if *crashAll {
		seeds = 100
	}
	for _, survive := range []float64{0, 0.5, 1} {
		for seed := range seeds {
			for at, more := int64(0), true; more; at++ {
				m := vfs.NewMem()
				again, _ := crashWithin(m, rand.New(rand.NewPCG(seed, 1)), at)
				again.fault.SetHook(func(op vfs.Op) error {
					if op.Index == at {
						again.clone = m.CrashClone(vfs.CrashOptions{Survive: survive, Torn: true, Rand: rand.New(rand.NewPCG(seed, uint64(at)))})
					}
					return nil
				})
				now := int64(1)
				db, err := lsm.OpenShaped(storeDir, tinyOptions(again.fault, &now, lsm.NewStepper()), tiny)
				must(t, err)
				must(t, db.Close())
				if more = again.clone != nil; !more {
					break
				}
				db, err = lsm.OpenShaped(storeDir, tinyOptions(again.clone, &now, lsm.NewStepper()), tiny)
				if err != nil {
					t.Fatalf("seed %d, operation %d: %v", seed, at, err)
				}
				must(t, noOrphans(again.clone, db))
				must(t, writesOn(again.clone, db, lsm.NewStepper(), newHistory(), now))
			}
		}
	}
}

// storeFiles lists the files of a store with some suffix.
func storeFiles(t testing.TB, sys vfs.FS, suffix string) (found []string) {
	t.Helper()
	names, err := sys.List(storeDir)
	must(t, err)
	for _, n := range names {
		if strings.HasSuffix(n, suffix) {
			found = append(found, filepath.Join(storeDir, n))
		}
	}
	return found
}
