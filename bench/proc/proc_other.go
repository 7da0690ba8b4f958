//go:build !linux

package proc

import "time"

// PeakMemory is not told on this system.
func PeakMemory() int64 { return Unknown }

// ResetPeak can't on this system.
func ResetPeak() bool { return false }

// Stolen is not told on this system.
func Stolen() time.Duration { return Unknown }

func diskIO() (read, written int64) { return Unknown, Unknown }
