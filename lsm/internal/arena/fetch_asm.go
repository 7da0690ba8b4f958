//go:build amd64

package arena

import "unsafe"

// Fetch has the processor bring the 256 bytes at p into its cache, and does not wait for
// them. Any address will do: what is not mapped is not fetched.
//
//go:noescape
func Fetch(p unsafe.Pointer)

// FetchLine is Fetch of the cache line at p.
//
//go:noescape
func FetchLine(p unsafe.Pointer)
