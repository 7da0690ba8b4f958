package vclock

import (
	"bytes"
	"fmt"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
)

// Flags of a sibling. The bits of CallerFlags are stored and returned, and mean
// nothing here; bits that have no name must be 0.
type Flags uint8

// The flags.
const (
	// Tombstone marks a deletion. It has no value and no expiry.
	Tombstone Flags = 1 << 0
	// Expired marks a value that was dropped after its expiry. The expiry remains.
	Expired Flags = 1 << 1
	// CallerFlags are for whoever stores the object.
	CallerFlags Flags = 0xf0
)

// Sibling is one write that nothing known has replaced.
type Sibling struct {
	Dot    Dot
	HLC    hlc.Timestamp // when it was coordinated; larger than that of all it replaced
	Expiry int64         // when it ends, in milliseconds since the Unix epoch; 0 never
	Flags  Flags
	Value  []byte
}

// Live says whether s is a value at now, in milliseconds since the Unix epoch: neither
// a tombstone nor expired. A value whose expiry is now is expired.
func (s *Sibling) Live(now int64) bool {
	return s.Flags&(Tombstone|Expired) == 0 && (s.Expiry == 0 || now < s.Expiry)
}

// validate says which rule s breaks, if any.
func (s *Sibling) validate() error {
	reason := ""
	switch {
	case s.Dot.Actor.IsZero() || s.Dot.Counter == 0:
		reason = "has no dot"
	case s.Expiry < 0:
		reason = "has a negative expiry"
	case s.Flags&^(Tombstone|Expired|CallerFlags) != 0:
		reason = "has an unknown flag"
	case s.Flags&Tombstone != 0 && (s.Flags&Expired != 0 || s.Expiry != 0):
		reason = "is a tombstone that expires"
	case s.Flags&Expired != 0 && s.Expiry == 0:
		reason = "has expired without an expiry"
	case s.Flags&(Tombstone|Expired) != 0 && len(s.Value) > 0:
		reason = "has a value beside its end"
	default:
		return nil
	}
	return fmt.Errorf("%w: sibling %v %s", ErrInvalid, s.Dot, reason)
}

// sameWrite says whether s and t, which have the same dot, are the same write, one of
// them perhaps expired.
func (s *Sibling) sameWrite(t *Sibling) bool {
	if s.HLC != t.HLC || s.Expiry != t.Expiry || (s.Flags^t.Flags)&^Expired != 0 {
		return false
	}
	return (s.Flags|t.Flags)&Expired != 0 || bytes.Equal(s.Value, t.Value)
}

// wins says whether s is the later write of the two: by timestamp, then actor, then
// counter. Dots are unique, so there is no draw.
func (s *Sibling) wins(t *Sibling) bool {
	if s.HLC != t.HLC {
		return s.HLC > t.HLC
	}
	return s.Dot.Compare(t.Dot) > 0
}

// expire turns s into what is left of an expired value.
func (s *Sibling) expire() {
	s.Flags |= Expired
	s.Value = nil
}

// Context is what a reader of a key has seen: it goes out with every read, as a token,
// and comes back with the write that follows. The zero Context has seen nothing.
type Context struct {
	Vector Vector
	HLC    hlc.Timestamp // the highest timestamp of what was read
}

// Object is all that a replica knows of a key. The zero Object is an absent key. See the
// package comment for the invariants. An Object belongs to one goroutine.
type Object struct {
	Vector   Vector
	Siblings []Sibling // ascending by dot
}

// Reset makes o an absent key. It keeps the memory of the slices, but not the values.
func (o *Object) Reset() {
	clear(o.Siblings)
	o.Vector, o.Siblings = o.Vector[:0], o.Siblings[:0]
}

// Absent says whether o knows of no write at all.
func (o *Object) Absent() bool { return len(o.Vector) == 0 && len(o.Siblings) == 0 }

// Context returns what a reader of o has seen. Its vector is o's own, good until o
// changes.
func (o *Object) Context() Context { return Context{Vector: o.Vector, HLC: o.MaxHLC()} }

// MaxHLC returns the highest timestamp in o, 0 if it is absent. Replaced writes have
// lower ones than what replaced them.
func (o *Object) MaxHLC() hlc.Timestamp {
	var ts hlc.Timestamp
	for i := range o.Siblings {
		ts = max(ts, o.Siblings[i].HLC)
	}
	return ts
}

// Latest returns the index of the latest sibling that is live at now, by the order of
// last-writer-wins, and how many are live. Without any, it returns -1, 0.
func (o *Object) Latest(now int64) (index, live int) {
	index = -1
	for i := range o.Siblings {
		s := &o.Siblings[i]
		if !s.Live(now) {
			continue
		}
		live++
		if index < 0 || s.wins(&o.Siblings[index]) {
			index = i
		}
	}
	return index, live
}

// Dead says whether nothing in o is live at now. An absent key is dead.
func (o *Object) Dead(now int64) bool {
	_, live := o.Latest(now)
	return live == 0
}

// Removable says whether a replica may forget o: nothing in it is live at now, and
// every timestamp is below floor, so that every replica has seen all of it. The caller
// subtracts the uncertainty of its clock from now.
func (o *Object) Removable(floor hlc.Timestamp, now int64) bool {
	return o.Dead(now) && o.MaxHLC() < floor
}

// Expire drops the values that have expired at now, and returns how many. The writes
// stay known: an expired sibling replaces and is replaced like any other.
func (o *Object) Expire(now int64) int {
	n := 0
	for i := range o.Siblings {
		s := &o.Siblings[i]
		if s.Flags&(Tombstone|Expired) == 0 && !s.Live(now) {
			s.expire()
			n++
		}
	}
	return n
}

// Equal says whether o and x are the same, values included.
func (o *Object) Equal(x *Object) bool {
	if o.Vector.Compare(x.Vector) != Equal || len(o.Siblings) != len(x.Siblings) {
		return false
	}
	for i := range o.Siblings {
		s, t := &o.Siblings[i], &x.Siblings[i]
		if s.Dot != t.Dot || s.Flags != t.Flags || !s.sameWrite(t) {
			return false
		}
	}
	return true
}

// Clone returns a copy that shares no memory with o.
func (o *Object) Clone() Object {
	c := Object{Vector: append(Vector(nil), o.Vector...), Siblings: append([]Sibling(nil), o.Siblings...)}
	for i := range c.Siblings {
		c.Siblings[i].Value = bytes.Clone(c.Siblings[i].Value)
	}
	return c
}

// Validate says which invariant o breaks, if any. The error is ErrInvalid. What Decode
// returns is valid, and the methods keep it so.
func (o *Object) Validate() error {
	if err := o.Vector.Validate(); err != nil {
		return err
	}
	for i := range o.Siblings {
		s := &o.Siblings[i]
		if err := s.validate(); err != nil {
			return err
		}
		if !o.Vector.Covers(s.Dot) {
			return fmt.Errorf("%w: sibling %v is not covered by the vector %v", ErrInvalid, s.Dot, o.Vector)
		}
		if i > 0 && o.Siblings[i-1].Dot.Compare(s.Dot) >= 0 {
			return fmt.Errorf("%w: sibling %v is out of order or twice there", ErrInvalid, s.Dot)
		}
	}
	if len(o.Siblings) == 0 && len(o.Vector) > 0 {
		return fmt.Errorf("%w: a vector %v without siblings", ErrInvalid, o.Vector)
	}
	return nil
}

// valueBytes returns the length of all values together.
func (o *Object) valueBytes() int {
	n := 0
	for i := range o.Siblings {
		n += len(o.Siblings[i].Value)
	}
	return n
}
