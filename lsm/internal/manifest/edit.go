package manifest

import (
	"fmt"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// Edit leads from one version to the next. It is one frame of the manifest, so
// it happens entirely or not at all. A zero field says nothing.
type Edit struct {
	Deleted []DeletedFile // removed first, so a table can move between levels
	Added   []NewFile
	// AddedBlobs are new blob files. Each must be referred to by a table of Added, or it
	// is not kept. One that no table refers to any more leaves the version by itself.
	AddedBlobs []*BlobMeta

	// MinLog is the smallest number of a log that is still needed. That log must
	// exist, with its directory entry synced, when the edit is appended.
	MinLog   base.FileNum
	NextFile base.FileNum // no file has this number or a larger one
	LastSeq  base.SeqNum  // no table holds a larger sequence number
	LogEnd   []LogEnd     // logs that were closed in an orderly way
}

// NewFile puts a table into a level.
type NewFile struct {
	Level int
	Meta  *FileMeta
}

// DeletedFile takes a table out of a level.
type DeletedFile struct {
	Level int
	Num   base.FileNum
}

// LogEnd says that a log was closed and synced when it was End bytes long: it
// must still be exactly that, to the byte.
type LogEnd struct {
	Num base.FileNum
	End int64
}

// Apply returns the version after e. It shares what e does not touch with v, and
// fails, without a new version, when e deletes a table that is not there, adds
// one that is, or breaks an invariant of Version.
func Apply(v *Version, e *Edit) (*Version, error) {
	n := &Version{Levels: v.Levels, index: v.index}
	for l := range n.Levels {
		gone, err := deletedAt(v, e, l)
		if err != nil {
			return nil, err
		}
		added, err := addedAt(e, l)
		if err != nil {
			return nil, err
		}
		if len(gone) == 0 && len(added) == 0 {
			continue
		}
		n.Levels[l] = mergeLevel(l, v.Levels[l], gone, added)
		if err := checkOrder(l, n.Levels[l]); err != nil {
			return nil, err
		}
		n.index[l] = indexLevel(l, n.Levels[l])
	}
	if err := checkNumbers(n, e); err != nil {
		return nil, err
	}
	if err := n.applyBlobs(v, e); err != nil {
		return nil, err
	}
	return n, nil
}

// deletedAt returns the numbers that e deletes from level l of v.
func deletedAt(v *Version, e *Edit, l int) (map[base.FileNum]bool, error) {
	var gone map[base.FileNum]bool
	for _, d := range e.Deleted {
		if d.Level < 0 || d.Level >= base.NumLevels {
			return nil, fmt.Errorf("edit deletes table %d from level %d", d.Num, d.Level)
		}
		if d.Level != l {
			continue
		}
		if gone == nil {
			gone = make(map[base.FileNum]bool)
		}
		if gone[d.Num] {
			return nil, fmt.Errorf("edit deletes table %d twice", d.Num)
		}
		gone[d.Num] = true
	}
	if len(gone) == 0 {
		return nil, nil
	}
	found := 0
	for _, f := range v.Levels[l] {
		if gone[f.Num] {
			found++
		}
	}
	if found != len(gone) {
		return nil, fmt.Errorf("edit deletes %d tables from L%d, %d of them are there", len(gone), l, found)
	}
	return gone, nil
}

// addedAt returns the tables that e adds to level l, ordered.
func addedAt(e *Edit, l int) ([]*FileMeta, error) {
	var added []*FileMeta
	for _, a := range e.Added {
		if a.Level < 0 || a.Level >= base.NumLevels {
			return nil, fmt.Errorf("edit adds a table to level %d", a.Level)
		}
		if a.Level != l {
			continue
		}
		if err := a.Meta.check(); err != nil {
			return nil, err
		}
		added = append(added, a.Meta)
	}
	slices.SortFunc(added, compareFor(l))
	return added, nil
}

// mergeLevel returns old without gone and with added, in order.
func mergeLevel(l int, old []*FileMeta, gone map[base.FileNum]bool, added []*FileMeta) []*FileMeta {
	cmp := compareFor(l)
	out := make([]*FileMeta, 0, len(old)-len(gone)+len(added))
	for _, f := range old {
		if gone[f.Num] {
			continue
		}
		for len(added) > 0 && cmp(added[0], f) < 0 {
			out, added = append(out, added[0]), added[1:]
		}
		out = append(out, f)
	}
	return append(out, added...)
}

// checkNumbers verifies that every table which e adds stands in v once, and that
// tables that share a file agree on it.
func checkNumbers(v *Version, e *Edit) error {
	if len(e.Added) == 0 {
		return nil
	}
	count := make(map[base.FileNum]int, len(e.Added))
	files := make(map[base.FileNum]*FileMeta, len(e.Added))
	for _, a := range e.Added {
		count[a.Meta.Num] = 0
		files[a.Meta.File] = a.Meta
	}
	for l := range v.Levels {
		for _, f := range v.Levels[l] {
			if n, ok := count[f.Num]; ok {
				if n > 0 {
					return fmt.Errorf("edit adds table %d, which is there already", f.Num)
				}
				count[f.Num] = 1
			}
			if m := files[f.File]; m != nil && (m.UID != f.UID || m.Size != f.Size) {
				return fmt.Errorf("edit adds table %d on file %d with another uid or size", m.Num, f.File)
			}
		}
	}
	return nil
}
