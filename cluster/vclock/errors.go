package vclock

import (
	"errors"
	"fmt"
)

var (
	// ErrInvalid says that an argument breaks a rule of its type: a mistake of the caller.
	ErrInvalid = errors.New("vclock: invalid")
	// ErrFormat says that bytes are not an encoding that this package writes.
	ErrFormat = errors.New("vclock: malformed encoding")
	// ErrLease says that the next dot is beyond the leased block. Nothing was minted; it
	// works again after Extend.
	ErrLease = errors.New("vclock: dot beyond the durable lease")
	// ErrTimestamp says that a write's timestamp is not after those of what its client
	// had read, so that last-writer-wins would put an effect before its cause.
	ErrTimestamp = errors.New("vclock: the write's timestamp is not after its context's")
	// ErrNeedObject says that a delta cannot be applied, because the receiver lacks
	// earlier dots of its actor. The sender must send the whole object.
	ErrNeedObject = errors.New("vclock: the delta needs the whole object")
	// ErrTooManyActors says that a vector would have more than MaxActors entries.
	ErrTooManyActors = errors.New("vclock: too many actors in one vector")

	// ErrDotReused is what every *DotError is.
	ErrDotReused = errors.New("vclock: a dot was used twice")
	// ErrAmnesia is what every *AmnesiaError is.
	ErrAmnesia = errors.New("vclock: this node forgot its own writes")
	// ErrLimit is what every *LimitError is.
	ErrLimit = errors.New("vclock: too many siblings")
)

// DotError says that two histories contradict each other about a dot, or about all of
// an object when Dot is zero. It means that two writers shared an actor: a copied data
// directory, a restored backup, or a counter that went back. The object is unchanged,
// and no copy is better than the other: the nodes need new incarnations, and somebody
// has to look.
type DotError struct {
	Dot    Dot
	Reason string
}

func (e *DotError) Error() string {
	if e.Dot == (Dot{}) {
		return "vclock: " + e.Reason
	}
	return fmt.Sprintf("vclock: dot %v: %s", e.Dot, e.Reason)
}

// Unwrap makes errors.Is(err, ErrDotReused) hold.
func (e *DotError) Unwrap() error { return ErrDotReused }

// AmnesiaError says that somebody has seen a dot of this node's actor that the node
// has not minted yet. The node was rolled back: it must go on with a new actor.
type AmnesiaError struct {
	Actor  Actor
	Seen   uint64 // the counter that was named
	Issued uint64 // the highest counter that this node knows of
}

func (e *AmnesiaError) Error() string {
	return fmt.Sprintf("vclock: actor %v has minted %d dots, but %d were seen: the node was rolled back and needs a new incarnation",
		e.Actor, e.Issued, e.Seen)
}

// Unwrap makes errors.Is(err, ErrAmnesia) hold.
func (e *AmnesiaError) Unwrap() error { return ErrAmnesia }

// LimitError says that a write was refused because it would leave too many siblings,
// or too many bytes in them. A write whose context covers some of them is accepted.
type LimitError struct {
	Siblings, MaxSiblings int
	Bytes, MaxBytes       int // of all values; MaxBytes 0 means no limit
}

func (e *LimitError) Error() string {
	if e.MaxBytes > 0 && e.Bytes > e.MaxBytes {
		return fmt.Sprintf("vclock: %d siblings of %d bytes, %d bytes are allowed: read the key and write with its context", e.Siblings, e.Bytes, e.MaxBytes)
	}
	return fmt.Sprintf("vclock: %d siblings, %d are allowed: read the key and write with its context", e.Siblings, e.MaxSiblings)
}

// Unwrap makes errors.Is(err, ErrLimit) hold.
func (e *LimitError) Unwrap() error { return ErrLimit }
