package vfs

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// syncData uses fdatasync, which writes a changed size but not changed times: an
// overwrite within the file costs no journal commit.
func syncData(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var syncErr error
	err = c.Control(func(fd uintptr) {
		for {
			syncErr = unix.Fdatasync(int(fd))
			if syncErr != unix.EINTR {
				return
			}
		}
	})
	if err != nil { // Control has one reason not to run
		syncErr = fs.ErrClosed
	}
	return pathError("fdatasync", f.Name(), syncErr)
}
