//go:build !linux

package datasync

import "os"

// Sync syncs the file.
func Sync(f *os.File) error { return f.Sync() }

// All does nothing here.
func All() {}
