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

// StartWriteback: see the function of this name. A failure of the disk is reported by the
// next Sync, which looks at all that was written back since the file was opened.
func (f *osFile) StartWriteback(off, n int64) {
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = c.Control(func(fd uintptr) {
		_ = unix.SyncFileRange(int(fd), off, n, unix.SYNC_FILE_RANGE_WRITE)
	})
}
