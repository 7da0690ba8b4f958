package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func TestClosedLogToleratesNothing(t *testing.T) {
	b, want := closedSample(t, 8)
	end := int64(len(b))
	for _, e := range []Expect{{Clean: true}, {MinEnd: end, Clean: true}} {
		padded := append(bytes.Clone(b), make([]byte, 50)...)
		for _, c := range [][]byte{b, padded} {
			got, _, err := scan(c, testNum, e)
			if err != nil || len(got) != len(want) {
				t.Fatalf("undamaged: %d payloads, %v", len(got), err)
			}
		}
		for bit := range 8 * len(padded) {
			c := bytes.Clone(padded)
			c[bit/8] ^= 1 << (bit % 8)
			_, _, err := scan(c, testNum, e)
			if off := damagedAt(t, err); off > int64(bit/8) {
				t.Fatalf("bit %d flipped, damage reported at %d", bit, off)
			}
		}
		for n := range b {
			_, _, err := scan(b[:n], testNum, e)
			damagedAt(t, err)
			c := bytes.Clone(b)
			clear(c[n:])
			_, _, err = scan(c, testNum, e)
			damagedAt(t, err)
		}
	}
	_, _, err := scan(b, testNum, Expect{MinEnd: end - 1, Clean: true})
	damagedAt(t, err)
	_, _, err = scan(b, testNum, Expect{MinEnd: end + 1})
	damagedAt(t, err)
}

// Each flipped bit below the last recorded mark is damage, with the offset of its
// frame; beyond it, it ends the log. What is handed out is always a prefix.
func TestBitFlips(t *testing.T) {
	b, want, offs := sample(t, 6, 4)
	_, tail, err := scan(b, testNum, Expect{})
	must(t, err)
	if tail.Synced != offs[7] || tail.End != int64(len(b)) {
		t.Fatalf("tail %+v, offsets %v", tail, offs)
	}
	frameOf := func(at int64) int {
		i := 0
		for offs[i+1] <= at {
			i++
		}
		return i
	}
	for bit := range 8 * len(b) {
		c := bytes.Clone(b)
		c[bit/8] ^= 1 << (bit % 8)
		at := int64(bit / 8)
		i := frameOf(at)
		got, tail, err := scan(c, testNum, Expect{})
		if !isPrefix(got, want) {
			t.Fatalf("bit %d flipped: wrong payloads", bit)
		}
		if at < offs[7] {
			if off := damagedAt(t, err); off != offs[i] {
				t.Fatalf("bit %d of frame %d flipped: damage at %d, want %d", bit, i, off, offs[i])
			}
		} else if err != nil || tail.End != offs[i] || len(got) != i-1 || tail.Dropped != int64(len(b))-offs[i] {
			t.Fatalf("bit %d of frame %d flipped: %d payloads, %+v, %v", bit, i, len(got), tail, err)
		}
		if _, _, err := scan(c, testNum, Expect{MinEnd: int64(len(b))}); err == nil {
			t.Fatalf("bit %d flipped: no error, though the log was known whole", bit)
		}
	}
}

// Zeroed sectors, as after a hole or a page that never got to the disk.
func TestZeroedRanges(t *testing.T) {
	b, want, offs := sample(t, 6, 4)
	for from := range b {
		for _, n := range []int{1, 16, 64, len(b)} {
			c := bytes.Clone(b)
			to := min(from+n, len(b))
			clear(c[from:to])
			if bytes.Equal(b, c) {
				continue
			}
			got, _, err := scan(c, testNum, Expect{})
			if !isPrefix(got, want) {
				t.Fatalf("zeros in [%d, %d): wrong payloads", from, to)
			}
			// The frame with the mark is itself lost when the range reaches it.
			if int64(from) < offs[6] && int64(to) <= offs[7] {
				damagedAt(t, err)
			}
		}
	}
}

func TestTruncations(t *testing.T) {
	b, want, offs := sample(t, 3, 3)
	for n := range b {
		got, tail, err := scan(b[:n], testNum, Expect{})
		if err != nil || !isPrefix(got, want) {
			t.Fatalf("cut to %d: %v", n, err)
		}
		i := 0
		for offs[i+1] <= int64(n) {
			i++
		}
		if len(got) != max(0, i-1) || tail.End != offs[i] {
			t.Fatalf("cut to %d: %d payloads, %+v", n, len(got), tail)
		}
		_, _, err = scan(b[:n], testNum, Expect{MinEnd: int64(n) + 1})
		damagedAt(t, err)
	}
}

// Frames of another log, or of another place in the same one, are no frames.
func TestMisplacedFrames(t *testing.T) {
	b, _, offs := sample(t, 0, 4)
	got, tail, err := scan(b, testNum+1, Expect{})
	if err != nil || len(got) != 0 || tail.End != 0 {
		t.Fatalf("another number: %d payloads, %+v, %v", len(got), tail, err)
	}
	c := append(bytes.Clone(b), b[offs[2]:offs[3]]...)
	got, tail, err = scan(c, testNum, Expect{})
	if err != nil || len(got) != 4 || tail.Dropped == 0 {
		t.Fatalf("repeated frame: %d payloads, %+v, %v", len(got), tail, err)
	}
	f := ScanOptions{}
	if _, err := ScanFrames(bytes.NewReader(b), int64(len(b)), "x", KindManifest, testNum, f, func(*Frame) error { return nil }); err == nil {
		t.Fatal("a log read as a manifest")
	}
}

// A mark cannot speak of bytes that come after it.
func TestMarkBeyondItself(t *testing.T) {
	for _, end := range []bool{false, true} {
		b, _, _ := sample(t, 0, 2)
		w := &Writer{num: testNum, long: longLen, off: int64(len(b))}
		if end {
			must(t, w.frame(TypeEnd, 0, [][]byte{binary.AppendUvarint([]byte{0}, uint64(len(b)+1))}))
		} else {
			must(t, w.frame(TypeMarked, int64(len(b)+1), nil))
		}
		got, tail, err := scan(append(b, w.buf...), testNum, Expect{})
		if err != nil || len(got) != 2 || tail.End != int64(len(b)) || tail.Synced != 0 {
			t.Fatal(got, tail, err)
		}
	}
}

func TestNewerFormat(t *testing.T) {
	w := &Writer{num: testNum, long: longLen}
	h := fileHeader{version: FormatVersion + 1, kind: KindLog, num: testNum}
	must(t, w.frame(TypeHeader, 0, [][]byte{h.encode(), []byte("and more")}))
	_, _, err := scan(w.buf, testNum, Expect{})
	if !errors.Is(err, ErrNewerFormat) || errors.Is(err, base.ErrCorruption) {
		t.Fatal(err)
	}
}

// A header that promises more than there is costs nothing, whatever its checksums
// say.
func TestHostileLengths(t *testing.T) {
	b, _, _ := sample(t, 1, 1)
	for _, n := range []uint64{1 << 20, 1<<28 - 1, 1 << 40, 1<<60 - 1} {
		for _, fits := range []bool{false, true} {
			head := make([]byte, longHeaderLen)
			putHead(head, TypeData, longHeaderLen, n)
			sealHead(head, longHeaderLen, testNum, int64(len(b)), 12345)
			size := int64(len(b)) + longHeaderLen
			if fits {
				size += int64(min(n, 8<<20))
			}
			r := io.NewSectionReader(&sparse{b: append(bytes.Clone(b), head...)}, 0, size)
			var before, after runtime.MemStats
			total := 0
			runtime.ReadMemStats(&before)
			_, err := Scan(r, size, "x", KindLog, testNum, Expect{}, func(_ int64, p []byte) error {
				total += len(p)
				return nil
			})
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; err != nil || total > 1000 || took > 1<<20 {
				t.Fatalf("length %d: %v, %d bytes of payload, %d allocated", n, err, total, took)
			}
		}
	}
}

// sparse is b followed by zeros without end.
type sparse struct{ b []byte }

func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(s.b)) {
		copy(p, s.b[off:])
	}
	return len(p), nil
}

func TestReadErrors(t *testing.T) {
	b, _, _ := sample(t, 3, 3)
	boom := errors.New("boom")
	r := readerAt(func([]byte, int64) (int, error) { return 0, boom })
	_, err := Scan(r, int64(len(b)), "x", KindLog, testNum, Expect{}, nil)
	if !errors.Is(err, boom) || errors.Is(err, base.ErrCorruption) {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	_, err = Scan(bytes.NewReader(b), int64(len(b)), "x", KindLog, testNum, Expect{}, func(int64, []byte) error { return stop })
	if err != stop {
		t.Fatal(err)
	}
	// A file that is shorter than its size was.
	tail, err := Scan(bytes.NewReader(b), 2*int64(len(b)), "x", KindLog, testNum, Expect{}, func(int64, []byte) error { return nil })
	if err != nil || tail.End != int64(len(b)) {
		t.Fatal(tail, err)
	}
}

type readerAt func([]byte, int64) (int, error)

func (f readerAt) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// A reader beside a writer may see a frame missing that was there a moment later,
// and a later one that says so.
func TestScanBesideWriter(t *testing.T) {
	b, want, offs := sample(t, 6, 0)
	old := bytes.Clone(b)
	clear(old[offs[3]:offs[4]])
	reads := 0
	r := readerAt(func(p []byte, off int64) (int, error) {
		if reads++; reads == 1 {
			return copy(p, old[off:]), nil
		}
		return copy(p, b[off:]), nil
	})
	var got []string
	_, err := Scan(r, int64(len(b)), "x", KindLog, testNum, Expect{}, func(_ int64, p []byte) error {
		got = append(got, string(p))
		return nil
	})
	if err != nil || len(got) != len(want) || !isPrefix(got, want) {
		t.Fatalf("%q %v", got, err)
	}
}

func TestSkipDamage(t *testing.T) {
	b, want, offs := sample(t, 6, 4)
	all, _ := frames(t, b, ScanOptions{})
	if len(all) != 11 || all[0].Type != TypeHeader || all[0].Base != 1007 || all[2].Type != TypeMarked ||
		all[2].Mark != offs[2] || all[2].Offset != offs[2] || all[2].Len != offs[3]-offs[2] || string(all[2].Payload) != want[1] {
		t.Fatalf("%+v", all)
	}
	for i := range all {
		c := bytes.Clone(b)
		c[offs[i]+int64(i)%all[i].Len] ^= 0x10
		got, tail := frames(t, c, ScanOptions{SkipDamage: true, Expect: Expect{MinEnd: int64(len(b)), Clean: true}})
		if len(got) != len(all) {
			t.Fatalf("frame %d damaged: %d frames", i, len(got))
		}
		for j, f := range got {
			switch {
			case j == i:
				if f.Type != TypeDamage || f.Offset != all[j].Offset || f.Len != all[j].Len {
					t.Fatalf("frame %d damaged: reported as %+v", i, f)
				}
			case string(f.Payload) != string(all[j].Payload):
				t.Fatalf("frame %d damaged: frame %d differs", i, j)
			}
		}
		if i < len(all)-1 && (tail.End != int64(len(b)) || tail.Dropped != 0) {
			t.Fatalf("frame %d damaged: %+v", i, tail)
		}
	}
	// Garbage, then nothing.
	got, tail := frames(t, append(bytes.Clone(b), "garbage\x00\x00\x00"...), ScanOptions{SkipDamage: true})
	if f := got[len(got)-1]; len(got) != 12 || f.Type != TypeDamage || f.Len != 7 || tail.Dropped != 7 {
		t.Fatalf("%+v %+v", f, tail)
	}
}

// A payload that looks like a frame with a mark must not turn a torn tail into
// damage: only bytes outside of valid frames are searched.
func TestFrameInPayload(t *testing.T) {
	fs := vfs.NewMem()
	w := newLog(t, fs, testNum)
	must(t, w.Append([]byte("torn")))
	at := w.Size()
	inner := at + headerLen
	fake := &Writer{num: testNum, long: longLen, off: inner}
	must(t, fake.frame(TypeMarked, inner, [][]byte{[]byte("fake")}))
	must(t, w.Append(fake.buf))
	must(t, w.Close())
	b := content(t, fs, logName(testNum))
	b[40] ^= 1
	got, tail, err := scan(b, testNum, Expect{})
	if err != nil || len(got) != 0 || tail.Synced != 0 {
		t.Fatalf("%q %+v %v", got, tail, err)
	}
}

// Many headers that check out in front of nothing: the work is bounded.
func TestManyFalseHeaders(t *testing.T) {
	b, _, _ := sample(t, 1, 0)
	n := 4 << 20
	c := append(bytes.Clone(b), make([]byte, n)...)
	c[len(b)] = 1
	for at := len(b) + 1; at+headerLen < len(c); at += headerLen {
		rest := len(c) - at - headerLen
		putHead(c[at:], TypeMarked, headerLen, uint64(rest))
		sealHead(c[at:], headerLen, testNum, int64(at), 99)
	}
	_, _, err := scan(c, testNum, Expect{})
	damagedAt(t, err)
}

func TestHeadCheckSpreads(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	hits := 0
	b := make([]byte, 64<<10)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	for round := range 64 {
		for off := 0; off+longHeaderLen <= len(b); off++ {
			b[off+3] = 0x20 // a type that exists
			if _, ok := parseHead(b[off:], base.FileNum(round), int64(off)); ok {
				hits++
			}
		}
	}
	if hits > 200 { // 64 expected
		t.Fatalf("%d of 4M garbage headers pass the check", hits)
	}
}

func TestChain(t *testing.T) {
	clean := func(next base.FileNum, synced int64) Tail {
		return Tail{End: 50, Clean: true, Next: next, Synced: synced}
	}
	torn := func(synced int64) Tail { return Tail{End: 50, Synced: synced} }
	unused := Tail{End: headerLen + headerPayload}
	for i, c := range []struct {
		tails []Tail
		want  int // -1: damage
	}{
		{nil, 0},
		{[]Tail{torn(0)}, 1},
		{[]Tail{clean(0, 9)}, 1},
		{[]Tail{clean(2, 9)}, -1},                                   // log 2 is missing
		{[]Tail{clean(2, 9), torn(0)}, 2},                           //
		{[]Tail{clean(3, 9), torn(0)}, -1},                          // log 3 is missing
		{[]Tail{clean(0, 9), torn(9)}, 2},                           // closed, opened again
		{[]Tail{torn(0), torn(0)}, 1},                               // the second was never synced
		{[]Tail{torn(9), clean(3, 0), torn(0)}, 1},                  //
		{[]Tail{torn(9), clean(3, 0), torn(1)}, -1},                 // the third says that the first was synced
		{[]Tail{clean(2, 0), torn(0), clean(4, 0), torn(0)}, 2},     //
		{[]Tail{clean(2, 0), clean(3, 0), clean(4, 0), torn(0)}, 4}, //
		{[]Tail{clean(2, 0), torn(0), clean(0, 5)}, -1},             //
		{[]Tail{clean(3, 9), unused, torn(0)}, 3},                   // the second was never used
		{[]Tail{clean(4, 9), unused, unused, torn(5)}, 4},           //
		{[]Tail{clean(4, 9), unused, torn(0)}, -1},                  // log 4 is missing
		{[]Tail{clean(3, 9), unused}, -1},                           // log 3 is missing
		{[]Tail{torn(0), unused, torn(0)}, 1},                       //
	} {
		var logs []LogTail
		for j, tail := range c.tails {
			logs = append(logs, LogTail{Name: fmt.Sprint(j + 1), Num: base.FileNum(j + 1), Tail: tail})
		}
		n, err := Chain(logs)
		if c.want < 0 {
			damagedAt(t, err)
		} else if err != nil || n != c.want {
			t.Errorf("case %d: %d, %v, want %d", i, n, err, c.want)
		}
	}
}

func FuzzScan(f *testing.F) {
	a, _, _ := sample(f, 3, 2)
	f.Add(a)
	b, _ := closedSample(f, 4)
	f.Add(b)
	f.Add(append(bytes.Clone(b), 0, 0, 0, 7))
	f.Add([]byte{})
	f.Add(make([]byte, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		// Half of the inputs get checksums that fit, so that the fuzzer is not stopped by
		// them.
		if len(b) > 0 && b[len(b)-1]&1 == 1 {
			b = reseal(b)
		}
		for _, o := range []ScanOptions{{}, {Expect: Expect{MinEnd: 40}}, {Expect: Expect{Clean: true}}, {SkipDamage: true}} {
			at, total := int64(0), int64(0)
			tail, err := ScanFrames(bytes.NewReader(b), int64(len(b)), "x", KindLog, testNum, o, func(f *Frame) error {
				if f.Offset != at || f.Len <= 0 {
					t.Fatalf("frame at %d of %d bytes after %d", f.Offset, f.Len, at)
				}
				at += f.Len
				total += int64(len(f.Payload))
				return nil
			})
			if at > int64(len(b)) || total > int64(len(b)) || tail.End > int64(len(b)) || tail.Synced > int64(len(b)) {
				t.Fatalf("beyond the end of %d bytes: %d, %d, %+v", len(b), at, total, tail)
			}
			if err != nil && !errors.Is(err, base.ErrCorruption) && !errors.Is(err, ErrNewerFormat) {
				t.Fatal(err)
			}
			if err != nil && o.SkipDamage && !errors.Is(err, ErrNewerFormat) {
				var c *base.CorruptionError
				if errors.As(err, &c); c.Offset < 0 {
					t.Fatal(err)
				}
			}
		}
	})
}

// reseal walks b as frames and corrects their checksums.
func reseal(b []byte) []byte {
	b = bytes.Clone(b)
	for at := 0; at+longHeaderLen <= len(b); {
		h := b[at:]
		lf := binary.LittleEndian.Uint32(h)
		size := headerLen
		if lf>>28&longFlag != 0 {
			size = longHeaderLen
			binary.LittleEndian.PutUint32(h[headerLen:], 0)
		}
		n := int(lf & (longLen - 1))
		if n > len(h)-size {
			n %= len(h) - size + 1
			binary.LittleEndian.PutUint32(h, lf&^(longLen-1)|uint32(n))
		}
		sealHead(h, size, testNum, int64(at), base.Checksum(testNum, int64(at), h[:4], h[headerLen:size+n]))
		at += size + n
	}
	return b
}
