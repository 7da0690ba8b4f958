package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// memFile is a vfs.File over bytes that a test can damage.
type memFile struct {
	b       []byte
	readErr error
	failAt  int // >0: the failAt-th write or sync fails
	ops     int
	synced  int
	closed  int
}

var errInjected = errors.New("injected")

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if f.readErr != nil {
		return 0, f.readErr
	}
	if off >= int64(len(f.b)) {
		return 0, io.EOF
	}
	n := copy(p, f.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) op() error {
	f.ops++
	if f.ops == f.failAt {
		return errInjected
	}
	return nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.op(); err != nil {
		return 0, err
	}
	if need := int(off) + len(p); need > len(f.b) {
		f.b = append(f.b, make([]byte, need-len(f.b))...)
	}
	return copy(f.b[off:], p), nil
}

func (f *memFile) Close() error { f.closed++; return nil }
func (f *memFile) Sync() error {
	if err := f.op(); err != nil {
		return err
	}
	f.synced = len(f.b)
	return nil
}
func (f *memFile) Truncate(n int64) error { f.b = f.b[:n]; return nil }
func (f *memFile) Size() (int64, error)   { return int64(len(f.b)), nil }

var _ vfs.File = (*memFile)(nil)

type record struct {
	key   string
	t     base.Trailer
	value string
}

func set(key string, seq base.SeqNum, value string) record {
	return record{key, base.MakeTrailer(seq, base.KindSet), value}
}

// table is what a test writes, and then expects to read.
type table struct {
	points []record
	dels   []rangedel.Tombstone
	o      WriterOptions
}

func (tb *table) write(t testing.TB) ([]byte, Meta) {
	t.Helper()
	f := &memFile{}
	w := NewWriter(f, "test.sst", tb.o)
	for _, d := range tb.dels {
		if err := w.AddRangeDel(d.Start, d.End, d.Seq); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range tb.points {
		if err := w.Add([]byte(r.key), r.t, []byte(r.value)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if f.synced != len(f.b) || f.closed != 1 || m.Size != int64(len(f.b)) {
		t.Fatalf("synced %d of %d bytes, size %d, closed %d times", f.synced, len(f.b), m.Size, f.closed)
	}
	return f.b, m
}

func open(t testing.TB, b []byte, o ReaderOptions) *Reader {
	t.Helper()
	o.Name = "test.sst"
	r, err := NewReader(&memFile{b: b}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// randomTable has keys of all kinds: many versions of one key, over several
// blocks now and then, long shared prefixes, the empty key, huge values.
func randomTable(rng *rand.Rand, n int) *table {
	tb := &table{o: WriterOptions{
		UID:              rng.Uint64() | 1,
		BlockSize:        256 << rng.IntN(6),
		Compression:      Compression(rng.IntN(2)),
		FilterBitsPerKey: []int{0, 10, 10}[rng.IntN(3)],
	}}
	prefix := []string{"", "shared/prefix/", "a"}[rng.IntN(3)]
	keys := 1 + rng.IntN(n+1)
	for range n {
		k := prefix + fmt.Sprintf("%d", rng.IntN(keys)*7919)
		switch rng.IntN(40) {
		case 0:
			k = ""
		case 1:
			k = prefix + string(bytes.Repeat([]byte{'z'}, rng.IntN(300)))
		case 2:
			k = prefix + "\xff\xff"
		}
		seq := base.SeqNum(rng.IntN(50))
		r := record{k, base.MakeTrailer(seq, base.Kind(rng.IntN(3))), ""}
		v := make([]byte, rng.IntN(60))
		if rng.IntN(50) == 0 {
			v = make([]byte, rng.IntN(5000))
		}
		for i := range v {
			v[i] = byte(rng.IntN(4))
		}
		switch r.t.Kind() {
		case base.KindSet:
			r.value = string(v)
		case base.KindSetTTL:
			r.value = string(binary.BigEndian.AppendUint64(nil, uint64(rng.IntN(1000)))) + string(v)
		}
		tb.points = append(tb.points, r)
	}
	slices.SortFunc(tb.points, func(a, b record) int { return base.Compare([]byte(a.key), a.t, []byte(b.key), b.t) })
	tb.points = slices.CompactFunc(tb.points, func(a, b record) bool { return a.key == b.key && a.t == b.t })
	for range rng.IntN(4) {
		d := rangedel.Tombstone{Start: fmt.Appendf(nil, "%d", rng.IntN(1000)), Seq: base.SeqNum(rng.IntN(60))}
		if rng.IntN(4) > 0 {
			d.End = append(d.Start[:len(d.Start):len(d.Start)], 'x')
		}
		tb.dels = append(tb.dels, d)
	}
	rangedel.Sort(tb.dels)
	return tb
}
