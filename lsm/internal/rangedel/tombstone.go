// Package rangedel holds range tombstones: what DeleteRange writes.
//
// A Tombstone deletes every record of a key in [Start, End) that is older than
// its sequence number. End == nil means "to the end of the key space", so ends
// have an order of their own: compare them with CompareEnd and CompareEnds, never
// with bytes.Compare. Start is a plain key (nil is the empty key, the smallest).
//
// A List is the searchable form, immutable once built. It cuts the key space at
// every start and end, and answers for a key which tombstones cover it in
// O(log² n), without allocation. Its memory is O(n log n) however the tombstones
// overlap: a queue that deletes ["", t1), ["", t2), … makes n nested ones, and
// listing the covers of each piece would be quadratic.
//
// Envelope reduces tombstones to the newest at each point, which is all that a
// stripe between two snapshots needs to keep.
//
// Invariants: an empty tombstone (Start at or past End) is dropped by Build and
// Envelope. The lists alias the bytes of the tombstones they were built from;
// nobody may write to those. Nothing here fails.
package rangedel

import (
	"bytes"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// Tombstone deletes the records in [Start, End) with a sequence number below Seq.
type Tombstone struct {
	Start, End []byte // End is exclusive; nil is the end of the key space
	Seq        base.SeqNum
}

// Empty reports whether t covers no key.
func (t Tombstone) Empty() bool { return CompareEnd(t.Start, t.End) >= 0 }

// Contains reports whether key lies in [t.Start, t.End).
func (t Tombstone) Contains(key []byte) bool {
	return bytes.Compare(t.Start, key) <= 0 && CompareEnd(key, t.End) < 0
}

// CompareEnd compares a key with an exclusive end: negative when the key lies
// before the end, that is, inside a range that ends there.
func CompareEnd(key, end []byte) int {
	if end == nil {
		return -1
	}
	return bytes.Compare(key, end)
}

// CompareEnds orders two exclusive ends; nil is the largest.
func CompareEnds(a, b []byte) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return bytes.Compare(a, b)
}

// MinEnd returns the smaller of two exclusive ends.
func MinEnd(a, b []byte) []byte {
	if CompareEnds(a, b) <= 0 {
		return a
	}
	return b
}

// Truncate returns the part of t inside [lo, hi); hi == nil is unbounded. The
// result may be Empty.
func (t Tombstone) Truncate(lo, hi []byte) Tombstone {
	if bytes.Compare(t.Start, lo) < 0 {
		t.Start = lo
	}
	t.End = MinEnd(t.End, hi)
	return t
}

// Compare orders tombstones by Start, then newest first, then by End: the order
// in which a table stores them.
func Compare(a, b Tombstone) int {
	if c := bytes.Compare(a.Start, b.Start); c != 0 {
		return c
	}
	switch {
	case a.Seq > b.Seq:
		return -1
	case a.Seq < b.Seq:
		return 1
	}
	return CompareEnds(a.End, b.End)
}

// Sort puts ts into the order of Compare.
func Sort(ts []Tombstone) { slices.SortFunc(ts, Compare) }
