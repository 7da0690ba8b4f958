package wal

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

const testNum = 7

// newLog creates log num on fs, with the name synced.
func newLog(t testing.TB, fs vfs.FS, num base.FileNum) *Writer {
	t.Helper()
	name := logName(num)
	f, err := fs.Create(name)
	must(t, err)
	w, err := Create(f, name, KindLog, num, 1000+uint64(num))
	must(t, err)
	must(t, fs.SyncDir("/"))
	return w
}

func logName(num base.FileNum) string { return fmt.Sprintf("/%06d.log", num) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// content returns the bytes of a file.
func content(t testing.TB, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	must(t, err)
	defer f.Close()
	n, err := f.Size()
	must(t, err)
	b := make([]byte, n)
	if n > 0 {
		_, err = f.ReadAt(b, 0)
		must(t, err)
	}
	return b
}

// scan returns the payloads of a log that is in b.
func scan(b []byte, num base.FileNum, e Expect) ([]string, Tail, error) {
	var got []string
	tail, err := Scan(bytes.NewReader(b), int64(len(b)), logName(num), KindLog, num, e,
		func(_ int64, p []byte) error {
			got = append(got, string(p))
			return nil
		})
	return got, tail, err
}

// frames returns all frames of a log that is in b, with copied payloads.
func frames(t testing.TB, b []byte, o ScanOptions) ([]Frame, Tail) {
	t.Helper()
	var got []Frame
	tail, err := ScanFrames(bytes.NewReader(b), int64(len(b)), logName(testNum), KindLog, testNum, o, func(f *Frame) error {
		g := *f
		g.Payload = bytes.Clone(f.Payload)
		got = append(got, g)
		return nil
	})
	must(t, err)
	return got, tail
}

// isPrefix reports whether got begins want.
func isPrefix(got, want []string) bool {
	if len(got) > len(want) {
		return false
	}
	for i := range got {
		if got[i] != want[i] {
			return false
		}
	}
	return true
}

// damagedAt returns the offset of a corruption error.
func damagedAt(t testing.TB, err error) int64 {
	t.Helper()
	var c *base.CorruptionError
	if !errors.As(err, &c) || !errors.Is(err, base.ErrCorruption) {
		t.Fatalf("not a corruption error: %v", err)
	}
	if c.File == "" {
		t.Fatalf("no file in %v", err)
	}
	return c.Offset
}

// sample writes a log that is synced after each of the first payloads, then goes
// on without a sync. It returns its bytes, without zeros at the end, its payloads
// and the offsets of all frames and of the end.
func sample(t testing.TB, synced, unsynced int) (b []byte, payloads []string, offs []int64) {
	t.Helper()
	fs := vfs.NewMem()
	w := newLog(t, fs, testNum)
	offs = append(offs, 0)
	for i := range synced + unsynced {
		p := fmt.Sprintf("payload %d %s", i, bytes.Repeat([]byte{byte('a' + i)}, i*7%40))
		offs = append(offs, w.Size())
		must(t, w.Append([]byte(p)))
		payloads = append(payloads, p)
		if i < synced {
			must(t, w.Sync())
		}
	}
	offs = append(offs, w.Size())
	must(t, w.Close())
	return content(t, fs, logName(testNum)), payloads, offs
}

// closedSample is sample with an end frame.
func closedSample(t testing.TB, n int) (b []byte, payloads []string) {
	t.Helper()
	fs := vfs.NewMem()
	w := newLog(t, fs, testNum)
	for i := range n {
		p := fmt.Sprintf("payload %d", i)
		must(t, w.Append([]byte(p)))
		payloads = append(payloads, p)
		if i%2 == 1 {
			must(t, w.Sync())
		}
	}
	must(t, w.Sync())
	must(t, w.End(0))
	must(t, w.Sync())
	must(t, w.Close())
	return content(t, fs, logName(testNum)), payloads
}
