package rangedel

import (
	"bytes"
	"container/heap"
	"slices"
)

// Envelope returns, sorted and without overlaps, the newest tombstone at every
// point that ts covers. It is all that a reader who sees every one of ts needs,
// and has at most twice as many entries as ts. Neighbours that stem from one
// tombstone are one entry.
func Envelope(ts []Tombstone) []Tombstone {
	in := make([]Tombstone, 0, len(ts))
	for _, t := range ts {
		if !t.Empty() {
			in = append(in, t)
		}
	}
	if len(in) < 2 {
		return in
	}
	Sort(in)
	out := make([]Tombstone, 0, len(in))
	var live newestFirst // begun, and not known to have ended
	pos := in[0].Start
	next := 0
	for next < len(in) || len(live) > 0 {
		if len(live) == 0 {
			pos = in[next].Start
		}
		for next < len(in) && bytes.Compare(in[next].Start, pos) <= 0 {
			heap.Push(&live, in[next])
			next++
		}
		top := live[0]
		if CompareEnd(pos, top.End) >= 0 {
			heap.Pop(&live)
			continue
		}
		// top rules from pos until it ends or another begins.
		end := top.End
		if next < len(in) {
			end = MinEnd(end, in[next].Start)
		}
		if k := len(out) - 1; k >= 0 && out[k].Seq == top.Seq && out[k].End != nil && bytes.Equal(out[k].End, pos) {
			out[k].End = end
		} else {
			out = append(out, Tombstone{Start: pos, End: end, Seq: top.Seq})
		}
		if end == nil {
			break // newer ones would have begun before the end of the key space
		}
		pos = end
	}
	return slices.Clip(out)
}

// newestFirst is a heap by sequence number.
type newestFirst []Tombstone

func (h newestFirst) Len() int           { return len(h) }
func (h newestFirst) Less(i, j int) bool { return h[i].Seq > h[j].Seq }
func (h newestFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *newestFirst) Push(x any)        { *h = append(*h, x.(Tombstone)) }
func (h *newestFirst) Pop() any {
	old := *h
	t := old[len(old)-1]
	*h = old[:len(old)-1]
	return t
}
