package config

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// Files is what the package needs of a file system.
type Files interface {
	// Stat describes a file or directory, as os.Stat does.
	Stat(name string) (fs.FileInfo, error)
	// Read returns a file, which is not larger than most bytes: otherwise it returns
	// one byte more than that.
	Read(name string, most int64) ([]byte, error)
}

// OS is the file system of the machine.
type OS struct{}

// Stat is os.Stat.
func (OS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// Read reads a regular file; others could make the caller wait without end.
func (OS) Read(name string, most int64) ([]byte, error) {
	if info, err := os.Stat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most+1))
}

// checkPrivate says whether a file that holds a secret is there and hidden from other
// users. The group may read it: that is how secrets are handed to services.
func checkPrivate(files Files, name string) error {
	info, err := checkFile(files, name)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o027 != 0 {
		return wrong(fmt.Sprintf("%s has mode %#o: other users can read or change it", quote(name), mode), "Run chmod 600 on it, and replace the secret if somebody may have read it.")
	}
	return nil
}

// checkFile says whether a file is there.
func checkFile(files Files, name string) (fs.FileInfo, error) {
	info, err := files.Stat(name)
	if err != nil {
		return nil, wrong("the file cannot be opened: "+quote(err.Error()), "Check the path, and that the user of kvnode may read it.")
	}
	if !info.Mode().IsRegular() {
		return nil, wrong(quote(name)+" is no regular file", "Name a file.")
	}
	return info, nil
}
