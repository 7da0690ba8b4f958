package sstable

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/filter"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
)

// smallTable has every kind of block, and of record.
func smallTable(c Compression) *table {
	tb := &table{o: WriterOptions{UID: 0xfeedface, BlockSize: 256, Compression: c, FilterBitsPerKey: 10}}
	for i := range 40 {
		tb.points = append(tb.points, set(fmt.Sprintf("key%04d", i*3), base.SeqNum(i), strings.Repeat("value", 3)))
	}
	tb.points = append(tb.points,
		record{"ttl", base.MakeTrailer(8, base.KindSetTTL), "\x00\x00\x00\x00\x00\x00\x01\x00v"},
		record{"ttl", base.MakeTrailer(7, base.KindDelete), ""})
	tb.dels = []rangedel.Tombstone{{Start: []byte("a"), End: []byte("b"), Seq: 3}, {Start: []byte("x"), Seq: 4}}
	return tb
}

// checkDamaged reads a damaged table in all ways: every answer is either right or
// ErrCorruption, and at least opening it or VerifyBlocks must notice.
func checkDamaged(t *testing.T, what string, tb *table, b []byte, at int) {
	t.Helper()
	r, err := NewReader(&memFile{b: b}, ReaderOptions{Name: "bad.sst"})
	if err != nil {
		checkCorruption(t, what, err)
		return
	}
	defer r.Close()
	err = r.VerifyBlocks(nil)
	checkCorruption(t, what, err)
	var c *base.CorruptionError
	if errors.As(err, &c); at >= 0 && (c.Lower == nil || c.Offset > int64(at) || c.Offset < int64(at)-256-16) {
		t.Fatalf("%s: the error names offset %d and key %q", what, c.Offset, c.Lower)
	}
	for i, x := range tb.points {
		h := filter.HashKey([]byte(x.key))
		v, err := r.Get([]byte(x.key), &h, x.t.Seq())
		switch {
		case err != nil:
			checkCorruption(t, what, err)
		case !v.Found || string(v.Bytes) != x.value || v.Trailer != x.t:
			t.Fatalf("%s: record %d is gone without an error", what, i)
		}
		v.Release()
	}
	for _, seq := range []bool{false, true} {
		it, _ := r.NewIter(IterOptions{Sequential: seq})
		n := 0
		for kv := it.First(); kv != nil; kv = it.Next() {
			same(t, what, kv, tb, n)
			n++
		}
		checkCorruption(t, what, it.Err())
		n = len(tb.points)
		for kv := it.Last(); kv != nil; kv = it.Prev() {
			n--
			same(t, what, kv, tb, n)
		}
		checkCorruption(t, what, it.Close())
	}
}

func checkCorruption(t *testing.T, what string, err error) {
	t.Helper()
	var c *base.CorruptionError
	if !errors.Is(err, base.ErrCorruption) || !errors.As(err, &c) || c.File != "bad.sst" || c.Offset < 0 {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestEveryBit(t *testing.T) {
	for _, c := range []Compression{None, Snappy} {
		tb := smallTable(c)
		b, m := tb.write(t)
		if m.Blocks < 3 || len(b) > 4000 {
			t.Fatalf("%d blocks, %d bytes", m.Blocks, len(b))
		}
		for i := range len(b) * 8 {
			b[i/8] ^= 1 << (i % 8)
			checkDamaged(t, fmt.Sprintf("codec %d, bit %d of byte %d", c, i%8, i/8), tb, b, i/8)
			b[i/8] ^= 1 << (i % 8)
		}
	}
}

func TestEveryTruncation(t *testing.T) {
	tb := smallTable(Snappy)
	b, _ := tb.write(t)
	for n := range b {
		checkDamaged(t, fmt.Sprintf("cut to %d bytes", n), tb, b[:n:n], -1)
	}
	for n := 1; n < 200; n++ {
		checkDamaged(t, fmt.Sprintf("%d zeros more", n), tb, append(slices.Clone(b), make([]byte, n)...), -1)
		checkDamaged(t, fmt.Sprintf("%d bytes twice", n), tb, append(slices.Clone(b), b[len(b)-n:]...), -1)
	}
}

func TestZeroedAndMovedParts(t *testing.T) {
	tb := smallTable(None)
	b, _ := tb.write(t)
	for from := 0; from < len(b); from += 64 {
		bad := slices.Clone(b)
		clear(bad[from:min(from+64, len(b))])
		checkDamaged(t, fmt.Sprintf("zeros at %d", from), tb, bad, -1)
	}
	r := open(t, b, ReaderOptions{})
	// Blocks of one length in each other's place, each with its own checksum.
	swapped := 0
	for i := 1; i+1 < r.idx.n; i++ {
		o := r.idx.offsets
		if o[i+1]-o[i] != o[i]-o[i-1] {
			continue
		}
		bad := slices.Clone(b)
		copy(bad[o[i-1]:], b[o[i]:o[i+1]])
		copy(bad[o[i]:], b[o[i-1]:o[i]])
		checkDamaged(t, fmt.Sprintf("blocks %d and %d swapped", i-1, i), tb, bad, -1)
		swapped++
	}
	if swapped == 0 {
		t.Fatal("no two blocks of one length")
	}
	// The same blocks of another table.
	other := smallTable(None)
	other.o.UID++
	ob, _ := other.write(t)
	for i := range r.idx.n {
		bad := slices.Clone(b)
		copy(bad[r.idx.offsets[i]:], ob[r.idx.offsets[i]:r.idx.offsets[i+1]])
		checkDamaged(t, fmt.Sprintf("block %d of another table", i), tb, bad, -1)
	}
}

func TestWrongTable(t *testing.T) {
	b, m := smallTable(None).write(t)
	for _, o := range []ReaderOptions{{UID: m.UID + 1}, {Size: m.Size + 1}, {Size: m.Size - 1}} {
		o.Name = "bad.sst"
		_, err := NewReader(&memFile{b: b}, o)
		checkCorruption(t, fmt.Sprint(o), err)
	}
}

func TestNewerFormat(t *testing.T) {
	b, m := smallTable(None).write(t)
	off := len(b) - footerLen
	f := b[off:]
	f[footerVersion] = formatVersion + 1
	s := base.Checksum(m.UID, int64(off), f[:footerSum], f[footerMagic:])
	for i := range 4 {
		f[footerSum+i] = byte(s >> (8 * i))
	}
	_, err := NewReader(&memFile{b: b}, ReaderOptions{Name: "new.sst"})
	var v *VersionError
	if !errors.As(err, &v) || v.Version != formatVersion+1 || errors.Is(err, base.ErrCorruption) || !strings.Contains(err.Error(), "new.sst") {
		t.Fatal(err)
	}
}

// A read that fails is reported as what it is, with the place; only a file that
// ends too early is corruption.
func TestReadErrors(t *testing.T) {
	tb := smallTable(Snappy)
	b, _ := tb.write(t)
	f := &memFile{b: b}
	f.readErr = errInjected
	if _, err := NewReader(f, ReaderOptions{Name: "bad.sst"}); !errors.Is(err, errInjected) || errors.Is(err, base.ErrCorruption) || f.closed != 0 {
		t.Fatal(err)
	}
	f.readErr = nil
	r, err := NewReader(f, ReaderOptions{Name: "bad.sst"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, e := range []error{errInjected, io.EOF} {
		f.readErr = e
		check := func(err error) {
			t.Helper()
			if e == io.EOF {
				checkCorruption(t, "end of file", err)
			} else if !errors.Is(err, e) || errors.Is(err, base.ErrCorruption) || !strings.Contains(err.Error(), "bad.sst") {
				t.Fatal(err)
			}
		}
		_, err := r.Get([]byte("key0000"), nil, base.SeqNumMax)
		check(err)
		check(r.VerifyBlocks(nil))
		for _, seq := range []bool{false, true} {
			it, _ := r.NewIter(IterOptions{Sequential: seq})
			for _, move := range []func() *base.KV{it.First, it.Last, func() *base.KV { return it.SeekGE([]byte("key0009")) }, func() *base.KV { return it.SeekLT([]byte("key0009")) }} {
				if move() != nil {
					t.Fatal("a record without a read")
				}
				check(it.Err())
				if it.Next() != nil || it.Prev() != nil {
					t.Fatal("moved after an error")
				}
				check(it.Err())
			}
			// The disk recovers: so does the iterator, when it is positioned anew.
			f.readErr = nil
			same(t, "after the error", it.First(), tb, 0)
			if it.Close() != nil {
				t.Fatal(it.Err())
			}
			f.readErr = e
		}
	}
}
