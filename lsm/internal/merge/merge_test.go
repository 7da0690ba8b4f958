package merge

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// sliceIter walks records in a slice. It shows them through buffers that it
// overwrites at each move, as the contract of base.Iter allows.
type sliceIter struct {
	recs   []base.KV
	pos    int // -1 not positioned
	kv     base.KV
	key    []byte
	failAt int // a move to this index fails; -1 never
	block  int // records in a block; 0: it does not tell
	err    error
	closed int
}

func newSliceIter(recs []base.KV) *sliceIter { return &sliceIter{recs: recs, pos: -1, failAt: -1} }

var errBroken = errors.New("broken")

func (s *sliceIter) at(i int) *base.KV {
	for j := range s.key {
		s.key[j] = 0xee
	}
	s.err = nil
	if i < 0 || i >= len(s.recs) {
		s.pos = -1
		return nil
	}
	if i == s.failAt {
		s.pos, s.err = -1, errBroken
		return nil
	}
	s.pos = i
	s.key = append(s.key[:0], s.recs[i].Key...)
	s.kv = base.KV{Key: s.key, Trailer: s.recs[i].Trailer, Value: s.recs[i].Value}
	return &s.kv
}

func (s *sliceIter) First() *base.KV { return s.at(0) }
func (s *sliceIter) Last() *base.KV  { return s.at(len(s.recs) - 1) }
func (s *sliceIter) SeekGE(key []byte) *base.KV {
	return s.at(sort.Search(len(s.recs), func(i int) bool { return bytes.Compare(s.recs[i].Key, key) >= 0 }))
}
func (s *sliceIter) SeekLT(key []byte) *base.KV {
	return s.at(sort.Search(len(s.recs), func(i int) bool { return bytes.Compare(s.recs[i].Key, key) >= 0 }) - 1)
}
func (s *sliceIter) Next() *base.KV {
	if s.pos < 0 {
		return nil
	}
	return s.at(s.pos + 1)
}
func (s *sliceIter) Prev() *base.KV {
	if s.pos < 0 {
		return nil
	}
	return s.at(s.pos - 1)
}

// Ahead tells of blocks of s.block records.
func (s *sliceIter) Ahead(key []byte, back bool) (n int) {
	if s.block == 0 || s.pos < 0 {
		return 0
	}
	step := 1
	if back {
		step = -1
	}
	for i := s.pos + step; i >= 0 && i < len(s.recs) && i/s.block == s.pos/s.block; i += step {
		if bytes.Compare(s.recs[i].Key, key)*step >= 0 {
			return 0
		}
		n++
	}
	return n
}

func (s *sliceIter) Err() error   { return s.err }
func (s *sliceIter) Close() error { s.closed++; return s.err }

func sortRecs(recs []base.KV) {
	slices.SortStableFunc(recs, func(a, b base.KV) int { return base.Compare(a.Key, a.Trailer, b.Key, b.Trailer) })
}

// deal makes records and deals them to n sources.
func deal(r *rand.Rand, n, count int) (all []base.KV, sources []base.Iter) {
	prefixes := []string{"", "user", "user0000000000", "zz\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x00\x00\x00\x00\x00\x00\x00\x00\x00"}
	parts := make([][]base.KV, n)
	burst := 1 + r.IntN(6)
	large := r.IntN(3) == 0 // one source has nearly all
	to := 0
	for i := range count {
		if i%burst == 0 {
			to = r.IntN(n)
			if large && r.IntN(30) > 0 {
				to = n / 2
			}
		}
		kv := base.KV{
			Key:     fmt.Appendf(nil, "%s%0*d", prefixes[r.IntN(len(prefixes))], r.IntN(4), r.IntN(1+count/2)),
			Trailer: base.MakeTrailer(base.SeqNum(i+1), base.KindSet),
			Value:   fmt.Appendf(nil, "v%d", i),
		}
		all = append(all, kv)
		parts[to] = append(parts[to], kv)
	}
	sortRecs(all)
	for _, p := range parts {
		sortRecs(p)
		s := newSliceIter(p)
		if r.IntN(3) > 0 {
			s.block = 1 + r.IntN(40)
		}
		sources = append(sources, s)
	}
	return all, sources
}

func same(a, b *base.KV) bool {
	if a == nil || b == nil {
		return a == b
	}
	return bytes.Equal(a.Key, b.Key) && a.Trailer == b.Trailer && bytes.Equal(a.Value, b.Value)
}

// walk makes the same moves on m and on a plain slice of all records.
func walk(t *testing.T, m *Iter, all []base.KV, op func() (move int, key []byte, ok bool)) {
	t.Helper()
	ref := newSliceIter(all)
	for step := 0; ; step++ {
		mv, key, ok := op()
		if !ok {
			return
		}
		var got, want *base.KV
		switch mv {
		case 0:
			got, want = m.First(), ref.First()
		case 1:
			got, want = m.Last(), ref.Last()
		case 2:
			got, want = m.SeekGE(key), ref.SeekGE(key)
		case 3:
			got, want = m.SeekLT(key), ref.SeekLT(key)
		case 4:
			got, want = m.Prev(), ref.Prev()
		default:
			got, want = m.Next(), ref.Next()
		}
		if !same(got, want) || m.Err() != nil {
			t.Fatalf("step %d, move %d to %q: got %v, want %v, error %v", step, mv, key, got, want, m.Err())
		}
		if got == nil || !m.Sole() {
			continue
		}
		ahead := ref.pos + 1
		if mv == 1 || mv == 3 || mv == 4 {
			ahead = ref.pos - 1
		}
		if ahead < 0 || ahead == len(all) || !bytes.Equal(all[ahead].Key, got.Key) {
			continue
		}
		own := m.src[m.Source()].it.(*sliceIter).recs
		if !slices.ContainsFunc(own, func(kv base.KV) bool { return same(&kv, &all[ahead]) }) {
			t.Fatalf("step %d, move %d: Sole at %v, but %v of another source is next", step, mv, got, &all[ahead])
		}
	}
}

func TestAgainstSlice(t *testing.T) {
	var m Iter
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		all, sources := deal(r, 1+r.IntN(9), r.IntN(200))
		m.Init(sources)
		steps, bias := 400, r.IntN(3)
		walk(t, &m, all, func() (int, []byte, bool) {
			steps--
			mv := r.IntN(8)
			if r.IntN(4) > 0 { // mostly runs in one direction, so that it is left at both ends
				mv = 4 + min(bias, 1)
			}
			if r.IntN(30) == 0 {
				bias = r.IntN(3)
			}
			var key []byte
			if len(all) > 0 {
				key = all[r.IntN(len(all))].Key
				if r.IntN(3) == 0 {
					key = append(slices.Clone(key), 0)
				}
			}
			return mv, key, steps >= 0
		})
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		for _, s := range sources {
			if s.(*sliceIter).closed != 1 {
				t.Fatal("a source was not closed once")
			}
		}
	}
}

func FuzzWalk(f *testing.F) {
	f.Add(uint64(1), []byte("0555544443a5b2c555"))
	f.Add(uint64(9), []byte("1444455554444"))
	f.Fuzz(func(t *testing.T, seed uint64, ops []byte) {
		r := rand.New(rand.NewPCG(seed, 3))
		all, sources := deal(r, 1+r.IntN(6), r.IntN(60))
		var m Iter
		m.Init(sources)
		walk(t, &m, all, func() (int, []byte, bool) {
			if len(ops) == 0 {
				return 0, nil, false
			}
			mv := int(ops[0] % 6)
			ops = ops[1:]
			var key []byte
			if (mv == 2 || mv == 3) && len(ops) > 0 {
				if len(all) > 0 && ops[0] < 200 {
					key = all[int(ops[0])%len(all)].Key
				} else {
					key = ops[:1]
				}
				ops = ops[1:]
			}
			return mv, key, true
		})
	})
}

func TestNoSources(t *testing.T) {
	var m Iter
	m.Init(nil)
	if m.First() != nil || m.Last() != nil || m.Next() != nil || m.Prev() != nil || m.SeekGE(nil) != nil || m.Err() != nil || m.Close() != nil {
		t.Error("records out of nothing")
	}
}

func TestEqualRecordsNewestSourceFirst(t *testing.T) {
	rec := func(v string) []base.KV { return []base.KV{{Key: []byte("k"), Trailer: 9, Value: []byte(v)}} }
	var m Iter
	m.Init([]base.Iter{newSliceIter(rec("0")), newSliceIter(rec("1")), newSliceIter(rec("2"))})
	var got []byte
	for kv := m.First(); kv != nil; kv = m.Next() {
		got = append(got, kv.Value...)
		if m.Source() != int(kv.Value[0]-'0') {
			t.Errorf("Source is %d at %s", m.Source(), kv.Value)
		}
	}
	for kv := m.Last(); kv != nil; kv = m.Prev() {
		got = append(got, kv.Value...)
	}
	if string(got) != "012210" {
		t.Errorf("order %s", got)
	}
}

// An error of any source, wherever it stands, ends the walk and shows in Err.
func TestErrors(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5} {
		for bad := range n {
			r := rand.New(rand.NewPCG(uint64(n), uint64(bad)))
			_, sources := deal(r, n, 100)
			s := sources[bad].(*sliceIter)
			if len(s.recs) == 0 {
				continue
			}
			s.failAt = len(s.recs) / 2
			var m Iter
			m.Init(sources)
			for _, back := range []bool{false, true} {
				if back {
					for kv := m.Last(); kv != nil; kv = m.Prev() {
					}
				} else {
					for kv := m.First(); kv != nil; kv = m.Next() {
					}
				}
				if !errors.Is(m.Err(), errBroken) {
					t.Fatalf("%d sources, %d broken, back=%v: error %v", n, bad, back, m.Err())
				}
				if m.Next() != nil || m.Prev() != nil {
					t.Fatal("moves on after an error")
				}
			}
			if !errors.Is(m.Close(), errBroken) {
				t.Fatal("Close hides the error")
			}
		}
	}
}

func TestMovesDoNotAllocate(t *testing.T) {
	all, sources := deal(rand.New(rand.NewPCG(1, 1)), 5, 2000)
	var m Iter
	m.Init(sources)
	for kv := m.First(); kv != nil; kv = m.Next() { // lets the buffers grow
	}
	if n := testing.AllocsPerRun(5, func() {
		m.Init(sources)
		for kv := m.First(); kv != nil; kv = m.Next() {
		}
		m.SeekGE(all[len(all)/2].Key)
		m.Prev()
		m.Next()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// plainIter walks a slice without copying, so that benchmarks measure the merge.
type plainIter struct {
	sliceIter
}

func (s *plainIter) First() *base.KV { s.pos = 0; return &s.recs[0] }
func (s *plainIter) Next() *base.KV {
	s.pos++
	if s.pos >= len(s.recs) {
		return nil
	}
	return &s.recs[s.pos]
}

func BenchmarkNext(b *testing.B) {
	const count = 1 << 16
	for _, n := range []int{1, 2, 4, 8} {
		for _, run := range []int{1, 100} {
			r := rand.New(rand.NewPCG(1, 1))
			parts := make([][]base.KV, n)
			to := 0
			for i := range count {
				if i%run == 0 {
					to = r.IntN(n)
				}
				parts[to] = append(parts[to], base.KV{Key: fmt.Appendf(nil, "user%012d", i*1000), Trailer: base.MakeTrailer(base.SeqNum(i+1), base.KindSet)})
			}
			var sources []base.Iter
			for _, p := range parts {
				sources = append(sources, &plainIter{sliceIter{recs: p}})
			}
			b.Run(fmt.Sprintf("sources=%d/run=%d", n, run), func(b *testing.B) {
				b.ReportAllocs()
				var m Iter
				m.Init(sources)
				m.First()
				for b.Loop() {
					if m.Next() == nil {
						m.First()
					}
				}
			})
		}
	}
}

// countedBlocks counts what a source with blocks is asked, and what it saves.
type countedBlocks struct {
	*sliceIter
	asked, saved int
}

func (c *countedBlocks) Ahead(key []byte, back bool) int {
	n := c.sliceIter.Ahead(key, back)
	c.asked++
	c.saved += n
	return n
}

// Most moves of a large source over a small one are made without a comparison, and it is
// asked a few times for each block at most.
func TestWholeBlocks(t *testing.T) {
	var large, small []base.KV
	for i := range 20_000 {
		kv := base.KV{Key: fmt.Appendf(nil, "key%06d", i), Trailer: base.MakeTrailer(1, base.KindSet)}
		if i%400 == 399 {
			small = append(small, kv)
		} else {
			large = append(large, kv)
		}
	}
	for _, back := range []bool{false, true} {
		c := &countedBlocks{sliceIter: newSliceIter(large)}
		c.block = 35
		var m Iter
		m.Init([]base.Iter{c, newSliceIter(small)})
		n := 0
		if back {
			for kv := m.Last(); kv != nil; kv = m.Prev() {
				n++
			}
		} else {
			for kv := m.First(); kv != nil; kv = m.Next() {
				n++
			}
		}
		if n != 20_000 || m.Err() != nil {
			t.Errorf("back %v: %d records, %v", back, n, m.Err())
		}
		if c.saved < 15_000 || c.asked > 1_500 {
			t.Errorf("back %v: %d moves were free, by %d questions", back, c.saved, c.asked)
		}
	}
}
