package lsm

import (
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Errors for errors.Is.
var (
	// ErrNotFound: the key is not there.
	ErrNotFound = base.ErrNotFound
	// ErrClosed: the DB, or the iterator, snapshot or transaction, was closed.
	ErrClosed = base.ErrClosed
	// ErrReadOnly: the store was opened read-only, or a failed sync made it so until
	// it is opened again; the cause is wrapped.
	ErrReadOnly = base.ErrReadOnly
	// ErrConflict: another commit changed what the transaction had read.
	ErrConflict = base.ErrConflict
	// ErrCorruption: damage on disk. errors.As finds the *CorruptionError that says where,
	// except where a record makes no sense in a block that is whole, and where Compact only
	// counts what could not be read before.
	ErrCorruption = base.ErrCorruption
	// ErrLocked: another process, or this one, has the store open.
	ErrLocked = base.ErrLocked
	// ErrTooLarge: a key, value or batch beyond the limits.
	ErrTooLarge = base.ErrTooLarge
	// ErrNoSpace: the disk is full. Writing goes on by itself when there is room.
	ErrNoSpace = base.ErrNoSpace
)

// CorruptionError says which file is damaged and where. Its fields:
//
//	File   string // path of the file that is damaged, or missing
//	Offset int64  // of the damaged block or record in it; -1: not known, or the whole file
//	Lower  []byte // the keys that may be concerned lie in [Lower, Upper]; both are nil where
//	Upper  []byte // that is not known, and only Upper is empty where there is no upper bound
//	Err    error  // what is wrong
//
// Other keys are read as ever. "kvctl check DIR" lists all damage of a store, open or
// not; then the store is restored from a checkpoint, or the keys are dropped with
// DB.Excise, or "kvctl salvage DIR NEWDIR" saves what can be read. See
// docs/operating.md.
type CorruptionError = base.CorruptionError

// Limits of keys, values and batches, in bytes. What is beyond them is ErrTooLarge.
const (
	// MaxKeyLen bounds a key, and a bound of a range to be deleted: 65,535 bytes.
	MaxKeyLen = base.MaxKeyLen
	// MaxValueLen bounds a value: 256 MiB.
	MaxValueLen = base.MaxValueLen
	// MaxBatchLen bounds the encoded size of one batch, which is that of its keys and
	// values and a few bytes for each operation: 1 GiB. A batch may also not take more than
	// 3.75 GiB in a memtable (1.75 GiB where an int has 32 bits), in which an operation
	// counts 120 bytes beside its key and value: some 30 million small ones.
	MaxBatchLen = 1 << 30
)

// classify marks an error of the file system that says the disk is full.
func classify(err error) error {
	if err == nil || errors.Is(err, ErrNoSpace) || !vfs.IsNoSpace(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNoSpace, err)
}
