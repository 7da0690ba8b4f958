// Package vfs is the only way from the engine to a disk. OS is the real file
// system; Mem is one in memory that can be crashed: what was not synced is lost,
// in whole or in part; Fault wraps another one and fails chosen operations, and
// shows every operation to a hook. A store behaves the same on all of them.
//
// Names are paths with the separator of the operating system. The engine relies
// on this contract and on nothing else:
//
//   - A file's bytes are durable after Sync returned nil, and its name after
//     SyncDir of its directory returned nil. Rename replaces atomically.
//   - After a failed Sync nobody knows what is on disk, and a later Sync that
//     succeeds proves nothing.
//   - A failed or short write may have written any part.
package vfs

import "io"

// FS is a file system. Its methods are safe for concurrent use.
type FS interface {
	// Create makes a new file for reading and writing, or truncates an old one.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// List returns the base names in dir, sorted.
	List(dir string) ([]string, error)
	// Stat returns size and kind; errors.Is(err, fs.ErrNotExist) if there is none.
	Stat(name string) (Info, error)
	Remove(name string) error
	// Rename replaces newname, atomically, on the same file system.
	Rename(oldname, newname string) error
	// Link makes newname a hard link to oldname.
	Link(oldname, newname string) error
	// MkdirAll makes dir and its missing parents. New directories are durable
	// after SyncDir of their parents.
	MkdirAll(dir string) error
	// SyncDir makes the entries of dir durable.
	SyncDir(dir string) error
	// Lock takes an exclusive lock on the file name, creating it, and writes holder
	// into it. It fails with a *LockedError while anybody, this process included,
	// holds it. The lock goes with the process.
	Lock(name, holder string) (io.Closer, error)
}

// File is an open file. ReadAt is safe for concurrent use, also beside WriteAt.
type File interface {
	io.ReaderAt // short only at the end of the file, with io.EOF
	io.WriterAt
	io.Closer
	// Sync makes the bytes written so far durable.
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
}

// Info is what Stat tells.
type Info struct {
	Size  int64
	IsDir bool
}

// LockedError says who holds a lock.
type LockedError struct {
	Name   string
	Holder string // what the holder wrote; may be empty
}

func (e *LockedError) Error() string {
	if e.Holder == "" {
		return "vfs: " + e.Name + " is locked"
	}
	return "vfs: " + e.Name + " is locked by " + e.Holder
}
