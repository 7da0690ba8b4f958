package compaction

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
)

// sim runs the picker without any I/O. A table is a list of sorted 32-bit keys,
// each of which stands for many records. A unit of time is one flush; compactions
// write at a rate of so many flushes per flush, beside one another.
type sim struct {
	keys map[base.FileNum][]uint32 // of each table
	t    *testing.T
	o    Options
	v    *manifest.Version
	perK int64   // stored bytes that a key stands for
	rate float64 // compaction output per job and flush, in flushes; 0: done at once
	jobs int

	num     base.FileNum
	seq     base.SeqNum
	running []*simJob

	flushed, compacted  int64
	moves, merges       int
	maxL0, maxJob       int64
	stalls              int
	probes, probesAfter float64
	samples             int
	peak                int64
	reasons             map[string]int
}

type simJob struct {
	c    *Compaction
	left float64 // flushes of output still to write
}

const simFlush = 1000 // keys in a memtable

func newSim(t *testing.T, memtable int64, stored float64) *sim {
	v, err := manifest.NewVersion([base.NumLevels][]*manifest.FileMeta{})
	if err != nil {
		t.Fatal(err)
	}
	// A third of a memtable is nodes and links, not records.
	user := float64(memtable) * 116 / 150
	return &sim{t: t, v: v, o: Options{MemtableSize: memtable}.WithDefaults(), perK: int64(user * stored / simFlush), jobs: 1, reasons: map[string]int{}, keys: map[base.FileNum][]uint32{}}
}

func (s *sim) meta(keys []uint32, lo, hi base.SeqNum) *manifest.FileMeta {
	s.num++
	k := func(x uint32) []byte { return binary.BigEndian.AppendUint32(nil, x) }
	s.keys[s.num] = keys
	return &manifest.FileMeta{
		Num: s.num, File: s.num, Size: int64(len(keys)) * s.perK, Entries: uint64(len(keys)),
		Smallest: k(keys[0]), Largest: k(keys[len(keys)-1]), SmallestSeq: lo, LargestSeq: hi,
	}
}

func (s *sim) apply(e *manifest.Edit) {
	v, err := manifest.Apply(s.v, e)
	if err != nil {
		s.t.Fatal(err)
	}
	s.v = v
}

func (s *sim) env(idle bool) Env {
	e := Env{OldestSnapshot: base.SeqNumMax, Idle: idle}
	for _, j := range s.running {
		e.Running = append(e.Running, j.c)
	}
	return e
}

// flush adds a memtable of keys to L0, waiting while L0 is overfull.
func (s *sim) flush(keys []uint32) {
	for s.rate > 0 && len(s.v.Levels[0]) >= 4*s.o.L0Max {
		s.stalls++
		s.pass(false, 1)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	f := s.meta(keys, s.seq+1, s.seq+simFlush)
	s.seq += simFlush
	s.flushed += f.Size
	s.apply(&manifest.Edit{Added: []manifest.NewFile{{Level: 0, Meta: f}}})
	s.maxL0 = max(s.maxL0, int64(len(s.v.Levels[0])))
	s.pass(false, 1)
	s.probes += s.lookups()
	s.samples++
}

// pass lets one unit of time go by.
func (s *sim) pass(idle bool, dt float64) bool {
	did := false
	for steps := 0; ; steps++ {
		if steps > 10000 {
			s.t.Fatal("the picker does not come to rest")
		}
		for len(s.running) < s.jobs {
			c := Pick(s.v, s.o, s.env(idle))
			if c == nil {
				break
			}
			did = true
			s.reasons[c.Reason]++
			j := &simJob{c: c}
			if s.rate > 0 && !c.Move && !c.DeleteOnly {
				j.left = float64(c.InputBytes()) / float64(s.perK*simFlush)
			}
			s.running = append(s.running, j)
			if j.left == 0 {
				s.finish(j)
			}
		}
		if len(s.running) == 0 || dt <= 0 {
			return did || len(s.running) > 0
		}
		// The next job to end, or the end of the time.
		step := dt * s.rate
		for _, j := range s.running {
			step = min(step, j.left)
		}
		dt -= step / s.rate
		for _, j := range slices.Clone(s.running) {
			if j.left -= step; j.left <= 1e-9 {
				s.finish(j)
			}
		}
	}
}

func (s *sim) settle() {
	for i := 0; s.pass(true, 1); i++ {
		if i > 1e6 {
			s.t.Fatal("never settles")
		}
	}
	s.probesAfter = s.lookups()
}

func (s *sim) finish(j *simJob) {
	s.running = slices.DeleteFunc(s.running, func(x *simJob) bool { return x == j })
	c := j.c
	var e manifest.Edit
	var keys []uint32
	lo, hi := base.SeqNumMax, base.SeqNum(0)
	for _, in := range c.Inputs {
		for _, f := range in.Files {
			e.Deleted = append(e.Deleted, manifest.DeletedFile{Level: in.Level, Num: f.Num})
			if c.Move {
				e.Added = append(e.Added, manifest.NewFile{Level: c.OutputLevel, Meta: f})
			}
			keys = append(keys, s.keys[f.Num]...)
			lo, hi = min(lo, f.SmallestSeq), max(hi, f.LargestSeq)
		}
	}
	if c.Move {
		s.moves++
		s.apply(&e)
		return
	}
	s.merges++
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if c.OutputLevel == bottomLevel {
		lo, hi = 0, 0
	}
	per := len(keys)
	if c.TargetFileSize > 0 {
		per = int(max(1, c.TargetFileSize/s.perK))
	}
	var out int64
	for part := range slices.Chunk(keys, per) {
		f := s.meta(part, lo, hi)
		out += f.Size
		e.Added = append(e.Added, manifest.NewFile{Level: c.OutputLevel, Meta: f})
	}
	s.compacted += out
	s.maxJob = max(s.maxJob, out)
	s.peak = max(s.peak, s.total()+out)
	s.apply(&e)
}

func (s *sim) total() int64 {
	var n int64
	for l := range s.v.Levels {
		n += s.v.Size(l)
	}
	return n
}

// lookups returns how many tables a lookup of a random key visits (those whose
// bounds hold it; filters then spare the block).
func (s *sim) lookups() float64 {
	r := rand.New(rand.NewPCG(5, uint64(s.num)))
	n := 0
	for range 200 {
		k := binary.BigEndian.AppendUint32(nil, r.Uint32())
		for l := range s.v.Levels {
			if l == 0 {
				n += len(s.v.Overlaps(0, k, k, false))
			} else if s.v.Find(l, k) != nil {
				n++
			}
		}
	}
	return float64(n) / 200
}

// amp is the bytes written per user byte, with those of the WAL.
func (s *sim) amp(stored float64) float64 {
	return 1.15 + float64(s.flushed+s.compacted)/(float64(s.flushed)/stored)
}

func (s *sim) report(name string, stored float64) {
	s.t.Logf("%-34s amp %5.2f (compaction %4.2f of flushed) L0 max %2d, tables per lookup %4.1f settled %3.1f, merges %3d moves %3d, largest %5d MB, stalls %d, levels %s %v",
		name, s.amp(stored), float64(s.compacted)/float64(s.flushed), s.maxL0, s.probes/float64(max(1, s.samples)), s.probesAfter,
		s.merges, s.moves, s.maxJob>>20, s.stalls, s.levels(), s.reasons)
}

func (s *sim) levels() string {
	out := ""
	for l := range s.v.Levels {
		if n := len(s.v.Levels[l]); n > 0 {
			out += fmt.Sprintf("L%d:%d/%dMB ", l, n, s.v.Size(l)>>20)
		}
	}
	return out
}

// fillRandom writes user bytes of new random keys.
func (s *sim) fillRandom(seed uint64, user int64, stored float64, space uint32) {
	r := rand.New(rand.NewPCG(seed, 1))
	n := int(float64(user) * stored / float64(s.perK*simFlush))
	for range n {
		keys := make([]uint32, simFlush)
		for i := range keys {
			keys[i] = r.Uint32()
			if space > 0 {
				keys[i] = keys[i] % space * (1 << 31 / space * 2)
			}
		}
		s.flush(keys)
	}
}

// TestWriteAmplification holds the policy to what it promises: bytes written to
// disk for each byte of the user, WAL and flush included, after everything has
// settled, and how many tables a lookup visits on the way and at rest. Keys are
// 16+100 bytes in random order and tables take 0.55 of them; compactions write at
// a given multiple of the flushes' speed (0: they take no time).
func TestWriteAmplification(t *testing.T) {
	const stored = 0.55
	for _, c := range []struct {
		name                       string
		user                       int64
		rate                       float64
		jobs                       int
		amp, lookup, rest, garbage float64
	}{
		{"290 MB", 290e6, 0, 1, 3.0, 3, 1.1, 1.12},
		{"580 MB", 580e6, 0, 1, 3.0, 4, 1.1, 1.12},
		{"580 MB, busy disk", 580e6, 2, 1, 3.0, 8, 1.1, 1.12},
		{"580 MB, two jobs", 580e6, 4, 2, 3.0, 6, 1.1, 1.12},
		{"1.2 GB", 1200e6, 0, 1, 3.7, 5, 2, 1.12},
		{"5 GB", 5e9, 0, 1, 5.5, 6, 3, 1.15},
		{"5 GB, busy disk", 5e9, 5, 1, 5.0, 14, 3, 1.15},
		{"5 GB, two jobs", 5e9, 5, 2, 5.5, 9, 3, 1.15},
		{"20 GB", 20e9, 0, 1, 7.5, 7, 3.5, 1.15},
		{"20 GB, two jobs", 20e9, 5, 2, 7.5, 13, 3.5, 1.15},
	} {
		s := newSim(t, 32<<20, stored)
		s.rate, s.jobs = c.rate, c.jobs
		s.fillRandom(1, c.user, stored, 0)
		s.settle()
		s.report(c.name, stored)
		if a := s.amp(stored); a > c.amp {
			t.Errorf("%s: write amplification %.2f, want at most %.2f", c.name, a, c.amp)
		}
		if l := s.probes / float64(s.samples); l > c.lookup || s.probesAfter > c.rest {
			t.Errorf("%s: %.1f tables per lookup, %.1f at rest, want at most %.1f and %.1f", c.name, l, s.probesAfter, c.lookup, c.rest)
		}
		if g := float64(s.total()) / float64(s.v.Size(bottomLevel)); g > c.garbage {
			t.Errorf("%s: %.2f times the bottom level at rest, want at most %.2f", c.name, g, c.garbage)
		}
		if s.stalls > 0 {
			t.Errorf("%s: writers waited %d times", c.name, s.stalls)
		}
	}
}

// Overwriting the same keys again and again leaves little garbage at rest.
func TestSpaceAmplification(t *testing.T) {
	const stored = 0.55
	for _, gb := range []int{1, 4} {
		s := newSim(t, 32<<20, stored)
		// A thirtieth of so many distinct keys is one flush.
		space := uint32(30 * simFlush * gb)
		s.fillRandom(1, int64(gb)*4e9, stored, space)
		s.settle()
		s.report(fmt.Sprintf("overwrite %d00%%", 4), stored)
		live := make(map[uint32]bool)
		for l := range s.v.Levels {
			for _, f := range s.v.Levels[l] {
				for _, k := range s.keys[f.Num] {
					live[k] = true
				}
			}
		}
		if amp := float64(s.total()) / float64(int64(len(live))*s.perK); amp > 1.15 {
			t.Errorf("%d GB: %.2f times the live bytes at rest", gb, amp)
		}
	}
}

// Ascending keys are never rewritten: tables only move, many in one edit.
func TestSequentialFillOnlyMoves(t *testing.T) {
	for _, jobs := range []int{1, 2} {
		s := newSim(t, 32<<20, 0.55)
		s.rate, s.jobs = 4, jobs
		for i := range uint32(400) {
			keys := make([]uint32, simFlush)
			for k := range keys {
				keys[k] = i*simFlush + uint32(k)
			}
			s.flush(keys)
		}
		s.settle()
		s.report("sequential", 0.55)
		if s.merges > 0 || s.compacted > 0 || s.maxL0 > int64(s.o.L0Trigger) || len(s.v.Levels[0]) > 0 {
			t.Errorf("%d merges, %d bytes rewritten, up to %d tables in L0", s.merges, s.compacted, s.maxL0)
		}
		if s.moves > 210 {
			t.Errorf("%d edits to move 400 tables", s.moves)
		}
	}
}

// Writes that jump between two ascending runs, and then all over, still settle.
func TestMixedFillSettles(t *testing.T) {
	s := newSim(t, 32<<20, 0.55)
	s.rate, s.jobs = 3, 2
	r := rand.New(rand.NewPCG(1, 1))
	for i := range uint32(200) {
		keys := make([]uint32, simFlush)
		for k := range keys {
			keys[k] = (i%2)<<31 + i*simFlush + uint32(k)
			if i%10 == 0 {
				keys[k] = r.Uint32()
			}
		}
		s.flush(keys)
	}
	s.settle()
	s.report("two runs and noise", 0.55)
	if a := s.amp(0.55); a > 6 {
		t.Errorf("write amplification %.2f", a)
	}
}
