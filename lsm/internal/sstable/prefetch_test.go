package sstable

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

func spawn(fn func()) bool {
	go fn()
	return true
}

// walk goes through a table and counts its records.
func walk(it *Iter, back bool) (n int) {
	if back {
		for kv := it.Last(); kv != nil; kv = it.Prev() {
			n++
		}
		return n
	}
	for kv := it.First(); kv != nil; kv = it.Next() {
		n++
	}
	return n
}

// longTable has enough blocks for a walk to be decoded ahead, some of them large.
func longTable(rng *rand.Rand) *table {
	tb := &table{o: WriterOptions{UID: rng.Uint64() | 1, BlockSize: 1 << 10, Compression: Compression(rng.IntN(2))}}
	value := make([]byte, 300<<10)
	for i := range 12_000 {
		n := rng.IntN(200)
		if rng.IntN(2000) == 0 {
			n = rng.IntN(len(value))
		}
		for j := range n / 2 {
			value[j] = byte(rng.Uint32())
		}
		tb.points = append(tb.points, set(fmt.Sprintf("key%06d", i), base.SeqNum(1+i%3), string(value[:n])))
	}
	return tb
}

// A walk that is decoded ahead shows what one that is not shows, wherever it turns, and
// leaves no buffer behind.
func TestPrefetch(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 5))
		tb := longTable(rng)
		b, m := tb.write(t)
		var stats Stats
		r := open(t, b, ReaderOptions{UID: m.UID, Size: m.Size, Stats: &stats, Spawn: spawn})
		check := func(kv *base.KV, at int) {
			t.Helper()
			switch want := at >= 0 && at < len(tb.points); {
			case want != (kv != nil):
				t.Fatalf("seed %d: at %d: %v", seed, at, kv)
			case want && (string(kv.Key) != tb.points[at].key || string(kv.Value) != tb.points[at].value):
				t.Fatalf("seed %d: at %d: %q with %d bytes", seed, at, kv.Key, len(kv.Value))
			}
		}
		ahead := false
		for range 3 {
			it, err := r.NewIter(IterOptions{})
			if err != nil {
				t.Fatal(err)
			}
			at, step := 0, 1
			kv := it.First()
			for turns := 0; turns < 6; {
				check(kv, at)
				ahead = ahead || it.pre.cur != nil
				if kv == nil || rng.IntN(6000) == 0 {
					turns++
					if rng.IntN(3) == 0 || kv == nil {
						at, step = rng.IntN(len(tb.points)), 1-2*rng.IntN(2)
						kv = it.SeekGE([]byte(tb.points[at].key))
						continue
					}
					step = -step
				}
				at += step
				if step > 0 {
					kv = it.Next()
				} else {
					kv = it.Prev()
				}
			}
			if err := it.Close(); err != nil {
				t.Fatal(err)
			}
			if n := stats.Buffers.Load(); n != 0 {
				t.Fatalf("seed %d: %d bytes of buffers left", seed, n)
			}
		}
		if !ahead {
			t.Error("nothing was decoded ahead")
		}
	}
}

// A damaged block is found where it stands, and all records before it are shown, in both
// directions.
func TestPrefetchMeetsDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	tb := longTable(rng)
	b, m := tb.write(t)
	sound := open(t, b, ReaderOptions{UID: m.UID, Size: m.Size})
	for range 30 {
		bad := rng.IntN(sound.idx.n)
		damaged := append([]byte(nil), b...)
		damaged[int(sound.idx.offsets[bad])+rng.IntN(20)] ^= 1
		r := open(t, damaged, ReaderOptions{UID: m.UID, Size: m.Size, Spawn: spawn})
		through := func(back, prefetch bool) (n int, err error) {
			r.o.Spawn = nil
			if prefetch {
				r.o.Spawn = spawn
			}
			it, err := r.NewIter(IterOptions{})
			if err != nil {
				t.Fatal(err)
			}
			n = walk(it, back)
			err = it.Err()
			if e := it.Close(); e == nil || err == nil || e.Error() != err.Error() {
				t.Errorf("closing: %v after %v", e, err)
			}
			return n, err
		}
		for _, back := range []bool{false, true} {
			n, err := through(back, true)
			want, wantErr := through(back, false)
			if n != want || err == nil || err.Error() != wantErr.Error() {
				t.Errorf("block %d of %d, back %v: %d records, then %v; want %d, then %v", bad, sound.idx.n, back, n, err, want, wantErr)
			}
		}
	}
}

// flakyFile fails so many reads.
type flakyFile struct {
	memFile
	left atomic.Int64
}

func (f *flakyFile) fail(n int64) { f.left.Store(n) }

func (f *flakyFile) ReadAt(p []byte, off int64) (int, error) {
	if f.left.Add(-1) >= 0 {
		return 0, errInjected
	}
	return f.memFile.ReadAt(p, off)
}

// A file that is not readable any more ends the walk with its error, and one that was
// unreadable for a moment does not.
func TestPrefetchMeetsUnreadableFile(t *testing.T) {
	tb := longTable(rand.New(rand.NewPCG(4, 4)))
	b, m := tb.write(t)
	f := &flakyFile{memFile: memFile{b: b}}
	r, err := NewReader(f, ReaderOptions{Name: "test.sst", UID: m.UID, Size: m.Size, Spawn: spawn})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	it, err := r.NewIter(IterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	n, moments := 0, 0
	kv := it.First()
	for ; kv != nil; kv = it.Next() {
		if n++; n%500 == 0 && it.pre.next != nil && moments < 10 {
			f.fail(1) // what is decoded ahead next, not what the walk reads for itself
			moments++
		}
		if n == 10_000 {
			f.fail(1 << 30)
		}
	}
	if moments < 5 || n < 10_000 || n == len(tb.points) || !errors.Is(it.Err(), errInjected) {
		t.Errorf("%d moments, %d records of %d, %v", moments, n, len(tb.points), it.Err())
	}
}

// What compresses well is not read twice, be a block small or too large to be decoded
// ahead, and where nobody has goroutines to give the walk goes on without.
func TestPrefetchReadsOnce(t *testing.T) {
	small := &table{o: WriterOptions{UID: 7, BlockSize: 4 << 10, Compression: Snappy}}
	for i := range 60_000 {
		small.points = append(small.points, set(fmt.Sprintf("key%06d", i), 1, fmt.Sprintf("%0200d", i)))
	}
	large := &table{o: WriterOptions{UID: 8, BlockSize: 4 << 10, Compression: Snappy}}
	for i := range 300 {
		value := strings.Repeat(fmt.Sprintf("%0200d", i), 300<<10/200)
		large.points = append(large.points, set(fmt.Sprintf("key%06d", i), 1, value))
	}
	for _, tb := range []*table{small, large} {
		b, m := tb.write(t)
		for _, spawn := range []func(func()) bool{spawn, func(func()) bool { return false }} {
			readsOnce(t, tb, b, m, spawn)
		}
	}
}

func readsOnce(t *testing.T, tb *table, b []byte, m Meta, spawn func(func()) bool) {
	t.Helper()
	var stats Stats
	r := open(t, b, ReaderOptions{UID: m.UID, Size: m.Size, Stats: &stats, Spawn: spawn})
	for _, back := range []bool{false, true} {
		bytes, blocks := stats.BytesRead.Load(), stats.BlockReads.Load()
		it, err := r.NewIter(IterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		n := walk(it, back)
		if err := it.Close(); err != nil || n != len(tb.points) {
			t.Fatalf("%d records, %v", n, err)
		}
		bytes, blocks = stats.BytesRead.Load()-bytes, stats.BlockReads.Load()-blocks
		if bytes > m.Size*13/10 || blocks > int64(r.idx.n)*12/10 {
			t.Errorf("back %v: read %d bytes of %d, %d blocks of %d", back, bytes, m.Size, blocks, r.idx.n)
		}
	}
}
