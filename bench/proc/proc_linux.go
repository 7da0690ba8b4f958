package proc

import (
	"bytes"
	"os"
	"strconv"
)

// PeakMemory returns the largest resident memory since the last ResetPeak, in bytes;
// Unknown if not told.
func PeakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return Unknown
	}
	if kb, ok := field(status, "VmHWM:"); ok {
		return kb << 10
	}
	return Unknown
}

// ResetPeak starts a new measurement of PeakMemory, and tells whether it could.
func ResetPeak() bool { return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) == nil }

func diskIO() (read, written int64) {
	io, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return Unknown, Unknown
	}
	read, written = Unknown, Unknown
	if n, ok := field(io, "\nread_bytes:"); ok {
		read = n
	}
	if n, ok := field(io, "\nwrite_bytes:"); ok {
		written = n
	}
	return read, written
}

// field returns the number that follows name.
func field(text []byte, name string) (int64, bool) {
	_, rest, ok := bytes.Cut(text, []byte(name))
	if !ok {
		return 0, false
	}
	words := bytes.Fields(rest)
	if len(words) == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(words[0]), 10, 64)
	return n, err == nil
}
