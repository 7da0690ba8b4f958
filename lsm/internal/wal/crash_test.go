package wal

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// crashStore is the part of a store that handles logs, with a model beside it.
type crashStore struct {
	t       *testing.T
	r       *rand.Rand
	mem     *vfs.Mem
	fs      *vfs.Fault
	full    bool
	w       *Writer
	old     []*Writer // ended and not synced
	next    base.FileNum
	commits []string
	flushed int // commits that survive the process
	synced  int // commits that survive the machine
	serial  int
}

func newCrashStore(t *testing.T, seed uint64) *crashStore {
	s := &crashStore{t: t, r: rand.New(rand.NewPCG(seed, 1)), mem: vfs.NewMem(), next: 2}
	s.fs = vfs.NewFault(s.mem)
	s.fs.SetHook(func(op vfs.Op) error {
		if s.full && op.Kind == vfs.OpWrite {
			return &vfs.Short{N: s.r.IntN(op.Len + 1), Err: syscall.ENOSPC}
		}
		return nil
	})
	s.w = newLog(t, s.fs, 1)
	return s
}

func (s *crashStore) commit() {
	s.serial++
	p := fmt.Sprintf("commit %d %s", s.serial, strings.Repeat("x", s.r.IntN(3)*s.r.IntN(2000)))
	at, n := s.w.Size(), len(s.commits)
	must(s.t, s.w.Append([]byte(p)))
	s.commits = append(s.commits, p)
	switch s.r.IntN(3) {
	case 0: // in memory
	case 1:
		s.full = s.r.IntN(4) == 0
		if err := s.w.Flush(); err == nil {
			s.flushed = len(s.commits)
		} else if s.r.IntN(2) == 0 {
			must(s.t, s.w.DropFrom(at))
			s.commits = s.commits[:n]
		}
		s.full = false
	case 2:
		s.sync()
	}
}

func (s *crashStore) sync() {
	for _, w := range s.old {
		must(s.t, w.Sync())
		must(s.t, w.Close())
	}
	s.old = nil
	must(s.t, s.w.Sync())
	s.flushed, s.synced = len(s.commits), len(s.commits)
}

func (s *crashStore) rotate() {
	w := newLog(s.t, s.fs, s.next)
	s.full = s.r.IntN(4) == 0
	err := s.w.End(s.next)
	s.full = false
	if err != nil {
		must(s.t, s.w.Flush())
	}
	s.flushed = len(s.commits)
	s.old = append(s.old, s.w)
	s.w = w
	s.next++
}

// recoverLogs reads what a crash has left.
func recoverLogs(t *testing.T, fs vfs.FS) []string {
	t.Helper()
	names, err := fs.List("/")
	must(t, err)
	var logs []LogTail
	var payloads [][]string
	for _, name := range names {
		var num base.FileNum
		fmt.Sscanf(name, "%d.log", &num)
		got, tail, err := scan(content(t, fs, filepath.Join("/", name)), num, Expect{})
		must(t, err)
		logs = append(logs, LogTail{name, num, tail})
		payloads = append(payloads, got)
	}
	n, err := Chain(logs)
	must(t, err)
	return slices.Concat(payloads[:n]...)
}

// Whatever a crash leaves, it is a prefix of the commits, at least to the last one
// that was acknowledged as synced, and never mistaken for damage. Nothing of what
// failed comes back.
func TestCrash(t *testing.T) {
	for seed := range uint64(30) {
		s := newCrashStore(t, seed)
		for step := range 80 {
			if s.r.IntN(12) == 0 {
				s.rotate()
			} else {
				s.commit()
			}
			for i := range 3 {
				o := vfs.CrashOptions{Survive: []float64{0, 0.3, 0.5, 0.9, 1}[s.r.IntN(5)], Torn: i == 0, Rand: s.r}
				got := recoverLogs(t, s.mem.CrashClone(o))
				want := s.synced
				if o.Survive == 1 {
					want = s.flushed
				}
				if !isPrefix(got, s.commits) || len(got) < want {
					t.Fatalf("seed %d step %d survive %v: %d commits, want %d to %d, or other ones",
						seed, step, o.Survive, len(got), want, len(s.commits))
				}
			}
		}
	}
}

// A crash within each operation, not only between them.
func TestCrashInside(t *testing.T) {
	s := newCrashStore(t, 99)
	r := rand.New(rand.NewPCG(5, 5))
	busy := false
	s.fs.SetAfter(func(op vfs.Op) {
		if !op.Kind.Changes() || busy {
			return
		}
		o := vfs.CrashOptions{Survive: r.Float64(), Torn: true, Rand: r}
		if got := recoverLogs(t, s.mem.CrashClone(o)); !isPrefix(got, s.commits) || len(got) < s.synced {
			t.Fatalf("after %v: %d commits, want %d to %d", op, len(got), s.synced, len(s.commits))
		}
	})
	for range 400 {
		if s.r.IntN(12) == 0 {
			s.rotate()
		} else {
			s.commit()
		}
	}
}
