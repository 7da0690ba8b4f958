package sstable

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/block"
	"github.com/ringwood-kv/ringwood/lsm/internal/cache"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

type blobRecord struct {
	key, value []byte
	ref        base.BlobRef
}

func writeBlobs(t testing.TB, fs vfs.FS, name string, c Compression, recs []blobRecord) Meta {
	t.Helper()
	f, err := fs.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := NewWriter(f, name, WriterOptions{UID: 77, Compression: c, Kind: Blob, FilterBitsPerKey: 0})
	for i := range recs {
		if err := w.Add(recs[i].key, base.MakeTrailer(base.SeqNum(1000-i), base.KindSet), recs[i].value); err != nil {
			t.Fatal(err)
		}
		recs[i].ref = w.LastBlob()
	}
	m, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func randomBlobs(r *rand.Rand) []blobRecord {
	var recs []blobRecord
	for i := range 24 {
		n := []int{0, 1, 100, 65_535, 65_536, 70_000, 300_000}[r.IntN(7)]
		if r.IntN(2) == 0 {
			n = r.IntN(20000)
		}
		v := make([]byte, n)
		for j := range v[:n*r.IntN(4)/3] {
			v[j] = byte(r.Uint32())
		}
		k := fmt.Appendf(nil, "key%03d", i)
		if i == 12 {
			k = append(k, make([]byte, base.MaxKeyLen-len(k))...)
		} else if r.IntN(10) == 0 {
			k = append(k, make([]byte, r.IntN(base.MaxKeyLen-len(k)+1))...)
		}
		recs = append(recs, blobRecord{key: k, value: v})
	}
	return recs
}

// A value is found by its reference, with and without a cache, and a table of values is
// sound like any other.
func TestBlobs(t *testing.T) {
	fs := vfs.NewMem()
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []Compression{None, Snappy} {
		recs := randomBlobs(r)
		m := writeBlobs(t, fs, "x", c, recs)
		if m.Entries != uint64(len(recs)) || m.Blocks != m.Entries || m.Kind != Blob {
			t.Fatalf("%+v", m)
		}
		open := func(o ReaderOptions) *Reader {
			t.Helper()
			f, err := fs.Open("x")
			if err != nil {
				t.Fatal(err)
			}
			o.Name, o.UID, o.Size = "x", 77, m.Size
			rd, err := NewReader(f, o)
			if err != nil {
				t.Fatal(err)
			}
			return rd
		}
		whole := open(ReaderOptions{})
		if err := whole.VerifyBlocks(nil); err != nil {
			t.Fatal(err)
		}
		it, err := whole.NewIter(IterOptions{Sequential: true})
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for kv := it.First(); kv != nil; kv = it.Next() {
			if !bytes.Equal(kv.Key, recs[i].key) || !bytes.Equal(kv.Value, recs[i].value) {
				t.Fatalf("record %d is another one", i)
			}
			i++
		}
		if err := it.Close(); err != nil || i != len(recs) {
			t.Fatal(i, err)
		}
		_ = whole.Close()
		blocks := cache.New(4 << 20)
		defer blocks.Close()
		for _, o := range []ReaderOptions{{BlobsOnly: true}, {BlobsOnly: true, Cache: blocks, ID: 1}, {Cache: blocks, ID: 1}} {
			rd := open(o)
			for round := range 2 {
				for _, x := range recs {
					v, err := rd.Blob(x.key, x.ref, round > 0)
					if err != nil || !bytes.Equal(v.Bytes, x.value) {
						t.Fatalf("%.20q: %v", x.key, err)
					}
					v.Release()
					if b, err := rd.AppendBlob([]byte("dst"), x.key, x.ref); err != nil || string(b) != "dst"+string(x.value) {
						t.Fatalf("%.20q appended: %v", x.key, err)
					}
				}
			}
			f, err := fs.Create("moved")
			if err != nil {
				t.Fatal(err)
			}
			w := NewWriter(f, "moved", WriterOptions{UID: 88, Kind: Blob})
			moved := make([]base.BlobRef, len(recs))
			for i, x := range recs {
				raw, err := rd.RawBlob(x.key, x.ref)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.AddRaw(x.key, &raw); err != nil {
					t.Fatal(err)
				}
				moved[i] = w.LastBlob()
				raw.Release()
				if _, err := rd.RawBlob(x.key, recs[(i+1)%len(recs)].ref); !errors.Is(err, base.ErrCorruption) {
					t.Fatal(err)
				}
			}
			if _, err := w.Finish(); err != nil {
				t.Fatal(err)
			}
			f, _ = fs.Open("moved")
			to, err := NewReader(f, ReaderOptions{Name: "moved", UID: 88})
			if err != nil {
				t.Fatal(err)
			}
			if err := to.VerifyBlocks(nil); err != nil {
				t.Fatal(err)
			}
			for i, x := range recs {
				v, err := to.Blob(x.key, moved[i], false)
				if err != nil || !bytes.Equal(v.Bytes, x.value) {
					t.Fatalf("%.20q: %v", x.key, err)
				}
				v.Release()
			}
			_ = to.Close()
			for i, x := range recs {
				y := recs[(i+1)%len(recs)]
				bad := []base.BlobRef{x.ref, x.ref, x.ref, x.ref, y.ref}
				bad[0].Offset++
				bad[1].Len--
				bad[2].Offset = uint64(m.Size)
				bad[3].ValueLen++
				if o.Cache != nil {
					bad[1] = bad[0] // a block in the cache is known by its offset
				}
				for n, ref := range bad {
					var ce *base.CorruptionError
					v, err := rd.Blob(x.key, ref, true)
					if !errors.As(err, &ce) || v.Found || !bytes.Equal(ce.Lower, x.key) || !bytes.Equal(ce.Upper, x.key) || ce.File != "x" {
						t.Fatalf("bad reference %d: %v", n, err)
					}
					ce = nil
					b, err := rd.AppendBlob([]byte("dst"), x.key, ref)
					if !errors.As(err, &ce) || string(b) != "dst" || !bytes.Equal(ce.Lower, x.key) || ce.File != "x" {
						t.Fatalf("bad reference %d, appended: %q, %v", n, b, err)
					}
				}
			}
			_ = rd.Close()
		}
	}
}

// Only a table of values is read as one, and a table of values holds nothing else.
func TestBlobKinds(t *testing.T) {
	fs := vfs.NewMem()
	f, err := fs.Create("plain")
	if err != nil {
		t.Fatal(err)
	}
	w := NewWriter(f, "plain", WriterOptions{UID: 77})
	ref := base.BlobRef{File: 3, Offset: 4, Len: 50, ValueLen: 60}.Append(nil)
	if err := w.Add([]byte("a"), base.MakeTrailer(1, base.KindBlob), ref); err != nil {
		t.Fatal(err)
	}
	m, err := w.Finish()
	if err != nil || m.BlobRefs != 1 {
		t.Fatal(m, err)
	}
	f, _ = fs.Open("plain")
	if _, err := NewReader(f, ReaderOptions{Name: "plain", UID: 77, BlobsOnly: true}); !errors.Is(err, base.ErrCorruption) {
		t.Error(err)
	}
	for _, c := range []struct {
		kind  Kind
		t     base.Kind
		value []byte
	}{{Blob, base.KindDelete, nil}, {Blob, base.KindBlob, ref}, {Blob, base.KindSetTTL, make([]byte, 9)}, {External, base.KindBlob, ref}} {
		f, err := fs.Create("y")
		if err != nil {
			t.Fatal(err)
		}
		w := NewWriter(f, "y", WriterOptions{UID: 77, Kind: c.kind})
		if err := w.Add([]byte("a"), base.MakeTrailer(1, c.t), c.value); err == nil {
			t.Errorf("kind %v in a table of kind %d", c.t, c.kind)
		}
		w.Abort()
	}
}

// The block of a single record is what the builder would make of it.
func TestAppendSingle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, x := range randomBlobs(r) {
		var b block.Builder
		tr := base.MakeTrailer(base.SeqNum(r.Uint64()>>8), base.KindSet)
		b.Add(x.key, tr, x.value)
		if got := append(block.AppendSingle(nil, x.key, tr, x.value), x.value...); !bytes.Equal(got, b.Finish()) {
			t.Fatalf("key of %d bytes, value of %d: another block", len(x.key), len(x.value))
		}
	}
}

func BenchmarkBlobWriter(b *testing.B) {
	for _, n := range []int{4 << 10, 16 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("value=%d", n), func(b *testing.B) {
			v := make([]byte, n)
			r := rand.New(rand.NewPCG(1, 2))
			for j := range v[:n/2] {
				v[j] = byte(r.Uint32())
			}
			w := NewWriter(discard{}, "x", WriterOptions{UID: 77, Compression: Snappy, Kind: Blob})
			b.SetBytes(int64(n))
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				i++
				if err := w.Add(fmt.Appendf(nil, "%016x", i), base.MakeTrailer(1, base.KindSet), v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type discard struct{ vfs.File }

func (discard) WriteAt(p []byte, off int64) (int, error) { return len(p), nil }

// A value that no slot of the cache holds is decompressed to where it is wanted: beside the
// block as it is stored, nothing as large is needed.
func TestAppendBlobPastTheCache(t *testing.T) {
	fs := vfs.NewMem()
	recs := []blobRecord{{key: []byte("key"), value: make([]byte, 4<<20)}} // beyond what is pooled
	writeBlobs(t, fs, "b", Snappy, recs)
	f, err := fs.Open("b")
	if err != nil {
		t.Fatal(err)
	}
	blocks := cache.New(64 << 20)
	defer blocks.Close()
	rd, err := NewReader(f, ReaderOptions{Name: "b", UID: 77, BlobsOnly: true, Cache: blocks, ID: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	dst := make([]byte, 0, 5<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		if b, err := rd.AppendBlob(dst, recs[0].key, recs[0].ref); err != nil || len(b) != 4<<20 {
			t.Fatal(len(b), err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 10<<20 {
		t.Errorf("%d bytes allocated for ten values", n)
	}
}
