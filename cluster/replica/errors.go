package replica

import (
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm"
)

var (
	// ErrClosed says that the replica was closed. It is the engine's.
	ErrClosed = lsm.ErrClosed
	// ErrCorruption says that something stored does not make sense, or cannot be read. It
	// is the engine's. errors.As finds a *RecordError where a record is concerned.
	ErrCorruption = lsm.ErrCorruption
	// ErrTooLarge says that a key, value or transaction is beyond a limit. It is the
	// engine's.
	ErrTooLarge = lsm.ErrTooLarge

	// ErrInvalid says that an argument breaks a rule: a mistake of the caller.
	ErrInvalid = errors.New("replica: invalid argument")
	// ErrNoBucket says that there is no bucket of that name, or no longer.
	ErrNoBucket = errors.New("replica: no such bucket")
	// ErrBucketExists says that there is a bucket of that name.
	ErrBucketExists = errors.New("replica: the bucket exists")
	// ErrMode says that a bucket's mode is not one that this program can keep.
	ErrMode = errors.New("replica: bucket mode not supported")
	// ErrFormat says that a directory holds no store of this package, one of a later
	// version, or one of another cluster or node than expected.
	ErrFormat = errors.New("replica: not a store that can be opened")
	// ErrBusy says that too many dropped generations of buckets wait for Reclaim.
	ErrBusy = errors.New("replica: too many dropped buckets wait to be reclaimed")
	// ErrIndeterminate says that a commit failed, and yet what it wrote may have become
	// part of a later write that did not.
	ErrIndeterminate = errors.New("replica: it is not known whether the write happened")
)

// RecordError says which record is concerned.
type RecordError struct {
	Bucket    string // its name, or its number if it has none
	Partition uint16
	Token     uint64
	Key       []byte // the client's, a copy
	Err       error
}

func (e *RecordError) Error() string {
	key, more := e.Key, ""
	if len(key) > 64 {
		key, more = key[:64], fmt.Sprintf("... of %d bytes", len(key))
	}
	return fmt.Sprintf("replica: bucket %s, partition %d, token %016x, key %q%s: %v", e.Bucket, e.Partition, e.Token, key, more, e.Err)
}

// Unwrap returns Err, which is ErrCorruption where the record makes no sense.
func (e *RecordError) Unwrap() error { return e.Err }

// recordError describes what is wrong with the record of key.
func (r *Replica) recordError(bucket string, token uint64, key []byte, err error) error {
	return &RecordError{Bucket: bucket, Partition: r.layout.partition(token), Token: token, Key: append([]byte(nil), key...), Err: err}
}

// malformed makes a decoder's complaint an ErrCorruption.
func malformed(err error) error { return fmt.Errorf("%w: %w", ErrCorruption, err) }
