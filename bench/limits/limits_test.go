package limits

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// Every figure is measured and plausible, except those that do not fit, and no file
// stays.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	figures, err := Measure(context.Background(), Config{Dir: dir, Each: time.Millisecond, Memory: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{CopyL2, Access1M, Access64M, ReadPage, Append, SyncGrowing, SyncWritten, WriteFile, Checksum, Encode, Decode, Clock, HandOver} {
		v, ok := Find(figures, name)
		if !ok || v <= 0 {
			t.Errorf("%s: %v, %v", name, v, ok)
		}
	}
	if _, ok := Find(figures, Access1G); ok {
		t.Error("an area beyond the memory that may be used")
	}
	for _, f := range figures {
		if f.Unit == Seconds && (f.Value < 1e-10 || f.Value > 1) || f.Unit == BytesPerSecond && (f.Value < 1e5 || f.Value > 1e13) {
			t.Errorf("%s: %v", f.What, f)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	var out bytes.Buffer
	if err := Print(&out, figures); err != nil || strings.Count(out.String(), "\n") != len(figures) {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	figures, err := Measure(ctx, Config{Dir: t.TempDir(), Each: time.Millisecond, Memory: 1 << 20, Progress: func(string) {
		if n++; n == 4 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || len(figures) == 0 {
		t.Errorf("%d figures, %v", len(figures), err)
	}
	if _, err := Measure(context.Background(), Config{Dir: "/no/such/dir", Memory: 1 << 20}); err == nil || !strings.Contains(err.Error(), "pread") {
		t.Errorf("a directory that is not there: %v", err)
	}
}

func TestFigure(t *testing.T) {
	for want, f := range map[string]Figure{
		"34.0 ns":   {Unit: Seconds, Value: 34e-9},
		"1.00 µs":   {Unit: Seconds, Value: 1e-6},
		"483 ns":    {Unit: Seconds, Value: 483e-9},
		"12.0 ms":   {Unit: Seconds, Value: 0.012},
		"6.20 GB/s": {Unit: BytesPerSecond, Value: 6.2e9},
	} {
		if f.String() != want {
			t.Errorf("%q, want %q", f, want)
		}
	}
}
