package compaction

import (
	"bytes"
	"slices"
)

// Mark says that a source holds about Bytes bytes between the mark before and Key.
type Mark struct {
	Key   []byte
	Bytes int64
}

// Split returns ascending keys that cut a merge into parts of about the same bytes,
// at least part each, by marks of all its sources in any order. Part i has the keys in
// [keys[i-1], keys[i]). It sorts marks, and the keys alias theirs.
func Split(marks []Mark, part int64) (keys [][]byte) {
	var total, sum int64
	for _, m := range marks {
		total += m.Bytes
	}
	n := total / max(part, 1)
	slices.SortStableFunc(marks, func(a, b Mark) int { return bytes.Compare(a.Key, b.Key) })
	for _, m := range marks {
		sum += m.Bytes
		if next := int64(len(keys)) + 1; next >= n {
			break
		} else if sum < total/n*next {
			continue
		}
		if len(keys) == 0 || bytes.Compare(keys[len(keys)-1], m.Key) < 0 {
			keys = append(keys, m.Key)
		}
	}
	return keys
}
