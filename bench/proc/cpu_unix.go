//go:build unix

package proc

import (
	"io/fs"
	"syscall"
	"time"
)

func cpu() (user, system time.Duration) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return Unknown, Unknown
	}
	return time.Duration(r.Utime.Nano()), time.Duration(r.Stime.Nano())
}

// allocated is in units of 512 bytes, whatever the block size is (stat(2)).
func allocated(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(st.Blocks) * 512
	}
	return info.Size()
}
