package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func TestRoundTrip(t *testing.T) {
	for _, long := range []uint64{longLen, 100} {
		t.Run(fmt.Sprint("long=", long), func(t *testing.T) {
			fs := vfs.NewMem()
			w := newLog(t, fs, testNum)
			w.long = long
			var want []string
			for i, n := range []int{0, 1, 99, 100, 5000, 0, maxBuffer - 10, maxBuffer, maxBuffer + 5, 3, 3 << 20, 7} {
				p := bytes.Repeat([]byte{byte(i + 1)}, n)
				must(t, w.Append(p[:n/3], nil, p[n/3:]))
				want = append(want, string(p))
				if i%3 == 2 {
					must(t, w.Sync())
				}
			}
			must(t, w.End(9))
			size := w.Size()
			must(t, w.Close())
			b := content(t, fs, logName(testNum))
			if int64(len(b)) != size || w.Written() != size {
				t.Fatalf("file has %d bytes, writer says %d, %d", len(b), size, w.Written())
			}
			got, tail, err := scan(b, testNum, Expect{MinEnd: size, Clean: true})
			must(t, err)
			if len(got) != len(want) || !isPrefix(got, want) {
				t.Fatalf("read %d payloads, want %d, or other ones", len(got), len(want))
			}
			if tail.End != size || !tail.Clean || tail.Next != 9 || tail.Base != 1007 || tail.Synced == 0 || tail.Dropped != 0 {
				t.Fatalf("tail %+v", tail)
			}
		})
	}
}

// The bytes of docs/wal.md.
func TestFormat(t *testing.T) {
	fs := vfs.NewMem()
	w := newLog(t, fs, testNum)
	must(t, w.Sync())
	must(t, w.Append([]byte("he"), []byte("llo")))
	must(t, w.Append([]byte("x")))
	must(t, w.End(8))
	b := content(t, fs, logName(testNum))
	const want = "" +
		"1a000010" + "9290" + "051e72ed" + "52696e6757414c00" + "01" + "01" + "0700000000000000" + "ef03000000000000" +
		"06000030" + "0627" + "0864c7e0" + "24" + "68656c6c6f" +
		"01000020" + "c171" + "661ae250" + "78" +
		"02000040" + "190e" + "714ded69" + "08" + "24"
	if got := fmt.Sprintf("%x", b); got != want {
		t.Fatalf("the format has changed:\n%s\nwant\n%s", got, want)
	}
	// The checksum is the one of the engine, bound to log and offset.
	for _, r := range [][2]int{{0, 36}, {36, 52}, {52, 63}, {63, 75}} {
		f := b[r[0]:r[1]]
		sum := base.Checksum(testNum, int64(r[0]), f[:4], f[10:])
		if got := binary.LittleEndian.Uint32(f[6:]); got != sum {
			t.Errorf("frame at %d has checksum %08x, base.Checksum says %08x", r[0], got, sum)
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	w := newLog(t, vfs.NewMem(), testNum)
	key, value := make([]byte, 20), make([]byte, 110)
	w.synced.Store(1)
	n := testing.AllocsPerRun(1000, func() {
		must(t, w.Append(key, value))
		w.synced.Add(1)
		w.buf, w.off = w.buf[:0], w.off+100
	})
	if n != 0 {
		t.Fatalf("%v allocations per Append", n)
	}
}

// noRoom fails writes when on, after a part of them.
func noRoom(fs *vfs.Fault, on *bool, part func(op vfs.Op) int) {
	fs.SetHook(func(op vfs.Op) error {
		if *on && op.Kind == vfs.OpWrite {
			return &vfs.Short{N: part(op), Err: syscall.ENOSPC}
		}
		return nil
	})
}

func TestNoSpaceRetry(t *testing.T) {
	for _, part := range []int{0, 1, 13, 40, 70, 1 << 20} {
		mem := vfs.NewMem()
		fs := vfs.NewFault(mem)
		w := newLog(t, fs, testNum)
		full := false
		noRoom(fs, &full, func(op vfs.Op) int { return min(part, op.Len) })
		must(t, w.Append([]byte("one")))
		must(t, w.Flush())
		full = true
		must(t, w.Append([]byte("two")))
		must(t, w.Append([]byte("three, which is longer than the others are")))
		at := w.Size()
		for range 3 {
			if err := w.Flush(); !errors.Is(err, syscall.ENOSPC) || w.IsBroken() {
				t.Fatalf("flush on a full disk: %v, broken %v", err, w.IsBroken())
			}
		}
		// What is in the file is what was there before.
		got, tail, err := scan(content(t, mem, logName(testNum)), testNum, Expect{})
		must(t, err)
		if len(got) != 1 || tail.Dropped != 0 {
			t.Fatalf("after a failed flush: %q, %+v", got, tail)
		}
		full = false
		if w.Size() != at {
			t.Fatalf("size went from %d to %d", at, w.Size())
		}
		must(t, w.Append([]byte("four")))
		must(t, w.Sync())
		got, _, err = scan(content(t, mem, logName(testNum)), testNum, Expect{MinEnd: w.Synced()})
		must(t, err)
		if fmt.Sprint(got) != "[one two three, which is longer than the others are four]" {
			t.Fatalf("read %q", got)
		}
	}
}

func TestNoSpaceDrop(t *testing.T) {
	mem := vfs.NewMem()
	fs := vfs.NewFault(mem)
	w := newLog(t, fs, testNum)
	must(t, w.Sync())
	full := true
	// The first frame of the buffer and half of the second reach the file.
	noRoom(fs, &full, func(op vfs.Op) int { return 40 })
	must(t, w.Append([]byte("kept, since nobody was told otherwise")))
	at := w.Size()
	must(t, w.Append([]byte("dropped")))
	must(t, w.Append([]byte("dropped too")))
	if err := w.Flush(); err == nil {
		t.Fatal("no error")
	}
	for _, off := range []int64{0, at + 1, at - 1, w.Size() + 1} {
		if err := w.DropFrom(off); err == nil {
			t.Fatalf("dropped from %d, which is no frame of the buffer", off)
		}
	}
	must(t, w.DropFrom(at))
	if w.Size() != at {
		t.Fatalf("size %d, want %d", w.Size(), at)
	}
	// Not even a power cut right after the failure brings the dropped ones back.
	for _, survive := range []float64{0, 0.5, 1} {
		got, tail, err := scan(content(t, mem.CrashClone(vfs.CrashOptions{Survive: survive}), logName(testNum)), testNum, Expect{})
		if err != nil || len(got) != 0 || tail.Dropped != 0 {
			t.Fatalf("after a crash: %q %+v %v", got, tail, err)
		}
	}
	full = false
	must(t, w.Append([]byte("new")))
	must(t, w.Sync())
	got, _, err := scan(content(t, mem, logName(testNum)), testNum, Expect{MinEnd: w.Synced()})
	must(t, err)
	if fmt.Sprint(got) != "[kept, since nobody was told otherwise new]" {
		t.Fatalf("read %q", got)
	}
}

// A disk that is really full, with the zeros ahead in the way too.
func TestNoSpaceMem(t *testing.T) {
	mem := vfs.NewMem()
	mem.SetCapacity(96 << 10)
	w := newLog(t, mem, testNum)
	var want []string
	failed := 0
	for i := range 2000 {
		p := fmt.Sprintf("%d %s", i, bytes.Repeat([]byte("x"), i%300))
		at := w.Size()
		err := w.Append([]byte(p))
		if err == nil {
			err = w.Sync()
		}
		if err == nil {
			want = append(want, p)
			continue
		}
		if !vfs.IsNoSpace(err) {
			t.Fatal(err)
		}
		must(t, w.DropFrom(at))
		if failed++; failed == 5 {
			mem.SetCapacity(0)
		}
	}
	if failed < 5 {
		t.Fatal("the disk never was full")
	}
	must(t, w.Close())
	got, _, err := scan(content(t, mem, logName(testNum)), testNum, Expect{MinEnd: w.Size()})
	must(t, err)
	if len(got) != len(want) || !isPrefix(got, want) {
		t.Fatalf("read %d payloads, want %d, or other ones", len(got), len(want))
	}
}

func TestNoSpaceLargePayload(t *testing.T) {
	mem := vfs.NewMem()
	fs := vfs.NewFault(mem)
	w := newLog(t, fs, testNum)
	must(t, w.Append([]byte("one")))
	full := true
	noRoom(fs, &full, func(op vfs.Op) int {
		if op.Len > maxBuffer {
			return op.Len - 1
		}
		return op.Len // carried out, and reported as failed all the same
	})
	large := make([]byte, 2*maxBuffer)
	at := w.Size()
	if err := w.Append(large); err == nil || w.Size() != at {
		t.Fatalf("%v, size %d, want %d", err, w.Size(), at)
	}
	full = false
	must(t, w.Append([]byte("two")))
	must(t, w.Append(large))
	must(t, w.Sync())
	got, _, err := scan(content(t, mem, logName(testNum)), testNum, Expect{MinEnd: w.Synced()})
	must(t, err)
	if len(got) != 3 || got[0] != "one" || got[1] != "two" || got[2] != string(large) {
		t.Fatalf("read %d payloads", len(got))
	}
}

func TestSyncFailureIsFinal(t *testing.T) {
	fs := vfs.NewFault(vfs.NewMem())
	w := newLog(t, fs, testNum)
	must(t, w.Append([]byte("one")))
	must(t, w.Sync())
	synced := w.Synced()
	fail := true
	fs.SetHook(func(op vfs.Op) error {
		if fail && op.Kind == vfs.OpSync {
			return vfs.ErrLostSync
		}
		return nil
	})
	must(t, w.Append([]byte("two")))
	if err := w.Sync(); !errors.Is(err, ErrSyncFailed) {
		t.Fatal(err)
	}
	fail = false
	before := fs.Counters()
	for name, err := range map[string]error{
		"Sync": w.Sync(), "SyncWritten": w.SyncWritten(), "Flush": w.Flush(),
		"Append": w.Append([]byte("x")), "End": w.End(0), "Err": w.Err(),
	} {
		if !errors.Is(err, ErrSyncFailed) {
			t.Errorf("%s after a failed sync: %v", name, err)
		}
	}
	if !w.IsBroken() || w.Synced() != synced {
		t.Errorf("broken %v, synced %d, want %d", w.IsBroken(), w.Synced(), synced)
	}
	if d := fs.Counters().Sub(before); d.Total() != 0 {
		t.Errorf("%d operations after a failed sync", d.Total())
	}
	must(t, w.Close())
}

func TestCutBackFailures(t *testing.T) {
	for _, kind := range []vfs.OpKind{vfs.OpTruncate, vfs.OpSync} {
		fs := vfs.NewFault(vfs.NewMem())
		w := newLog(t, fs, testNum)
		fs.SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpWrite || op.Kind == kind {
				return syscall.EIO
			}
			return nil
		})
		must(t, w.Append([]byte("one")))
		err := w.Flush()
		if err == nil || !w.IsBroken() {
			t.Fatalf("%v failed too: %v, broken %v", kind, err, w.IsBroken())
		}
		if errors.Is(err, ErrSyncFailed) != (kind == vfs.OpSync) {
			t.Fatalf("%v failed too: %v", kind, err)
		}
		fs.SetHook(nil)
		if w.Append([]byte("two")) == nil || w.Flush() == nil {
			t.Fatal("a broken log goes on")
		}
	}
}

func TestEnded(t *testing.T) {
	fs := vfs.NewFault(vfs.NewMem())
	w := newLog(t, fs, testNum)
	must(t, w.Append([]byte("one")))
	full := true
	noRoom(fs, &full, func(vfs.Op) int { return 5 })
	if err := w.End(8); err == nil {
		t.Fatal("no error")
	}
	full = false
	must(t, w.Sync()) // the end frame was waiting
	if err := w.Append([]byte("x")); !errors.Is(err, ErrEnded) {
		t.Fatal(err)
	}
	if err := w.End(8); !errors.Is(err, ErrEnded) {
		t.Fatal(err)
	}
	must(t, w.Close())
	must(t, w.Close())
	if err := w.Append(nil); !errors.Is(err, ErrEnded) {
		t.Fatal(err)
	}
	_, tail, err := scan(content(t, fs, logName(testNum)), testNum, Expect{Clean: true})
	if err != nil || tail.Next != 8 {
		t.Fatal(tail, err)
	}
}

// The sync of what was flushed runs beside appends, on any goroutine.
func TestSyncBesideAppend(t *testing.T) {
	fs := vfs.NewMem()
	w := newLog(t, fs, testNum)
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for {
			if err := w.SyncWritten(); err != nil || w.Synced() > w.Size() || w.IsBroken() {
				done <- fmt.Errorf("%v, synced %d of %d", err, w.Synced(), w.Size())
				return
			}
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
		}
	}()
	for i := range 5000 {
		must(t, w.Append([]byte("payload")))
		if i%3 == 0 {
			must(t, w.Flush())
		}
	}
	must(t, w.End(0))
	close(stop)
	must(t, <-done)
	must(t, w.Sync())
	got, tail, err := scan(content(t, fs.CrashClone(vfs.CrashOptions{}), logName(testNum)), testNum, Expect{MinEnd: w.Size(), Clean: true})
	if err != nil || len(got) != 5000 || !tail.Clean {
		t.Fatal(len(got), tail, err)
	}
}

// Mark makes what was synced last provable.
func TestMark(t *testing.T) {
	fs := vfs.NewMem()
	w := newLog(t, fs, testNum)
	must(t, w.Mark()) // nothing to say
	must(t, w.Append([]byte("one")))
	must(t, w.Sync())
	at := w.Size()
	must(t, w.Mark())
	must(t, w.Mark())
	must(t, w.Flush())
	b := content(t, fs, logName(testNum))
	got, tail, err := scan(b, testNum, Expect{})
	if err != nil || fmt.Sprint(got) != "[one ]" || tail.Synced != at {
		t.Fatal(got, tail, err)
	}
	b[at-1] ^= 1
	_, _, err = scan(b, testNum, Expect{})
	damagedAt(t, err)
}

// Zeros ahead are written for logs that are synced often and in small steps only,
// and Close takes them back.
func TestSpaceAhead(t *testing.T) {
	for _, c := range []struct {
		name    string
		payload int
		every   int
		ahead   bool
	}{{"each", 100, 1, true}, {"rarely", 100, 1000, false}, {"large", 64 << 10, 1, false}} {
		t.Run(c.name, func(t *testing.T) {
			fs := vfs.NewMem()
			w := newLog(t, fs, testNum)
			for i := range 50 {
				must(t, w.Append(make([]byte, c.payload)))
				if i%c.every == c.every-1 {
					must(t, w.Sync())
				}
			}
			must(t, w.Flush())
			b := content(t, fs, logName(testNum))
			if (int64(len(b)) > w.Size()) != c.ahead {
				t.Errorf("log of %d bytes in a file of %d", w.Size(), len(b))
			}
			got, tail, err := scan(b, testNum, Expect{})
			if err != nil || len(got) != 50 || tail.Dropped != 0 || tail.End != w.Size() {
				t.Error(len(got), tail, err)
			}
			must(t, w.Close())
			if b := content(t, fs, logName(testNum)); int64(len(b)) != w.Size() {
				t.Errorf("closed log of %d bytes in a file of %d", w.Size(), len(b))
			}
		})
	}
}

// A mark that goes with a dropped frame comes again.
func TestDropRepeatsMark(t *testing.T) {
	fs := vfs.NewMem()
	w := newLog(t, fs, testNum)
	must(t, w.Sync())
	at := w.Size()
	must(t, w.Append([]byte("dropped")))
	must(t, w.DropFrom(at))
	must(t, w.Append([]byte("new")))
	must(t, w.Flush())
	_, tail, err := scan(content(t, fs, logName(testNum)), testNum, Expect{})
	if err != nil || tail.Synced != at {
		t.Fatal(tail, err)
	}
}

// Only a log that gathers has a large buffer: not one that waits for its turn, not one that
// has ended, and not a manifest.
func TestBufferWhileGathering(t *testing.T) {
	held := func(w *Writer) int { return cap(w.buf) }
	for _, kind := range []Kind{KindLog, KindManifest} {
		f, err := vfs.NewMem().Create("x")
		if err != nil {
			t.Fatal(err)
		}
		w, err := Create(f, "x", kind, testNum, 0)
		if err == nil {
			err = w.Flush()
		}
		if err != nil || held(w) > 4<<10 {
			t.Fatalf("kind %d: %d bytes for the header, %v", kind, held(w), err)
		}
		for range 100 {
			if err := w.Append(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
		if pooled := w.pooled != nil; pooled != (kind == KindLog) {
			t.Errorf("kind %d: from the pool: %v", kind, pooled)
		}
		if err := w.End(0); err != nil || held(w) > 0 {
			t.Errorf("kind %d: %d bytes after the end, %v", kind, held(w), err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}
