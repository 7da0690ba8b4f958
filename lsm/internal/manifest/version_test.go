package manifest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// randomLevel returns disjoint tables over short keys, some with exclusive upper
// bounds, the last one perhaps without any.
func randomLevel(r *rand.Rand, prefix string) []*FileMeta {
	var keys []string
	for range 2 + r.IntN(20) {
		keys = append(keys, prefix+string([]byte("aabc\x00\xff")[:r.IntN(4)])+fmt.Sprint(r.IntN(30))[:1])
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	var files []*FileMeta
	for i := 0; i+1 < len(keys); i++ {
		f := table(base.FileNum(i+1), keys[i], keys[i+1])
		if r.IntN(4) == 0 {
			f.Largest = f.Smallest
		} else if r.IntN(2) == 0 {
			f.LargestExclusive = true
		} else {
			i++
		}
		files = append(files, f)
	}
	if n := len(files); n > 0 && r.IntN(3) == 0 {
		files[n-1].Largest, files[n-1].LargestExclusive = nil, true
	}
	return files
}

func TestSearchAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		prefix := []string{"", "common prefix ", "x"}[r.IntN(3)]
		files := randomLevel(r, prefix)
		v, err := NewVersion([base.NumLevels][]*FileMeta{3: slices.Clone(files)})
		must(t, err)
		probes := []string{"", "a", "zzz", prefix, "\xff\xff\xff\xff\xff\xff\xff\xff\xff"}
		for _, f := range files {
			probes = append(probes, string(f.Smallest), string(f.Smallest)+"\x00", string(f.Largest), string(f.Largest)+"\x00")
		}
		for _, p := range probes {
			want := (*FileMeta)(nil)
			for _, f := range files {
				lower := bytes.Compare(f.Smallest, []byte(p)) <= 0
				upper := f.Unbounded() || p < string(f.Largest) || p == string(f.Largest) && !f.LargestExclusive
				if lower && upper {
					want = f
				}
				if f.Contains([]byte(p)) != (lower && upper) {
					t.Fatalf("Contains(%q) of %+v", p, f)
				}
			}
			if got := v.Find(3, []byte(p)); got != want {
				t.Fatalf("Find(%q) = %+v, want %+v", p, got, want)
			}
			q := probes[r.IntN(len(probes))]
			excl := r.IntN(2) == 0
			if p > q && !(excl && q == "") {
				continue
			}
			var over []*FileMeta
			for _, f := range files {
				if f.Overlaps([]byte(p), []byte(q), excl) {
					over = append(over, f)
				}
			}
			if got := v.Overlaps(3, []byte(p), []byte(q), excl); !slices.Equal(got, over) {
				t.Fatalf("Overlaps(%q, %q, %v): %d tables, want %d", p, q, excl, len(got), len(over))
			}
			l0, err := NewVersion([base.NumLevels][]*FileMeta{0: slices.Clone(files)})
			must(t, err)
			if got := l0.Overlaps(0, []byte(p), []byte(q), excl); len(got) != len(over) {
				t.Fatalf("L0: %d tables, want %d", len(got), len(over))
			}
		}
	}
}

func TestBounds(t *testing.T) {
	b := func(s string) []byte { return []byte(s) }
	f := table(1, "b", "d")
	x := exclusive(table(2, "b", "d"))
	inf := exclusive(table(3, "b", ""))
	all := exclusive(table(4, "", ""))
	empty := table(5, "", "") // the empty key only
	for _, c := range []struct {
		f      *FileMeta
		lo, hi string
		excl   bool
		want   bool
	}{
		{f, "a", "b", false, true}, {f, "a", "b", true, false}, {f, "d", "e", false, true}, {f, "d\x00", "e", false, false},
		{x, "d", "e", false, false}, {x, "c", "e", false, true}, {x, "a", "", true, true}, {x, "d", "", true, false},
		{inf, "zzz", "zzzz", false, true}, {inf, "a", "aa", false, false}, {inf, "a", "", true, true},
		{all, "", "", false, true}, {all, "x", "", true, true}, {empty, "", "", false, true}, {empty, "a", "b", false, false},
		{empty, "", "", true, true},
	} {
		if got := c.f.Overlaps(b(c.lo), b(c.hi), c.excl); got != c.want {
			t.Errorf("table %d overlaps [%q, %q] %v: %v", c.f.Num, c.lo, c.hi, c.excl, got)
		}
	}
	order := []*FileMeta{empty, x, f, table(6, "b", "d\x00"), inf}
	for i := range order {
		for j := range order {
			got := CompareUpper(order[i].Largest, order[i].LargestExclusive, order[j].Largest, order[j].LargestExclusive)
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("CompareUpper of %d and %d is %d", i, j, got)
			}
		}
	}
	if f.Bytes() != f.Size {
		t.Error("size of a whole table")
	}
	f.Clipped, f.LiveSize = true, 7
	if f.Bytes() != 7 {
		t.Error("size of a clipped table")
	}
}

func TestInvariants(t *testing.T) {
	bad := func(change func(*FileMeta)) *FileMeta {
		f := table(9, "a", "b")
		change(f)
		return f
	}
	for i, c := range []struct {
		levels [base.NumLevels][]*FileMeta
		want   string
	}{
		{[base.NumLevels][]*FileMeta{1: {table(1, "a", "c"), table(2, "b", "d")}}, "overlap"},
		{[base.NumLevels][]*FileMeta{1: {table(1, "a", "c"), table(2, "c", "d")}}, "overlap"},
		{[base.NumLevels][]*FileMeta{1: {table(1, "a", "c"), table(2, "a", "d")}}, "out of order"},
		{[base.NumLevels][]*FileMeta{1: {exclusive(table(1, "a", "")), table(2, "x", "y")}}, "overlap"},
		{[base.NumLevels][]*FileMeta{1: {table(1, "a", "c")}, 2: {table(1, "a", "c")}}, "in L1 and in L2"},
		{[base.NumLevels][]*FileMeta{1: {bad(func(f *FileMeta) { f.Num = 0 })}}, "number 0"},
		{[base.NumLevels][]*FileMeta{1: {bad(func(f *FileMeta) { f.Largest = []byte("Z") })}}, "beyond"},
		{[base.NumLevels][]*FileMeta{1: {bad(func(f *FileMeta) { f.Largest, f.LargestExclusive = f.Smallest, true })}}, "beyond"},
		{[base.NumLevels][]*FileMeta{1: {bad(func(f *FileMeta) { f.SmallestSeq = 99 })}}, "sequence"},
		{[base.NumLevels][]*FileMeta{1: {bad(func(f *FileMeta) { f.GlobalSeq = 3 })}}, "global"},
		{[base.NumLevels][]*FileMeta{1: {bad(func(f *FileMeta) { f.File = 3 })}}, "not clipped"},
		{[base.NumLevels][]*FileMeta{1: {bad(func(f *FileMeta) { f.Size = -1 })}}, "negative"},
		{[base.NumLevels][]*FileMeta{1: {bad(func(f *FileMeta) { f.Largest = make([]byte, base.MaxKeyLen+2) })}}, "longer"},
		{[base.NumLevels][]*FileMeta{1: {table(1, "a", "b")}, 2: {bad(func(f *FileMeta) { f.File, f.Clipped = 1, true })}}, "elsewhere"},
	} {
		if _, err := NewVersion(c.levels); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("case %d: %v, want %q", i, err, c.want)
		}
	}
	v, err := NewVersion([base.NumLevels][]*FileMeta{
		0: {table(1, "a", "z", 1, 5), table(2, "a", "z", 6, 9), table(3, "a", "z", 6, 9)},
		1: {table(5, "d", "e"), exclusive(table(4, "a", "d"))},
	})
	must(t, err)
	if v.Levels[0][0].Num != 3 || v.Levels[0][2].Num != 1 || v.Levels[1][0].Num != 4 || v.Files() != 5 || v.Size(1) != 2009 {
		t.Error(describe(v))
	}
}

func TestApply(t *testing.T) {
	v0 := &Version{}
	v1, err := Apply(v0, &Edit{Added: []NewFile{{1, table(1, "a", "b")}, {1, table(3, "e", "f")}, {0, table(4, "a", "z")}}})
	must(t, err)
	before := describe(v1)
	// Out of one level, into the next, beside others.
	v2, err := Apply(v1, &Edit{
		Deleted: []DeletedFile{{0, 4}, {1, 3}},
		Added:   []NewFile{{1, table(5, "c", "d")}, {2, v1.Levels[1][1]}},
	})
	must(t, err)
	if describe(v1) != before {
		t.Fatal("Apply changed the old version")
	}
	if v2.Files() != 3 || v2.Find(2, []byte("e")).Num != 3 || v2.Find(1, []byte("c")).Num != 5 || v2.Find(1, []byte("e")) != nil {
		t.Fatal(describe(v2))
	}
	must(t, v2.Check())
	for i, e := range []*Edit{
		{Deleted: []DeletedFile{{1, 99}}},
		{Deleted: []DeletedFile{{2, 1}}},
		{Deleted: []DeletedFile{{1, 1}, {1, 1}}},
		{Deleted: []DeletedFile{{7, 1}}},
		{Deleted: []DeletedFile{{-1, 1}}},
		{Added: []NewFile{{7, table(9, "x", "y")}}},
		{Added: []NewFile{{-1, table(9, "x", "y")}}},
		{Added: []NewFile{{1, table(9, "b", "c")}}},
		{Added: []NewFile{{1, table(9, "y", "x")}}},
		{Added: []NewFile{{2, table(1, "x", "y")}}},
		{Added: []NewFile{{2, v1.Levels[1][0]}}},
		{Added: []NewFile{{2, table(9, "x", "y")}, {3, table(9, "x", "y")}}},
		{Added: []NewFile{{2, &FileMeta{Num: 9, File: 1, Clipped: true, UID: 1, Largest: []byte("z")}}}},
	} {
		if _, err := Apply(v1, e); err == nil {
			t.Errorf("edit %d accepted", i)
		}
	}
}

// Many random edits: Apply, the replay of a manifest, and a plain list agree.
func TestApplyAgainstReplay(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	num := base.FileNum(0)
	next := func() base.FileNum { num++; return num }
	st := State{Version: &Version{}}
	rep := replay{}
	for range 500 {
		e := randomEdit(r, &st, next)
		e.NextFile = num + 1
		after, err := st.after(e)
		must(t, err)
		must(t, rep.add(e))
		must(t, after.Version.Check())
		st = after
	}
	got, err := rep.finish()
	must(t, err)
	if describeState(&got) != describeState(&st) {
		t.Fatal("different states")
	}
	snap := replay{}
	must(t, snap.add(st.snapshot()))
	got, err = snap.finish()
	must(t, err)
	if describeState(&got) != describeState(&st) {
		t.Fatal("different state from the snapshot")
	}
}

func benchVersion(b *testing.B, n int) *Version {
	var files []*FileMeta
	for i := range n {
		files = append(files, table(base.FileNum(i+1), fmt.Sprintf("user%012d", i*1000), fmt.Sprintf("user%012d", i*1000+999)))
	}
	v, err := NewVersion([base.NumLevels][]*FileMeta{6: files})
	must(b, err)
	return v
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{100, 10000} {
		b.Run(fmt.Sprint("files=", n), func(b *testing.B) {
			v := benchVersion(b, n)
			r := rand.New(rand.NewPCG(1, 1))
			keys := make([][]byte, 1024)
			for i := range keys {
				keys[i] = fmt.Appendf(nil, "user%012d", r.IntN(n*1000))
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if v.Find(6, keys[i&1023]) == nil {
					b.Fatal("not found")
				}
				i++
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	for _, n := range []int{100, 10000} {
		b.Run(fmt.Sprint("files=", n), func(b *testing.B) {
			v := benchVersion(b, n)
			e := &Edit{
				Deleted: []DeletedFile{{6, 1}},
				Added:   []NewFile{{6, table(base.FileNum(n+1), "user000000000000", "user000000000500")}},
			}
			b.ReportAllocs()
			for b.Loop() {
				_, err := Apply(v, e)
				must(b, err)
			}
		})
	}
}
