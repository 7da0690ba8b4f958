package vfs

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"syscall"
)

// OpKind is a kind of operation.
type OpKind uint8

const (
	OpCreate OpKind = iota
	OpOpen
	OpRead
	OpWrite
	OpSync
	OpTruncate
	OpClose
	OpRemove
	OpRename
	OpLink
	OpMkdir
	OpSyncDir
	OpList
	OpStat // Stat of a name, Size of a file
	OpLock
	OpUnlock // Close of a lock
	numOpKinds
)

var opNames = [numOpKinds]string{
	"create", "open", "read", "write", "sync", "truncate", "close", "remove",
	"rename", "link", "mkdir", "syncdir", "list", "stat", "lock", "unlock",
}

func (k OpKind) String() string {
	if k < numOpKinds {
		return opNames[k]
	}
	return "op " + strconv.Itoa(int(k))
}

// Changes says whether the operation may alter what a crash leaves. The states
// between other operations are all the same one.
func (k OpKind) Changes() bool {
	switch k {
	case OpOpen, OpRead, OpClose, OpList, OpStat:
		return false
	}
	return true
}

// Op is one operation as a hook sees it.
type Op struct {
	Kind    OpKind
	Name    string // as the caller gave it; for a file, as it was opened
	NewName string // rename, link
	Offset  int64  // read, write; for truncate the new size
	Len     int    // read, write: the length asked for
	Index   int64  // how many operations began before this one

	// Data is the bytes of a write, in both hooks: only to look at. For a read it is
	// what was read, in the hook that runs after: changing it corrupts what the
	// caller gets. It is not to be kept.
	Data []byte
	// Err is how the operation ended, in the hook that runs after.
	Err error
}

func (o Op) String() string {
	s := fmt.Sprintf("%d %s %s", o.Index, o.Kind, o.Name)
	switch o.Kind {
	case OpRead, OpWrite:
		s += fmt.Sprintf(" [%d+%d]", o.Offset, o.Len)
	case OpTruncate:
		s += fmt.Sprintf(" to %d", o.Offset)
	case OpRename, OpLink:
		s += " " + o.NewName
	}
	if o.Err != nil {
		s += ": " + o.Err.Error()
	}
	return s
}

// Short is what a hook returns to have only the first N bytes of a read or write
// carried out, and the operation fail with Err after that. For other operations
// it is an error like any other.
type Short struct {
	N   int
	Err error
}

func (s *Short) Error() string {
	return fmt.Sprintf("short by injection after %d bytes: %v", s.N, s.Err)
}
func (s *Short) Unwrap() error { return s.Err }

// ShortWrite writes n bytes and fails with io.ErrShortWrite.
func ShortWrite(n int) error { return &Short{N: n, Err: io.ErrShortWrite} }

// ShortRead reads n bytes and fails with syscall.EIO. (&Short{n, io.EOF} is a
// file that ends too early.)
func ShortRead(n int) error { return &Short{N: n, Err: syscall.EIO} }

// ErrLostSync is what a hook returns for a sync that fails as on Linux: with EIO, and
// with the pages then counted as clean, so that the next sync succeeds without
// having written them. Over a Mem they are lost in a crash unless written again;
// over others it is a plain failure.
var ErrLostSync = fmt.Errorf("sync failed by injection, pages dropped: %w", syscall.EIO)

// Counters counts operations, failed ones included, by kind.
type Counters struct {
	Ops          [numOpKinds]int64
	Failed       int64 // by a hook
	BytesRead    int64
	BytesWritten int64
}

// Count returns how many operations of a kind began.
func (c Counters) Count(k OpKind) int64 {
	if k >= numOpKinds {
		return 0
	}
	return c.Ops[k]
}

// Total returns how many operations began: the Index of the next one.
func (c Counters) Total() int64 {
	var n int64
	for _, k := range c.Ops {
		n += k
	}
	return n
}

// Sub returns what was counted since old.
func (c Counters) Sub(old Counters) Counters {
	for i := range c.Ops {
		c.Ops[i] -= old.Ops[i]
	}
	c.Failed -= old.Failed
	c.BytesRead -= old.BytesRead
	c.BytesWritten -= old.BytesWritten
	return c
}

// asShort returns how much of a transfer of n bytes a hook's error leaves.
func asShort(err error, n int) (int, error) {
	var s *Short
	if errors.As(err, &s) {
		return min(max(s.N, 0), n), s.Err
	}
	return 0, err
}
