package compaction

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// memIter is a source over a slice; only what a merge uses does more than fail.
type memIter struct {
	recs   []base.KV
	pos    int
	failAt int // 0: never
	closed *int
}

var errSource = errors.New("source broken")

func (m *memIter) at() *base.KV {
	if m.failAt > 0 && m.pos >= m.failAt || m.pos >= len(m.recs) {
		return nil
	}
	return &m.recs[m.pos]
}
func (m *memIter) First() *base.KV { m.pos = 0; return m.at() }
func (m *memIter) Next() *base.KV  { m.pos++; return m.at() }
func (m *memIter) Last() *base.KV  { return nil }
func (m *memIter) Prev() *base.KV  { return nil }
func (m *memIter) SeekGE(key []byte) *base.KV {
	m.pos = sort.Search(len(m.recs), func(i int) bool { return bytes.Compare(m.recs[i].Key, key) >= 0 })
	return m.at()
}
func (m *memIter) SeekLT(key []byte) *base.KV { return nil }
func (m *memIter) Err() error {
	if m.failAt > 0 && m.pos >= m.failAt {
		return errSource
	}
	return nil
}
func (m *memIter) Close() error {
	if m.closed != nil {
		*m.closed++
	}
	return m.Err()
}

func sortKVs(recs []base.KV) {
	slices.SortFunc(recs, func(a, b base.KV) int { return base.Compare(a.Key, a.Trailer, b.Key, b.Trailer) })
}

// world is a set of records as readers see them.
type world struct {
	recs []base.KV
	dels []rangedel.Tombstone
}

// get is what a reader at seq and time sees of key; nil if nothing.
func (w *world) get(key []byte, seq base.SeqNum, time int64) []byte {
	var best *base.KV
	for i := range w.recs {
		r := &w.recs[i]
		if bytes.Equal(r.Key, key) && r.Trailer.Seq() <= seq && (best == nil || r.Trailer > best.Trailer) {
			best = r
		}
	}
	if best == nil || best.Trailer.Kind() == base.KindDelete {
		return nil
	}
	for _, d := range w.dels {
		if d.Seq <= seq && d.Seq > best.Trailer.Seq() && d.Contains(key) {
			return nil
		}
	}
	if best.Trailer.Kind() == base.KindSetTTL && int64(binary.BigEndian.Uint64(best.Value)) <= time {
		return nil
	}
	return best.Value
}

// scene is a random job and what lies below it.
type scene struct {
	keys   [][]byte
	parts  [][]base.KV // by source, newest first
	in     world
	below  world
	j      Job
	bounds [][]byte // where the merge is cut into parts
	shares []int    // the part at which each share of them ends; none: all is one job
	fs     *vfs.Mem
	num    base.FileNum
	closed int

	policy BlobPolicy
	refs   map[int]base.KV // by index in in.recs: records as the sources have them
}

// outsource puts some of the values into blob files, of which some are condemned, and
// makes the policy.
func (s *scene) outsource(r *rand.Rand) {
	s.refs = make(map[int]base.KV)
	if r.IntN(3) == 0 {
		return
	}
	s.policy = BlobPolicy{NewFile: s.newBlob, Fetch: s.fetch, Move: s.move, FileSize: int64(r.IntN(3)) * 300, Condemned: make(map[base.FileNum]bool)}
	if r.IntN(4) > 0 {
		s.policy.Least = 1 + r.IntN(100)
	}
	all := make([]int, len(s.in.recs))
	for i := range all {
		all[i] = i
	}
	slices.SortFunc(all, func(i, j int) int {
		a, b := &s.in.recs[i], &s.in.recs[j]
		return base.Compare(a.Key, a.Trailer, b.Key, b.Trailer)
	})
	for range r.IntN(4) {
		var b blobWriter
		b.init(&Job{Blobs: BlobPolicy{NewFile: s.newBlob}, Writer: sstable.WriterOptions{Compression: sstable.Snappy}})
		for _, i := range all {
			kv := s.in.recs[i]
			if _, ok := s.refs[i]; ok || kv.Trailer.Kind() == base.KindDelete || r.IntN(3) > 0 {
				continue
			}
			kind, n := base.KindBlob, 0
			if kv.Trailer.Kind() == base.KindSetTTL {
				kind, n = base.KindBlobTTL, 8
			}
			ref, err := b.write(func(w *sstable.Writer) error {
				return w.Add(kv.Key, base.MakeTrailer(kv.Trailer.Seq(), base.KindSet), kv.Value[n:])
			})
			if err != nil {
				panic(err)
			}
			kv.Trailer = base.MakeTrailer(kv.Trailer.Seq(), kind)
			kv.Value = ref.Append(slices.Clone(kv.Value[:n]))
			s.refs[i] = kv
		}
		if err := b.finish(); err != nil {
			panic(err)
		}
		if r.IntN(2) == 0 {
			s.policy.Condemned[s.num] = true
		}
	}
}

func (s *scene) newBlob() (vfs.File, string, base.FileNum, uint64, error) {
	f, _, num, uid, err := s.newOutput()
	return f, fmt.Sprintf("%06d.sst", num), num, uid, err
}

func (s *scene) blobReader(ref base.BlobRef) (*sstable.Reader, error) {
	name := fmt.Sprintf("%06d.sst", ref.File)
	f, err := s.fs.Open(name)
	if err != nil {
		return nil, err
	}
	return sstable.NewReader(f, sstable.ReaderOptions{Name: name, UID: uint64(ref.File) + 77, BlobsOnly: true})
}

func (s *scene) move(key []byte, ref base.BlobRef) (*sstable.RawBlob, error) {
	r, err := s.blobReader(ref)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := r.RawBlob(key, ref)
	return &b, err
}

func (s *scene) fetch(key []byte, ref base.BlobRef) ([]byte, error) {
	r, err := s.blobReader(ref)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	v, err := r.Blob(key, ref, true)
	if err != nil {
		return nil, err
	}
	defer v.Release()
	return bytes.Clone(v.Bytes), nil
}

// show is kv with its value beside it, as it was committed.
func (s *scene) show(t *testing.T, kv *base.KV, uses map[base.FileNum]manifest.BlobUse) base.KV {
	t.Helper()
	out := base.KV{Key: bytes.Clone(kv.Key), Trailer: kv.Trailer, Value: append([]byte{}, kv.Value...)}
	kind, n := base.KindSet, 0
	if kv.Trailer.Kind().TTL() {
		kind, n = base.KindSetTTL, 8
	}
	if kv.Trailer.Kind() != base.KindDelete && s.policy.Least > 0 && !kv.Trailer.Kind().Blob() && len(kv.Value)-n >= s.policy.Least {
		t.Fatalf("%s: a value of %d bytes is in its table", kv.Key, len(kv.Value)-n)
	}
	if !kv.Trailer.Kind().Blob() {
		return out
	}
	expiry, ref, err := sstable.SplitBlob(kv)
	if err != nil {
		t.Fatal(err)
	}
	if s.policy.Condemned[ref.File] {
		t.Fatalf("%s is in blob file %d, which is condemned", kv.Key, ref.File)
	}
	u := uses[ref.File]
	uses[ref.File] = manifest.BlobUse{File: ref.File, Values: u.Values + 1, Bytes: u.Bytes + int64(ref.Len)}
	v, err := s.fetch(kv.Key, ref)
	if err != nil {
		t.Fatal(err)
	}
	out.Trailer, out.Value = base.MakeTrailer(kv.Trailer.Seq(), kind), append(slices.Clone(expiry), v...)
	return out
}

func newScene(r *rand.Rand) *scene {
	s := &scene{fs: vfs.NewMem()}
	nkeys := 1 + r.IntN(25)
	for i := range nkeys {
		s.keys = append(s.keys, fmt.Appendf(nil, "key%02d", i))
	}
	pickKey := func() []byte { return s.keys[r.IntN(nkeys)] }
	sparse, width := 1+r.IntN(6), 1+r.IntN(400)
	const now, split, top = 1000, 20, 120
	if r.IntN(2) == 0 { // else everything is at the bottom
		for seq := range base.SeqNum(split - 1) {
			if r.IntN(2) == 0 {
				s.below.recs = append(s.below.recs, base.KV{Key: pickKey(), Trailer: base.MakeTrailer(seq+1, base.KindSet), Value: fmt.Appendf(nil, "below%d", seq)})
			}
		}
	}
	for seq := base.SeqNum(split); seq < top; seq++ {
		kv := base.KV{Key: pickKey(), Trailer: base.MakeTrailer(seq, base.KindSet), Value: bytes.Repeat([]byte{byte(seq)}, 1+r.IntN(width))}
		switch r.IntN(8) {
		case 0, 1:
			kv.Trailer, kv.Value = base.MakeTrailer(seq, base.KindDelete), nil
		case 2, 3:
			kv.Trailer = base.MakeTrailer(seq, base.KindSetTTL)
			kv.Value = append(binary.BigEndian.AppendUint64(nil, uint64(now-100+r.IntN(200))), kv.Value...)
		case 4:
			if r.IntN(sparse) == 0 {
				d := rangedel.Tombstone{Start: pickKey(), End: append(slices.Clone(pickKey()), 0), Seq: seq}
				if r.IntN(4) == 0 {
					d.End = nil
				}
				if !d.Empty() {
					s.in.dels = append(s.in.dels, d)
				}
				continue
			}
		case 5:
			continue
		}
		s.in.recs = append(s.in.recs, kv)
	}
	if r.IntN(10) == 0 {
		s.in.recs = nil
	}
	s.parts = make([][]base.KV, 1+r.IntN(4))
	s.outsource(r)
	for i, kv := range s.in.recs {
		if x, ok := s.refs[i]; ok {
			kv = x
		}
		i := r.IntN(len(s.parts))
		s.parts[i] = append(s.parts[i], kv)
	}
	s.j = Job{Tombstones: s.in.dels, Now: now, OutputLevel: 1 + r.IntN(6), TargetFileSize: int64(r.IntN(4)) * 600, NewOutput: s.newOutput}
	s.j.Writer = sstable.WriterOptions{BlockSize: 1024, FilterBitsPerKey: 10}
	s.j.Blobs = s.policy
	var seqs []base.SeqNum
	for range r.IntN(4) {
		seqs = append(seqs, base.SeqNum(r.IntN(top+5)))
	}
	slices.Sort(seqs)
	for i, q := range seqs {
		s.j.Snapshots = append(s.j.Snapshots, Snapshot{Seq: q, Time: now - 100 + int64(i)*20})
	}
	switch r.IntN(3) {
	case 0:
		s.j.Bottom = s.bottom
	case 1:
		s.j.Bottom, s.j.AllBottom = s.bottom, len(s.below.recs) == 0
	}
	for range r.IntN(4) {
		f := &manifest.FileMeta{Smallest: pickKey(), Size: int64(r.IntN(9000))}
		f.Largest = append(slices.Clone(f.Smallest), 'x')
		s.j.Grandparents = append(s.j.Grandparents, f)
	}
	slices.SortFunc(s.j.Grandparents, func(a, b *manifest.FileMeta) int { return bytes.Compare(a.Smallest, b.Smallest) })
	return s
}

// cut makes parts of the merge, at keys, between them and beyond them, and deals them out.
func (s *scene) cut(r *rand.Rand) {
	for range r.IntN(6) {
		k := slices.Clone(s.keys[r.IntN(len(s.keys))])
		switch r.IntN(4) {
		case 0:
			k = append(k, 'x')
		case 1:
			k = k[:r.IntN(len(k)+1)]
		}
		s.bounds = append(s.bounds, k)
	}
	slices.SortFunc(s.bounds, bytes.Compare)
	s.bounds = slices.CompactFunc(s.bounds, bytes.Equal)
	for i := range s.bounds {
		if r.IntN(2) == 0 {
			s.shares = append(s.shares, i+1)
		}
	}
	s.shares = append(s.shares, len(s.bounds)+1)
}

func (s *scene) bottom(lo, hi []byte, hiExclusive bool) bool {
	all := manifest.FileMeta{Smallest: lo, Largest: hi, LargestExclusive: hiExclusive}
	for _, r := range s.below.recs {
		if all.Contains(r.Key) {
			return false
		}
	}
	return true
}

func (s *scene) newOutput() (vfs.File, string, base.FileNum, uint64, error) {
	s.num++
	name := fmt.Sprintf("%06d.sst", s.num)
	f, err := s.fs.Create(name)
	return f, name, s.num, uint64(s.num) + 77, err
}

func (s *scene) run() (outs []Output, stats Stats, err error) {
	if len(s.shares) == 0 {
		return s.runJob(s.j)
	}
	upper := func(part int) []byte {
		if part < len(s.bounds) {
			return s.bounds[part]
		}
		return nil
	}
	at := 0
	for _, end := range s.shares {
		j := s.j
		if at > 0 {
			j.Lower = s.bounds[at-1]
		}
		j.Upper = upper(at)
		j.Onward = func() ([]byte, bool) {
			if at+1 == end {
				return nil, false
			}
			at++
			return upper(at), true
		}
		o, st, err := s.runJob(j)
		outs = append(outs, o...)
		stats.Read += st.Read
		stats.Written += st.Written
		stats.Shadowed += st.Shadowed
		stats.Covered += st.Covered
		stats.Tombstones += st.Tombstones
		if err != nil {
			return outs, stats, err
		}
		at = end
	}
	return outs, stats, nil
}

func (s *scene) runJob(j Job) ([]Output, Stats, error) {
	j.Sources = nil
	for _, p := range s.parts {
		sortKVs(p)
		j.Sources = append(j.Sources, &memIter{recs: p, closed: &s.closed})
	}
	made, stats, err := Run(&j)
	return made.Tables, stats, err
}

// read loads the outputs and checks that they are sound and do not overlap.
func (s *scene) read(t *testing.T, outs []Output) (w world) {
	t.Helper()
	var prev *manifest.FileMeta
	for _, o := range outs {
		f, err := s.fs.Open(o.Name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := sstable.NewReader(f, sstable.ReaderOptions{Name: o.Name, UID: o.Meta.UID, Size: o.Meta.Size})
		if err != nil {
			t.Fatal(err)
		}
		m := &manifest.FileMeta{Num: o.Num, Smallest: o.Meta.Smallest, Largest: o.Meta.Largest, LargestExclusive: o.Meta.LargestExclusive}
		if prev != nil && !prev.EndsBefore(m.Smallest) {
			t.Fatalf("outputs overlap: one ends at %q (%v), the next begins at %q", prev.Largest, prev.LargestExclusive, m.Smallest)
		}
		prev = m
		it, err := r.NewIter(sstable.IterOptions{Sequential: true})
		if err != nil {
			t.Fatal(err)
		}
		uses := make(map[base.FileNum]manifest.BlobUse)
		for kv := it.First(); kv != nil; kv = it.Next() {
			w.recs = append(w.recs, s.show(t, kv, uses))
		}
		for i, u := range o.Uses {
			if uses[u.File] != u || i > 0 && o.Uses[i-1].File >= u.File || len(uses) != len(o.Uses) {
				t.Fatalf("uses %v of a table that uses %v", o.Uses, uses)
			}
		}
		if len(o.Uses) != len(uses) || o.Meta.BlobRefs == 0 != (len(uses) == 0) {
			t.Fatalf("uses %v, %d references, of a table that uses %v", o.Uses, o.Meta.BlobRefs, uses)
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		for _, d := range r.RangeDels() {
			w.dels = append(w.dels, rangedel.Tombstone{Start: bytes.Clone(d.Start), End: bytes.Clone(d.End), Seq: d.Seq})
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// check runs the scene and compares what every reader sees before and after.
func (s *scene) check(t *testing.T) {
	t.Helper()
	outs, stats, err := s.run()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.parts) * max(1, len(s.shares)); s.closed != n {
		t.Fatalf("%d of %d sources closed", s.closed, n)
	}
	out := s.read(t, outs)
	before := world{append(slices.Clone(s.in.recs), s.below.recs...), append(slices.Clone(s.in.dels), s.below.dels...)}
	after := world{append(slices.Clone(out.recs), s.below.recs...), append(slices.Clone(out.dels), s.below.dels...)}
	type reader struct {
		seq  base.SeqNum
		time int64
	}
	readers := []reader{{base.SeqNumMax, s.j.Now}, {base.SeqNumMax, s.j.Now + 30}, {base.SeqNumMax, s.j.Now + 1000}}
	for _, x := range s.j.Snapshots {
		readers = append(readers, reader{x.Seq, x.Time})
	}
	for _, k := range s.keys {
		for _, rd := range readers {
			if got, want := after.get(k, rd.seq, rd.time), before.get(k, rd.seq, rd.time); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
				t.Fatalf("%s at seq %d time %d: %x after, %x before; snapshots %v, bottom %v", k, rd.seq, rd.time, got, want, s.j.Snapshots, s.j.AllBottom)
			}
		}
	}
	s.checkMinimal(t, out)
	if stats.Read != uint64(len(s.in.recs)) || stats.Written != uint64(len(out.recs)) ||
		stats.Read != stats.Written+stats.Shadowed+stats.Covered+stats.Tombstones && len(s.in.dels) == 0 {
		t.Fatalf("stats %+v for %d records in, %d out", stats, len(s.in.recs), len(out.recs))
	}
}

// checkMinimal sees that what nobody needs is gone.
func (s *scene) checkMinimal(t *testing.T, out world) {
	t.Helper()
	stripe := func(q base.SeqNum) int {
		return sort.Search(len(s.j.Snapshots), func(i int) bool { return s.j.Snapshots[i].Seq >= q })
	}
	for i, r := range out.recs {
		q := r.Trailer.Seq()
		if i > 0 && bytes.Equal(out.recs[i-1].Key, r.Key) && stripe(out.recs[i-1].Trailer.Seq()) == stripe(q) {
			t.Fatalf("two versions of %s in one stripe", r.Key)
		}
		if r.Trailer.Kind() == base.KindSetTTL && len(s.j.Snapshots) == 0 && int64(binary.BigEndian.Uint64(r.Value)) <= s.j.Now {
			t.Fatalf("%s is expired and still there", r.Key)
		}
		if !s.j.AllBottom || stripe(q) != 0 {
			continue
		}
		if q != 0 || r.Trailer.Kind() == base.KindDelete {
			t.Fatalf("%s#%d,%v at the bottom, for the oldest readers only", r.Key, q, r.Trailer.Kind())
		}
	}
	for _, d := range out.dels {
		if s.j.AllBottom && stripe(d.Seq) == 0 {
			t.Fatalf("range tombstone #%d at the bottom hides nothing", d.Seq)
		}
	}
}

// scenes is how many of n are tried.
func scenes(n uint64) uint64 {
	if testing.Short() {
		return n / 4
	}
	return n
}

func TestRunAgainstModel(t *testing.T) {
	for seed := range scenes(600) {
		newScene(rand.New(rand.NewPCG(seed, 11))).check(t)
	}
}

// The parts of a merge, however they are dealt out, make together what the whole would:
// no key is lost or there twice, and no tombstone ends at a cut.
func TestPartsAgainstModel(t *testing.T) {
	for seed := range scenes(1500) {
		r := rand.New(rand.NewPCG(seed, 23))
		s := newScene(r)
		s.cut(r)
		s.check(t)
	}
}

func TestSplit(t *testing.T) {
	var marks []Mark
	for source := range 3 {
		for i := range 40 {
			marks = append(marks, Mark{Key: fmt.Appendf(nil, "%03d", i*10+source), Bytes: 25})
		}
	}
	for _, x := range []struct {
		part int64
		want string
	}{
		{3000, "[]"}, {1501, "[]"}, {1500, "[192]"}, {900, "[130 261]"}, {600, "[072 152 232 312]"},
	} {
		if got := fmt.Sprintf("%s", Split(marks, x.part)); got != x.want {
			t.Errorf("parts of %d bytes: cut at %s, want %s", x.part, got, x.want)
		}
	}
	if got := Split([]Mark{{[]byte("a"), 100}, {[]byte("a"), 100}, {[]byte("b"), 100}}, 50); len(got) != 2 {
		t.Errorf("cut at %s: every key once", got)
	}
	if Split(nil, 0) != nil {
		t.Error("nothing is cut")
	}
}

func FuzzRun(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		s := newScene(r)
		s.cut(r)
		s.check(t)
	})
}

// Every error on the way comes out, with all sources closed and the outputs named.
func TestRunErrors(t *testing.T) {
	for seed := range uint64(50) {
		s := newScene(rand.New(rand.NewPCG(seed, 3)))
		if len(s.in.recs) < 20 {
			continue
		}
		s.j.TargetFileSize = 600
		for _, p := range s.parts {
			sortKVs(p)
		}
		s.j.Sources = nil
		for i, p := range s.parts {
			m := &memIter{recs: p, closed: &s.closed}
			if i == 0 {
				m.failAt = len(p)/2 + 1
			}
			s.j.Sources = append(s.j.Sources, m)
		}
		made, _, err := Run(&s.j)
		outs := made.Tables
		if !errors.Is(err, errSource) || s.closed != len(s.parts) {
			t.Fatalf("error %v, %d of %d sources closed", err, s.closed, len(s.parts))
		}
		for _, o := range outs {
			if err := s.fs.Remove(o.Name); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		full := errors.New("full")
		s.j.NewOutput = func() (vfs.File, string, base.FileNum, uint64, error) {
			if n++; n > 1 {
				return nil, "", 0, 0, full
			}
			return s.newOutput()
		}
		if outs, _, err = s.run(); err != nil && !errors.Is(err, full) || err != nil && len(outs) != 1 {
			t.Fatalf("%d outputs, error %v", len(outs), err)
		}
	}
}

func TestRunCancel(t *testing.T) {
	var recs []base.KV
	for i := range 5000 {
		recs = append(recs, base.KV{Key: fmt.Appendf(nil, "%08d", i), Trailer: base.MakeTrailer(base.SeqNum(i+1), base.KindSet), Value: make([]byte, 100)})
	}
	s := &scene{fs: vfs.NewMem(), parts: [][]base.KV{recs}}
	stop := errors.New("stop")
	asked, seen := 0, int64(0)
	s.j = Job{OutputLevel: 6, TargetFileSize: 1 << 20, NewOutput: s.newOutput, Progress: func(n int64) { seen += n }}
	s.j.Cancel = func() error {
		if asked++; asked == 3 {
			return stop
		}
		return nil
	}
	if outs, _, err := s.run(); !errors.Is(err, stop) || len(outs) != 1 {
		t.Fatalf("%d outputs, error %v", len(outs), err)
	}
	s.j.Cancel, seen = nil, 0
	_, stats, err := s.run()
	if err != nil || seen != 5000*108 || stats.ReadBytes != 5000*108 || stats.WrittenBytes == 0 {
		t.Fatalf("progress %d, stats %+v, error %v", seen, stats, err)
	}
}

// Outputs keep near the target size, and end where tables of the next level do.
func TestOutputsAlignWithGrandparents(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var recs []base.KV
	for i := range 40000 {
		v := make([]byte, 90)
		for k := range v {
			v[k] = byte(r.Uint32())
		}
		recs = append(recs, base.KV{Key: fmt.Appendf(nil, "%08d", i), Trailer: base.MakeTrailer(base.SeqNum(i+1), base.KindSet), Value: v})
	}
	s := &scene{fs: vfs.NewMem(), parts: [][]base.KV{recs}}
	const target = 256 << 10
	s.j = Job{OutputLevel: 5, TargetFileSize: target, NewOutput: s.newOutput}
	for i := 0; i < 40000; i += 600 {
		s.j.Grandparents = append(s.j.Grandparents, &manifest.FileMeta{Smallest: recs[i].Key, Largest: recs[min(i+599, 39999)].Key, Size: 60 << 10})
	}
	outs, _, err := s.run()
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outs {
		last := i == len(outs)-1
		if o.Meta.Size > target*8/5 || !last && o.Meta.Size < target/2 {
			t.Errorf("output %d has %d bytes", i, o.Meta.Size)
		}
		aligned := slices.ContainsFunc(s.j.Grandparents, func(f *manifest.FileMeta) bool { return bytes.Equal(f.Largest, o.Meta.Largest) })
		if !aligned && !last {
			t.Errorf("output %d ends at %s, within a table of the next level", i, o.Meta.Largest)
		}
	}
}

// Nothing may be allocated for each record.
func TestRunAllocations(t *testing.T) {
	allocs := func(n int) float64 {
		s := benchScene(n, 4)
		return testing.AllocsPerRun(2, func() {
			if _, _, err := s.run(); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := allocs(2000), allocs(20000); many-few > 2000 {
		t.Errorf("%v allocations for 2000 records, %v for 20000", few, many)
	}
}

// nullFS discards what is written.
type nullFile struct{ vfs.File }

func (nullFile) WriteAt(p []byte, off int64) (int, error) { return len(p), nil }
func (nullFile) Sync() error                              { return nil }
func (nullFile) Close() error                             { return nil }

func benchScene(n, sources int) *scene {
	r := rand.New(rand.NewPCG(1, 1))
	s := &scene{parts: make([][]base.KV, sources)}
	for i := range n {
		v := make([]byte, 100)
		for k := range 50 {
			v[k] = byte(r.Uint32())
		}
		p := r.IntN(sources)
		s.parts[p] = append(s.parts[p], base.KV{Key: fmt.Appendf(nil, "user%012d", i*7), Trailer: base.MakeTrailer(base.SeqNum(i+1), base.KindSet), Value: v})
	}
	s.j = Job{OutputLevel: 6, AllBottom: true, TargetFileSize: 16 << 20, Writer: sstable.WriterOptions{FilterBitsPerKey: 10, Compression: sstable.Snappy}}
	s.j.NewOutput = func() (vfs.File, string, base.FileNum, uint64, error) { return nullFile{}, "x", 1, 1, nil }
	return s
}

// BenchmarkRun merges records of 16+100 bytes from memory into tables that go
// nowhere: the rules, the block builder, the filter, compression and checksums.
func BenchmarkRun(b *testing.B) {
	const n = 100000
	for _, sources := range []int{1, 4} {
		s := benchScene(n, sources)
		b.Run(fmt.Sprintf("sources=%d", sources), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(n * 116)
			for b.Loop() {
				if _, _, err := s.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A merge within L0 may drop a tombstone only where no older table is beside it, in L0
// or below; newer ones in L0 do not matter.
func TestBottomWithinL0(t *testing.T) {
	table := func(num base.FileNum, lo, hi string, seq base.SeqNum) *manifest.FileMeta {
		return &manifest.FileMeta{Num: num, File: num, Smallest: []byte(lo), Largest: []byte(hi), SmallestSeq: seq, LargestSeq: seq + 9}
	}
	old, a, b, newer := table(1, "b", "d", 10), table(2, "a", "m", 20), table(3, "a", "m", 30), table(4, "f", "g", 40)
	var levels [base.NumLevels][]*manifest.FileMeta
	levels[0] = []*manifest.FileMeta{newer, b, a, old}
	levels[bottomLevel] = []*manifest.FileMeta{table(5, "j", "k", 1)}
	v, err := manifest.NewVersion(levels)
	if err != nil {
		t.Fatal(err)
	}
	c := &Compaction{Inputs: []Input{{0, []*manifest.FileMeta{b, a}}}, Lo: []byte("a"), Hi: []byte("m")}
	var j Job
	c.Configure(&j, v)
	for _, x := range []struct {
		lo, hi string
		want   bool
	}{{"a", "a", true}, {"b", "b", false}, {"c", "h", false}, {"d", "d", false}, {"e", "e", true}, {"f", "g", true}, {"h", "j", false}, {"l", "m", true}} {
		if got := j.Bottom([]byte(x.lo), []byte(x.hi), false); got != x.want {
			t.Errorf("bottom of %s to %s: %v, want %v", x.lo, x.hi, got, x.want)
		}
	}
	if j.AllBottom {
		t.Error("the numbers of what stays in L0 order it")
	}
}

// Who moves large values is asked about every 64 KiB of them whether to go on.
func TestMovedValuesAreCounted(t *testing.T) {
	s := &scene{fs: vfs.NewMem()}
	var b blobWriter
	b.init(&Job{Blobs: BlobPolicy{NewFile: s.newBlob}})
	const n, size = 64, 16 << 10
	var recs []base.KV
	for i := range n {
		kv := base.KV{Key: fmt.Appendf(nil, "key%02d", i), Trailer: base.MakeTrailer(1, base.KindBlob)}
		ref, err := b.write(func(w *sstable.Writer) error {
			return w.Add(kv.Key, base.MakeTrailer(1, base.KindSet), make([]byte, size))
		})
		if err != nil {
			t.Fatal(err)
		}
		kv.Value = ref.Append(nil)
		recs = append(recs, kv)
	}
	if err := b.finish(); err != nil {
		t.Fatal(err)
	}
	asked, read := 0, int64(0)
	j := Job{Sources: []base.Iter{&memIter{recs: recs}}, OutputLevel: 6, NewOutput: s.newOutput,
		Cancel: func() error { asked++; return nil }, Progress: func(n int64) { read += n },
		Blobs: BlobPolicy{Least: 1, NewFile: s.newBlob, Move: s.move, Condemned: map[base.FileNum]bool{s.num: true}}}
	_, stats, err := Run(&j)
	if err != nil {
		t.Fatal(err)
	}
	if stats.Moved != n || stats.MovedBytes < n*size || asked < n*size/askEvery-1 || uint64(read) != stats.ReadBytes || stats.ReadBytes < stats.MovedBytes {
		t.Errorf("asked %d times, told of %d bytes: %+v", asked, read, stats)
	}
}
