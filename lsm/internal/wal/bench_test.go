package wal

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// nowhere is a file that takes everything.
type nowhere struct{ vfs.File }

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (nowhere) Sync() error                            { return nil }

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{16, 130, 1000} {
		b.Run(fmt.Sprint("payload=", n), func(b *testing.B) {
			w, err := Create(nowhere{}, "x", KindLog, testNum, 0)
			must(b, err)
			p := make([]byte, n)
			b.ReportAllocs()
			b.SetBytes(int64(n))
			for b.Loop() {
				if err := w.Append(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSync is one append and one sync, with and without zeros ahead.
func BenchmarkSync(b *testing.B) {
	for _, ahead := range []bool{false, true} {
		b.Run(fmt.Sprint("ahead=", ahead), func(b *testing.B) {
			name := filepath.Join(b.TempDir(), "000007.log")
			f, err := vfs.OS.Create(name)
			must(b, err)
			w, err := Create(f, name, KindLog, testNum, 0)
			must(b, err)
			defer w.Close()
			w.ahead.off = !ahead
			p := make([]byte, 130)
			for b.Loop() {
				must(b, w.Append(p))
				must(b, w.Sync())
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	for _, n := range []int{130, 4000} {
		b.Run(fmt.Sprint("payload=", n), func(b *testing.B) {
			fs := vfs.NewMem()
			w := newLog(b, fs, testNum)
			for w.Size() < 16<<20 {
				must(b, w.Append(make([]byte, n)))
			}
			must(b, w.Close())
			data := content(b, fs, logName(testNum))
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				_, err := Scan(bytes.NewReader(data), int64(len(data)), "x", KindLog, testNum, Expect{},
					func(int64, []byte) error { return nil })
				must(b, err)
			}
		})
	}
}
