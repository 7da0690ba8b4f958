package driver

import (
	"slices"
	"time"
)

// Pause is a stretch of a run in which calls took unusually long: calls that overlap
// are one pause.
type Pause struct {
	Start, End time.Duration // since the run began
	Longest    time.Duration // the longest single call in it
}

// pauses collects the calls that took at least at.
type pauses struct {
	at   time.Duration
	list []Pause
}

func (p *pauses) add(start, end time.Duration) {
	if end-start < p.at {
		return
	}
	// The calls of one worker end in order, so only the last pause can overlap.
	if n := len(p.list); n > 0 && start <= p.list[n-1].End {
		p.list[n-1].extend(Pause{start, end, end - start})
		return
	}
	p.list = append(p.list, Pause{start, end, end - start})
}

func (p *Pause) extend(o Pause) {
	p.Start = min(p.Start, o.Start)
	p.End = max(p.End, o.End)
	p.Longest = max(p.Longest, o.Longest)
}

// mergePauses joins what overlaps; it orders the list.
func mergePauses(list []Pause) []Pause {
	slices.SortFunc(list, func(a, b Pause) int { return int(a.Start - b.Start) })
	merged := list[:0]
	for _, p := range list {
		if n := len(merged); n > 0 && p.Start <= merged[n-1].End {
			merged[n-1].extend(p)
			continue
		}
		merged = append(merged, p)
	}
	return merged
}
