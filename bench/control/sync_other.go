//go:build !linux

package control

import "os"

func datasync(f *os.File) error { return f.Sync() }
