package proc

import (
	"bytes"
	"os"
	"strconv"
	"time"
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

// Stolen returns the processor time that the hypervisor gave to others since the machine
// began, all processors together, in steps of 10 ms; Unknown if not told.
func Stolen() time.Duration {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Unknown
	}
	return stolen(stat)
}

// stolen reads /proc/stat: after "cpu" come ticks of user, nice, system, idle, iowait, irq,
// softirq and steal time. A tick is 10 ms for programs, whatever the kernel counts by.
func stolen(stat []byte) time.Duration {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	words := bytes.Fields(line)
	if len(words) < 9 || string(words[0]) != "cpu" {
		return Unknown
	}
	ticks, err := strconv.ParseInt(string(words[8]), 10, 64)
	if err != nil {
		return Unknown
	}
	return time.Duration(ticks) * 10 * time.Millisecond
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
