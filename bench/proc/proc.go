// Package proc asks the operating system what this process and a directory use:
// processor time, memory, bytes written, disk space. What a system does not tell is
// unknown, and shown as such; it never is zero by accident.
package proc

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"time"
)

// Unknown stands for what this operating system does not tell.
const Unknown = -1

// Usage is what the process has used since it began.
type Usage struct {
	User, System time.Duration // processor time; Unknown if not told
	Written      int64         // bytes it caused to be written to disk; Unknown if not told
	ReadDisk     int64         // bytes it caused to be read from disk; Unknown if not told
	Allocs       int64         // objects on the Go heap
	AllocBytes   int64
	GC           time.Duration // processor time for garbage collection, estimated
	// Stolen is what the hypervisor gave to others while processors of this machine were
	// wanted, all of them together; Unknown if not told. It grows in steps of 10 ms.
	Stolen time.Duration
}

// Now returns the usage so far.
func Now() Usage {
	u := Usage{Written: Unknown, ReadDisk: Unknown}
	u.User, u.System = cpu()
	u.ReadDisk, u.Written = diskIO()
	u.Stolen = Stolen()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem) // exact; runtime/metrics lags behind by what is cached
	u.Allocs, u.AllocBytes = int64(mem.Mallocs), int64(mem.TotalAlloc)
	gc := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(gc)
	u.GC = time.Duration(gc[0].Value.Float64() * float64(time.Second))
	return u
}

// Since returns what was used between before and u.
func (u Usage) Since(before Usage) Usage {
	return Usage{
		User: minus(u.User, before.User), System: minus(u.System, before.System),
		Written: minus(u.Written, before.Written), ReadDisk: minus(u.ReadDisk, before.ReadDisk),
		Allocs: u.Allocs - before.Allocs, AllocBytes: u.AllocBytes - before.AllocBytes,
		GC: u.GC - before.GC, Stolen: minus(u.Stolen, before.Stolen),
	}
}

func minus[T ~int64](a, b T) T {
	if a == Unknown || b == Unknown {
		return Unknown
	}
	return a - b
}

// CPU returns user and system time together, Unknown if not told.
func (u Usage) CPU() time.Duration {
	if u.User == Unknown {
		return Unknown
	}
	return u.User + u.System
}

// Disk is the space that the files of a directory take.
type Disk struct {
	Bytes     int64 // sum of their sizes
	Allocated int64 // what the file system reserves for them; Bytes where it does not tell
	Files     int
}

// DiskUsed adds up the files under dir. Files that go away meanwhile do not count.
func DiskUsed(dir string) (d Disk, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return gone(err)
		}
		info, err := entry.Info()
		if err != nil {
			return gone(err)
		}
		d.Files++
		d.Bytes += info.Size()
		d.Allocated += allocated(info)
		return nil
	})
	return d, err
}

func gone(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
