// Package limits measures what the machine itself can do: memory, caches, files,
// syncs, checksums, compression. No engine is involved. Beside results they say how
// far a workload is from what the hardware allows.
//
//	figures, err := limits.Measure(ctx, limits.Config{Dir: dir})
//	miss, ok := limits.Find(figures, limits.Access64M)
//
// A figure is the best of several short repetitions where the machine is the same
// each time (memory, processor), and the median of many calls where the disk answers.
// A figure that can't be measured (too little memory, a small address space) is left
// out: it is never zero.
package limits

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Names of the figures.
const (
	CopyMemory  = "copy-memory"
	CopyL2      = "copy-l2"
	Access1M    = "access-1m"
	Access64M   = "access-64m"
	Access1G    = "access-1g"
	ReadPage    = "pread-4k"
	Append      = "append-128"
	SyncGrowing = "append-sync-growing"
	SyncWritten = "append-sync-written"
	WriteFile   = "write-file"
	Checksum    = "crc32c-4k"
	Encode      = "snappy-encode-4k"
	Decode      = "snappy-decode-4k"
	Clock       = "time-now"
	HandOver    = "hand-over"
)

// Units of the figures.
const (
	Seconds        = "s"   // a call takes this long
	BytesPerSecond = "B/s" // this much each second
)

// Figure is one limit.
type Figure struct {
	Name  string  `json:"name"`
	What  string  `json:"what"` // for people
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
}

// String writes the value with its unit.
func (f Figure) String() string {
	v, unit := f.Value, "GB/s"
	switch {
	case f.Unit == BytesPerSecond:
		v /= 1e9
	case v < 1e-6:
		v, unit = v*1e9, "ns"
	case v < 1e-3:
		v, unit = v*1e6, "µs"
	default:
		v, unit = v*1e3, "ms"
	}
	digits := 2
	if v >= 100 {
		digits = 0
	} else if v >= 10 {
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, v, unit)
}

// Find returns the value of a figure.
func Find(figures []Figure, name string) (value float64, ok bool) {
	for _, f := range figures {
		if f.Name == name {
			return f.Value, true
		}
	}
	return 0, false
}

// Config says where and how long to measure.
type Config struct {
	Dir string // of the files, which are removed
	// Each is how long a figure is measured; 0 means 200 ms. Preparation is not counted.
	Each time.Duration
	// Memory is the largest area of memory to touch, in bytes; 0 means 1 GiB.
	Memory int64
	// Progress is called before each figure; may be nil.
	Progress func(what string)
}

// measurement is how one figure is found. It returns ok false where it can't be.
type measurement struct {
	name, what, unit string
	measure          func(c *Config) (value float64, ok bool, err error)
}

// Measure measures all limits, in the order in which tables show them. When ctx ends
// it returns those it has, with the error of ctx.
func Measure(ctx context.Context, c Config) (figures []Figure, err error) {
	if c.Each == 0 {
		c.Each = 200 * time.Millisecond
	}
	if c.Memory == 0 {
		c.Memory = 1 << 30
	}
	all := append(memoryLimits(), fileLimits()...)
	for _, m := range append(all, processorLimits()...) {
		if err := ctx.Err(); err != nil {
			return figures, err
		}
		if c.Progress != nil {
			c.Progress(m.what)
		}
		v, ok, err := m.measure(&c)
		if err != nil {
			return figures, fmt.Errorf("%s: %w", m.what, err)
		}
		if ok {
			figures = append(figures, Figure{Name: m.name, What: m.what, Unit: m.unit, Value: v})
		}
	}
	return figures, nil
}

// Print writes a table for people.
func Print(w io.Writer, figures []Figure) error {
	for _, f := range figures {
		if _, err := fmt.Fprintf(w, "%-66s %12s\n", f.What, f.String()); err != nil {
			return err
		}
	}
	return nil
}

// best returns the shortest time of one of n, from repetitions of do until each has
// passed, and at least three. do performs n of them.
func best(each time.Duration, n int, do func()) float64 {
	low := time.Duration(1<<63 - 1)
	begin := time.Now()
	for i := 0; i < 3 || time.Since(begin) < each; i++ {
		start := time.Now()
		do()
		low = min(low, time.Since(start))
	}
	return low.Seconds() / float64(n)
}
