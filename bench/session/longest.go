package session

import (
	"cmp"
	"slices"

	"github.com/ringwood-kv/ringwood/bench/report"
)

// longest keeps the n longest pauses, in order of time.
func longest(list []report.Pause, n int) []report.Pause {
	if len(list) <= n {
		return list
	}
	slices.SortFunc(list, func(a, b report.Pause) int { return cmp.Compare(b.Longest, a.Longest) })
	list = list[:n]
	slices.SortFunc(list, func(a, b report.Pause) int { return cmp.Compare(a.Start, b.Start) })
	return list
}
