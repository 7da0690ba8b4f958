package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOSDiskFull(t *testing.T) {
	f, err := openFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	file := &osFile{File: f}
	defer file.Close()
	_, err = file.WriteAt(make([]byte, 10000), 0)
	wantErr(t, err, syscall.ENOSPC)
	if !IsNoSpace(err) || IsNoSpace(syscall.EIO) || IsNoSpace(nil) || !IsNoSpace(pathError("write", "f", syscall.EDQUOT)) {
		t.Fatal(err)
	}
}

// A descriptor that cannot be synced must say so.
func TestOSSyncErrorIsReported(t *testing.T) {
	f, err := openFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	file := &osFile{File: f}
	defer file.Close()
	var pe *fs.PathError
	if err := file.Sync(); !errors.As(err, &pe) || pe.Path != "/dev/full" {
		t.Fatalf("sync of a device without one: %v", err)
	}
}

func TestOSModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	must(t, OS.MkdirAll(dir))
	put(t, OS, filepath.Join(dir, "f"), "f")
	for name, want := range map[string]os.FileMode{"": 0o700, "f": 0o600} {
		fi, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if fi.Mode().Perm() != want {
			t.Errorf("%q has mode %v", name, fi.Mode())
		}
	}
}
