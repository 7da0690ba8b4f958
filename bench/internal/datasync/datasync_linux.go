package datasync

import (
	"os"
	"syscall"
)

// Sync syncs what a log syncs: the bytes, without the times of the file.
func Sync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// All writes out what all file systems hold back.
func All() { syscall.Sync() }
