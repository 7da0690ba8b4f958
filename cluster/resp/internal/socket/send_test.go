//go:build linux && (amd64 || arm64)

package socket_test

import (
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// sendNow sends a byte, and the end if it is to be, without the scheduler.
func sendNow(t *testing.T, f *os.File, end bool) {
	t.Helper()
	raw, err := f.SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) {
		b := []byte("x")
		if _, _, e := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&b[0])), 1); e != 0 {
			t.Error(e)
		}
		if end {
			if _, _, e := syscall.RawSyscall(syscall.SYS_SHUTDOWN, fd, syscall.SHUT_WR, 0); e != 0 {
				t.Error(e)
			}
		}
	}))
}
