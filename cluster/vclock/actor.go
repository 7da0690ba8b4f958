package vclock

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// ActorLen is the length of an Actor in bytes.
const ActorLen = 16

// Actor names one incarnation of a node: what one data directory wrote between two
// events that may have lost some of it. It is random, so that no two are the same by
// accident of names or clocks. The zero Actor names nobody and is never valid.
type Actor [ActorLen]byte

// NewActor draws an actor from random, which is crypto/rand.Reader or, in a
// simulation, something with a seed.
func NewActor(random io.Reader) (Actor, error) {
	var a Actor
	if _, err := io.ReadFull(random, a[:]); err != nil {
		return Actor{}, fmt.Errorf("vclock: drawing an actor: %w", err)
	}
	if a.IsZero() {
		return Actor{}, errors.New("vclock: drawing an actor: the source of randomness gives zeros")
	}
	return a, nil
}

// IsZero says whether a is the Actor that names nobody.
func (a Actor) IsZero() bool { return a == Actor{} }

// Compare orders actors by their bytes: -1, 0 or 1.
func (a Actor) Compare(b Actor) int {
	if c := cmp.Compare(binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(b[:8])); c != 0 {
		return c
	}
	return cmp.Compare(binary.BigEndian.Uint64(a[8:]), binary.BigEndian.Uint64(b[8:]))
}

// String returns the actor as 32 hexadecimal digits.
func (a Actor) String() string { return hex.EncodeToString(a[:]) }

// Dot names one write: the actor that coordinated it and the value of that actor's
// counter, from 1. A counter is shared by all keys of a node, so the dots of one key
// have gaps.
type Dot struct {
	Actor   Actor
	Counter uint64
}

// Compare orders dots by actor, then counter: -1, 0 or 1.
func (d Dot) Compare(e Dot) int {
	if c := d.Actor.Compare(e.Actor); c != 0 {
		return c
	}
	return cmp.Compare(d.Counter, e.Counter)
}

// String returns the dot for people: the first digits of the actor, and the counter.
func (d Dot) String() string {
	return fmt.Sprintf("%s:%d", hex.EncodeToString(d.Actor[:4]), d.Counter)
}
