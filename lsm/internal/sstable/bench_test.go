package sstable

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/cache"
	"github.com/ringwood-kv/ringwood/lsm/internal/filter"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// benchKey is spread over the key space as hashed keys are.
func benchKey(dst []byte, i int) []byte {
	return fmt.Appendf(dst, "%016d", uint64(i)*30_000_000_003)
}

// benchValue is half compressible, like the values of the common benchmarks.
func benchValue(rng *rand.Rand, n int) []byte {
	v := make([]byte, n)
	for i := range n / 2 {
		v[i] = byte(rng.Uint32())
	}
	return v
}

// benchTable is a table in a file of the operating system.
func benchTable(b *testing.B, n, valueLen int, c Compression, o ReaderOptions) *Reader {
	b.Helper()
	name := filepath.Join(b.TempDir(), "bench.sst")
	f, err := vfs.OS.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	w := NewWriter(f, name, WriterOptions{UID: 1, Compression: c, FilterBitsPerKey: 10})
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		if err := w.Add(benchKey(nil, i), base.MakeTrailer(0, base.KindSet), benchValue(rng, valueLen)); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		b.Fatal(err)
	}
	if f, err = vfs.OS.Open(name); err != nil {
		b.Fatal(err)
	}
	o.Name, o.ID = name, 1
	r, err := NewReader(f, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = r.Close() })
	return r
}

const benchRecords = 300_000

func BenchmarkGet(b *testing.B) {
	for _, c := range []struct {
		name   string
		codec  Compression
		cache  *cache.Cache
		absent bool
	}{
		{"snappy/cached", Snappy, cache.New(256 << 20), false},
		{"snappy/uncached", Snappy, nil, false},
		{"plain/uncached", None, nil, false},
		{"absent", None, nil, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := benchTable(b, benchRecords, 100, c.codec, ReaderOptions{Cache: c.cache})
			keys := make([][]byte, 1<<16)
			rng := rand.New(rand.NewPCG(3, 4))
			for i := range keys {
				keys[i] = benchKey(nil, rng.IntN(benchRecords))
				if c.absent {
					keys[i][15] ^= 1
				}
			}
			get := func(key []byte) {
				h := filter.HashKey(key)
				v, err := r.Get(key, &h, base.SeqNumMax)
				if err != nil || v.Found == c.absent {
					b.Fatal(v.Found, err)
				}
				v.Release()
			}
			if c.cache != nil {
				for i := range benchRecords {
					get(benchKey(nil, i))
				}
			}
			i := 0
			for b.Loop() {
				if c.absent {
					h := filter.HashKey(keys[i&(1<<16-1)])
					v, _ := r.Get(keys[i&(1<<16-1)], &h, base.SeqNumMax)
					v.Release()
				} else {
					get(keys[i&(1<<16-1)])
				}
				i++
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	for _, c := range []struct {
		name string
		o    IterOptions
		back bool
	}{{"forward", IterOptions{}, false}, {"backward", IterOptions{}, true}, {"sequential", IterOptions{Sequential: true}, false}} {
		b.Run(c.name, func(b *testing.B) {
			r := benchTable(b, benchRecords, 100, Snappy, ReaderOptions{Cache: cache.New(8 << 20)})
			n := 0
			for b.Loop() {
				it, _ := r.NewIter(c.o)
				if c.back {
					for kv := it.Last(); kv != nil; kv = it.Prev() {
						n++
					}
				} else {
					for kv := it.First(); kv != nil; kv = it.Next() {
						n++
					}
				}
				if err := it.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/record")
		})
	}
}

// BenchmarkSeek is a short scan: a seek and ten records.
func BenchmarkSeek(b *testing.B) {
	r := benchTable(b, benchRecords, 100, Snappy, ReaderOptions{Cache: cache.New(8 << 20)})
	keys := make([][]byte, 1<<12)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range keys {
		keys[i] = benchKey(nil, rng.IntN(benchRecords))
	}
	var it Iter
	i := 0
	for b.Loop() {
		r.InitIter(&it, IterOptions{})
		it.SeekGE(keys[i&(1<<12-1)])
		for range 10 {
			it.Next()
		}
		_ = it.Close()
		i++
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, c := range []Compression{None, Snappy} {
		b.Run(fmt.Sprintf("codec=%d", c), func(b *testing.B) {
			const n = 100_000
			rng := rand.New(rand.NewPCG(1, 2))
			keys, values := make([][]byte, n), make([][]byte, 1000)
			for i := range keys {
				keys[i] = benchKey(nil, i)
			}
			for i := range values {
				values[i] = benchValue(rng, 100)
			}
			f := &memFile{b: make([]byte, 0, 20<<20)}
			for b.Loop() {
				f.b = f.b[:0]
				w := NewWriter(f, "bench", WriterOptions{UID: 1, Compression: c, FilterBitsPerKey: 10})
				for i, k := range keys {
					if err := w.Add(k, base.Trailer(i<<8|1), values[i%1000]); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := w.Finish(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
			b.ReportMetric(float64(len(f.b))/n, "bytes/record")
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	r := benchTable(b, benchRecords, 100, Snappy, ReaderOptions{})
	b.ReportMetric(float64(r.MemoryUsage())/benchRecords, "memory/record")
	for b.Loop() {
		q, err := NewReader(r.f, ReaderOptions{})
		if err != nil {
			b.Fatal(err)
		}
		q.f = &memFile{}
		_ = q.Close()
	}
}

func BenchmarkIndexFind(b *testing.B) {
	for _, n := range []int{1000, 20_000, 200_000} {
		b.Run(fmt.Sprintf("blocks=%d", n), func(b *testing.B) {
			s := indexSize{n: n}
			x := index{n: n}
			for i := range n {
				x.prefixes = append(x.prefixes, base.Prefix(benchKey(nil, i), nil))
			}
			for i, l := range s.levels() {
				if l > 0 {
					x.up[i], x.ups = make([]uint64, l), i+1
				}
			}
			x.raise()
			rng := rand.New(rand.NewPCG(3, 4))
			keys := make([][]byte, 1<<12)
			for i := range keys {
				keys[i] = append(benchKey(nil, rng.IntN(n))[:8], "9999999"...)
			}
			x.sepEnds = make([]uint32, n+1)
			i := 0
			for b.Loop() {
				x.find(keys[i&(1<<12-1)])
				i++
			}
		})
	}
}
