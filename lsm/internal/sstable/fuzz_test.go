package sstable

import (
	"bytes"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/block"
	"github.com/ringwood-kv/ringwood/lsm/internal/filter"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
)

func FuzzFooter(f *testing.F) {
	b, m := smallTable(None).write(f)
	off := int64(len(b) - footerLen)
	f.Add(b[off:], off, m.UID)
	f.Add(b[off:], int64(0), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, off int64, uid uint64) {
		if ft, err := decodeFooter(b, off, uid); err == nil {
			if !bytes.Equal(ft.encode(off), b) {
				t.Fatal("another encoding of the same footer")
			}
			return
		}
		if len(b) != footerLen || off < 0 {
			return
		}
		// Past magic and checksum, the rest must hold too.
		var ft footer
		for i, h := range ft.handles() {
			*h = handle{uint64(b[16*i+8]) << (b[16*i+9] % 64), uint64(b[16*i+16]) << (b[16*i+17] % 64)}
		}
		if ft.check(uint64(off)) == nil && ft.index.end() != uint64(off) {
			t.Fatal("the index does not end at the footer")
		}
	})
}

func FuzzProperties(f *testing.F) {
	_, m := smallTable(Snappy).write(f)
	f.Add(m.encode())
	f.Add(append(m.encode(), 64, 3, 'n', 'e', 'w', 70, 0)) // optional, of a newer writer
	f.Add(append(m.encode(), 63, 0))                       // not optional
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodeProperties(b)
		if err != nil {
			return
		}
		q, err := decodeProperties(p.encode())
		if err != nil || q.Entries != p.Entries || !bytes.Equal(p.Largest, q.Largest) || p.MinExpiry != q.MinExpiry {
			t.Fatalf("%+v does not survive: %+v %v", p, q, err)
		}
	})
}

func TestUnknownProperties(t *testing.T) {
	_, m := smallTable(Snappy).write(t)
	if _, err := decodeProperties(append(m.encode(), 64, 3, 'n', 'e', 'w', 70, 0)); err != nil {
		t.Errorf("optional properties: %v", err)
	}
	for _, more := range [][]byte{{63, 0}, {17, 0}, {64, 0, 64, 0}, {64}, {64, 2, 0}, {1, 1, 0}} {
		if _, err := decodeProperties(append(m.encode(), more...)); err == nil {
			t.Errorf("%d accepted", more)
		}
	}
	if _, err := decodeProperties(nil); err == nil {
		t.Error("no properties accepted")
	}
}

func FuzzRangeDels(f *testing.F) {
	for _, d := range [][]rangedel.Tombstone{smallTable(None).dels, {{Start: nil, End: nil, Seq: base.SeqNumMax}}} {
		var b []byte
		for _, t := range d {
			b = appendRangeDel(b, t)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ts, err := decodeRangeDels(b)
		if err != nil {
			return
		}
		var again []byte
		for _, d := range ts {
			if d.Empty() {
				t.Fatal("an empty tombstone")
			}
			again = appendRangeDel(again, d)
		}
		if us, err := decodeRangeDels(again); err != nil || len(us) != len(ts) {
			t.Fatalf("%d tombstones, then %d, %v", len(ts), len(us), err)
		}
	})
}

func FuzzIndex(f *testing.F) {
	var b block.Builder
	for _, k := range []string{"a", "b", "commonprefix1", "commonprefix2"} {
		b.Add([]byte(k), 0, []byte{100})
	}
	f.Add(bytes.Clone(b.Finish()), uint64(400), []byte("b"))
	b.Reset()
	for range 40 { // one key that fills many blocks
		b.Add([]byte("kkkkkkkkkk"), 0, []byte{0x80, 1})
	}
	f.Add(bytes.Clone(b.Finish()), uint64(40*128), []byte("kkkkkkkkkk"))
	f.Fuzz(func(t *testing.T, b []byte, end uint64, key []byte) {
		end = min(end, 1<<17)
		s, err := measureIndex(b, end)
		if err != nil {
			return
		}
		x, err := buildIndex(b, s, make([]byte, s.bytes()), end)
		if err != nil {
			return
		}
		// The separators ascend, so that a linear search must agree.
		want := 0
		for want < x.n && bytes.Compare(append(x.common[:len(x.common):len(x.common)], x.separator(want)...), key) < 0 {
			want++
		}
		if got := x.find(key); got != want {
			t.Fatalf("find says %d, not %d of %d", got, want, x.n)
		}
		if x.offsets[x.n] != end {
			t.Fatal("blocks do not end where the data does")
		}
	})
}

// FuzzTable damages a table behind its checksums: the fuzzer's bytes go into a
// data block, an index or the properties, and the block is sealed again.
func FuzzTable(f *testing.F) {
	tb := smallTable(Snappy)
	whole, m := tb.write(f)
	r, err := NewReader(&memFile{b: whole}, ReaderOptions{})
	if err != nil {
		f.Fatal(err)
	}
	places := []handle{r.ft.filter, r.ft.rangeDels, r.ft.props, r.ft.index}
	for i := range r.idx.n {
		places = append(places, handle{r.idx.offsets[i], r.idx.offsets[i+1] - r.idx.offsets[i]})
	}
	if err := r.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(0), uint16(3), []byte{1, 2}, []byte("key0003"))
	f.Add(uint8(4), uint16(0), []byte{255}, []byte("key0000"))
	f.Fuzz(func(t *testing.T, which uint8, at uint16, with, key []byte) {
		h := places[int(which)%len(places)]
		b := bytes.Clone(whole)
		start := int(h.off)
		n := int(h.len) - trailerLen
		copy(b[start+int(at)%n:start+n], with)
		codec := Compression(b[start+n])
		sealed := sealBlock(bytes.Clone(b[start:start+n]), 0, codec, m.UID, int64(h.off))
		copy(b[start:], sealed)
		r, err := NewReader(&memFile{b: b}, ReaderOptions{Name: "fuzz"})
		if err != nil {
			return
		}
		defer r.Close()
		_ = r.VerifyBlocks(nil)
		hash := filter.HashKey(key)
		v, _ := r.Get(key, &hash, base.SeqNumMax)
		v.Release()
		it, _ := r.NewIter(IterOptions{})
		limit := 100 * len(b)
		for kv := it.First(); kv != nil && limit > 0; kv = it.Next() {
			limit--
		}
		for kv := it.Last(); kv != nil && limit > 0; kv = it.Prev() {
			limit--
		}
		it.SeekGE(key)
		it.SeekLT(key)
		_ = it.Close()
		if limit == 0 {
			t.Fatal("records without end")
		}
	})
}
