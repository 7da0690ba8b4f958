package manifest

import (
	"errors"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// recovered loads what a crash has left, and asserts that it is one of states,
// not before from.
func recovered(t *testing.T, fs vfs.FS, states []string, from int, what any) {
	t.Helper()
	_, st, err := Load(fs, testDir)
	if err != nil {
		t.Fatalf("after %v: %v", what, err)
	}
	i := slices.Index(states, describeState(&st))
	for j := i + 1; j < len(states) && j <= from; j++ { // the same state again
		if states[j] == describeState(&st) {
			i = j
		}
	}
	if i < from {
		t.Fatalf("after %v: state %d of %d, want %d at least", what, i, len(states), from)
	}
}

// A crash after any operation leaves a state between the last one acknowledged and
// the one under way; runs are repeated on what crashes left.
func TestCrashes(t *testing.T) {
	for seed := range uint64(15) {
		r := rand.New(rand.NewPCG(seed, 1))
		mem := vfs.NewMem()
		for run := range 4 {
			fs := vfs.NewFault(mem)
			states, acked := []string{}, -1
			var kept *vfs.Mem
			check := func(op vfs.Op) {
				if !op.Kind.Changes() {
					return
				}
				crashed := mem.CrashClone(vfs.CrashOptions{Survive: []float64{0, 0.5, 1}[r.IntN(3)], Torn: true, Rand: r})
				if _, _, err := Load(crashed, testDir); acked < 0 && errors.Is(err, ErrNoStore) {
					return
				}
				recovered(t, crashed, states, max(acked, 0), op)
				if r.IntN(20) == 0 {
					kept = crashed
				}
			}
			fs.SetAfter(check)
			s, st, err := Load(fs, testDir)
			if errors.Is(err, ErrNoStore) {
				empty := State{Version: &Version{}}
				states = []string{describeState(&empty)}
				s, err = Create(fs, testDir)
				must(t, err)
				st = s.State()
			} else {
				must(t, err)
				states = []string{describeState(&st)}
			}
			acked = 0
			s.mu.roll = 2000
			for range 25 {
				e := randomEdit(r, &st, s.NewNum)
				next := *e
				next.NextFile = s.NewNum() + 1
				after, err := st.after(&next)
				must(t, err)
				states = append(states, describeState(&after))
				must(t, s.Append(e))
				acked = len(states) - 1
				s.mu.roll = min(s.mu.roll, s.mu.w.Size()+1500)
				if st = s.State(); describeState(&st) != states[acked] {
					t.Fatal("another state than expected")
				}
			}
			if run%2 == 0 {
				must(t, s.Close(true))
				recovered(t, mem.CrashClone(vfs.CrashOptions{}), states, acked, "close")
			}
			if mem = mem.CrashClone(vfs.CrashOptions{Survive: 0.5, Torn: true, Rand: r}); run == 2 && kept != nil {
				mem = kept
			}
		}
	}
}

// Each operation that can meet a full disk fails once. The store says so, is what
// it was before, and goes on when there is room.
func TestNoSpace(t *testing.T) {
	for at := int64(0); ; at++ {
		mem := vfs.NewMem()
		fs := vfs.NewFault(mem)
		s, err := Create(fs, testDir)
		must(t, err)
		r := rand.New(rand.NewPCG(1, uint64(at)))
		fill(t, s, r, 3)
		must(t, s.Close(at%2 == 0))
		s, st, err := Load(fs, testDir)
		must(t, err)
		n, hit := int64(0), vfs.Op{}
		fs.SetHook(func(op vfs.Op) error {
			switch op.Kind {
			case vfs.OpCreate, vfs.OpWrite, vfs.OpRename:
				if n++; n == at+1 {
					hit = op
					return &vfs.Short{N: r.IntN(op.Len + 1), Err: syscall.ENOSPC}
				}
			}
			return nil
		})
		want := describeState(&st)
		var old []string
		for i := range 12 {
			if i == 6 {
				s.mu.roll = 0
			}
			e := randomEdit(r, &st, s.NewNum)
			before := hit
			err := s.Append(e)
			if err != nil && (!vfs.IsNoSpace(err) || s.Err() != nil || hit.Index == before.Index) {
				t.Fatalf("%v: %v, %v", hit, err, s.Err())
			}
			st = s.State()
			if err == nil {
				old = append(old, want)
				want = describeState(&st)
			} else if describeState(&st) != want {
				t.Fatalf("%v: a failed edit changed the state", hit)
			}
			for _, survive := range []float64{0, 1} {
				recovered(t, mem.CrashClone(vfs.CrashOptions{Survive: survive}), append(slices.Clone(old), want), len(old), hit)
			}
		}
		fs.SetHook(nil)
		must(t, s.Append(&Edit{}))
		if m := list(t, mem, testDir, FileManifest); len(m) != 1 {
			t.Fatalf("%v: manifests %v", hit, m)
		}
		must(t, s.Close(true))
		recovered(t, mem, append(old, want), len(old), hit)
		if n <= at {
			if at < 15 {
				t.Fatalf("only %d operations", n)
			}
			return
		}
	}
}

// Each sync of a file or directory fails once. That is final: nothing is written
// or removed afterwards, and what a crash leaves is the state before or after.
func TestSyncFailures(t *testing.T) {
	for at := int64(0); ; at++ {
		mem := vfs.NewMem()
		fs := vfs.NewFault(mem)
		s, err := Create(fs, testDir)
		must(t, err)
		r := rand.New(rand.NewPCG(2, uint64(at)))
		fill(t, s, r, 3)
		must(t, s.Close(true))
		s, st, err := Load(fs, testDir)
		must(t, err)
		n, hit := int64(0), false
		fs.SetHook(func(op vfs.Op) error {
			if hit && op.Kind.Changes() {
				t.Errorf("%v after a failed sync", op)
			}
			if op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncDir {
				if n++; n == at+1 {
					hit = true
					return vfs.ErrLostSync
				}
			}
			return nil
		})
		states := []string{describeState(&st)}
		for i := range 8 {
			if i == 4 {
				s.mu.roll = 0
			}
			e := randomEdit(r, &st, s.NewNum)
			e.NextFile = s.NewNum() + 1
			after, err := st.after(e)
			must(t, err)
			states = append(states, describeState(&after))
			if err = s.Append(e); err != nil {
				break
			}
			st = s.State()
		}
		if !hit {
			if at < 10 {
				t.Fatalf("only %d syncs", at)
			}
			return
		}
		if err := s.Append(&Edit{}); !errors.Is(err, ErrSyncFailed) || !errors.Is(s.Err(), ErrSyncFailed) {
			t.Fatalf("after a failed sync: %v", err)
		}
		if err := s.Roll(); !errors.Is(err, ErrSyncFailed) {
			t.Fatal(err)
		}
		if err := s.Close(true); !errors.Is(err, ErrSyncFailed) {
			t.Fatal(err)
		}
		fs.SetHook(nil)
		for i := range 10 {
			o := vfs.CrashOptions{Survive: float64(i) / 9, Torn: true, Rand: r}
			recovered(t, mem.CrashClone(o), states, len(states)-2, at)
		}
	}
}

// A rename that fails is looked at: it may have happened all the same.
func TestRenameThatHappened(t *testing.T) {
	for _, happened := range []bool{false, true} {
		mem := vfs.NewMem()
		fs := vfs.NewFault(mem)
		s, err := Create(fs, testDir)
		must(t, err)
		fs.SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpRename {
				if happened {
					must(t, mem.Rename(op.Name, op.NewName))
				}
				return syscall.EIO
			}
			return nil
		})
		if err := s.Roll(); err == nil || (s.Err() != nil) != happened {
			t.Fatal(err, s.Err())
		}
		fs.SetHook(nil)
		if err := s.Append(&Edit{LastSeq: 5}); (err != nil) != happened {
			t.Fatal(err)
		}
		_, st, err := Load(mem, testDir)
		if err != nil || (st.LastSeq == 5) == happened {
			t.Fatal(st.LastSeq, err)
		}
	}
}
