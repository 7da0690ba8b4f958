//go:build !linux

package vfs

import "os"

// syncData: package os asks for F_FULLFSYNC on macOS, and FlushFileBuffers on
// Windows.
func syncData(f *os.File) error { return f.Sync() }
