package vclock

import (
	"fmt"
	"slices"
	"strings"
)

// MaxActors is how many actors a vector may have. A key gets one for each incarnation
// of a node that coordinated a write to it.
const MaxActors = 1024

// Vector is a version vector: a set of dots of one key that is complete up to a
// counter for each actor. The entry (a, n) stands for every dot of a, on that key, with
// a counter of at most n. Entries ascend by actor, no actor is twice there, and no
// counter is 0. The zero Vector is the empty set.
type Vector []Dot

// Order is how two vectors relate.
type Order int8

// The results of Compare.
const (
	Equal      Order = iota
	Before           // the other has seen all of this one, and more
	After            // this one has seen all of the other, and more
	Concurrent       // each has seen something that the other has not
)

func (r Order) String() string {
	switch r {
	case Equal:
		return "equal"
	case Before:
		return "before"
	case After:
		return "after"
	case Concurrent:
		return "concurrent"
	}
	return fmt.Sprintf("Order(%d)", int8(r))
}

// find returns the index of a's entry, or where it would be.
func (v Vector) find(a Actor) (int, bool) {
	// Vectors have one to three entries as a rule, where nothing beats a straight walk.
	if len(v) <= 8 {
		for i := range v {
			if c := v[i].Actor.Compare(a); c >= 0 {
				return i, c == 0
			}
		}
		return len(v), false
	}
	return slices.BinarySearchFunc(v, a, func(e Dot, a Actor) int { return e.Actor.Compare(a) })
}

// Counter returns the highest counter of a that v covers, 0 if none.
func (v Vector) Counter(a Actor) uint64 {
	if i, ok := v.find(a); ok {
		return v[i].Counter
	}
	return 0
}

// Covers says whether d is in the set.
func (v Vector) Covers(d Dot) bool { return d.Counter <= v.Counter(d.Actor) }

// Descends says whether every dot of w is in v.
func (v Vector) Descends(w Vector) bool {
	o := v.Compare(w)
	return o == Equal || o == After
}

// Compare says how v relates to w.
func (v Vector) Compare(w Vector) Order {
	var more, less bool // v has what w has not, and the other way round
	for len(v) > 0 && len(w) > 0 {
		switch c := v[0].Actor.Compare(w[0].Actor); {
		case c < 0:
			more = true
			v = v[1:]
		case c > 0:
			less = true
			w = w[1:]
		default:
			more = more || v[0].Counter > w[0].Counter
			less = less || v[0].Counter < w[0].Counter
			v, w = v[1:], w[1:]
		}
	}
	more = more || len(v) > 0
	less = less || len(w) > 0
	switch {
	case more && less:
		return Concurrent
	case more:
		return After
	case less:
		return Before
	}
	return Equal
}

// Add puts d into the set, and with it every smaller counter of its actor.
func (v *Vector) Add(d Dot) {
	i, ok := v.find(d.Actor)
	if !ok {
		*v = slices.Insert(*v, i, d)
		return
	}
	(*v)[i].Counter = max((*v)[i].Counter, d.Counter)
}

// Join puts every dot of w into v. It keeps nothing of w, which may be v itself, but no
// other slice of the same array.
func (v *Vector) Join(w Vector) {
	if len(w) == 0 || len(w) == len(*v) && &w[0] == &(*v)[0] {
		return
	}
	missing := v.missing(w)
	if missing == 0 {
		for i := 0; len(w) > 0; i++ {
			if (*v)[i].Actor == w[0].Actor {
				(*v)[i].Counter = max((*v)[i].Counter, w[0].Counter)
				w = w[1:]
			}
		}
		return
	}
	// Merged from the back, so that no entry is overwritten before it has moved.
	i := len(*v) - 1
	out := slices.Grow(*v, missing)[:len(*v)+missing]
	for k := len(out) - 1; len(w) > 0; k-- {
		last := w[len(w)-1]
		switch {
		case i < 0 || out[i].Actor.Compare(last.Actor) < 0:
			out[k] = last
			w = w[:len(w)-1]
		case out[i].Actor == last.Actor:
			out[k] = Dot{last.Actor, max(out[i].Counter, last.Counter)}
			w = w[:len(w)-1]
			i--
		default:
			out[k] = out[i]
			i--
		}
	}
	*v = out
}

// missing returns how many actors of w have no entry in v.
func (v Vector) missing(w Vector) int {
	n := 0
	for i := range w {
		for len(v) > 0 && v[0].Actor.Compare(w[i].Actor) < 0 {
			v = v[1:]
		}
		if len(v) == 0 {
			return n + len(w) - i
		}
		if v[0].Actor != w[i].Actor {
			n++
		}
	}
	return n
}

// Validate says which rule v breaks, if any. The error is ErrInvalid.
func (v Vector) Validate() error {
	if len(v) > MaxActors {
		return fmt.Errorf("%w: %d actors, at most %d are possible", ErrInvalid, len(v), MaxActors)
	}
	for i, d := range v {
		switch {
		case d.Actor.IsZero():
			return fmt.Errorf("%w: entry %d of the vector has no actor", ErrInvalid, i)
		case d.Counter == 0:
			return fmt.Errorf("%w: entry %d of the vector has no counter", ErrInvalid, i)
		case i > 0 && v[i-1].Actor.Compare(d.Actor) >= 0:
			return fmt.Errorf("%w: entry %d of the vector is out of order", ErrInvalid, i)
		}
	}
	return nil
}

// String returns the vector for people, with the first digits of each actor.
func (v Vector) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, d := range v {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(d.String())
	}
	b.WriteByte('}')
	return b.String()
}
