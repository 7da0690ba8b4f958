package compaction

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// tree is a store without logs and memtables: it flushes, picks and merges, with
// several compactions under way that end in any order, and is read level by level
// as a store is, so that a table in the wrong place shows as a wrong answer.
type tree struct {
	worlds  map[base.FileNum]*world // what each table holds
	t       *testing.T
	r       *rand.Rand
	o       Options
	v       *manifest.Version
	fs      *vfs.Mem
	num     base.FileNum
	seq     base.SeqNum
	now     int64
	ref     world // all that was ever written
	snaps   []Snapshot
	running []*treeJob
}

type treeJob struct {
	c     *Compaction
	v     *manifest.Version
	snaps []Snapshot
	now   int64
}

func newTree(t *testing.T, r *rand.Rand) *tree {
	v, err := manifest.NewVersion([base.NumLevels][]*manifest.FileMeta{})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		MemtableSize: 1000, TargetFileSize: 1500, BaseLevelBytes: int64(2000 + r.IntN(9000)),
		MinBaseBytes: int64(1000 + r.IntN(4000)), Multiplier: 2 + r.IntN(4), L0Trigger: 2 + r.IntN(3), MaxBytes: int64(4000 + r.IntN(20000)),
	}
	return &tree{t: t, r: r, v: v, o: o, fs: vfs.NewMem(), now: 1, worlds: map[base.FileNum]*world{}}
}

func (tr *tree) key() []byte { return fmt.Appendf(nil, "key%03d", tr.r.IntN(120)) }

func (tr *tree) newOutput() (vfs.File, string, base.FileNum, uint64, error) {
	tr.num++
	name := fmt.Sprintf("%06d.sst", tr.num)
	f, err := tr.fs.Create(name)
	return f, name, tr.num, uint64(tr.num), err
}

// load reads a table into memory and makes its metadata.
func (tr *tree) load(o Output) *manifest.FileMeta {
	s := scene{fs: tr.fs}
	w := s.read(tr.t, []Output{o})
	p := o.Meta
	tr.worlds[o.Num] = &w
	return &manifest.FileMeta{
		Num: o.Num, File: o.Num, UID: p.UID, Size: p.Size, Smallest: p.Smallest, Largest: p.Largest, LargestExclusive: p.LargestExclusive,
		SmallestSeq: p.SmallestSeq, LargestSeq: p.LargestSeq, Entries: p.Entries, Deletes: p.Deletes, RangeDels: p.RangeDels, TTLs: p.TTLs,
		MinExpiry: p.MinExpiry, MaxExpiry: p.MaxExpiry, RawBytes: p.RawKeyBytes + p.RawValueBytes,
	}
}

func (tr *tree) apply(e *manifest.Edit) {
	tr.t.Helper()
	v, err := manifest.Apply(tr.v, e)
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.v = v
}

func (tr *tree) flush() {
	var w world
	start := tr.key()
	for range 5 + tr.r.IntN(20) {
		tr.seq++
		kv := base.KV{Key: tr.key(), Trailer: base.MakeTrailer(tr.seq, base.KindSet), Value: bytes.Repeat([]byte{byte(tr.seq)}, 1+tr.r.IntN(120))}
		if tr.seq%5 == 0 { // a run of keys, so that some tables do not overlap
			kv.Key = append(slices.Clone(start), byte(tr.seq))
		}
		switch n := tr.r.IntN(20); {
		case n < 4:
			kv.Trailer, kv.Value = base.MakeTrailer(tr.seq, base.KindDelete), nil
		case n < 7:
			kv.Trailer = base.MakeTrailer(tr.seq, base.KindSetTTL)
			kv.Value = append(binary.BigEndian.AppendUint64(nil, uint64(tr.now+int64(tr.r.IntN(300)))), kv.Value...)
		case n == 7 && tr.r.IntN(3) == 0:
			d := rangedel.Tombstone{Start: tr.key(), End: tr.key(), Seq: tr.seq}
			if tr.r.IntN(5) == 0 {
				d.End = nil
			}
			if !d.Empty() {
				w.dels = append(w.dels, d)
			}
			continue
		}
		w.recs = append(w.recs, kv)
	}
	tr.ref.recs = append(tr.ref.recs, w.recs...)
	tr.ref.dels = append(tr.ref.dels, w.dels...)
	sortKVs(w.recs)
	j := Job{Sources: []base.Iter{&memIter{recs: w.recs}}, Tombstones: w.dels, Snapshots: tr.snaps, Now: tr.now, NewOutput: tr.newOutput}
	made, _, err := Run(&j)
	outs := made.Tables
	if err != nil {
		tr.t.Fatal(err)
	}
	var e manifest.Edit
	for _, o := range outs {
		e.Added = append(e.Added, manifest.NewFile{Level: 0, Meta: tr.load(o)})
	}
	tr.apply(&e)
}

func (tr *tree) env(idle bool) Env {
	e := Env{OldestSnapshot: base.SeqNumMax, Now: tr.now, Idle: idle}
	for _, s := range tr.snaps {
		e.OldestSnapshot, e.Now = min(e.OldestSnapshot, s.Seq), min(e.Now, s.Time)
	}
	for _, j := range tr.running {
		e.Running = append(e.Running, j.c)
	}
	e.Tombstones = func(f *manifest.FileMeta) []rangedel.Tombstone { return rangedel.Envelope(tr.worlds[f.Num].dels) }
	return e
}

func (tr *tree) start(c *Compaction) {
	for i, a := range tr.running {
		if Conflict(a.c, c) || Conflict(c, a.c) {
			tr.t.Fatalf("picked %v while %v runs", c, tr.running[i].c)
		}
	}
	tr.running = append(tr.running, &treeJob{c: c, v: tr.v, snaps: slices.Clone(tr.snaps), now: tr.now})
}

func (tr *tree) finish(i int) {
	x := tr.running[i]
	tr.running = slices.Delete(tr.running, i, i+1)
	var e manifest.Edit
	c := x.c
	j := Job{Snapshots: x.snaps, Now: x.now, NewOutput: tr.newOutput}
	for _, in := range c.Inputs {
		for _, f := range in.Files {
			w := tr.worlds[f.Num]
			e.Deleted = append(e.Deleted, manifest.DeletedFile{Level: in.Level, Num: f.Num})
			j.Sources = append(j.Sources, &memIter{recs: w.recs})
			j.Tombstones = append(j.Tombstones, w.dels...)
			if c.Move {
				e.Added = append(e.Added, manifest.NewFile{Level: c.OutputLevel, Meta: f})
			}
		}
	}
	if !c.Move && !c.DeleteOnly {
		c.Configure(&j, x.v)
		made, _, err := Run(&j)
		outs := made.Tables
		if err != nil {
			tr.t.Fatal(err)
		}
		for _, o := range outs {
			e.Added = append(e.Added, manifest.NewFile{Level: c.OutputLevel, Meta: tr.load(o)})
		}
	}
	tr.apply(&e)
}

// get looks for key from the top down and believes the first level that says
// anything.
func (tr *tree) get(key []byte, seq base.SeqNum, time int64) []byte {
	for l := range tr.v.Levels {
		for _, f := range tr.v.Overlaps(l, key, key, false) {
			w := tr.worlds[f.Num]
			sees := slices.ContainsFunc(w.recs, func(r base.KV) bool { return bytes.Equal(r.Key, key) && r.Trailer.Seq() <= seq }) ||
				slices.ContainsFunc(w.dels, func(d rangedel.Tombstone) bool { return d.Contains(key) && d.Seq <= seq })
			if sees {
				return w.get(key, seq, time)
			}
		}
	}
	return nil
}

func (tr *tree) check() {
	tr.t.Helper()
	readers := append(slices.Clone(tr.snaps), Snapshot{base.SeqNumMax, tr.now})
	for range 20 {
		k := tr.key()
		if tr.r.IntN(3) == 0 {
			k = append(k, byte(tr.r.IntN(256)))
		}
		for _, s := range readers {
			if got, want := tr.get(k, s.Seq, s.Time), tr.ref.get(k, s.Seq, s.Time); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
				tr.t.Fatalf("%q at %d: got %x, want %x", k, s.Seq, got, want)
			}
		}
	}
}

// rest works until nothing is left to do.
func (tr *tree) rest(pick func() *Compaction) {
	tr.t.Helper()
	for len(tr.running) > 0 {
		tr.finish(0)
	}
	for i := 0; ; i++ {
		c := pick()
		if c == nil {
			return
		}
		if i > 500 {
			tr.t.Fatalf("still not at rest: %v", c)
		}
		tr.start(c)
		tr.finish(0)
	}
}

// A store under random load answers as the model does whatever the picker
// chooses, comes to rest, and can be compacted to the bottom without a trace of
// deletes.
func TestTreeAgainstModel(t *testing.T) {
	reasons := map[string]int{}
	for seed := range uint64(30) {
		tr := newTree(t, rand.New(rand.NewPCG(seed, 5)))
		for range 120 {
			switch n := tr.r.IntN(12); {
			case n < 4:
				tr.flush()
			case n < 8 && len(tr.running) < 3:
				c := Pick(tr.v, tr.o, tr.env(n == 7))
				if n == 6 && tr.r.IntN(4) == 0 {
					m := Manual{Lo: tr.key(), UpTo: base.SeqNumMax}
					c, _ = m.Next(tr.v, tr.o, tr.env(false))
				}
				if c != nil {
					reasons[c.Reason]++
					tr.start(c)
				}
			case n < 10 && len(tr.running) > 0:
				tr.finish(tr.r.IntN(len(tr.running)))
			case n == 10:
				tr.now += int64(tr.r.IntN(60))
			case len(tr.snaps) > 0 && tr.r.IntN(2) == 0:
				i := tr.r.IntN(len(tr.snaps))
				tr.snaps = slices.Delete(tr.snaps, i, i+1)
			case len(tr.snaps) < 3:
				tr.snaps = append(tr.snaps, Snapshot{tr.seq, tr.now})
			}
			tr.check()
		}
		tr.rest(func() *Compaction { return Pick(tr.v, tr.o, tr.env(true)) })
		tr.check()
		if sc := Scores(tr.v, tr.o); slices.Max(sc[:]) >= 1 {
			t.Errorf("seed %d: at rest with scores %v", seed, sc)
		}
		tr.snaps = nil
		m := Manual{UpTo: base.SeqNumMax}
		tr.rest(func() *Compaction {
			c, done := m.Next(tr.v, tr.o, tr.env(false))
			if (c == nil) != done {
				t.Fatalf("Manual says done=%v with %v", done, c)
			}
			return c
		})
		tr.check()
		for l := range tr.v.Levels {
			for _, f := range tr.v.Levels[l] {
				if l < bottomLevel || f.Deletes+f.RangeDels > 0 || f.TTLs > 0 && f.MinExpiry <= tr.now {
					t.Errorf("seed %d: after Manual, table %d in L%d has %d deletes and %d range deletes", seed, f.Num, l, f.Deletes, f.RangeDels)
				}
			}
		}
	}
	t.Log(reasons)
	for _, r := range []string{"L0", "level", "move L0", "move", "within L0", "covered", "tombstones", "bottom tombstones", "expired", "after snapshot", "manual", "idle L0", "idle level"} {
		if reasons[r] == 0 {
			t.Logf("never picked: %s", r)
		}
	}
}

// Manual ends beside writers, compactions that the picker chooses, and a clock by which
// records expire all the time. Whatever was there when it began is at the bottom then.
func TestManualEnds(t *testing.T) {
	for seed := range uint64(20) {
		tr := newTree(t, rand.New(rand.NewPCG(seed, 6)))
		tr.o.TargetFileSize, tr.o.BaseLevelBytes, tr.o.MinBaseBytes, tr.o.MaxBytes = 500, 1000, 500, 2000
		for range 20 {
			tr.flush()
			if c := Pick(tr.v, tr.o, tr.env(false)); c != nil {
				tr.start(c)
				tr.finish(0)
			}
		}
		m := Manual{UpTo: tr.seq}
		for steps := 0; ; steps++ {
			c, done := m.Next(tr.v, tr.o, tr.env(false))
			if done {
				break
			}
			if steps == 100 {
				t.Fatalf("seed %d: not done after %d steps: %v", seed, steps, c)
			}
			if c != nil {
				tr.start(c)
			}
			tr.now += 10
			for range 4 {
				tr.flush()
				// The picker goes on beside c, and either may end first.
				for n := tr.r.IntN(4); n > 0; n-- {
					if c := Pick(tr.v, tr.o, tr.env(false)); c != nil {
						tr.start(c)
					}
					if len(tr.running) > 0 {
						tr.finish(tr.r.IntN(len(tr.running)))
					}
				}
			}
			// The next step is only after this one.
			if i := slices.IndexFunc(tr.running, func(j *treeJob) bool { return j.c == c }); i >= 0 {
				tr.finish(i)
			}
			tr.check()
		}
		for l := range tr.v.Levels[:bottomLevel] {
			for _, f := range tr.v.Levels[l] {
				if f.SmallestSeq <= m.UpTo {
					t.Errorf("seed %d: table %d in L%d has records from %d on, Manual began at %d", seed, f.Num, l, f.SmallestSeq, m.UpTo)
				}
			}
		}
	}
}

// Manual comes to the end even if everything it takes away is back for the next step.
func TestManualPassesOnce(t *testing.T) {
	var levels [base.NumLevels][]*manifest.FileMeta
	num := base.FileNum(0)
	add := func(level int, lo, hi string) {
		num++
		levels[level] = append(levels[level], &manifest.FileMeta{Num: num, File: num, Size: 1000, Smallest: []byte(lo), Largest: []byte(hi),
			SmallestSeq: 1, LargestSeq: 9, Entries: 10, TTLs: 1, MinExpiry: 1, MaxExpiry: 1 << 40})
	}
	for _, l := range []int{bottomLevel - 1, bottomLevel} {
		add(l, "a", "b")
		add(l, "b1", "d")
		add(l, "f", "h")
		add(l, "k", "m")
	}
	v, err := manifest.NewVersion(levels)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{MemtableSize: 1000, TargetFileSize: 1000, MaxBytes: 1}
	for _, x := range []struct{ lo, hi, want string }{
		{"", "", "L5 1 L6 5, L5 2 L6 6, L5 3 L6 7, L5 4 L6 8, L6 5, L6 6, L6 7, L6 8"},
		{"c", "g", "L5 2 L6 6, L5 3 L6 7, L6 6, L6 7"},
		{"d", "k", "L5 2 L6 6, L5 3 L6 7, L6 6, L6 7"},
		{"i", "j", ""},
	} {
		m := Manual{Lo: []byte(x.lo)}
		if x.hi != "" {
			m.Hi = []byte(x.hi)
		}
		var got []string
		for range 20 {
			c, done := m.Next(v, o, Env{OldestSnapshot: base.SeqNumMax, Now: 2})
			if done {
				break
			}
			s := strings.TrimPrefix(c.String(), "manual: ")
			got = append(got, s[:strings.Index(s, " ->")])
		}
		if s := strings.Join(got, ", "); s != x.want {
			t.Errorf("[%s, %s): %s, want %s", x.lo, x.hi, s, x.want)
		}
	}
}

// A table that comes along because a newer one reaches over it, although it does not
// touch where the closure began, is taken however old it is: what is newer must not go
// below it.
func TestClosureL0ReachesBack(t *testing.T) {
	table := func(num base.FileNum, lo, hi string) *manifest.FileMeta {
		seq := base.SeqNum(num) * 10
		return &manifest.FileMeta{Num: num, File: num, Size: 1000, Smallest: []byte(lo), Largest: []byte(hi), SmallestSeq: seq, LargestSeq: seq + 9}
	}
	var levels [base.NumLevels][]*manifest.FileMeta
	levels[0] = []*manifest.FileMeta{table(5, "d", "y"), table(4, "b", "e"), table(3, "0", "1"), table(2, "a", "c"), table(1, "x", "z")}
	v, err := manifest.NewVersion(levels)
	if err != nil {
		t.Fatal(err)
	}
	p := newPicker(v, Options{}, &Env{})
	all := oldestFirst(v)
	for i, want := range []string{"1 2 4 5", "1 2 4 5", "3", "1 2 4 5", "1 2 4 5"} {
		got := ""
		for _, f := range p.closureL0(all, all[i]) {
			got += fmt.Sprintf(" %d", f.Num)
		}
		if got != " "+want {
			t.Errorf("from table %d:%s, want %s", i+1, got, want)
		}
	}
}
