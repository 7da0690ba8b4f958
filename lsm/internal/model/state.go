// Package model says what a store has to answer, in the simplest way there is: a
// sorted slice that every commit changes in place, copied where a moment has to last.
// It holds no file, no lock and no clock. Tests run it beside the engine.
//
// state.go is one moment of the store and a walk over it, store.go the order of
// commits and what of it a crash may take, txn.go the rule for transactions.
package model

import (
	"bytes"
	"slices"
	"strings"
)

// Kind says what an Op does.
type Kind uint8

const (
	Put         Kind = iota // Key is Value, until Expiry if that is not Never
	Delete                  // Key is gone
	DeleteRange             // the keys in [Key, End) are gone
)

// Never is the Expiry of what does not expire.
const Never = int64(-1)

// Op is one write.
type Op struct {
	Kind      Kind
	Key       string
	Value     []byte
	Expiry    int64 // Unix nanoseconds; Put only
	End       string
	Unbounded bool // a DeleteRange to the end of the key space: End does not count
}

// Touches reports whether the operation writes or removes key.
func (o *Op) Touches(key string) bool {
	if o.Kind == DeleteRange {
		return o.Key <= key && (o.Unbounded || key < o.End)
	}
	return o.Key == key
}

// Entry is a key with its newest value. An entry that has expired is as good as none,
// but it is known: it hides nothing older, because there is nothing older.
type Entry struct {
	Key    string
	Value  []byte
	Expiry int64
}

// Alive reports whether the entry counts at time now.
func (e *Entry) Alive(now int64) bool { return e.Expiry == Never || e.Expiry > now }

// State is every key after some number of commits, sorted.
type State struct{ entries []Entry }

// Clone copies the state; values are shared and never changed.
func (s *State) Clone() State { return State{slices.Clone(s.entries)} }

// Len counts the entries, those that have expired too.
func (s *State) Len() int { return len(s.entries) }

func (s *State) search(key string) (int, bool) {
	return slices.BinarySearchFunc(s.entries, key, func(e Entry, k string) int { return strings.Compare(e.Key, k) })
}

// Apply carries out one write.
func (s *State) Apply(o *Op) {
	i, found := s.search(o.Key)
	switch o.Kind {
	case Put:
		e := Entry{o.Key, o.Value, o.Expiry}
		if found {
			s.entries[i] = e
		} else {
			s.entries = slices.Insert(s.entries, i, e)
		}
	case Delete:
		if found {
			s.entries = slices.Delete(s.entries, i, i+1)
		}
	case DeleteRange:
		j := len(s.entries)
		if !o.Unbounded {
			j, _ = s.search(o.End)
		}
		if i < j {
			s.entries = slices.Delete(s.entries, i, j)
		}
	}
}

// Get returns the value of key at time now.
func (s *State) Get(key string, now int64) ([]byte, bool) {
	i, found := s.search(key)
	if !found || !s.entries[i].Alive(now) {
		return nil, false
	}
	return s.entries[i].Value, true
}

// Bounds limits a walk, as the engine's IterOptions do: nil is no bound.
type Bounds struct{ Lower, Upper, Prefix []byte }

// Contains reports whether key lies within the bounds.
func (b *Bounds) Contains(key string) bool {
	return (b.Lower == nil || key >= string(b.Lower)) &&
		(b.Upper == nil || key < string(b.Upper)) &&
		strings.HasPrefix(key, string(b.Prefix))
}

// Live lists the entries that count at time now, within the bounds.
func (s *State) Live(now int64, b Bounds) []Entry {
	var out []Entry
	for _, e := range s.entries {
		if e.Alive(now) && b.Contains(e.Key) {
			out = append(out, e)
		}
	}
	return out
}

// Diff lists the keys in which two states differ, expiries included.
func (s *State) Diff(t *State) []string {
	var keys []string
	a, b := s.entries, t.entries
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Key < b[0].Key:
			keys, a = append(keys, a[0].Key), a[1:]
		case len(a) == 0 || b[0].Key < a[0].Key:
			keys, b = append(keys, b[0].Key), b[1:]
		default:
			if a[0].Expiry != b[0].Expiry || !bytes.Equal(a[0].Value, b[0].Value) {
				keys = append(keys, a[0].Key)
			}
			a, b = a[1:], b[1:]
		}
	}
	return keys
}

// Same reports whether two lists have the same keys with the same values.
func Same(a, b []Entry) bool {
	return slices.EqualFunc(a, b, func(x, y Entry) bool { return x.Key == y.Key && bytes.Equal(x.Value, y.Value) })
}

// Iter walks a list as the engine's Iterator walks a moment.
type Iter struct {
	entries []Entry
	at      int // not valid outside of the list
}

// NewIter returns an iterator that stands nowhere.
func NewIter(entries []Entry) *Iter { return &Iter{entries, -1} }

// Valid reports whether the iterator stands on an entry.
func (it *Iter) Valid() bool { return it.at >= 0 && it.at < len(it.entries) }

// Entry returns the entry it stands on.
func (it *Iter) Entry() Entry { return it.entries[it.at] }

// First and the others move like the engine's.
func (it *Iter) First() { it.at = 0 }

// Last moves to the last entry.
func (it *Iter) Last() { it.at = len(it.entries) - 1 }

// SeekGE moves to the first entry with a key >= key.
func (it *Iter) SeekGE(key string) {
	it.at = slices.IndexFunc(it.entries, func(e Entry) bool { return e.Key >= key })
}

// SeekLT moves to the last entry with a key < key.
func (it *Iter) SeekLT(key string) {
	it.at = len(it.entries) - 1
	for it.at >= 0 && it.entries[it.at].Key >= key {
		it.at--
	}
}

// Next moves on, unless the iterator is not valid.
func (it *Iter) Next() {
	if it.Valid() {
		it.at++
	}
}

// Prev moves back, unless the iterator is not valid.
func (it *Iter) Prev() {
	if it.Valid() {
		it.at--
	}
}
