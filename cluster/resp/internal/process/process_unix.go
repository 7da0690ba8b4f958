//go:build unix

package process

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

// CPU returns the processor time since the process began.
func CPU() (user, system time.Duration, ok bool) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, 0, false
	}
	return time.Duration(r.Utime.Nano()), time.Duration(r.Stime.Nano()), true
}

// Resident returns the bytes of memory that the process has now, those outside of the Go
// heap included. Linux tells it.
func Resident() (n uint64, ok bool) {
	b, err := os.ReadFile("/proc/self/statm") // in pages: size, resident, …
	fields := bytes.Fields(b)
	if err != nil || len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 32)
	return pages * uint64(os.Getpagesize()), err == nil
}
