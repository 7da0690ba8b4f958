//go:build linux && !race

package arena

import "syscall"

const madvHugepage = 14 // MADV_HUGEPAGE; package syscall has it on some architectures only

// adviseHuge is advice: a kernel without huge pages says no, and nothing changes.
func adviseHuge(b []byte) { _ = syscall.Madvise(b, madvHugepage) }
