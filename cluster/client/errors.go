package client

import (
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// What the server says, for errors.Is. Package wire has all codes.
var (
	ErrNotFound     error = wire.NotFound     // the key has no value
	ErrNoBucket     error = wire.NoBucket     // there is no such bucket
	ErrPrecondition error = wire.Precondition // IfUnchanged or Create does not hold
	ErrUnauthorized error = wire.Unauthorized // no login, or a wrong one
	ErrForbidden    error = wire.Forbidden    // not allowed
	ErrTooLarge     error = wire.TooLarge     // beyond a limit of the server
	ErrBadContext   error = wire.BadContext   // the entry is of another key or bucket, or of before the bucket was emptied
	ErrExists       error = wire.Exists       // a bucket, user or role of that name exists
)

var (
	// ErrSiblings says that a key has several values, and nobody has said what to make of
	// them. The Entry has all of them.
	ErrSiblings = errors.New("client: the key has several siblings, and there is no Resolve")
	// ErrIndeterminate says that a write has perhaps happened.
	ErrIndeterminate = errors.New("client: it is not known whether the write happened")
	// ErrAnswer says that an answer is none of the API, or longer than MaxAnswer.
	ErrAnswer = errors.New("client: the answer makes no sense")
	// ErrClosed says that the client was closed.
	ErrClosed = errors.New("client: closed")
	// ErrInvalid says that an argument breaks a rule.
	ErrInvalid = errors.New("client: invalid")
)

// Error is what every method returns that fails.
type Error struct {
	Op       string // as in "get available/a"
	Address  string // the last that was asked, "" if none
	Attempts int
	Err      error
	// Indeterminate says that it is a write, which has perhaps happened.
	Indeterminate bool
}

func (e *Error) Error() string {
	s := "client: " + e.Op
	if e.Address != "" {
		s += " at " + e.Address
	}
	if e.Attempts > 1 {
		s += fmt.Sprintf(" (%d attempts)", e.Attempts)
	}
	s += ": " + e.Err.Error()
	if e.Indeterminate {
		s += "; it is not known whether the write happened"
	}
	return s
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrIndeterminate) hold for what is.
func (e *Error) Is(target error) bool { return target == ErrIndeterminate && e.Indeterminate }
