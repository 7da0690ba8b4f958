package vfs

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
)

// maxHolder bounds what is read of a lock file, which anybody may have written.
const maxHolder = 1024

// errLockHeld is what tryLock answers while another open file has the lock.
var errLockHeld = errors.New("vfs: lock held")

// heldLocks knows the locks of this process. The locks of the kernel would do on
// most systems, but where flock is emulated by record locks (NFS) a second one
// from the same process succeeds, and closing its file drops the first: so the
// table is asked before the file is even opened.
var heldLocks struct {
	sync.Mutex
	locks map[*osLock]struct{}
}

type osLock struct {
	f      *os.File
	path   string // canonical
	info   os.FileInfo
	holder string
	once   sync.Once
	err    error
}

func (osFS) Lock(name, holder string) (io.Closer, error) {
	heldLocks.Lock()
	defer heldLocks.Unlock()
	path, err := canonical(name)
	if err != nil {
		return nil, err
	}
	if l := heldHere(path); l != nil {
		return nil, &LockedError{Name: name, Holder: l.holder}
	}
	// The file may be removed between open and lock: a lock on an inode without a
	// name guards nothing, so look again. Bounded, for the case that it goes on.
	for try := 0; ; try++ {
		l, err := lockOnce(name, path, holder)
		if err == nil && l != nil {
			if heldLocks.locks == nil {
				heldLocks.locks = make(map[*osLock]struct{})
			}
			heldLocks.locks[l] = struct{}{}
			return l, nil
		}
		if err == nil && try < 100 {
			continue
		}
		if err == nil {
			err = pathError("lock", name, errors.New("the lock file keeps disappearing"))
		}
		return nil, err
	}
}

// heldHere finds the lock of this process on the same path or the same file.
func heldHere(path string) *osLock {
	fi, statErr := os.Stat(path)
	for l := range heldLocks.locks {
		if l.path == path || statErr == nil && os.SameFile(l.info, fi) {
			return l
		}
	}
	return nil
}

// lockOnce returns nil and no error where the file was removed meanwhile.
func lockOnce(name, path, holder string) (*osLock, error) {
	f, err := openFile(path, os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return nil, err
	}
	keep := false
	defer func() {
		if !keep {
			f.Close()
		}
	}()
	if err := tryLock(f); err != nil {
		if errors.Is(err, errLockHeld) {
			return nil, &LockedError{Name: name, Holder: readHolder(f)}
		}
		return nil, pathError("lock", name, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(info, now) {
		return nil, nil
	}
	// The text is a help for people. That it could not be written, on a full disk
	// say, is no reason to refuse the lock.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(holder), 0)
	}
	keep = true
	return &osLock{f: f, path: path, info: info, holder: holder}, nil
}

func readHolder(f *os.File) string {
	b := make([]byte, maxHolder)
	n, _ := f.ReadAt(b, 0)
	return strings.ToValidUTF8(string(b[:n]), "?")
}

// Close gives the lock up. The file stays: removing it would race with the next
// holder. A second Close does nothing.
func (l *osLock) Close() error {
	l.once.Do(func() {
		heldLocks.Lock()
		defer heldLocks.Unlock()
		_ = l.f.Truncate(0)
		l.err = l.f.Close() // closing the only descriptor unlocks
		delete(heldLocks.locks, l)
	})
	return l.err
}
