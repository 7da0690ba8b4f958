package base

import (
	"errors"
	"fmt"
	"strings"
)

// The sentinels of the public interface; package lsm hands them on.
var (
	ErrNotFound   = errors.New("lsm: not found")
	ErrClosed     = errors.New("lsm: closed")
	ErrReadOnly   = errors.New("lsm: read only")
	ErrConflict   = errors.New("lsm: transaction conflict")
	ErrCorruption = errors.New("lsm: corruption")
	ErrLocked     = errors.New("lsm: locked by another process")
	ErrTooLarge   = errors.New("lsm: too large")
	ErrNoSpace    = errors.New("lsm: no space left on device")
)

// CorruptionError says where damage was found. errors.Is(err, ErrCorruption)
// holds for it, and for Err.
type CorruptionError struct {
	File   string // path as the engine opened it
	Offset int64  // byte offset of the damaged block or record; -1 when unknown
	Lower  []byte // user keys that may be affected lie in [Lower, Upper]; nil when unknown
	Upper  []byte // nil beside a Lower: all from there on
	Err    error  // what is wrong
}

func (e *CorruptionError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "lsm: corruption in %s", e.File)
	if e.Offset >= 0 {
		fmt.Fprintf(&b, " at offset %d", e.Offset)
	}
	if e.Lower != nil || e.Upper != nil {
		fmt.Fprintf(&b, " (keys %q to %q)", clip(e.Lower), clip(e.Upper))
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

func clip(k []byte) []byte {
	if len(k) > 64 {
		return k[:64]
	}
	return k
}

// Unwrap makes errors.Is work for ErrCorruption and for the cause.
func (e *CorruptionError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrCorruption}
	}
	return []error{ErrCorruption, e.Err}
}

// Corruptf makes a CorruptionError for file at offset.
func Corruptf(file string, offset int64, format string, args ...any) error {
	return &CorruptionError{File: file, Offset: offset, Err: fmt.Errorf(format, args...)}
}
