package control

import (
	"os"
	"syscall"
)

// datasync syncs what a log syncs: the bytes, without the times of the file.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
