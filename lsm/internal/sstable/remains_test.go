package sstable

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// remains reads what is left of b and returns its records and the damage.
func remains(t *testing.T, b []byte, uid uint64) (keys []string, lost []Damage, m *Remains) {
	t.Helper()
	report := func(d Damage) { lost = append(lost, d) }
	m, err := ReadRemains(bytes.NewReader(b), "bad.sst", int64(len(b)), uid, report)
	if err != nil {
		t.Fatal(err)
	}
	it := m.NewIter()
	for kv := it.First(); kv != nil; kv = it.Next() {
		keys = append(keys, fmt.Sprintf("%s#%d,%v=%s", kv.Key, kv.Trailer.Seq(), kv.Trailer.Kind(), kv.Value))
	}
	return keys, lost, m
}

// TestRemainsOfEveryByte damages each byte in turn: all records but those of one
// block must come back, and the report must say where the damage is.
func TestRemainsOfEveryByte(t *testing.T) {
	for _, c := range []Compression{None, Snappy} {
		tb := smallTable(c)
		b, m := tb.write(t)
		want, lost, whole := remains(t, b, 0)
		if len(want) != len(tb.points) || len(lost) != 0 || len(whole.RangeDels) != 2 || whole.Props == nil {
			t.Fatalf("of a whole table: %d records, lost %v", len(want), lost)
		}
		for at := range b {
			b[at] ^= 0x40
			got, lost, left := remains(t, b, m.UID)
			b[at] ^= 0x40
			if len(lost) != 1 || int64(at) < lost[0].Offset || int64(at) >= lost[0].Offset+lost[0].Len {
				t.Fatalf("codec %d, byte %d: damage %+v", c, at, lost)
			}
			if lost[0].What != "data block" {
				if !slices.Equal(got, want) {
					t.Fatalf("codec %d, byte %d in the %s: %d records of %d", c, at, lost[0].What, len(got), len(want))
				}
				continue
			}
			if len(left.RangeDels) != 2 || len(got) < len(want)-15 {
				t.Fatalf("codec %d, byte %d: %d of %d records", c, at, len(got), len(want))
			}
			for _, k := range got {
				if !slices.Contains(want, k) {
					t.Fatalf("codec %d, byte %d: made up %s", c, at, k)
				}
			}
		}
	}
}

// TestRemainsWithoutIndex cuts the table: blocks are found by their checksums alone,
// behind damage too.
func TestRemainsWithoutIndex(t *testing.T) {
	tb := smallTable(Snappy)
	b, m := tb.write(t)
	want, _, whole := remains(t, b, 0)
	last := whole.Blocks[len(whole.Blocks)-1]
	for n := int64(1); n < int64(len(b)); n++ {
		got, lost, left := remains(t, b[:n], m.UID)
		if n >= last.Offset+last.Len && (!slices.Equal(got, want) || len(lost) == 0) {
			t.Fatalf("cut to %d: %d records, %v", n, len(got), lost)
		}
		if int(n) > len(b)-footerLen/2 && (len(left.RangeDels) != 2 || left.Props == nil) {
			t.Fatalf("cut to %d: the tombstones are gone", n)
		}
	}
	cut := bytes.Clone(b[:len(b)-1])
	cut[whole.Blocks[1].Offset+7] ^= 1
	got, lost, _ := remains(t, cut, m.UID)
	if len(got) < len(want)-15 || len(lost) != 2 || lost[1].Offset != whole.Blocks[1].Offset || lost[1].Len != whole.Blocks[1].Len {
		t.Fatalf("%d of %d records, lost %+v", len(got), len(want), lost)
	}
	if _, err := ReadRemains(bytes.NewReader(cut), "bad.sst", int64(len(cut)), 0, func(Damage) {}); err != ErrNoIdentity {
		t.Fatal(err)
	}
}

func FuzzRemains(f *testing.F) {
	b, m := smallTable(Snappy).write(f)
	f.Add(b, m.UID)
	f.Add(b[:len(b)-7], m.UID)
	f.Fuzz(func(t *testing.T, b []byte, uid uint64) {
		m, err := ReadRemains(bytes.NewReader(b), "fuzz", int64(len(b)), uid, func(Damage) {})
		if err != nil {
			return
		}
		it := m.NewIter()
		var last []byte
		var lastT base.Trailer
		for kv := it.First(); kv != nil; kv = it.Next() {
			if last != nil && base.Compare(last, lastT, kv.Key, kv.Trailer) >= 0 {
				t.Fatal("records out of order")
			}
			last, lastT = append(last[:0], kv.Key...), kv.Trailer
		}
	})
}

// badPage is a file with one page that cannot be read.
type badPage struct {
	*bytes.Reader
	from, to int64
	reads    int
}

func (b *badPage) ReadAt(p []byte, off int64) (int, error) {
	b.reads++
	if off < b.to && off+int64(len(p)) > b.from {
		return 0, syscall.EIO
	}
	return b.Reader.ReadAt(p, off)
}

// TestRemainsOfUnreadablePage: with the index lost too, a page that the disk cannot read
// costs the blocks in it and no others, and few reads.
func TestRemainsOfUnreadablePage(t *testing.T) {
	tb := smallTable(None)
	for i := range 2000 {
		tb.points = append(tb.points, set(fmt.Sprintf("z%06d", i), 1, string(make([]byte, 1000))))
	}
	b, m := tb.write(t)
	b[len(b)-footerLen-10] ^= 1 // the index
	want, _, _ := remains(t, b, m.UID)
	var lost []Damage
	f := &badPage{Reader: bytes.NewReader(b), from: 1 << 20, to: 1<<20 + 4096}
	left, err := ReadRemains(f, "bad.sst", int64(len(b)), m.UID, func(d Damage) { lost = append(lost, d) })
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	it := left.NewIter()
	for kv := it.First(); kv != nil; kv = it.Next() {
		n++
	}
	told := slices.ContainsFunc(lost, func(d Damage) bool {
		return d.What == "data blocks" && errors.Is(d.Err, syscall.EIO) && d.Offset <= f.from && d.Offset+d.Len >= f.to && d.Len < 20<<10
	})
	if n < len(want)-20 || n >= len(want) || !told {
		t.Errorf("%d of %d records, lost %v", n, len(want), lost)
	}
	if f.reads > 5000 {
		t.Errorf("%d reads", f.reads)
	}
}
