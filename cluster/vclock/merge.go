package vclock

import "slices"

// Merge makes o the join of o and x: everything that either has seen, and the siblings
// that neither has seen replaced. Merges commute, associate and repeat without effect.
// Values of x are shared, not copied; x is unchanged.
//
// A sibling that is in both stays. One that is only in one stays unless the other
// covers it: the other has seen it, and seen it replaced.
//
// The errors are *DotError, when the two cannot both be true, and ErrTooManyActors.
// After an error o is unchanged.
func (o *Object) Merge(x *Object, p *Policy) (Outcome, error) {
	if len(o.Vector)+o.Vector.missing(x.Vector) > MaxActors {
		return Outcome{}, ErrTooManyActors
	}
	if err := o.compatible(x, p.lastWriterWins()); err != nil {
		return Outcome{}, err
	}
	var out Outcome
	switch o.Vector.Compare(x.Vector) {
	case Before, Concurrent:
		out.Changed = true
	}
	if p.lastWriterWins() {
		o.mergeLatest(x, &out)
	} else {
		o.mergeSiblings(x, &out)
	}
	o.Vector.Join(x.Vector)
	p.enforce(o, &out)
	return out, nil
}

// compatible verifies that a dot that is in both is the same write in both, and that
// something survives the merge: two histories of the same writes cannot have seen each
// other's last word replaced.
func (o *Object) compatible(x *Object, latest bool) error {
	survivors := 0
	j := 0
	for i := range o.Siblings {
		s := &o.Siblings[i]
		for j < len(x.Siblings) && x.Siblings[j].Dot.Compare(s.Dot) < 0 {
			j++
		}
		if j < len(x.Siblings) && x.Siblings[j].Dot == s.Dot {
			if !s.sameWrite(&x.Siblings[j]) {
				return &DotError{Dot: s.Dot, Reason: "two different writes have it"}
			}
			survivors++
		} else if latest || !x.Vector.Covers(s.Dot) {
			survivors++
		}
	}
	if survivors > 0 || latest {
		return nil
	}
	for i := range x.Siblings {
		if !o.Vector.Covers(x.Siblings[i].Dot) {
			return nil
		}
	}
	if len(o.Siblings) == 0 && len(x.Siblings) == 0 {
		return nil
	}
	return &DotError{Reason: "two copies of an object have each seen all of the other replaced"}
}

// mergeSiblings does the work of Merge on the siblings, with both vectors as they were.
func (o *Object) mergeSiblings(x *Object, out *Outcome) {
	k, j := 0, 0
	for i := range o.Siblings {
		s := &o.Siblings[i]
		for j < len(x.Siblings) && x.Siblings[j].Dot.Compare(s.Dot) < 0 {
			j++
		}
		if j < len(x.Siblings) && x.Siblings[j].Dot == s.Dot {
			out.Changed = s.join(&x.Siblings[j]) || out.Changed
		} else if x.Vector.Covers(s.Dot) {
			out.Changed = true
			continue
		}
		if k != i {
			o.Siblings[k] = *s
		}
		k++
	}
	clear(o.Siblings[k:])
	o.Siblings = o.Siblings[:k]
	// What is in both is covered by o's vector, like all that o has.
	for i := range x.Siblings {
		if !o.Vector.Covers(x.Siblings[i].Dot) {
			o.Siblings = append(o.Siblings, x.Siblings[i])
		}
	}
	if k > 0 && k < len(o.Siblings) {
		slices.SortFunc(o.Siblings, func(s, t Sibling) int { return s.Dot.Compare(t.Dot) })
	}
}

// join makes s, which is the same write as t, expired if either is, and says whether
// that changed it.
func (s *Sibling) join(t *Sibling) bool {
	if t.Flags&Expired == 0 || s.Flags&Expired != 0 {
		return false
	}
	s.expire()
	return true
}

// mergeLatest is Merge under last-writer-wins: the latest of all siblings remains, and
// what the vectors cover does not matter. Thus nothing is lost even if timestamps came
// from outside and contradict causality: the highest wins.
func (o *Object) mergeLatest(x *Object, out *Outcome) {
	own := len(o.Siblings)
	var before Dot
	if own > 0 {
		before = o.Siblings[0].Dot
	}
	for i := range x.Siblings {
		t := &x.Siblings[i]
		j := 0
		for j < own && o.Siblings[j].Dot != t.Dot {
			j++
		}
		if j < own {
			out.Changed = o.Siblings[j].join(t) || out.Changed
		} else {
			o.Siblings = append(o.Siblings, *t)
		}
	}
	if len(o.Siblings) == own {
		return // x has nothing else
	}
	out.Dropped += o.keepLatest(func(s *Sibling) bool {
		return o.Vector.Covers(s.Dot) && x.Vector.Covers(s.Dot)
	})
	out.Changed = out.Changed || own > 1 || o.Siblings[0].Dot != before
}
