package model

import "bytes"

// Txn is a transaction: a moment, the writes made over it, and what was read. The
// rule: if a read would come out otherwise now, there must be a conflict; if nothing
// that was read has been written, there must be none.
type Txn struct {
	store *Store
	start int   // commits before it
	Now   int64 // time is judged at its beginning
	base  State
	own   []Op
	reads []read
}

// read is one thing that was read: a key, or the keys of a range.
type read struct {
	from, to string
	endless  bool // to the end of the key space: to does not count
	key      bool // the key from alone
	own      int  // own writes before it
}

// Begin begins a transaction at time now.
func (s *Store) Begin(now int64) *Txn {
	return &Txn{store: s, start: len(s.all), Now: now, base: s.now.Clone()}
}

// State is what the transaction sees: its moment and its own writes.
func (t *Txn) State() State { return overlay(&t.base, t.own) }

func overlay(s *State, own []Op) State {
	out := s.Clone()
	for i := range own {
		out.Apply(&own[i])
	}
	return out
}

// Write adds a write of the transaction's own.
func (t *Txn) Write(o Op) { t.own = append(t.own, o) }

// Ops lists its writes.
func (t *Txn) Ops() []Op { return t.own }

// ReadKey takes note that key was looked up.
func (t *Txn) ReadKey(key string) {
	t.reads = append(t.reads, read{from: key, key: true, own: len(t.own)})
}

// ReadRange takes note that what is in [from, to) was seen, by an iterator made when
// there were own writes.
func (t *Txn) ReadRange(from, to string, endless bool, own int) {
	t.reads = append(t.reads, read{from: from, to: to, endless: endless, own: own})
}

// Changed reports whether any read would come out otherwise now.
func (t *Txn) Changed() bool {
	for i := range t.reads {
		r := &t.reads[i]
		then, now := overlay(&t.base, t.own[:r.own]), overlay(&t.store.now, t.own[:r.own])
		if !r.same(&then, &now, t.Now) {
			return true
		}
	}
	return false
}

func (r *read) same(a, b *State, now int64) bool {
	if r.key {
		x, okx := a.Get(r.from, now)
		y, oky := b.Get(r.from, now)
		return okx == oky && bytes.Equal(x, y)
	}
	return Same(r.live(a, now), r.live(b, now))
}

func (r *read) live(s *State, now int64) []Entry {
	b := Bounds{Lower: []byte(r.from)}
	if !r.endless {
		b.Upper = append([]byte{}, r.to...)
	}
	return s.Live(now, b)
}

// Touched reports whether a commit since the beginning wrote, or removed, anything
// that was read, even if to no effect.
func (t *Txn) Touched() bool {
	for _, ops := range t.store.Since(t.start) {
		for i := range ops {
			for j := range t.reads {
				if t.reads[j].touchedBy(&ops[i]) {
					return true
				}
			}
		}
	}
	return false
}

func (r *read) touchedBy(o *Op) bool {
	switch {
	case r.key:
		return o.Touches(r.from)
	case o.Kind == DeleteRange:
		return (r.endless || o.Key < r.to) && (o.Unbounded || r.from < o.End)
	}
	return o.Key >= r.from && (r.endless || o.Key < r.to)
}
