package vclock

import "slices"

// Put adds a write that this node coordinates: siblings that ctx covers are replaced, the
// others stay beside s. The caller has minted s.Dot and checked ctx.Vector with its
// Counter, took s.HLC from its clock After ctx.HLC, and holds the key from reading o to
// storing it. s.Value is not copied. ctx may be o.Context().
//
// With o absent and ctx zero it is the first write; a deletion puts a Tombstone.
//
// The errors are ErrInvalid, *DotError when s.Dot is not new, ErrTimestamp, *LimitError
// and ErrTooManyActors. After an error o is unchanged.
func (o *Object) Put(ctx Context, s Sibling, p *Policy) (Outcome, error) {
	if err := s.validate(); err != nil {
		return Outcome{}, err
	}
	out := Outcome{Changed: true, Prev: o.Vector.Counter(s.Dot.Actor)}
	switch {
	case s.Dot.Counter <= out.Prev:
		return Outcome{}, &DotError{Dot: s.Dot, Reason: "the object has it already, or a later one of its actor"}
	case ctx.Vector.Covers(s.Dot):
		return Outcome{}, &DotError{Dot: s.Dot, Reason: "the write's own context has seen it"}
	case s.HLC <= ctx.HLC:
		return Outcome{}, ErrTimestamp
	case o.tooManyActors(ctx.Vector, s.Dot.Actor):
		return Outcome{}, ErrTooManyActors
	}
	if err := o.admit(ctx.Vector, &s, p); err != nil {
		return Outcome{}, err
	}
	o.add(ctx.Vector, s, p, &out)
	return out, nil
}

// tooManyActors says whether o's vector, joined with v and a, would be too large.
func (o *Object) tooManyActors(v Vector, a Actor) bool {
	n := len(o.Vector) + o.Vector.missing(v)
	if o.Vector.Counter(a) == 0 && v.Counter(a) == 0 {
		n++
	}
	return n > MaxActors
}

// admit says whether p allows that s replaces what v covers. Beyond a limit, what does
// not grow is welcome: it is how a client cleans up.
func (o *Object) admit(v Vector, s *Sibling, p *Policy) error {
	if p == nil || p.OnLimit != Reject || p.LastWriterWins {
		return nil
	}
	after, bytesBefore, bytesAfter := 1, 0, len(s.Value)
	for i := range o.Siblings {
		n := len(o.Siblings[i].Value)
		bytesBefore += n
		if !v.Covers(o.Siblings[i].Dot) {
			after++
			bytesAfter += n
		}
	}
	if p.tooMany(after) && after > len(o.Siblings) || p.tooLarge(after, bytesAfter) && bytesAfter > bytesBefore {
		return &LimitError{Siblings: after, MaxSiblings: p.MaxSiblings, Bytes: bytesAfter, MaxBytes: p.MaxBytes}
	}
	return nil
}

// add replaces what v covers with s.
func (o *Object) add(v Vector, s Sibling, p *Policy, out *Outcome) {
	if p.lastWriterWins() {
		o.Siblings = append(o.Siblings, s)
		out.Dropped += o.keepLatest(func(t *Sibling) bool { return v.Covers(t.Dot) })
		o.Vector.Join(v)
		o.Vector.Add(s.Dot)
		return
	}
	if len(o.Siblings) == 0 || len(v) > 0 && len(v) == len(o.Vector) && &v[0] == &o.Vector[0] {
		// All that there is goes: the write of one who has seen o itself, or the first one.
		clear(o.Siblings)
		o.Vector.Join(v)
		o.Vector.Add(s.Dot)
		o.Siblings = append(o.Siblings[:0], s)
		return
	}
	o.Discard(v)
	// v may be o.Vector, so it counts no more once that changes.
	o.Vector.Join(v)
	o.Vector.Add(s.Dot)
	i := len(o.Siblings)
	for i > 0 && o.Siblings[i-1].Dot.Compare(s.Dot) > 0 {
		i--
	}
	o.Siblings = slices.Insert(o.Siblings, i, s)
	p.enforce(o, out)
}

// Discard drops the siblings that v covers and returns how many. An object that loses
// all of them cannot be stored until something is put into it.
func (o *Object) Discard(v Vector) int {
	k := 0
	for i := range o.Siblings {
		if v.Covers(o.Siblings[i].Dot) {
			continue
		}
		if k != i {
			o.Siblings[k] = o.Siblings[i]
		}
		k++
	}
	n := len(o.Siblings) - k
	clear(o.Siblings[k:])
	o.Siblings = o.Siblings[:k]
	return n
}

// Delta is one write, for replicas that have what the coordinator had: smaller than the
// object when there are siblings.
type Delta struct {
	Sibling Sibling
	Context Vector // of the write
	Prev    uint64 // Outcome.Prev of the Put
}

// Apply adds a write that another node coordinated. The vector's entry for its actor
// may only rise if no earlier dot of that actor is missing here: otherwise the error is
// ErrNeedObject, and the coordinator sends the whole object, for Merge. A delta that
// was applied before, or that arrives after something newer, changes nothing.
//
// The other errors are ErrInvalid, *DotError and ErrTooManyActors. After an error o is
// unchanged. A bucket of last-writer-wins has no use for deltas, but they work.
func (o *Object) Apply(d *Delta, p *Policy) (Outcome, error) {
	if err := d.Sibling.validate(); err != nil {
		return Outcome{}, err
	}
	dot := d.Sibling.Dot
	if d.Prev >= dot.Counter || d.Context.Covers(dot) {
		return Outcome{}, &DotError{Dot: dot, Reason: "the delta's own past has seen it"}
	}
	have := o.Vector.Counter(dot.Actor)
	if have >= dot.Counter {
		// Known already, and so is all that it replaces. It must be the same write.
		for i := range o.Siblings {
			if o.Siblings[i].Dot == dot && !o.Siblings[i].sameWrite(&d.Sibling) {
				return Outcome{}, &DotError{Dot: dot, Reason: "two different writes have it"}
			}
		}
		return Outcome{}, nil
	}
	if have < d.Prev {
		return Outcome{}, ErrNeedObject
	}
	if o.tooManyActors(d.Context, dot.Actor) {
		return Outcome{}, ErrTooManyActors
	}
	out := Outcome{Changed: true, Prev: have}
	o.add(d.Context, d.Sibling, p, &out)
	return out, nil
}
