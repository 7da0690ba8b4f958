//go:build !unix

package process

import "time"

// CPU returns the processor time since the process began.
func CPU() (user, system time.Duration, ok bool) { return 0, 0, false }

// Resident returns the bytes of memory that the process has now.
func Resident() (n uint64, ok bool) { return 0, false }
