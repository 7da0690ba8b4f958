package vfs

import (
	"io"
	"io/fs"
	"math"
	"sync/atomic"
	"syscall"
)

// memFile is a handle. It keeps its file alive when the name is gone.
type memFile struct {
	m        *Mem
	ino      *inode
	name     string
	writable bool
	closed   atomic.Bool
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.m.mu.RLock()
	defer f.m.mu.RUnlock()
	switch {
	case f.closed.Load():
		return 0, pathError("read", f.name, fs.ErrClosed)
	case off < 0:
		return 0, pathError("read", f.name, syscall.EINVAL)
	case len(b) == 0:
		return 0, nil
	}
	n := f.ino.readAt(b, off)
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.check(true); err != nil {
		return 0, pathError("write", f.name, err)
	}
	n, err := f.m.writeLocked(f.ino, b, off)
	return n, pathError("write", f.name, err)
}

func (f *memFile) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.check(false); err != nil {
		return pathError("sync", f.name, err)
	}
	f.ino.sync()
	return nil
}

// failSync serves ErrLostSync of Fault.
func (f *memFile) failSync() {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.ino.failSync()
}

func (f *memFile) Truncate(size int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	err := f.check(true)
	if err == nil {
		err = f.m.truncateLocked(f.ino, size)
	}
	return pathError("truncate", f.name, err)
}

func (f *memFile) Size() (int64, error) {
	f.m.mu.RLock()
	defer f.m.mu.RUnlock()
	if err := f.check(false); err != nil {
		return 0, pathError("stat", f.name, err)
	}
	return f.ino.size, nil
}

func (f *memFile) Close() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.closed.Swap(true) {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.m.releaseLocked(f.ino)
	return nil
}

func (f *memFile) check(write bool) error {
	if f.closed.Load() {
		return fs.ErrClosed
	}
	if write && !f.writable {
		return syscall.EBADF
	}
	return nil
}

func (m *Mem) writeLocked(f *inode, b []byte, off int64) (int, error) {
	room := int64(math.MaxInt64)
	if m.capacity > 0 {
		room = m.capacity - m.used
	}
	before := f.alloc
	n, err := f.writeAt(b, off, room)
	m.used += int64(f.alloc-before) * pageSize
	return n, err
}

func (m *Mem) truncateLocked(f *inode, size int64) error {
	before := f.alloc
	err := f.truncate(size)
	m.used += int64(f.alloc-before) * pageSize
	return err
}

func (m *Mem) releaseLocked(f *inode) {
	f.open--
	m.freeIfUnused(f)
}

// freeIfUnused gives the space of a file back once nobody can reach it. Its bytes
// stay for as long as the removal of its name is not durable.
func (m *Mem) freeIfUnused(f *inode) {
	if f.nlink == 0 && f.open == 0 {
		m.used -= int64(f.alloc) * pageSize
	}
}

// Corrupt overwrites bytes of a file behind everybody's back, as a bad disk does:
// both what is read and what is durable. The bytes must lie within the file.
// A CrashClone taken before keeps the old ones.
func (m *Mem) Corrupt(name string, off int64, b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, err := m.lookup("corrupt", name)
	if err != nil {
		return err
	}
	if f.isDir || off < 0 || off > f.size-int64(len(b)) {
		return pathError("corrupt", name, syscall.EINVAL)
	}
	before := f.alloc
	f.corrupt(b, off)
	m.used += int64(f.alloc-before) * pageSize
	return nil
}

func (c *content) corrupt(b []byte, off int64) {
	end := off + int64(len(b))
	c.ownTable(pagesFor(end))
	c.ownSynced(max(len(c.syncedPages), pagesFor(min(end, c.syncedSize))))
	for n := 0; n < len(b); {
		i, at := int((off+int64(n))/pageSize), int((off+int64(n))%pageSize)
		k := min(len(b)-n, pageSize-at)
		seen := c.pages[i]
		p := c.ownPage(i, false)
		copy(p[at:], b[n:n+k])
		n += k
		switch {
		case i >= len(c.syncedPages):
			continue
		case c.syncedPages[i] == seen:
			c.syncedPages[i] = p
			c.owned.unset(i)
		default:
			q := new(page)
			if old := c.syncedPages[i]; old != nil {
				*q = *old
			}
			copy(q[at:], b[n-k:n])
			c.syncedPages[i] = q
		}
	}
	clearTail(c.syncedPages, c.syncedSize)
	c.syncedAlloc = count(c.syncedPages)
}
