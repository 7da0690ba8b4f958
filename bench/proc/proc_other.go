//go:build !linux

package proc

// PeakMemory is not told on this system.
func PeakMemory() int64 { return Unknown }

// ResetPeak can't on this system.
func ResetPeak() bool { return false }

func diskIO() (read, written int64) { return Unknown, Unknown }
