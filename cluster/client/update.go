package client

import (
	"context"
	"errors"
	"fmt"
)

// maxUpdates is how often Update begins again because somebody else was faster.
const maxUpdates = 100

// Update changes a key: it reads it, calls fn, and stores what that returns if nobody else
// has written meanwhile; otherwise it begins again, up to a hundred times. So no change
// is lost, of this client or of others, and siblings end. fn gets an Entry that is not
// Found for a key without a value, and Siblings if there are several; its Value is then
// that of Resolve, or the latest. An error of fn ends it and is within the one that is
// returned. It keeps no time to live: give it with TTL.
//
// The writes carry request ids. If the error is ErrIndeterminate, the change has perhaps
// happened.
func (b *Bucket) Update(ctx context.Context, key []byte, fn func(e *Entry) ([]byte, error), opts ...WriteOption) (*Entry, error) {
	op := fmt.Sprintf("update %s/%.64q", b.name, key)
	for attempt := 1; ; attempt++ {
		e, err := b.Get(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrSiblings) || e == nil {
			return nil, err
		}
		value, err := fn(e)
		if err != nil {
			return nil, &Error{Op: op, Attempts: attempt, Err: err}
		}
		all := append(append(make([]WriteOption, 0, len(opts)+2), opts...), IfUnchanged(e), Once())
		done, err := b.Put(ctx, key, value, all...)
		if err == nil {
			return done, nil
		}
		if !errors.Is(err, ErrPrecondition) || errors.Is(err, ErrIndeterminate) || attempt >= maxUpdates {
			return nil, err
		}
		if attempt > 3 {
			// Those who all lose against one another must not go in step.
			if ended := b.c.sleep(ctx, min(attempt-3, 3), 0); ended != nil {
				return nil, &Error{Op: op, Attempts: attempt, Err: fmt.Errorf("%w, after: %w", ended, err)}
			}
		}
	}
}

// errNothing says that there is nothing to resolve.
var errNothing = errors.New("client: nothing to resolve")

// Resolve reads a key and, if it has siblings, stores what Options.Resolve makes of them,
// until one value is left. It returns what there is then; the error is ErrNotFound for a
// key without a value.
func (b *Bucket) Resolve(ctx context.Context, key []byte) (*Entry, error) {
	if b.c.o.Resolve == nil {
		return nil, &Error{Op: fmt.Sprintf("resolve %s/%.64q", b.name, key), Err: fmt.Errorf("%w: there is no Options.Resolve", ErrInvalid)}
	}
	var read *Entry
	e, err := b.Update(ctx, key, func(e *Entry) ([]byte, error) {
		if read = e; len(e.Siblings) < 2 {
			return nil, errNothing
		}
		return e.Value, nil
	})
	if errors.Is(err, errNothing) {
		if !read.Found() {
			return read, &Error{Op: fmt.Sprintf("resolve %s/%.64q", b.name, key), Attempts: 1, Err: ErrNotFound}
		}
		return read, nil
	}
	return e, err
}
