package vclock

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync/atomic"
)

// DefaultBlock is how many dots a lease is for, unless told otherwise. A restart skips
// what is left of one.
const DefaultBlock = 1 << 20

const (
	leaseVersion = 1
	leaseLen     = 1 + ActorLen + 8
)

// Lease is what a node must know about its dots across a restart: nothing above Bound
// was minted for Actor.
type Lease struct {
	Actor Actor
	Bound uint64
}

// AppendTo appends the encoding of l to dst: version u8, the actor, the bound as u64
// big-endian.
func (l Lease) AppendTo(dst []byte) []byte {
	dst = append(dst, leaseVersion)
	dst = append(dst, l.Actor[:]...)
	return binary.BigEndian.AppendUint64(dst, l.Bound)
}

// DecodeLease returns the lease that b encodes. The error is ErrFormat: a lease that
// cannot be read is lost, and the node needs a new actor.
func DecodeLease(b []byte) (Lease, error) {
	if len(b) != leaseLen || b[0] != leaseVersion {
		return Lease{}, fmt.Errorf("%w: a lease of %d bytes", ErrFormat, len(b))
	}
	l := Lease{Actor: Actor(b[1:]), Bound: binary.BigEndian.Uint64(b[1+ActorLen:])}
	if l.Actor.IsZero() {
		return Lease{}, fmt.Errorf("%w: a lease without an actor", ErrFormat)
	}
	return l, nil
}

// Counter mints the dots of one actor, for all keys of a node. All methods may be
// called by many goroutines at once; they take no lock and, but for errors, allocate
// nothing.
//
//  1. No dot is minted twice, and none above the lease.
//  2. The lease is durable before it is used: the caller persists what Renewal returns,
//     synced, and then calls Extend.
//  3. After a restart from the lease all dots are new, and some are skipped.
//
// A lease that is lost, damaged, copied, or restored from a backup has no Counter: the
// node draws a new Actor, and a Counter from Lease{actor, 0}.
type Counter struct {
	actor  Actor
	block  uint64
	issued atomic.Uint64 // the highest counter minted, or skipped
	bound  atomic.Uint64 // of the durable lease
}

// NewCounter returns a counter that goes on after l, the last lease that was made
// durable. It mints nothing before Extend. A block is how many dots to lease at once, 0
// for DefaultBlock. The error is ErrInvalid.
func NewCounter(l Lease, block uint64) (*Counter, error) {
	if l.Actor.IsZero() {
		return nil, fmt.Errorf("%w: a lease without an actor", ErrInvalid)
	}
	if block == 0 {
		block = DefaultBlock
	}
	c := &Counter{actor: l.Actor, block: block}
	c.issued.Store(l.Bound)
	c.bound.Store(l.Bound)
	return c, nil
}

// Actor returns whose dots c mints.
func (c *Counter) Actor() Actor { return c.actor }

// Issued returns the highest counter that was minted or skipped.
func (c *Counter) Issued() uint64 { return c.issued.Load() }

// Mint returns a dot that nobody has. The error is ErrLease or nil. A dot that is not
// used in the end is harmless.
func (c *Counter) Mint() (Dot, error) {
	for {
		n := c.issued.Load()
		if n >= c.bound.Load() {
			return Dot{}, ErrLease
		}
		if c.issued.CompareAndSwap(n, n+1) {
			return Dot{c.actor, n + 1}, nil
		}
	}
}

// Renewal returns the lease to make durable next, and whether it is time to: less than a
// fifth of a block is left. The caller persists the lease, and then calls Extend with
// its bound. It may do both early, or beside other calls.
func (c *Counter) Renewal() (l Lease, due bool) {
	issued, bound := c.issued.Load(), c.bound.Load()
	l = Lease{c.actor, issued + min(c.block, math.MaxUint64-issued)}
	l.Bound = max(l.Bound, bound)
	return l, l.Bound > bound && (bound <= issued || bound-issued <= c.block/5)
}

// Extend allows dots up to bound, which must be durable: a crash right after Extend must
// find it, or more, for NewCounter. A bound below the present one changes nothing.
func (c *Counter) Extend(bound uint64) {
	for {
		old := c.bound.Load()
		if bound <= old || c.bound.CompareAndSwap(old, bound) {
			return
		}
	}
}

// Check verifies that nobody has seen a dot of this node that it has not minted: v is
// the vector of a context from a client, or of an object from another node. The error
// is an *AmnesiaError or nil.
//
// It finds a node that was rolled back only until that node has minted as many dots as
// before; what a restore must do by itself is to take a new actor.
func (c *Counter) Check(v Vector) error {
	seen := v.Counter(c.actor)
	if issued := c.issued.Load(); seen > issued {
		return &AmnesiaError{Actor: c.actor, Seen: seen, Issued: issued}
	}
	return nil
}
