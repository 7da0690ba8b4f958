package filter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bits-and-blooms/bloom/v3"
)

func testKey(i int) []byte { return fmt.Appendf(nil, "key%013d", i) }

func build(t testing.TB, n, bits int) Filter {
	t.Helper()
	b := NewBuilder(bits)
	for i := range n {
		b.Add(HashKey(testKey(i)))
	}
	want := b.EstimatedSize()
	enc := b.Finish()
	if len(enc) != want {
		t.Fatalf("%d bytes, estimated %d", len(enc), want)
	}
	f, err := Decode(enc)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The hash is not ours to define: the library's Locations is the reference.
func TestHashIsTheLibrarys(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		for range 20 {
			key := make([]byte, n)
			for i := range key {
				key[i] = byte(rng.Uint32())
			}
			checkHash(t, key)
		}
	}
}

func checkHash(t *testing.T, key []byte) {
	t.Helper()
	h := HashKey(key)
	for i, want := range bloom.Locations(key, maxProbes) {
		if got := position(&h, i); got != want {
			t.Fatalf("%x location %d: %x, library %x", key, i, got, want)
		}
		u := unpack(pack(&h))
		if got := position(&u, i); got&(lineBits-1) != want&(lineBits-1) {
			t.Fatalf("%x location %d after pack: %x, library %x", key, i, got, want)
		}
	}
}

// Every line is a filter that the library itself can read and agrees with.
func TestLinesAreLibraryFilters(t *testing.T) {
	for _, bits := range []int{1, 4, 10, 14, 20} {
		f := build(t, 3000, bits)
		var lines []*bloom.BloomFilter
		for l := range int(f.count) {
			var words [8]uint64
			for i := range words {
				words[i] = binary.LittleEndian.Uint64(f.lines[l*lineBytes+i*8:])
			}
			lines = append(lines, bloom.FromWithM(words[:], lineBits, uint(f.k)))
		}
		for i := range 6000 {
			h := HashKey(testKey(i))
			l := (h[0] >> (64 - lineSelect) * f.count) >> lineSelect
			got := f.MayContain(&h)
			if want := lines[l].Test(testKey(i)); got != want {
				t.Fatalf("bits %d key %d: %v, the library says %v", bits, i, got, want)
			}
			if i < 3000 && !got {
				t.Fatalf("bits %d key %d was added", bits, i)
			}
		}
	}
}

func TestFalsePositiveRate(t *testing.T) {
	for _, c := range []struct {
		bits  int
		limit float64
	}{{6, 0.08}, {8, 0.03}, {10, 0.0125}, {12, 0.0055}, {16, 0.002}} {
		const n, probes = 100_000, 200_000
		f := build(t, n, c.bits)
		hits := 0
		for i := range probes {
			h := HashKey(testKey(n + i))
			if f.MayContain(&h) {
				hits++
			}
		}
		rate := float64(hits) / probes
		t.Logf("%d bits a key, %d probes: %.3f%%", c.bits, f.k, rate*100)
		if rate > c.limit {
			t.Errorf("%d bits a key: false positive rate %.4f > %.4f", c.bits, rate, c.limit)
		}
	}
}

func TestNoKeysNoFilter(t *testing.T) {
	if b := NewBuilder(10).Finish(); b != nil {
		t.Fatalf("%d bytes without keys", len(b))
	}
	b := NewBuilder(0)
	b.Add(HashKey([]byte("a")))
	if b.Finish() != nil {
		t.Fatal("a filter at 0 bits a key")
	}
	var zero Filter
	h := HashKey(nil)
	if zero.Valid() || !zero.MayContain(&h) {
		t.Fatal("the zero filter")
	}
}

func TestBuilderReuse(t *testing.T) {
	b := NewBuilder(10)
	var first []byte
	for round := range 2 {
		for i := range 1000 {
			b.Add(HashKey(testKey(i)))
			b.Add(HashKey(testKey(i)))
		}
		if b.Len() != 1000 {
			t.Fatalf("%d keys", b.Len())
		}
		enc := b.Finish()
		if round == 0 {
			first = enc
		} else if !bytes.Equal(first, enc) {
			t.Fatal("a reused builder made another filter")
		}
	}
}

// What a builder leaves behind is another one's memory, and nothing else.
func TestBuilderRelease(t *testing.T) {
	want := build(t, 1000, 10)
	for range 3 {
		b := NewBuilder(10)
		for i := range 5000 {
			b.Add(HashKey(testKey(i + 1000)))
		}
		b.Release()
		b.Release() // does nothing
		if b.Len() != 0 || b.Finish() != nil {
			t.Fatal("keys are left")
		}
		if got := build(t, 1000, 10); !bytes.Equal(got.lines, want.lines) {
			t.Fatal("another filter")
		}
	}
}

func TestNoAllocations(t *testing.T) {
	f := build(t, 1000, 10)
	key := testKey(5)
	if n := testing.AllocsPerRun(100, func() {
		h := HashKey(key)
		if !f.MayContain(&h) {
			t.Fatal("lost")
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzHash(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("0123456789abcde"))
	f.Fuzz(func(t *testing.T, key []byte) { checkHash(t, key) })
}

func FuzzDecode(f *testing.F) {
	b := NewBuilder(10)
	for i := range 60 {
		b.Add(HashKey(testKey(i)))
	}
	enc := b.Finish()
	f.Add(enc, []byte("key"))
	f.Add(enc[1:], []byte("key"))
	f.Add([]byte{1, 0, 0, 0, 6, 0, 0, 0}, []byte(""))
	f.Fuzz(func(t *testing.T, enc, key []byte) {
		fl, err := Decode(enc)
		if err != nil {
			return
		}
		h := HashKey(key)
		_ = fl.MayContain(&h)
	})
}

func BenchmarkHash(b *testing.B) {
	for _, n := range []int{8, 16, 24, 64} {
		b.Run(fmt.Sprintf("len=%d", n), func(b *testing.B) {
			key := bytes.Repeat([]byte{7}, n)
			for b.Loop() {
				HashKey(key)
			}
		})
	}
}

func BenchmarkProbe(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d/absent", n), func(b *testing.B) { benchProbe(b, n, n) })
		b.Run(fmt.Sprintf("keys=%d/present", n), func(b *testing.B) { benchProbe(b, n, 0) })
	}
}

func benchProbe(b *testing.B, n, from int) {
	f := build(b, n, 10)
	hashes := make([]Hash, 4096)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range hashes {
		hashes[i] = HashKey(testKey(from + rng.IntN(n)))
	}
	i := 0
	for b.Loop() {
		f.MayContain(&hashes[i&4095])
		i++
	}
}

func BenchmarkBuild(b *testing.B) {
	const n = 100_000
	hashes := make([]Hash, n)
	for i := range hashes {
		hashes[i] = HashKey(testKey(i))
	}
	fb := NewBuilder(10)
	for b.Loop() {
		for _, h := range hashes {
			fb.Add(h)
		}
		fb.Finish()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/key")
}
