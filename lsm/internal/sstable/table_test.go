package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/cache"
	"github.com/ringwood-kv/ringwood/lsm/internal/filter"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func TestAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	before := arena.InUse()
	for round := range 120 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			tb := randomTable(rng, 1+rng.IntN(600))
			b, m := tb.write(t)
			var c *cache.Cache
			if round%3 > 0 {
				c = cache.New(4 << 20)
				defer c.Close()
			}
			r := open(t, b, ReaderOptions{ID: 1, UID: tb.o.UID, Cache: c, Size: int64(len(b)), Stats: new(Stats)})
			if got := r.Meta(); !reflect.DeepEqual(got, m) {
				t.Fatalf("meta %+v, written %+v", got, m)
			}
			if got := r.RangeDels(); len(got) != len(tb.dels) || len(got) > 0 && !reflect.DeepEqual(got, tb.dels) {
				t.Fatalf("range tombstones %v, written %v", got, tb.dels)
			}
			checkMeta(t, tb, &m)
			if err := r.VerifyBlocks(nil); err != nil {
				t.Fatal(err)
			}
			checkGets(t, rng, r, tb)
			for _, seq := range []bool{false, true} {
				it, err := r.NewIter(IterOptions{Sequential: seq})
				if err != nil {
					t.Fatal(err)
				}
				checkWalks(t, rng, it, tb)
				if err := it.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if c != nil && c.Stats().Pinned != 0 {
				t.Fatalf("%d bytes are still pinned", c.Stats().Pinned)
			}
		})
	}
	if n := arena.InUse(); n != before {
		t.Fatalf("%d bytes of arena leaked", n-before)
	}
}

func checkMeta(t *testing.T, tb *table, m *Meta) {
	t.Helper()
	lo, hi, exclusive := []byte(tb.points[0].key), []byte(tb.points[len(tb.points)-1].key), false
	for _, d := range tb.dels {
		if bytes.Compare(d.Start, lo) < 0 {
			lo = d.Start
		}
		last := hi
		if exclusive && len(hi) == 0 {
			continue
		}
		if exclusive && rangedel.CompareEnds(hi, d.End) < 0 || !exclusive && rangedel.CompareEnd(last, d.End) < 0 {
			hi, exclusive = d.End, true
		}
	}
	if !bytes.Equal(lo, m.Smallest) || !bytes.Equal(hi, m.Largest) || exclusive != m.LargestExclusive {
		t.Fatalf("bounds %q to %q %v, want %q to %q %v", m.Smallest, m.Largest, m.LargestExclusive, lo, hi, exclusive)
	}
	var deletes, ttls, keys, values uint64
	lowSeq, highSeq := base.SeqNumMax, base.SeqNum(0)
	for _, r := range tb.points {
		keys += uint64(len(r.key))
		values += uint64(len(r.value))
		lowSeq, highSeq = min(lowSeq, r.t.Seq()), max(highSeq, r.t.Seq())
		switch r.t.Kind() {
		case base.KindDelete:
			deletes++
		case base.KindSetTTL:
			ttls++
			x := int64(binary.BigEndian.Uint64([]byte(r.value)))
			if x < m.MinExpiry || x > m.MaxExpiry {
				t.Fatalf("expiry %d outside %d to %d", x, m.MinExpiry, m.MaxExpiry)
			}
		}
	}
	for _, d := range tb.dels {
		lowSeq, highSeq = min(lowSeq, d.Seq), max(highSeq, d.Seq)
	}
	if m.Entries != uint64(len(tb.points)) || m.Deletes != deletes || m.TTLs != ttls || m.RawKeyBytes != keys ||
		m.RawValueBytes != values || m.SmallestSeq != lowSeq || m.LargestSeq != highSeq || !m.HasPoints {
		t.Fatalf("counts %+v", m)
	}
}

func probes(rng *rand.Rand, tb *table) []string {
	ps := []string{"", "\x00", "5", "shared/prefix", "shared/prefiy", "\xff\xff\xff"}
	for range 40 {
		k := tb.points[rng.IntN(len(tb.points))].key
		ps = append(ps, k, k+"\x00")
		if len(k) > 0 {
			ps = append(ps, k[:len(k)-1], k[:len(k)-1]+string([]byte{k[len(k)-1] + 1}))
		}
	}
	return ps
}

func checkGets(t *testing.T, rng *rand.Rand, r *Reader, tb *table) {
	t.Helper()
	for _, p := range probes(rng, tb) {
		for _, seq := range []base.SeqNum{0, base.SeqNum(rng.IntN(50)), base.SeqNumMax} {
			want := slices.IndexFunc(tb.points, func(x record) bool { return x.key == p && x.t.Seq() <= seq })
			h := filter.HashKey([]byte(p))
			hp := &h
			if rng.IntN(3) == 0 {
				hp = nil
			}
			v, err := r.Get([]byte(p), hp, seq)
			if err != nil || v.Found != (want >= 0) {
				t.Fatalf("Get %q at %d: %v %v, want record %d", p, seq, v.Found, err, want)
			}
			if v.Found && (v.Trailer != tb.points[want].t || string(v.Bytes) != tb.points[want].value) {
				t.Fatalf("Get %q at %d: %v, want %v", p, seq, v.Trailer, tb.points[want].t)
			}
			v.Release()
			v.Release()
		}
	}
}

func same(t *testing.T, what string, kv *base.KV, tb *table, i int) {
	t.Helper()
	switch {
	case i < 0 || i >= len(tb.points):
		if kv != nil {
			t.Fatalf("%s: got %q, want nothing", what, kv.Key)
		}
	case kv == nil:
		t.Fatalf("%s: got nothing, want %q", what, tb.points[i].key)
	case string(kv.Key) != tb.points[i].key || kv.Trailer != tb.points[i].t || string(kv.Value) != tb.points[i].value:
		t.Fatalf("%s: got %q %x, want %q %x", what, kv.Key, kv.Trailer, tb.points[i].key, tb.points[i].t)
	}
}

func checkWalks(t *testing.T, rng *rand.Rand, it *Iter, tb *table) {
	t.Helper()
	if it.Next() != nil || it.Prev() != nil {
		t.Fatal("moved before it was positioned")
	}
	i := 0
	for kv := it.First(); kv != nil; kv = it.Next() {
		same(t, "forward", kv, tb, i)
		i++
	}
	if i != len(tb.points) || it.Err() != nil || it.Next() != nil || it.Prev() != nil {
		t.Fatalf("%d of %d records forward, %v", i, len(tb.points), it.Err())
	}
	for kv := it.Last(); kv != nil; kv = it.Prev() {
		i--
		same(t, "backward", kv, tb, i)
	}
	if i != 0 || it.Err() != nil || it.Next() != nil || it.Prev() != nil {
		t.Fatalf("%d records left backward, %v", i, it.Err())
	}
	for _, p := range probes(rng, tb) {
		at := sort.Search(len(tb.points), func(i int) bool { return tb.points[i].key >= p })
		same(t, "SeekLT", it.SeekLT([]byte(p)), tb, at-1)
		if at > 0 {
			same(t, "SeekLT Prev", it.Prev(), tb, at-2)
		}
		same(t, "SeekGE", it.SeekGE([]byte(p)), tb, at)
		if at == len(tb.points) {
			continue
		}
		for range 1 + rng.IntN(60) {
			if rng.IntN(3) > 0 {
				at++
				same(t, "Next", it.Next(), tb, at)
			} else {
				at--
				same(t, "Prev", it.Prev(), tb, at)
			}
			if at < 0 || at >= len(tb.points) {
				break
			}
		}
	}
}

// The versions of one key fill many blocks: every one is found, and so are the
// keys beside it.
func TestVersionsAcrossBlocks(t *testing.T) {
	tb := &table{o: WriterOptions{UID: 9, BlockSize: 256, FilterBitsPerKey: 10}}
	tb.points = append(tb.points, set("a", 7, "first"))
	for seq := base.SeqNum(1000); seq > 0; seq -= 2 {
		tb.points = append(tb.points, set("k", seq, strings.Repeat("v", 20)+fmt.Sprint(seq)))
	}
	tb.points = append(tb.points, set("l", 7, "last"))
	b, m := tb.write(t)
	if m.Blocks < 10 {
		t.Fatalf("%d blocks", m.Blocks)
	}
	r := open(t, b, ReaderOptions{})
	if err := r.VerifyBlocks(nil); err != nil {
		t.Fatal(err)
	}
	h := filter.HashKey([]byte("k"))
	for seq := base.SeqNum(0); seq <= 1002; seq++ {
		v, err := r.Get([]byte("k"), &h, seq)
		if err != nil || v.Found != (seq >= 2) {
			t.Fatalf("at %d: %v %v", seq, v.Found, err)
		}
		if want := seq / 2 * 2; v.Found && v.Trailer.Seq() != min(want, 1000) {
			t.Fatalf("at %d: version %d", seq, v.Trailer.Seq())
		}
		v.Release()
	}
	for _, k := range []string{"a", "l"} {
		if v, err := r.Get([]byte(k), nil, base.SeqNumMax); err != nil || !v.Found {
			t.Fatalf("%s: %v", k, err)
		}
	}
}

func TestOnlyRangeDels(t *testing.T) {
	for _, end := range [][]byte{[]byte("z"), nil} {
		tb := &table{o: WriterOptions{UID: 3}, dels: []rangedel.Tombstone{{Start: []byte(""), End: end, Seq: 5}}}
		b, m := tb.write(t)
		if m.HasPoints || !m.LargestExclusive || m.Unbounded() != (end == nil) || !bytes.Equal(m.Largest, end) {
			t.Fatalf("%+v", m)
		}
		r := open(t, b, ReaderOptions{UID: 3})
		if err := r.VerifyBlocks(nil); err != nil {
			t.Fatal(err)
		}
		it, _ := r.NewIter(IterOptions{})
		if it.First() != nil || it.Last() != nil || it.SeekGE(nil) != nil || it.SeekLT([]byte("z")) != nil || it.Next() != nil || it.Err() != nil {
			t.Fatal("a point out of nothing")
		}
		h := filter.HashKey([]byte("a"))
		if v, err := r.Get([]byte("a"), &h, base.SeqNumMax); err != nil || v.Found {
			t.Fatal(v.Found, err)
		}
		if got := r.RangeDels(); (got[0].End == nil) != (end == nil) {
			t.Fatalf("%v", got)
		}
	}
}

// Blocks fill the slots of the cache and never exceed them.
func TestBlockSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []Compression{None, Snappy} {
		tb := &table{o: WriterOptions{UID: 1, Compression: c}}
		for i := range 3000 {
			v := make([]byte, rng.IntN(200))
			for j := range v {
				v[j] = byte(rng.Uint32())
			}
			tb.points = append(tb.points, set(fmt.Sprintf("key%08d", i), base.SeqNum(rng.IntN(1e6)), string(v)))
		}
		b, m := tb.write(t)
		r := open(t, b, ReaderOptions{})
		total := 0
		for i := range r.idx.n {
			var p pin
			if err := r.load(i, &p); err != nil {
				t.Fatal(err)
			}
			if n := len(p.data) + trailerLen; n > DefaultBlockSize {
				t.Fatalf("block %d has %d bytes", i, n)
			} else {
				total += n
			}
			p.release()
		}
		if fill := float64(total) / float64(m.Blocks) / DefaultBlockSize; fill < 0.96 {
			t.Errorf("blocks are filled to %.3f", fill)
		}
	}
}

func TestHugeRecords(t *testing.T) {
	long := strings.Repeat("k", base.MaxKeyLen)
	for _, c := range []Compression{None, Snappy} {
		tb := &table{o: WriterOptions{UID: 1, Compression: c, FilterBitsPerKey: 10}}
		rnd := make([]byte, 3<<20)
		for i := range rnd {
			rnd[i] = byte(i * i >> 7)
		}
		tb.points = []record{
			set("", 1, "empty key"), set("a", 1, string(rnd)), set("b", 1, ""), set("c", 1, strings.Repeat("x", 9<<20)),
			set(long[1:], 1, "v"), set(long, 1, string(rnd)),
		}
		b, _ := tb.write(t)
		ca := cache.New(1 << 20)
		r := open(t, b, ReaderOptions{Cache: ca, ID: 4})
		if err := r.VerifyBlocks(nil); err != nil {
			t.Fatal(err)
		}
		for _, x := range tb.points {
			v, err := r.Get([]byte(x.key), nil, 1)
			if err != nil || string(v.Bytes) != x.value {
				t.Fatalf("%.10q: %v", x.key, err)
			}
			v.Release()
		}
		it, _ := r.NewIter(IterOptions{})
		i := 0
		for kv := it.First(); kv != nil; kv = it.Next() {
			same(t, "huge", kv, tb, i)
			i++
		}
		if i != len(tb.points) || it.Close() != nil {
			t.Fatal(i, it.Err())
		}
		ca.Close()
	}
}

func TestWriterRefuses(t *testing.T) {
	type step func(w *Writer) error
	add := func(r record) step {
		return func(w *Writer) error { return w.Add([]byte(r.key), r.t, []byte(r.value)) }
	}
	del := func(s, e []byte) step { return func(w *Writer) error { return w.AddRangeDel(s, e, 1) } }
	for name, steps := range map[string][]step{
		"smaller key":       {add(set("b", 1, "")), add(set("a", 1, ""))},
		"same record":       {add(set("b", 1, "")), add(set("b", 1, "x"))},
		"newer version":     {add(set("b", 1, "")), add(set("b", 2, ""))},
		"prefix after":      {add(set("bb", 1, "")), add(set("b", 2, ""))},
		"empty key twice":   {add(set("", 1, "")), add(set("", 1, ""))},
		"long key":          {add(set(strings.Repeat("k", base.MaxKeyLen+1), 1, ""))},
		"range kind":        {add(record{"a", base.MakeTrailer(1, base.KindRangeDelete), "b"})},
		"unknown kind":      {add(record{"a", 1<<8 | 200, "b"})},
		"ttl without time":  {add(record{"a", base.MakeTrailer(1, base.KindSetTTL), "1234567"})},
		"empty range":       {del([]byte("a"), []byte("a"))},
		"range to nowhere":  {del([]byte("a"), []byte(""))},
		"ranges go back":    {del([]byte("b"), nil), del([]byte("a"), nil)},
		"nothing to finish": {},
	} {
		f := &memFile{}
		w := NewWriter(f, "t", WriterOptions{})
		var err error
		for i, s := range steps {
			if err = s(w); err != nil && i < len(steps)-1 {
				t.Fatalf("%s: step %d: %v", name, i, err)
			}
		}
		if err == nil && len(steps) > 0 {
			t.Errorf("%s: accepted", name)
		}
		if _, err := w.Finish(); err == nil || f.closed != 1 {
			t.Errorf("%s: Finish says %v, closed %d times", name, err, f.closed)
		}
		w.Abort()
		if err := w.Add([]byte("zzz"), 1, nil); err == nil || f.closed != 1 {
			t.Errorf("%s: goes on after Abort, or closes twice", name)
		}
	}
	if err := NewWriter(&memFile{}, "t", WriterOptions{Compression: 9}).Add(nil, 1, nil); err == nil {
		t.Error("unknown compression accepted")
	}
	if err := add(set(strings.Repeat("k", base.MaxKeyLen+1), 1, ""))(NewWriter(&memFile{}, "t", WriterOptions{})); !errors.Is(err, base.ErrTooLarge) {
		t.Error(err)
	}
}

// Whichever write or sync fails, the writer says so and closes the file.
func TestWriterFaults(t *testing.T) {
	for n := 1; ; n++ {
		f := &memFile{failAt: n}
		w := NewWriter(f, "t.sst", WriterOptions{})
		var addErr error
		for i := 0; i < 15000 && addErr == nil; i++ {
			addErr = w.Add(fmt.Appendf(nil, "key%08d", i), 1, make([]byte, 100))
		}
		_, err := w.Finish()
		if f.closed != 1 {
			t.Fatal("not closed")
		}
		if f.ops < n {
			if err != nil || n < 4 {
				t.Fatalf("%d operations: %v", n, err)
			}
			return
		}
		if !errors.Is(err, errInjected) || !strings.Contains(err.Error(), "t.sst") {
			t.Fatalf("operation %d failed, Finish says %v", n, err)
		}
	}
}

func TestMemFS(t *testing.T) {
	fs := vfs.NewMem()
	f, err := fs.Create("t.sst")
	if err != nil {
		t.Fatal(err)
	}
	w := NewWriter(f, "t.sst", WriterOptions{UID: 5, Compression: Snappy, FilterBitsPerKey: 10})
	for i := range 5000 {
		if err := w.Add(fmt.Appendf(nil, "key%08d", i), 1<<8|1, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if f, err = fs.Open("t.sst"); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(f, ReaderOptions{Name: "t.sst", UID: 5, Size: m.Size})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.VerifyBlocks(func(int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := r.VerifyBlocks(func(int64) error { return errInjected }); !errors.Is(err, errInjected) {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSeparator(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	gen := func() []byte {
		k := make([]byte, rng.IntN(6))
		for i := range k {
			k[i] = []byte{0, 1, 2, 0xfe, 0xff}[rng.IntN(5)]
		}
		return k
	}
	for range 20000 {
		a, b := gen(), gen()
		if bytes.Compare(a, b) > 0 {
			a, b = b, a
		}
		s := separator(a, b, base.CommonPrefixLen(a, b))
		ok := bytes.Compare(a, s) <= 0 && bytes.Compare(s, b) < 0 && len(s) <= len(a)
		if bytes.Equal(a, b) {
			ok = bytes.Equal(s, a)
		}
		if !ok {
			t.Fatalf("%x is no separator of %x and %x", s, a, b)
		}
	}
	if s := separator([]byte("key0123"), []byte("key9999"), 3); len(s) != 4 {
		t.Fatalf("%q", s)
	}
}

func TestGetAllocatesNothing(t *testing.T) {
	tb := &table{o: WriterOptions{UID: 1, Compression: Snappy, FilterBitsPerKey: 10}}
	for i := range 2000 {
		tb.points = append(tb.points, set(fmt.Sprintf("key%08d", i), 1, strings.Repeat("v", 100)))
	}
	b, _ := tb.write(t)
	for name, c := range map[string]struct {
		cache *cache.Cache
		limit float64
	}{
		"cached":   {cache.New(8 << 20), 0},
		"no cache": {nil, 1}, // the seed inside base.Checksum escapes
	} {
		r := open(t, b, ReaderOptions{Cache: c.cache, Stats: new(Stats)})
		i := 0
		get := func() {
			key := []byte(tb.points[i%len(tb.points)].key)
			h := filter.HashKey(key)
			v, err := r.Get(key, &h, base.SeqNumMax)
			if err != nil || !v.Found {
				t.Fatal(err)
			}
			v.Release()
			i += 37
		}
		for range 4000 {
			get()
		}
		if n := testing.AllocsPerRun(2000, get); n > c.limit && !raceEnabled {
			t.Errorf("%s: %v allocations", name, n)
		}
		if r.o.Stats.FilterProbes.Load() == 0 || r.o.Stats.BlockReads.Load() == 0 {
			t.Error("nothing counted")
		}
	}
}

// A long scan reads ahead and leaves the cache alone; a short one that comes again is
// there, also when the cache is full.
func TestScanAndCache(t *testing.T) {
	tb := &table{o: WriterOptions{UID: 1, Compression: Snappy}}
	for i := range 20000 {
		tb.points = append(tb.points, set(fmt.Sprintf("key%08d", i), 1, strings.Repeat("v", 100)))
	}
	b, m := tb.write(t)
	for _, room := range []bool{true, false} {
		capacity := int64(1 << 20) // of some 2.4 MB
		if room {
			capacity = 16 << 20
		}
		c := cache.New(capacity)
		defer c.Close()
		r := open(t, b, ReaderOptions{Cache: c, Stats: new(Stats)})
		it, _ := r.NewIter(IterOptions{})
		walk := func(from string, rows int) (reads, inserted int64) {
			reads, inserted = r.o.Stats.BlockReads.Load(), c.Stats().Inserted
			for kv := it.SeekGE([]byte(from)); kv != nil && rows > 0; kv = it.Next() {
				rows--
			}
			return r.o.Stats.BlockReads.Load() - reads, c.Stats().Inserted - inserted
		}
		if reads, inserted := walk("", 20000); reads != int64(m.Blocks) || inserted > keepUpTo+1 {
			t.Errorf("room %v: %d reads of %d blocks, %d put into the cache", room, reads, m.Blocks, inserted)
		}
		if !room { // fill it
			for i := 0; i < 20000; i += 20 {
				walk(fmt.Sprintf("key%08d", i), 1)
			}
		}
		for range 3 {
			walk("key00010000", 300)
		}
		if reads, _ := walk("key00010000", 300); reads > 0 {
			t.Errorf("room %v: %d reads of a short scan that was there before", room, reads)
		}
		for kv := it.Last(); kv != nil; kv = it.Prev() {
		}
		_ = it.Close()
		inserted := c.Stats().Inserted
		r.InitIter(it, IterOptions{Sequential: true})
		for kv := it.First(); kv != nil; kv = it.Next() {
		}
		if n := c.Stats().Inserted; n != inserted {
			t.Errorf("a sequential iterator put %d blocks into the cache", n-inserted)
		}
		_ = it.Close()
		_ = r.Close()
	}
}

// What Ahead says of a block holds for each of its records, at every place and for every
// key; and where a whole block is before the key it mostly says so.
func TestAhead(t *testing.T) {
	var whole, told int
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 77))
		tb := randomTable(rng, 200)
		b, m := tb.write(t)
		r := open(t, b, ReaderOptions{ID: m.UID, Size: m.Size})
		it, err := r.NewIter(IterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		blockOf := make([]int, 0, len(tb.points))
		for kv := it.First(); kv != nil; kv = it.Next() {
			blockOf = append(blockOf, it.i)
		}
		if len(blockOf) != len(tb.points) {
			t.Fatalf("%d records of %d: %v", len(blockOf), len(tb.points), it.Err())
		}
		for _, back := range []bool{false, true} {
			step, at := 1, 0
			kv := it.First()
			if back {
				step, at = -1, len(blockOf)-1
				kv = it.Last()
			}
			for ; kv != nil; at += step {
				for range 8 {
					key := tb.points[rng.IntN(len(tb.points))].key
					if rng.IntN(3) == 0 {
						key += "\x00"
					}
					want, all := 0, true
					for j := at + step; j >= 0 && j < len(blockOf) && blockOf[j] == blockOf[at]; j += step {
						want++
						all = all && strings.Compare(tb.points[j].key, key)*step < 0
					}
					n := it.Ahead([]byte(key), back)
					if n != 0 && (n != want || !all) {
						t.Fatalf("seed %d, back %v, record %d, key %q: %d records ahead, want %d, all before it: %v", seed, back, at, key, n, want, all)
					}
					if all && want > 0 {
						whole++
						told += min(n, 1)
					}
				}
				if back {
					kv = it.Prev()
				} else {
					kv = it.Next()
				}
			}
		}
		if n := it.Ahead([]byte("\xff\xff"), false); n != 0 {
			t.Errorf("%d records ahead of an iterator that stands nowhere", n)
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if told < whole*3/4 || told == 0 {
		t.Errorf("of %d times it said so %d times", whole, told)
	}
}
