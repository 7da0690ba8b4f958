// Package hotkeys finds the keys that are used most, in bounded memory and for next to
// nothing: of some of the uses, it keeps counts of the keys that lead (Space-Saving of
// Metwally, Agrawal and El Abbadi, 2005).
//
//	s := hotkeys.New(hotkeys.Options{Random: rand.Uint32})
//	s.Note(bucket, key, write) // from anywhere, for each use
//	s.Age()                    // every half a minute
//	for _, k := range s.Top(10) { … }
//
// One use in Every is counted, drawn at random, so that no rhythm of a client hides a
// key. A count may be too high by Key.Over, never too low; a key that has more than one
// in Capacity of the uses that were counted is always among them. Age halves all counts:
// what was hot an hour ago does not crowd out what is hot now.
//
// A key that leads is kept with its first 128 bytes. Whoever shows it asks for
// permission: names of keys are data.
package hotkeys

import (
	"cmp"
	"container/heap"
	"slices"
	"sync"
)

// Options of a Sketch. Zero stands for the default.
type Options struct {
	// Random draws which uses are counted. It must be set, and safe for concurrent use.
	Random func() uint32
	// Every is how many uses one that is counted stands for, a power of two. Default 64.
	Every uint32
	// Capacity is how many keys are kept. Default 256.
	Capacity int
}

// MaxKey is how much of a key is kept, in bytes.
const MaxKey = 128

// Key is a key that is used much. Counts are in uses, as far as the sample tells.
type Key struct {
	Bucket string
	Key    string // at most MaxKey bytes of it
	Cut    bool   // the key is longer
	Uses   uint64 // since it was noted, those of long ago counting less
	Writes uint64 // of Uses
	Over   uint64 // Uses may be too high by this
}

// Sketch counts. It is safe for concurrent use.
type Sketch struct {
	random   func() uint32
	mask     uint32
	capacity int

	mu    sync.Mutex
	index map[name]*entry
	heap  entries
}

type name struct{ bucket, key string }

type entry struct {
	name
	cut                bool
	at                 int // in the heap
	uses, writes, over uint64
}

// New returns a Sketch.
func New(o Options) *Sketch {
	if o.Every == 0 {
		o.Every = 64
	}
	if o.Capacity <= 0 {
		o.Capacity = 256
	}
	return &Sketch{random: o.Random, mask: o.Every - 1, capacity: o.Capacity, index: make(map[name]*entry)}
}

// Note counts a use of a key, sometimes. It does not keep the key, and waits for nobody:
// a use that meets another one that is being counted is left out.
func (s *Sketch) Note(bucket string, key []byte, write bool) {
	if s.random()&s.mask != 0 || !s.mu.TryLock() {
		return
	}
	s.count(bucket, key, write)
	s.mu.Unlock()
}

func (s *Sketch) count(bucket string, key []byte, write bool) {
	cut := len(key) > MaxKey
	if cut {
		key = key[:MaxKey]
	}
	e := s.index[name{bucket, string(key)}] // without allocation
	switch {
	case e != nil:
	case len(s.heap) < s.capacity:
		e = &entry{name: name{bucket, string(key)}, cut: cut}
		s.index[e.name] = e
		heap.Push(&s.heap, e)
	default:
		// The new key takes the place and the count of the one that is used least.
		e = s.heap[0]
		delete(s.index, e.name)
		e.name, e.cut, e.over, e.writes = name{bucket, string(key)}, cut, e.uses, 0
		s.index[e.name] = e
	}
	e.uses++
	if write {
		e.writes++
	}
	heap.Fix(&s.heap, e.at)
}

// Age halves the counts, and forgets keys that come to nothing.
func (s *Sketch) Age() {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.heap[:0]
	for _, e := range s.heap {
		e.uses, e.writes, e.over = e.uses/2, e.writes/2, e.over/2
		if e.uses == 0 {
			delete(s.index, e.name)
			continue
		}
		kept = append(kept, e)
	}
	clear(s.heap[len(kept):])
	s.heap = kept
	for i, e := range s.heap {
		e.at = i
	}
	heap.Init(&s.heap)
}

// Top returns up to n keys, those used most first.
func (s *Sketch) Top(n int) []Key {
	s.mu.Lock()
	every := uint64(s.mask) + 1
	all := make([]Key, 0, len(s.heap))
	for _, e := range s.heap {
		all = append(all, Key{e.bucket, e.key, e.cut, e.uses * every, e.writes * every, e.over * every})
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b Key) int {
		// One that has only taken the place of others comes behind one that is certain.
		return cmp.Or(cmp.Compare(b.Uses-b.Over, a.Uses-a.Over), cmp.Compare(b.Uses, a.Uses), cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Key, b.Key))
	})
	return all[:min(max(n, 0), len(all))]
}

// entries is a heap, the key that is used least first.
type entries []*entry

func (h entries) Len() int           { return len(h) }
func (h entries) Less(i, j int) bool { return h[i].uses < h[j].uses }
func (h entries) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *entries) Push(x any) {
	e := x.(*entry)
	e.at = len(*h)
	*h = append(*h, e)
}

func (h *entries) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}
