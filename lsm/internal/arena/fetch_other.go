//go:build !amd64

package arena

import "unsafe"

// Fetch does nothing here.
func Fetch(unsafe.Pointer) {}

// FetchLine does nothing here.
func FetchLine(unsafe.Pointer) {}
