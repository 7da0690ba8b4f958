package driver

import (
	"syscall"
	"time"
)

// sleep wakes up within about 60 us of the time. time.Sleep rounds what is shorter
// than a millisecond up to one when the process has nothing else to do
// (golang.org/issue/44343), which would set the pace of an open loop.
func sleep(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil) // interrupted: the caller looks at the clock
}
