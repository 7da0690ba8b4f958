package vfs

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Only the owner may read a store: it holds whatever its user put in.
const (
	filePerm = 0o600
	dirPerm  = 0o700
)

// OS is the file system of the operating system.
//
// Sync is fdatasync on Linux (it skips timestamps, not the size), F_FULLFSYNC on
// macOS, FlushFileBuffers on Windows. SyncDir does nothing on Windows, where
// directories cannot be synced; there Rename writes through instead. Errors are
// those of package os: a full disk is recognised by IsNoSpace, a missing file by
// errors.Is(err, fs.ErrNotExist).
var OS FS = osFS{}

type osFS struct{}

func (osFS) Create(name string) (File, error) {
	return openOS(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

func (osFS) Open(name string) (File, error) {
	return openOS(name, os.O_RDONLY)
}

func openOS(name string, flag int) (File, error) {
	f, err := openFile(name, flag, filePerm)
	if err != nil {
		return nil, err
	}
	return &osFile{File: f}, nil
}

func (osFS) List(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	f.Close() // read only: nothing to lose
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

func (osFS) Stat(name string) (Info, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return Info{}, err
	}
	return Info{Size: fi.Size(), IsDir: fi.IsDir()}, nil
}

func (osFS) Remove(name string) error { return os.Remove(name) }

func (osFS) Rename(oldname, newname string) error { return rename(oldname, newname) }

func (osFS) Link(oldname, newname string) error { return os.Link(oldname, newname) }

func (osFS) MkdirAll(dir string) error { return os.MkdirAll(dir, dirPerm) }

func (osFS) SyncDir(dir string) error { return syncDir(dir) }

// osFile adds the cheapest sync that keeps the contract; os.File does the rest:
// it retries on EINTR and goes on after a short transfer.
type osFile struct{ *os.File }

func (f *osFile) Sync() error { return syncData(f.File) }

func (f *osFile) Size() (int64, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// canonical names a file by its real directory, so that two ways to it are one.
func canonical(name string) (string, error) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(name)), nil
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
