package vfs

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// benchStore is like a store: tables of 64 KiB, all synced, and a log of which a
// part is not.
func benchStore(b *testing.B, size, unsynced int) *Mem {
	m := NewMem()
	must(b, m.MkdirAll("/d"))
	must(b, m.SyncDir("/"))
	buf := make([]byte, 64<<10)
	for i := range size / len(buf) {
		put(b, m, fmt.Sprintf("/d/%06d.sst", i), string(buf))
	}
	f, err := m.Create("/d/log")
	must(b, err)
	must(b, m.SyncDir("/d"))
	_, err = f.WriteAt(make([]byte, unsynced), 0)
	must(b, err)
	put(b, m, "/d/tmp", "x")
	must(b, m.Rename("/d/tmp", "/d/CURRENT"))
	return m
}

func BenchmarkCrashClone(b *testing.B) {
	for _, size := range []int{1 << 20, 64 << 20} {
		m := benchStore(b, size, 256<<10)
		for _, p := range []float64{0, 0.5, 1} {
			b.Run(fmt.Sprintf("size=%dMiB/survive=%v", size>>20, p), func(b *testing.B) {
				o := CrashOptions{Survive: p, Torn: true, Rand: rand.New(rand.NewPCG(1, 2))}
				b.ReportAllocs()
				for b.Loop() {
					m.CrashClone(o)
				}
			})
		}
	}
}

// BenchmarkAppend is a log: a small write, then a sync, now and then a new file.
func BenchmarkAppend(b *testing.B) {
	systems := map[string]FS{"Mem": NewMem(), "Fault": NewFault(NewMem())}
	for name, sys := range systems {
		b.Run("fs="+name, func(b *testing.B) {
			rec := make([]byte, 128)
			b.ReportAllocs()
			var f File
			off := int64(0)
			for i := 0; b.Loop(); i++ {
				if i%10000 == 0 {
					var err error
					f, err = sys.Create("/log")
					must(b, err)
					off = 0
				}
				_, _ = f.WriteAt(rec, off)
				_ = f.Sync()
				off += int64(len(rec))
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for name, sys := range map[string]FS{"OS": OS, "Mem": NewMem()} {
		b.Run("fs="+name, func(b *testing.B) {
			dir := b.TempDir()
			must(b, sys.MkdirAll(dir))
			put(b, sys, filepath.Join(dir, "f"), string(make([]byte, 1<<20)))
			f, err := sys.Open(filepath.Join(dir, "f"))
			must(b, err)
			defer f.Close()
			buf := make([]byte, 4096)
			b.ReportAllocs()
			for i := int64(0); b.Loop(); i++ {
				_, _ = f.ReadAt(buf, i*5000%(1<<20-4096))
			}
		})
	}
}
