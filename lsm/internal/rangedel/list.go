package rangedel

import (
	"bytes"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// List is an immutable set of tombstones, arranged for search. The nil List and
// the zero List are empty. Safe for concurrent use.
//
// cuts are the distinct starts and ends in order, so piece i is [cuts[i],
// cuts[i+1]); an unbounded end is the cut after the last key. Over the n pieces
// stands a segment tree in heap order (root 1, children of k at 2k and 2k+1, leaf
// of piece i at n+i): each tombstone hangs on the O(log n) nodes that make up its
// range, and what covers a piece hangs on the path from its leaf to the root. The
// sequence numbers of node k are seqs[first[k]:first[k+1]], descending.
type List struct {
	ts       []Tombstone // sorted by Compare
	common   []byte      // what all bounded cuts begin with
	prefixes []uint64    // base.Prefix of each cut
	cuts     [][]byte
	open     bool // the last cut is the end of the key space
	first    []uint32
	seqs     []base.SeqNum
}

// Build arranges ts. It keeps the keys' bytes, but not the slice itself.
func Build(ts []Tombstone) *List {
	l := &List{ts: make([]Tombstone, 0, len(ts))}
	for _, t := range ts {
		if !t.Empty() {
			l.ts = append(l.ts, t)
		}
	}
	if len(l.ts) == 0 {
		return l
	}
	Sort(l.ts)
	l.buildCuts()
	l.buildTree()
	return l
}

func (l *List) buildCuts() {
	l.cuts = make([][]byte, 0, 2*len(l.ts)+1)
	for _, t := range l.ts {
		l.cuts = append(l.cuts, t.Start)
		if t.End != nil {
			l.cuts = append(l.cuts, t.End)
		} else {
			l.open = true
		}
	}
	slices.SortFunc(l.cuts, bytes.Compare)
	l.cuts = slices.CompactFunc(l.cuts, bytes.Equal)
	lo, hi := l.cuts[0], l.cuts[len(l.cuts)-1]
	l.common = lo[:base.CommonPrefixLen(lo, hi)]
	l.prefixes = make([]uint64, len(l.cuts))
	for i, c := range l.cuts {
		l.prefixes[i] = base.Prefix(c, l.common)
	}
	if l.open {
		l.cuts = append(l.cuts, nil)
	}
}

func (l *List) buildTree() {
	n := l.Len()
	// Newest first, so that the lists come out descending by appending.
	order := slices.Clone(l.ts)
	slices.SortStableFunc(order, func(a, b Tombstone) int {
		switch {
		case a.Seq > b.Seq:
			return -1
		case a.Seq < b.Seq:
			return 1
		}
		return 0
	})
	l.first = make([]uint32, 2*n+1)
	for _, t := range order {
		l.nodes(t, func(k int) { l.first[k+1]++ })
	}
	for k := 1; k < len(l.first); k++ {
		l.first[k] += l.first[k-1]
	}
	l.seqs = make([]base.SeqNum, l.first[2*n])
	next := slices.Clone(l.first)
	for _, t := range order {
		l.nodes(t, func(k int) {
			l.seqs[next[k]] = t.Seq
			next[k]++
		})
	}
}

// nodes calls fn with each node of the tree that t hangs on.
func (l *List) nodes(t Tombstone, fn func(k int)) {
	n := l.Len()
	i, j := n+l.piece(t.Start), 2*n
	if t.End != nil {
		j = n + l.piece(t.End) // the piece that begins at the end
	}
	for i < j {
		if i&1 == 1 {
			fn(i)
			i++
		}
		if j&1 == 1 {
			j--
			fn(j)
		}
		i, j = i>>1, j>>1
	}
}

// piece returns the index of the last cut <= key, or -1.
func (l *List) piece(key []byte) int {
	p := base.Prefix(key, l.common)
	i, j := 0, len(l.prefixes)
	for i < j {
		m := int(uint(i+j) >> 1)
		q := l.prefixes[m]
		if q < p || q == p && bytes.Compare(l.cuts[m], key) <= 0 {
			i = m + 1
		} else {
			j = m
		}
	}
	return i - 1
}

// Empty reports whether there is no tombstone. It may be called on nil.
func (l *List) Empty() bool { return l == nil || len(l.ts) == 0 }

// Len returns the number of pieces; those that nothing covers are among them.
func (l *List) Len() int { return max(0, len(l.cuts)-1) }

// Fragment returns piece i of Len: nothing starts or ends inside it. newest is
// the largest sequence number <= seq of a tombstone over it, 0 if there is none.
func (l *List) Fragment(i int, seq base.SeqNum) (start, end []byte, newest base.SeqNum) {
	return l.cuts[i], l.cuts[i+1], l.newest(i, seq)
}

// Tombstones returns what the list was built from, in the order of Compare and
// without empty ones. The caller may not change it.
func (l *List) Tombstones() []Tombstone {
	if l == nil {
		return nil
	}
	return l.ts
}

// Covering returns the largest sequence number <= seq of a tombstone that covers
// key, or 0. A reader at seq does not see records of key older than that.
func (l *List) Covering(key []byte, seq base.SeqNum) base.SeqNum {
	if l.Empty() {
		return 0
	}
	i := l.piece(key)
	if i < 0 || i >= l.Len() {
		return 0
	}
	return l.newest(i, seq)
}

// newest finds the predecessor of seq among the tombstones over piece i.
func (l *List) newest(i int, seq base.SeqNum) base.SeqNum {
	var best base.SeqNum
	for k := l.Len() + i; k >= 1; k >>= 1 {
		s := l.seqs[l.first[k]:l.first[k+1]]
		if len(s) == 0 || s[len(s)-1] > seq {
			continue
		}
		if s[0] <= seq {
			best = max(best, s[0])
			continue
		}
		a, b := 0, len(s)-1 // s[a] > seq >= s[b]
		for a+1 < b {
			if m := int(uint(a+b) >> 1); s[m] > seq {
				a = m
			} else {
				b = m
			}
		}
		best = max(best, s[b])
	}
	return best
}

// FragmentAt returns the widest known interval [start, end) around key in which
// the answer of Covering is the same, and that answer. An iterator keeps it and
// need not ask again until it leaves the interval. start == nil is the beginning
// and end == nil the end of the key space.
func (l *List) FragmentAt(key []byte, seq base.SeqNum) (start, end []byte, newest base.SeqNum) {
	if l.Empty() {
		return nil, nil, 0
	}
	n := l.Len()
	i := l.piece(key)
	switch {
	case i < 0:
		return nil, l.cuts[0], 0
	case i >= n:
		return l.cuts[n], nil, 0
	}
	newest = l.newest(i, seq)
	lo, hi := i, i+1
	// A few steps to either side merge pieces that differ only in what seq hides.
	for s := 0; s < 4 && lo > 0 && l.newest(lo-1, seq) == newest; s++ {
		lo--
	}
	for s := 0; s < 4 && hi < n && l.newest(hi, seq) == newest; s++ {
		hi++
	}
	return l.cuts[lo], l.cuts[hi], newest
}

// Bounds returns the smallest start and the largest end.
func (l *List) Bounds() (start, end []byte) {
	if l.Empty() {
		return nil, nil
	}
	return l.cuts[0], l.cuts[len(l.cuts)-1]
}

// Clip returns the list of what lies in [lo, hi); hi == nil is unbounded.
func (l *List) Clip(lo, hi []byte) *List {
	var ts []Tombstone
	for _, t := range l.Tombstones() {
		if t = t.Truncate(lo, hi); !t.Empty() {
			ts = append(ts, t)
		}
	}
	return Build(ts)
}
