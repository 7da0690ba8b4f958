package proc

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

var sink [][]byte

func TestUsage(t *testing.T) {
	before := Now()
	for range 1000 {
		sink = append(sink, make([]byte, 100))
	}
	u := Now().Since(before)
	for start := time.Now(); u.CPU() != Unknown && u.CPU() < 5*time.Millisecond && time.Since(start) < time.Minute; {
		u = Now().Since(before)
	}
	if u.Allocs < 1000 || u.AllocBytes < 100_000 {
		t.Errorf("%d objects, %d bytes", u.Allocs, u.AllocBytes)
	}
	if u.CPU() != Unknown && (u.CPU() < 5*time.Millisecond || u.CPU() > time.Hour) {
		t.Errorf("%v of processor time", u.CPU())
	}
	sink = nil
}

func TestUnknownStaysUnknown(t *testing.T) {
	u := Usage{User: Unknown, Written: Unknown, ReadDisk: 5}.Since(Usage{User: Unknown, Written: Unknown, ReadDisk: 3})
	if u.CPU() != Unknown || u.Written != Unknown || u.ReadDisk != 2 {
		t.Errorf("%+v", u)
	}
}

func TestPeakMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("told on linux only")
	}
	debug.FreeOSMemory()
	if !ResetPeak() {
		t.Skip("the system does not let us")
	}
	low := PeakMemory()
	b := make([]byte, 64<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	if high := PeakMemory(); high < low+60<<20 {
		t.Errorf("peak %d, then %d with 64 MiB more", low, high)
	}
	runtime.KeepAlive(b)
}

func TestDiskUsed(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, "sub"), 0o755)
	os.WriteFile(filepath.Join(dir, "a"), make([]byte, 1000), 0o644)
	os.WriteFile(filepath.Join(dir, "sub", "b"), make([]byte, 9000), 0o644)
	d, err := DiskUsed(dir)
	if err != nil || d.Bytes != 10_000 || d.Files != 2 || d.Allocated <= 0 {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := DiskUsed(filepath.Join(dir, "none")); err != nil || d.Files != 0 {
		t.Errorf("%+v, %v", d, err)
	}
}
