//go:build unix

package vfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func openFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, perm)
}

func rename(oldname, newname string) error { return os.Rename(oldname, newname) }

// syncDir makes directory entries durable. Some file systems (network and FUSE
// ones) cannot sync a directory and say so by EINVAL or ENOTSUP; there is nothing
// more to be had from them. Every other error is one.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	fi, err := d.Stat()
	if err == nil && !fi.IsDir() {
		err = pathError("syncdir", dir, syscall.ENOTDIR)
	}
	if err == nil {
		err = d.Sync()
		if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
			err = nil
		}
	}
	return errors.Join(err, d.Close())
}

func tryLock(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = c.Control(func(fd uintptr) {
		for {
			lockErr = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB)
			if lockErr != unix.EINTR {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	if lockErr == unix.EWOULDBLOCK {
		return errLockHeld
	}
	return lockErr
}

// IsNoSpace says whether err means that the disk or the quota is full: a state
// that ends when space is freed. EFBIG is not among them, since no free space
// helps against the largest size of a file.
func IsNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
