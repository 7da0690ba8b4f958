package respstore

import (
	"errors"

	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
	"github.com/ringwood-kv/ringwood/lsm"
)

// What clients are told; the package comment has the reasons.
const (
	errNoSpace       wire.Error = "MISCONF the disk is full: nothing was written. Writing goes on by itself when there is room."
	errReadOnly      wire.Error = "MISCONF the store takes no writes since a sync of its disk failed, until the server is started again. Whether this write is kept is not certain."
	errIndeterminate wire.Error = "INDETERMINATE the commit failed, and what it wrote may be there or not. Read it before you try again."
	errBusy          wire.Error = "TRYAGAIN too many emptied databases wait to be deleted from the disk. Try again in a second."
	errDropped       wire.Error = "TRYAGAIN the bucket of the database was dropped again and again. Try again in a second."
	errTransaction   wire.Error = "ERR the transaction is too large"
	errClosed        wire.Error = "ERR the server is shutting down"
)

// kinds are the errors that clients are told in words of their own. The first one that
// fits counts: an indeterminate commit may have failed for want of space.
var kinds = []struct {
	is   error
	told wire.Error
}{
	{replica.ErrIndeterminate, errIndeterminate},
	{lsm.ErrReadOnly, errReadOnly},
	{lsm.ErrNoSpace, errNoSpace},
	{replica.ErrBusy, errBusy},
	{replica.ErrNoBucket, errDropped},
	{errLacks, errDropped},
	{replica.ErrTooLarge, errTransaction},
	{replica.ErrClosed, errClosed},
}

// failure is an error of the replica with what the client is told.
type failure struct {
	told  wire.Error
	cause error
}

func (f *failure) Error() string   { return string(f.told) + " (" + f.cause.Error() + ")" }
func (f *failure) Unwrap() []error { return []error{f.told, f.cause} }

// told turns an error of the replica into one that says what the client is told.
func (s *Store) told(err error) error {
	if err == nil {
		return nil
	}
	for _, k := range kinds {
		if errors.Is(err, k.is) {
			if f := s.opts.Failed; f != nil {
				f(err)
			}
			return &failure{k.told, err}
		}
	}
	if f := s.opts.Failed; f != nil && errors.Is(err, replica.ErrCorruption) {
		f(err)
	}
	return err
}
