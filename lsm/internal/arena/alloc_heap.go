//go:build race || !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package arena

import "unsafe"

func sysAlloc(n int) ([]byte, error) {
	// Words, because 64-bit atomics need the alignment on 32-bit platforms.
	w := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(w))), n), nil
}

func sysFree([]byte) {}
