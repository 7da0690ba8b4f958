package proc

import (
	"io/fs"
	"syscall"
	"time"
)

func cpu() (user, system time.Duration) {
	var created, exited, k, u syscall.Filetime
	p, err := syscall.GetCurrentProcess()
	if err == nil {
		err = syscall.GetProcessTimes(p, &created, &exited, &k, &u)
	}
	if err != nil {
		return Unknown, Unknown
	}
	return since(u), since(k)
}

// since reads a duration, which comes in units of 100 ns.
func since(t syscall.Filetime) time.Duration {
	return time.Duration(int64(t.HighDateTime)<<32|int64(t.LowDateTime)) * 100
}

func allocated(info fs.FileInfo) int64 { return info.Size() }
