//go:build !linux && !windows

package vfs

import "os"

// syncData: package os asks for F_FULLFSYNC on macOS.
func syncData(f *os.File) error { return f.Sync() }
