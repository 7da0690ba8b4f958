package rangedel

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// ts builds tombstones from text: "a-c@5 b-@7"; an empty end is unbounded.
func ts(t *testing.T, text string) []Tombstone {
	t.Helper()
	var out []Tombstone
	for _, f := range bytes.Fields([]byte(text)) {
		dash, at := bytes.IndexByte(f, '-'), bytes.IndexByte(f, '@')
		var seq int
		if dash < 0 || at < dash {
			t.Fatalf("bad tombstone %q", f)
		}
		if _, err := fmt.Sscan(string(f[at+1:]), &seq); err != nil {
			t.Fatal(err)
		}
		x := Tombstone{Start: f[:dash], End: f[dash+1 : at], Seq: base.SeqNum(seq)}
		if len(x.End) == 0 {
			x.End = nil
		}
		out = append(out, x)
	}
	return out
}

func text(ts []Tombstone) string {
	var b bytes.Buffer
	for i, t := range ts {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s-%s@%d", t.Start, t.End, t.Seq)
	}
	return b.String()
}

func TestEnvelope(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"b-a@1 a-a@2", ""},
		{"a-c@1", "a-c@1"},
		{"a-c@1 b-d@2", "a-b@1 b-d@2"},
		{"a-c@2 b-d@1", "a-c@2 c-d@1"},
		{"a-z@1 c-d@9", "a-c@1 c-d@9 d-z@1"},
		{"a-@1 c-@9", "a-c@1 c-@9"},
		{"a-@9 c-@1 d-e@2", "a-@9"},
		{"a-b@1 b-c@1", "a-c@1"},
		{"a-b@1 c-d@1", "a-b@1 c-d@1"},
		{"a-b@1 a-c@2 a-d@3 a-e@4", "a-e@4"},
		{"-b@1 -@2", "-@2"},
	} {
		if got := text(Envelope(ts(t, c.in))); got != c.want {
			t.Errorf("Envelope(%s) = %s, want %s", c.in, got, c.want)
		}
	}
}

func TestEnds(t *testing.T) {
	if CompareEnd([]byte("\xff\xff"), nil) >= 0 || CompareEnds(nil, []byte("z")) <= 0 || CompareEnds(nil, nil) != 0 {
		t.Error("nil is not the largest end")
	}
	x := ts(t, "b-@3")[0]
	if got := text([]Tombstone{x.Truncate([]byte("a"), []byte("c"))}); got != "b-c@3" {
		t.Errorf("Truncate = %s", got)
	}
	if !x.Truncate(nil, []byte("b")).Empty() || x.Contains([]byte("a")) || !x.Contains([]byte("zz")) {
		t.Error("Truncate or Contains is wrong")
	}
}

func TestEmptyList(t *testing.T) {
	for _, l := range []*List{nil, {}, Build(nil), Build(ts(t, "c-b@4"))} {
		if !l.Empty() || l.Covering([]byte("a"), base.SeqNumMax) != 0 || len(l.Tombstones()) != 0 {
			t.Error("an empty list covers something")
		}
		if s, e, n := l.FragmentAt([]byte("a"), 5); s != nil || e != nil || n != 0 {
			t.Error("FragmentAt of an empty list is not everything")
		}
	}
}

// checkList holds the list and the envelope of ts against a scan of ts.
func checkList(t *testing.T, in []Tombstone, keys [][]byte, seqs []base.SeqNum) {
	t.Helper()
	l, env := Build(in), Envelope(in)
	for i, e := range env {
		if e.Empty() || i > 0 && CompareEnds(env[i-1].End, e.Start) > 0 {
			t.Fatalf("envelope overlaps at %d: %s", i, text(env))
		}
	}
	if len(env) > 2*len(in) {
		t.Fatalf("%d tombstones have an envelope of %d", len(in), len(env))
	}
	for _, k := range keys {
		for _, s := range seqs {
			var want base.SeqNum
			for _, x := range in {
				if x.Seq <= s && x.Contains(k) {
					want = max(want, x.Seq)
				}
			}
			if got := l.Covering(k, s); got != want {
				t.Fatalf("Covering(%q, %d) = %d, want %d in %s", k, s, got, want, text(in))
			}
			lo, hi, n := l.FragmentAt(k, s)
			if n != want || bytes.Compare(lo, k) > 0 || CompareEnd(k, hi) >= 0 {
				t.Fatalf("FragmentAt(%q, %d) = [%q, %q) %d, want %d", k, s, lo, hi, n, want)
			}
			for _, k2 := range keys {
				if bytes.Compare(lo, k2) <= 0 && CompareEnd(k2, hi) < 0 && l.Covering(k2, s) != want {
					t.Fatalf("FragmentAt(%q, %d) = [%q, %q), but %q differs", k, s, lo, hi, k2)
				}
			}
			if s == base.SeqNumMax {
				var e base.SeqNum
				for _, x := range env {
					if x.Contains(k) {
						e = x.Seq
					}
				}
				if e != want {
					t.Fatalf("the envelope has %d over %q, want %d: %s of %s", e, k, want, text(env), text(in))
				}
			}
		}
	}
}

func randomTombstones(r *rand.Rand, n, span int) ([]Tombstone, [][]byte, []base.SeqNum) {
	key := func(i int) []byte { return fmt.Appendf(nil, "common/%03d", i) }
	var in []Tombstone
	for range n {
		x := Tombstone{Start: key(r.IntN(span)), End: key(r.IntN(span)), Seq: base.SeqNum(1 + r.IntN(n))}
		switch r.IntN(12) {
		case 0:
			x.End = nil
		case 1:
			x.Start = nil
		}
		in = append(in, x)
	}
	keys := [][]byte{nil, []byte("a"), []byte("common"), []byte("z")}
	for i := range span {
		keys = append(keys, key(i), append(key(i), 0))
	}
	seqs := []base.SeqNum{0, base.SeqNumMax}
	for i := range n {
		seqs = append(seqs, base.SeqNum(i+1))
	}
	return in, keys, seqs
}

func TestListAgainstScan(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		in, keys, seqs := randomTombstones(r, 1+r.IntN(12), 8)
		checkList(t, in, keys, seqs)
		lo, hi := keys[4+r.IntN(8)], keys[4+r.IntN(8)]
		if bytes.Compare(lo, hi) >= 0 {
			hi = nil
		}
		l, c := Build(in), Build(in).Clip(lo, hi)
		for _, k := range keys {
			want := l.Covering(k, base.SeqNumMax)
			if bytes.Compare(k, lo) < 0 || CompareEnd(k, hi) >= 0 {
				want = 0
			}
			if got := c.Covering(k, base.SeqNumMax); got != want {
				t.Fatalf("clipped to [%q, %q), %q has %d, want %d", lo, hi, k, got, want)
			}
		}
	}
}

// A queue that deletes from its beginning again and again nests its tombstones.
func TestNestedTombstonesStaySmall(t *testing.T) {
	const n = 20000
	in := make([]Tombstone, n)
	for i := range in {
		in[i] = Tombstone{Start: nil, End: fmt.Appendf(nil, "%08d", i+1), Seq: base.SeqNum(i + 1)}
	}
	l := Build(in)
	if len(l.seqs) > 40*n {
		t.Errorf("%d entries for %d tombstones", len(l.seqs), n)
	}
	for _, i := range []int{0, 1, 777, n - 1} {
		key := fmt.Appendf(nil, "%08d", i)
		if got := l.Covering(key, base.SeqNumMax); got != n {
			t.Errorf("Covering(%s) = %d", key, got)
		}
		want := base.SeqNum(0)
		if i < 5000 {
			want = 5000
		}
		if got := l.Covering(key, 5000); got != want {
			t.Errorf("Covering(%s, 5000) = %d, want %d", key, got, want)
		}
	}
	if env := Envelope(in); len(env) != 1 || env[0].Seq != n {
		t.Errorf("the envelope has %d entries", len(env))
	}
}

func TestCoveringDoesNotAllocate(t *testing.T) {
	in, keys, _ := randomTombstones(rand.New(rand.NewPCG(1, 2)), 100, 50)
	l := Build(in)
	if n := testing.AllocsPerRun(100, func() {
		for _, k := range keys {
			l.Covering(k, 50)
			l.FragmentAt(k, 50)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzList reads tombstones from bytes: start, end, seq, each one byte.
func FuzzList(f *testing.F) {
	f.Add([]byte("ac1bd2"))
	f.Add([]byte{0, 255, 3, 1, 2, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		var in []Tombstone
		keys := [][]byte{nil}
		seqs := []base.SeqNum{0, base.SeqNumMax}
		for ; len(b) >= 3 && len(in) < 40; b = b[3:] {
			x := Tombstone{Start: b[0:1:1], End: b[1:2:2], Seq: base.SeqNum(b[2])}
			if b[1] == 255 {
				x.End = nil
			}
			in = append(in, x)
			keys = append(keys, b[0:1:1], b[1:2:2], []byte{b[0], 0})
			if b[0] > 0 {
				keys = append(keys, []byte{b[0] - 1})
			}
			seqs = append(seqs, x.Seq)
		}
		checkList(t, in, keys, seqs)
	})
}

func BenchmarkCovering(b *testing.B) {
	for _, n := range []int{1, 100, 10000} {
		r := rand.New(rand.NewPCG(1, 1))
		var in []Tombstone
		for i := range n {
			s := r.IntN(1 << 20)
			in = append(in, Tombstone{Start: fmt.Appendf(nil, "user%08d", s), End: fmt.Appendf(nil, "user%08d", s+100), Seq: base.SeqNum(i + 1)})
		}
		l := Build(in)
		keys := make([][]byte, 1024)
		for i := range keys {
			keys[i] = fmt.Appendf(nil, "user%08d", r.IntN(1<<20))
		}
		b.Run(fmt.Sprintf("tombstones=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.Covering(keys[i&1023], base.SeqNumMax)
			}
		})
	}
}

func BenchmarkEnvelope(b *testing.B) {
	for _, n := range []int{10, 1000} {
		in, _, _ := randomTombstones(rand.New(rand.NewPCG(1, 2)), n, n)
		b.Run(fmt.Sprintf("tombstones=%d", n), func(b *testing.B) {
			for b.Loop() {
				Envelope(in)
			}
		})
	}
}
