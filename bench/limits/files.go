package limits

import (
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/ringwood-kv/ringwood/bench/internal/datasync"
)

const (
	pageSize   = 4 << 10
	appendSize = 128      // a small record with the header of a log
	fileSize   = 64 << 20 // of the file whose pages are read, and of that which is written
)

func fileLimits() []measurement {
	return []measurement{
		{ReadPage, "pread of a random 4 KiB page in the page cache", Seconds, withFile(readPages)},
		{Append, "append of 128 bytes with write(2)", Seconds, withFile(appends)},
		{SyncGrowing, "append of 128 bytes and fdatasync, p50, file grows", Seconds, withFile(func(c *Config, f *os.File) (float64, error) {
			return appendSync(c, f, 0)
		})},
		{SyncWritten, "append of 128 bytes and fdatasync, p50, blocks written before", Seconds, withFile(func(c *Config, f *os.File) (float64, error) {
			return appendSync(c, f, 1<<20)
		})},
		{WriteFile, "sequential write of a file of 64 MiB, synced at the end", BytesPerSecond, withFile(writeFile)},
	}
}

// withFile hands over an empty file and removes it afterwards.
func withFile(measure func(c *Config, f *os.File) (float64, error)) func(c *Config) (float64, bool, error) {
	return func(c *Config) (float64, bool, error) {
		f, err := os.CreateTemp(c.Dir, "kvbench-limits-*")
		if err != nil {
			return 0, false, err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		v, err := measure(c, f)
		return v, err == nil, err
	}
}

// until calls do until each has passed and at least low times, and returns the first
// error.
func until(each time.Duration, low int, do func() error) error {
	begin := time.Now()
	for i := 0; i < low || time.Since(begin) < each; i++ {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

func readPages(c *Config, f *os.File) (float64, error) {
	block := make([]byte, 1<<20)
	for range fileSize / len(block) {
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
	}
	page, r := make([]byte, pageSize), rand.New(rand.NewPCG(1, 2))
	var failed error
	const reads = 1000
	seconds := best(c.Each, reads, func() {
		for range reads {
			if _, err := f.ReadAt(page, r.Int64N(fileSize/pageSize)*pageSize); err != nil {
				failed = err
			}
		}
	})
	return seconds, failed
}

func appends(c *Config, f *os.File) (float64, error) {
	record := make([]byte, appendSize)
	var failed error
	const writes = 1000
	seconds := best(c.Each, writes, func() {
		for range writes {
			if _, err := f.Write(record); err != nil {
				failed = err
			}
		}
	})
	return seconds, failed
}

// appendSync returns the median of a write and its sync. The first written bytes of
// the file are there before: syncs within them change no metadata.
func appendSync(c *Config, f *os.File, written int) (float64, error) {
	if _, err := f.Write(make([]byte, written)); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	record, at := make([]byte, appendSize), int64(0)
	var times []time.Duration
	err := until(3*c.Each, 5, func() error {
		start := time.Now()
		if _, err := f.WriteAt(record, at); err != nil {
			return err
		}
		if err := datasync.Sync(f); err != nil {
			return err
		}
		times = append(times, time.Since(start))
		if at += appendSize; written > 0 {
			at %= int64(written)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	slices.Sort(times)
	return times[len(times)/2].Seconds(), nil
}

func writeFile(c *Config, f *os.File) (float64, error) {
	block := make([]byte, 1<<20)
	start := time.Now()
	for range fileSize / len(block) {
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
	}
	if err := datasync.Sync(f); err != nil {
		return 0, err
	}
	return fileSize / time.Since(start).Seconds(), nil
}
