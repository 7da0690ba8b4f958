package vfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// openFile is os.OpenFile with FILE_SHARE_DELETE, so that a file can be removed
// or renamed while it is open, as everywhere else.
func openFile(name string, flag int, _ fs.FileMode) (*os.File, error) {
	access, mode := uint32(windows.GENERIC_READ), uint32(windows.OPEN_EXISTING)
	if flag&os.O_RDWR != 0 {
		access |= windows.GENERIC_WRITE
	}
	switch {
	case flag&os.O_CREATE != 0 && flag&os.O_TRUNC != 0:
		mode = windows.CREATE_ALWAYS
	case flag&os.O_CREATE != 0:
		mode = windows.OPEN_ALWAYS
	}
	p, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	share := uint32(windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE)
	h, err := windows.CreateFile(p, access, share, nil, mode, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return os.NewFile(uintptr(h), name), nil
}

// syncData is FlushFileBuffers, which wants a handle for writing: a file that was opened
// for reading is opened again.
func syncData(f *os.File) error {
	err := f.Sync()
	if !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return err
	}
	w, err := openFile(f.Name(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = w.Sync()
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return err
}

// rename writes through, because there is no way to sync the directory later.
func rename(oldname, newname string) error {
	from, err := windows.UTF16PtrFromString(oldname)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
	to, err := windows.UTF16PtrFromString(newname)
	if err == nil {
		err = windows.MoveFileEx(from, to, windows.MOVEFILE_REPLACE_EXISTING|windows.MOVEFILE_WRITE_THROUGH)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
	return nil
}

// syncDir only checks that there is such a directory: NTFS journals its entries,
// and offers no way to wait for them.
func syncDir(dir string) error {
	fi, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return pathError("syncdir", dir, syscall.ENOTDIR)
	}
	return nil
}

// tryLock locks one byte far behind the text, which others must be able to read:
// locks are mandatory on Windows.
func tryLock(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = c.Control(func(h uintptr) {
		at := windows.Overlapped{OffsetHigh: 1 << 30}
		flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY)
		lockErr = windows.LockFileEx(windows.Handle(h), flags, 0, 1, 0, &at)
	})
	if err != nil {
		return err
	}
	if errors.Is(lockErr, windows.ERROR_LOCK_VIOLATION) || errors.Is(lockErr, windows.ERROR_IO_PENDING) {
		return errLockHeld
	}
	return lockErr
}

// IsNoSpace says whether err means that the disk or the quota is full: a state
// that ends when space is freed. syscall.ENOSPC is what Mem answers.
func IsNoSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) ||
		errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED) ||
		errors.Is(err, syscall.ENOSPC)
}
