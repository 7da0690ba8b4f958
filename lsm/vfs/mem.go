package vfs

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Mem is a file system in memory that can crash. It keeps two states: what a
// running process sees, and what is durable. CrashClone makes a new Mem of what
// a power cut at this moment would leave.
//
//   - A file is pages of 4 KiB. Sync of a file makes its pages and its size
//     durable, and nothing of any directory.
//   - Create of a new file, Rename, Link, Remove and MkdirAll are changes of
//     directory entries, durable after SyncDir. Names live in files' directories
//     only: hard links share an inode, and a removed file lives on in its handles.
//   - Truncate, and Create of an existing file, change the size of an inode,
//     durable after Sync of that file.
//
// Relative names start at the root, as absolute ones do, and the root exists.
// Everything is safe for concurrent use. One lock guards it all, because a crash
// is one moment for all files.
type Mem struct {
	mu       sync.RWMutex
	root     *inode
	ops      []entryOp // entry changes that are live and not durable, oldest first
	locks    []*memLock
	capacity int64 // bytes; 0 is unlimited
	used     int64 // bytes of the pages of every inode that has a name or a handle
}

// inode is a file or a directory. Fields are guarded by Mem.mu.
type inode struct {
	isDir   bool
	entries dir // directories: what is seen, and what is durable
	durable dir
	content

	nlink int    // live names
	open  int    // open handles
	clone *inode // its copy, while a CrashClone runs
}

// NewMem returns an empty file system.
func NewMem() *Mem { return &Mem{root: &inode{isDir: true, nlink: 1}} }

// SetCapacity limits the disk to that many bytes, counted in pages of 4 KiB; 0 or
// less is no limit. A write that does not fit is cut short and fails with
// syscall.ENOSPC; writing over existing pages always fits. The limit may be lower
// than what is used already. A CrashClone inherits it.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = max(bytes, 0)
}

// Used returns how many bytes count against the capacity: the pages of all files
// that have a name or an open handle.
func (m *Mem) Used() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.used
}

// Create makes a file, or truncates the one there is.
func (m *Mem) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, err := m.createLocked("create", name)
	if err != nil {
		return nil, err
	}
	m.truncateLocked(f, 0)
	f.open++
	return &memFile{m: m, ino: f, name: name, writable: true}, nil
}

// createLocked returns the file called name, made if missing.
func (m *Mem) createLocked(op, name string) (*inode, error) {
	d, base, err := m.parent(op, name)
	if err != nil {
		return nil, err
	}
	f := d.entries.get(base)
	if f == nil {
		f = &inode{}
		m.apply(entryOp{n: 1, changes: [2]change{{dir: d, name: base, ino: f}}})
	}
	if f.isDir {
		return nil, pathError(op, name, syscall.EISDIR)
	}
	return f, nil
}

// Open opens a file for reading.
func (m *Mem) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, err := m.lookup("open", name)
	if err != nil {
		return nil, err
	}
	if f.isDir {
		return nil, pathError("open", name, syscall.EISDIR)
	}
	f.open++
	return &memFile{m: m, ino: f, name: name}, nil
}

// List returns the names in dir, sorted.
func (m *Mem) List(dir string) ([]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	d, err := m.lookup("list", dir)
	if err != nil {
		return nil, err
	}
	if !d.isDir {
		return nil, pathError("list", dir, syscall.ENOTDIR)
	}
	names := make([]string, len(d.entries))
	for i, e := range d.entries {
		names[i] = e.name
	}
	return names, nil
}

// Stat returns size and kind.
func (m *Mem) Stat(name string) (Info, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	f, err := m.lookup("stat", name)
	if err != nil {
		return Info{}, err
	}
	return Info{Size: f.size, IsDir: f.isDir}, nil
}

// Remove removes a file's name, or an empty directory.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, base, err := m.parent("remove", name)
	if err != nil {
		return err
	}
	f := d.entries.get(base)
	if f == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	if len(f.entries) > 0 {
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	m.apply(entryOp{n: 1, changes: [2]change{{dir: d, name: base}}})
	return nil
}

// Rename replaces newname by oldname in one step, now and in a crash.
func (m *Mem) Rename(oldname, newname string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.renameLocked(oldname, newname); err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: bare(err)}
	}
	return nil
}

func (m *Mem) renameLocked(oldname, newname string) error {
	od, ob, err := m.parent("rename", oldname)
	if err != nil {
		return err
	}
	nd, nb, err := m.parent("rename", newname)
	if err != nil {
		return err
	}
	f, old := od.entries.get(ob), nd.entries.get(nb)
	switch {
	case f == nil:
		return fs.ErrNotExist
	case f == old:
		return nil // POSIX: two names of one file, nothing happens
	case f.isDir && strings.HasPrefix(clean(newname), clean(oldname)+string(filepath.Separator)):
		return syscall.EINVAL
	case old != nil && old.isDir && !f.isDir:
		return syscall.EISDIR
	case old != nil && !old.isDir && f.isDir:
		return syscall.ENOTDIR
	case old != nil && len(old.entries) > 0:
		return syscall.ENOTEMPTY
	}
	m.apply(entryOp{n: 2, changes: [2]change{
		{dir: od, name: ob},
		{dir: nd, name: nb, ino: f},
	}})
	return nil
}

// Link makes newname a second name of the file oldname.
func (m *Mem) Link(oldname, newname string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.linkLocked(oldname, newname); err != nil {
		return &os.LinkError{Op: "link", Old: oldname, New: newname, Err: bare(err)}
	}
	return nil
}

func (m *Mem) linkLocked(oldname, newname string) error {
	f, err := m.lookup("link", oldname)
	if err != nil {
		return err
	}
	d, base, err := m.parent("link", newname)
	if err != nil {
		return err
	}
	if d.entries.get(base) != nil {
		return fs.ErrExist
	}
	if f.isDir {
		return fs.ErrPermission
	}
	m.apply(entryOp{n: 1, changes: [2]change{{dir: d, name: base, ino: f}}})
	return nil
}

// MkdirAll makes dir and its missing parents, each an entry change in its parent.
func (m *Mem) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.root
	for part := range parts(dir) {
		next := d.entries.get(part)
		if next == nil {
			next = &inode{isDir: true}
			m.apply(entryOp{n: 1, changes: [2]change{{dir: d, name: part, ino: next}}})
		}
		if !next.isDir {
			return pathError("mkdir", dir, syscall.ENOTDIR)
		}
		d = next
	}
	return nil
}

// SyncDir makes the entries of dir durable, but not dir's own entry in its parent.
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.lookup("syncdir", dir)
	if err != nil {
		return err
	}
	if !d.isDir {
		return pathError("syncdir", dir, syscall.ENOTDIR)
	}
	m.commit(d)
	return nil
}

// Lock is held by this Mem: a CrashClone starts with no locks.
func (m *Mem) Lock(name, holder string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	path := clean(name)
	d, base, err := m.parent("lock", name)
	if err != nil {
		return nil, err
	}
	ino := d.entries.get(base)
	for _, l := range m.locks {
		if l.path == path || l.ino == ino {
			return nil, &LockedError{Name: name, Holder: l.holder}
		}
	}
	f, err := m.createLocked("lock", name)
	if err != nil {
		return nil, err
	}
	m.truncateLocked(f, 0)
	_, _ = m.writeLocked(f, []byte(holder), 0) // as on OS: a full disk refuses no lock
	f.open++
	l := &memLock{m: m, ino: f, path: path, holder: holder}
	m.locks = append(m.locks, l)
	return l, nil
}

type memLock struct {
	m            *Mem
	ino          *inode
	path, holder string
	closed       bool
}

func (l *memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.m.locks = slices.DeleteFunc(l.m.locks, func(o *memLock) bool { return o == l })
	l.m.truncateLocked(l.ino, 0)
	l.m.releaseLocked(l.ino)
	return nil
}
