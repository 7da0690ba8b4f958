//go:build (linux || darwin || freebsd || netbsd || openbsd || dragonfly) && !race

package arena

import "syscall"

func sysAlloc(n int) ([]byte, error) {
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return nil, err
	}
	if n >= hugeSize {
		adviseHuge(b)
	}
	return b, nil
}

func sysFree(b []byte) {
	// munmap fails only for a slice that did not come from mmap, which syscall
	// notices by itself and leaves alone.
	_ = syscall.Munmap(b)
}
