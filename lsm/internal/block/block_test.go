package block

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

type record struct {
	key   string
	t     base.Trailer
	value string
}

func less(a, b record) bool {
	return base.Compare([]byte(a.key), a.t, []byte(b.key), b.t) < 0
}

func buildBlock(rs []record) []byte {
	var b Builder
	for _, r := range rs {
		want := b.SizeWith(base.CommonPrefixLen(b.LastKey(), []byte(r.key)), []byte(r.key), r.t, []byte(r.value))
		b.Add([]byte(r.key), r.t, []byte(r.value))
		if got := b.EstimatedSize(); got != want {
			panic(fmt.Sprintf("size %d, foretold %d", got, want))
		}
	}
	size := b.EstimatedSize()
	out := slices.Clone(b.Finish())
	if len(out) != size {
		panic(fmt.Sprintf("size %d, foretold %d", len(out), size))
	}
	return out
}

// randomRecords makes keys that share prefixes in every way: nested, equal with
// many versions, empty, around 127/128 bytes.
func randomRecords(rng *rand.Rand, n int) []record {
	maxSeq := []uint64{1, 3, 300, 1 << 40}[rng.IntN(4)]
	maxVal := []int{1, 10, 300}[rng.IntN(3)]
	alphabet := 1 + rng.IntN(4)
	var rs []record
	for range n {
		k := make([]byte, rng.IntN(8))
		if rng.IntN(20) == 0 {
			k = make([]byte, 120+rng.IntN(20))
		}
		for i := range k {
			k[i] = byte('a' + rng.IntN(alphabet))
		}
		v := make([]byte, rng.IntN(maxVal))
		for i := range v {
			v[i] = byte(rng.Uint32())
		}
		kind := base.Kind(rng.IntN(3))
		if kind == base.KindSetTTL {
			v = append(v, "expiryns"...)
		}
		t := base.MakeTrailer(base.SeqNum(rng.Uint64N(maxSeq)), kind)
		rs = append(rs, record{string(k), t, string(v)})
	}
	slices.SortFunc(rs, func(a, b record) int { return base.Compare([]byte(a.key), a.t, []byte(b.key), b.t) })
	return slices.CompactFunc(rs, func(a, b record) bool { return a.key == b.key && a.t == b.t })
}

func probes(rng *rand.Rand, rs []record) []string {
	ps := []string{"", "a", "zzz", "\xff"}
	for range 30 {
		k := rs[rng.IntN(len(rs))].key
		ps = append(ps, k, k+"\x00", k+"a")
		if len(k) > 0 {
			ps = append(ps, k[:len(k)-1], k[:len(k)-1]+string(k[len(k)-1]+1))
		}
	}
	return ps
}

func check(t *testing.T, what string, kv *base.KV, rs []record, i int) {
	t.Helper()
	if i < 0 || i >= len(rs) {
		if kv != nil {
			t.Fatalf("%s: got %q, want nothing", what, kv.Key)
		}
		return
	}
	if kv == nil {
		t.Fatalf("%s: got nothing, want %q", what, rs[i].key)
	}
	if string(kv.Key) != rs[i].key || kv.Trailer != rs[i].t || string(kv.Value) != rs[i].value {
		t.Fatalf("%s: got %q %x, want %q %x", what, kv.Key, kv.Trailer, rs[i].key, rs[i].t)
	}
}

func TestAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 400 {
		rs := randomRecords(rng, 1+rng.IntN(120))
		data := buildBlock(rs)
		var it Iter
		if err := it.Init(data); err != nil {
			t.Fatal(err)
		}
		i := 0
		for kv := it.First(); kv != nil; kv = it.Next() {
			check(t, "forward", kv, rs, i)
			i++
		}
		if i != len(rs) || it.Err() != nil {
			t.Fatalf("%d of %d records, %v", i, len(rs), it.Err())
		}
		for kv := it.Last(); kv != nil; kv = it.Prev() {
			i--
			check(t, "backward", kv, rs, i)
		}
		if i != 0 || it.Err() != nil {
			t.Fatalf("%d records left, %v", i, it.Err())
		}
		if it.Next() != nil || it.Prev() != nil {
			t.Fatal("moved without a position")
		}
		for _, p := range probes(rng, rs) {
			checkSeeks(t, &it, rs, p)
			checkGets(t, rng, data, rs, p)
		}
		randomWalk(t, rng, &it, rs)
	}
}

func checkSeeks(t *testing.T, it *Iter, rs []record, p string) {
	t.Helper()
	at := sort.Search(len(rs), func(i int) bool { return rs[i].key >= p })
	check(t, "SeekGE", it.SeekGE([]byte(p)), rs, at)
	if at < len(rs) {
		check(t, "SeekGE Next", it.Next(), rs, at+1)
	}
	check(t, "SeekLT", it.SeekLT([]byte(p)), rs, at-1)
	if at > 0 {
		check(t, "SeekLT Prev", it.Prev(), rs, at-2)
	}
	if it.SeekLT([]byte(p)) != nil {
		check(t, "SeekLT Next", it.Next(), rs, at)
	}
}

func checkGets(t *testing.T, rng *rand.Rand, data []byte, rs []record, p string) {
	t.Helper()
	seqs := []base.SeqNum{0, 1, 2, base.SeqNum(rng.Uint64N(1 << 40)), base.SeqNumMax}
	for _, seq := range seqs {
		want := slices.IndexFunc(rs, func(r record) bool { return r.key == p && r.t.Seq() <= seq })
		res := Found
		if want < 0 {
			res = NotFound
			if rs[len(rs)-1].key == p {
				res = MayContinue
			}
		}
		v, tr, got, err := Get(data, []byte(p), seq)
		if err != nil || got != res {
			t.Fatalf("Get %q at %d: %v %v, want %v", p, seq, got, err, res)
		}
		if res == Found && (tr != rs[want].t || string(v) != rs[want].value) {
			t.Fatalf("Get %q at %d: %x, want %x", p, seq, tr, rs[want].t)
		}
	}
}

func randomWalk(t *testing.T, rng *rand.Rand, it *Iter, rs []record) {
	t.Helper()
	i := rng.IntN(len(rs))
	first := sort.Search(len(rs), func(j int) bool { return rs[j].key >= rs[i].key })
	i = first
	check(t, "walk", it.SeekGE([]byte(rs[i].key)), rs, i)
	for range 100 {
		if rng.IntN(2) == 0 {
			i++
			check(t, "walk Next", it.Next(), rs, i)
		} else {
			i--
			check(t, "walk Prev", it.Prev(), rs, i)
		}
		if i < 0 || i >= len(rs) {
			return
		}
	}
}

func TestSeekInternal(t *testing.T) {
	rs := []record{{"a", 3 << 8, "x"}, {"b", 9 << 8, "1"}, {"b", 5 << 8, "2"}, {"b", 1 << 8, "3"}, {"c", 1, "y"}}
	var it Iter
	if err := it.Init(buildBlock(rs)); err != nil {
		t.Fatal(err)
	}
	for tr, want := range map[base.Trailer]int{9<<8 + 1: 1, 9 << 8: 1, 9<<8 - 1: 2, 1 << 8: 3, 1<<8 - 1: 4, 0: 4} {
		check(t, fmt.Sprint(tr), it.SeekInternal([]byte("b"), tr), rs, want)
	}
}

func TestBigRecords(t *testing.T) {
	long := string(bytes.Repeat([]byte{'k'}, base.MaxKeyLen))
	big := string(bytes.Repeat([]byte{1, 2, 3}, 1<<20))
	rs := []record{{"", 1, big}, {"k", 1, ""}, {long, 256, big}, {long, 1, "small"}}
	data := buildBlock(rs)
	var it Iter
	if err := it.Init(data); err != nil {
		t.Fatal(err)
	}
	for i := range rs {
		v, _, res, err := Get(data, []byte(rs[i].key), rs[i].t.Seq())
		if err != nil || res != Found || string(v) != rs[i].value {
			t.Fatalf("record %d: %v %v", i, res, err)
		}
	}
	check(t, "Last", it.Last(), rs, 3)
	check(t, "Prev", it.Prev(), rs, 2)
	// A single huge record must not stay in a long-lived builder.
	var b Builder
	b.Add(nil, 0, []byte(big))
	b.Finish()
	b.Shrink(1 << 16)
	if cap(b.values) != 0 || cap(b.out) != 0 {
		t.Fatal("buffers kept")
	}
}

func TestEqualTrailersTakeNoSpace(t *testing.T) {
	var rs, mixed []record
	for i := range 100 {
		rs = append(rs, record{fmt.Sprintf("key%04d", i), base.MakeTrailer(0, base.KindSet), "v"})
		mixed = append(mixed, record{fmt.Sprintf("key%04d", i), base.MakeTrailer(0, base.Kind(i%2)), "v"})
	}
	if d := len(buildBlock(mixed)) - len(buildBlock(rs)); d != 100 {
		t.Fatalf("trailers of two kinds take %d bytes", d)
	}
}

func TestNoAllocations(t *testing.T) {
	rs := benchRecords(16, 100)
	data := buildBlock(rs)
	var it Iter
	key := []byte(rs[len(rs)/2].key)
	run := func() {
		if err := it.Init(data); err != nil {
			t.Fatal(err)
		}
		for kv := it.First(); kv != nil; kv = it.Next() {
		}
		for kv := it.Last(); kv != nil; kv = it.Prev() {
		}
		it.SeekGE(key)
		it.SeekLT(key)
		if _, _, res, _ := Get(data, key, base.SeqNumMax); res != Found {
			t.Fatal(res)
		}
	}
	run()
	if n := testing.AllocsPerRun(20, run); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// A block has no checksum of its own, so that damage need not be seen here; but
// it must never panic, loop or allocate without measure.
func TestDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 12 {
		rs := randomRecords(rng, 1+rng.IntN(40))
		data := buildBlock(rs)
		for i := range len(data) * 8 {
			bad := slices.Clone(data)
			bad[i/8] ^= 1 << (i % 8)
			exercise(bad, []byte(rs[len(rs)/2].key))
		}
		for n := range data {
			exercise(data[:n:n], []byte(rs[0].key))
		}
	}
	var it Iter
	if err := it.Init(nil); !errors.Is(err, ErrCorrupt) || it.First() != nil || it.Last() != nil || it.SeekGE(nil) != nil || it.SeekLT(nil) != nil {
		t.Fatal("an empty block was taken")
	}
	if it.Close() == nil {
		t.Fatal("Close lost the error")
	}
}

// exercise does everything to a block, and returns how many records it shows.
func exercise(data, key []byte) int {
	_, _, _, _ = Get(data, key, base.SeqNumMax)
	_, _, _, _ = Get(data, key, 3)
	var it Iter
	if it.Init(data) != nil {
		return 0
	}
	n := 0
	for kv := it.First(); kv != nil; kv = it.Next() {
		n++
	}
	_ = it.Init(data)
	for kv := it.Last(); kv != nil; kv = it.Prev() {
		n++
	}
	_ = it.Init(data)
	if it.SeekGE(key) != nil {
		it.Next()
		it.Prev()
		it.Prev()
	}
	_ = it.Init(data)
	if it.SeekLT(key) != nil {
		it.Prev()
		it.Next()
	}
	return n
}

func FuzzBlock(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 8 {
		rs := randomRecords(rng, 1+rng.IntN(40))
		f.Add(buildBlock(rs), []byte(rs[0].key))
	}
	f.Add(buildBlock([]record{{"", 0, string(make([]byte, 70000))}}), []byte("a"))
	f.Fuzz(func(t *testing.T, data, key []byte) {
		if len(key) > base.MaxKeyLen {
			return
		}
		if n := exercise(data, key); n > 2*len(data) {
			t.Fatalf("%d records in %d bytes", n, len(data))
		}
	})
}

// FuzzGet holds the search in place against the iterator on blocks that are
// well formed: the fuzzer chooses the records.
func FuzzGet(f *testing.F) {
	f.Add([]byte("a\x01b\x02ba\x01"), []byte("b"), uint64(1))
	f.Add([]byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), []byte("aaaa"), uint64(0))
	f.Fuzz(func(t *testing.T, in, key []byte, seq uint64) {
		if len(key) > base.MaxKeyLen {
			return
		}
		var rs []record
		for len(in) > 1 && len(rs) < 200 {
			n := min(int(in[0]&7), len(in)-1)
			rs = append(rs, record{string(in[1 : 1+n]), base.MakeTrailer(base.SeqNum(in[0]>>3), base.KindSet), string(in[:1])})
			in = in[1+n:]
		}
		slices.SortFunc(rs, func(a, b record) int { return base.Compare([]byte(a.key), a.t, []byte(b.key), b.t) })
		rs = slices.CompactFunc(rs, func(a, b record) bool { return !less(a, b) })
		if len(rs) == 0 {
			return
		}
		s := base.SeqNum(seq % 40)
		want := slices.IndexFunc(rs, func(r record) bool { return r.key == string(key) && r.t.Seq() <= s })
		v, tr, res, err := Get(buildBlock(rs), key, s)
		if err != nil || (res == Found) != (want >= 0) {
			t.Fatalf("%v %v, want record %d", res, err, want)
		}
		if want >= 0 && (tr != rs[want].t || string(v) != rs[want].value) {
			t.Fatalf("got %x, want %x", tr, rs[want].t)
		}
	})
}

// benchRecords fills about 4 KiB.
func benchRecords(keyLen, valueLen int) []record {
	rng := rand.New(rand.NewPCG(1, 2))
	var rs []record
	for n := 0; n+keyLen+valueLen+4 < 4090; n += 10 + valueLen + 4 {
		v := make([]byte, valueLen)
		for i := range v {
			v[i] = byte(rng.Uint32())
		}
		rs = append(rs, record{fmt.Sprintf("%0*d", keyLen, 770_000_000+rng.IntN(100_000)), base.MakeTrailer(0, base.KindSet), string(v)})
	}
	slices.SortFunc(rs, func(a, b record) int { return bytes.Compare([]byte(a.key), []byte(b.key)) })
	return slices.CompactFunc(rs, func(a, b record) bool { return a.key == b.key })
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{8, 100, 1000} {
		rs := benchRecords(16, n)
		for _, blocks := range []int{1, 16384} { // in L1; 64 MiB: out of the caches
			b.Run(fmt.Sprintf("values=%d/blocks=%d", n, blocks), func(b *testing.B) {
				data := buildBlock(rs)
				arena := make([]byte, 4096*blocks)
				for i := range blocks {
					copy(arena[i*4096:], data)
				}
				keys := make([][]byte, len(rs))
				for i := range rs {
					keys[i] = []byte(rs[i].key)
				}
				i, sum := uint32(1), 0
				for b.Loop() {
					i = i*1664525 + 1013904223
					at := int(i>>8) % blocks * 4096
					v, _, _, _ := Get(arena[at:at+len(data)], keys[int(i>>8)%len(keys)], base.SeqNumMax)
					sum += int(v[0])
				}
			})
		}
	}
}

func BenchmarkScan(b *testing.B) {
	for _, n := range []int{8, 100} {
		for _, seq := range []int{0, 1 << 30} {
			rs := benchRecords(16, n)
			for i := range rs {
				rs[i].t += base.Trailer(seq * (i + 1))
			}
			data := buildBlock(rs)
			report := func(b *testing.B) {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rs)), "ns/record")
			}
			var it Iter
			b.Run(fmt.Sprintf("values=%d/seqs=%v/forward", n, seq > 0), func(b *testing.B) {
				for b.Loop() {
					_ = it.Init(data)
					for kv := it.First(); kv != nil; kv = it.Next() {
					}
				}
				report(b)
			})
			b.Run(fmt.Sprintf("values=%d/seqs=%v/backward", n, seq > 0), func(b *testing.B) {
				for b.Loop() {
					_ = it.Init(data)
					for kv := it.Last(); kv != nil; kv = it.Prev() {
					}
				}
				report(b)
			})
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	rs := benchRecords(16, 100)
	keys, values := make([][]byte, len(rs)), make([][]byte, len(rs))
	for i := range rs {
		keys[i], values[i] = []byte(rs[i].key), []byte(rs[i].value)
	}
	var bl Builder
	for b.Loop() {
		bl.Reset()
		for i := range rs {
			bl.Add(keys[i], rs[i].t, values[i])
		}
		bl.Finish()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rs)), "ns/record")
}
