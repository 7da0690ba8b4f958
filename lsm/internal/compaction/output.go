package compaction

import (
	"bytes"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
)

// open begins an output.
func (r *runner) open() error {
	f, name, num, uid, err := r.j.NewOutput()
	if err != nil {
		return err
	}
	o := r.j.Writer
	o.UID = uid
	r.w = sstable.NewWriter(f, name, o)
	r.outputs = append(r.outputs, Output{Num: num, Name: name})
	r.cut.begin()
	return nil
}

// finish ends the current output, which holds the keys before upper; nil is the
// end of the key space. The tombstones between the end of the one before and upper
// go into it, so that together the outputs hold each tombstone exactly.
func (r *runner) finish(upper []byte) error {
	if err := r.addTombstones(upper); err != nil {
		return err
	}
	m, err := r.w.Finish()
	if err != nil {
		return err
	}
	r.w = nil
	o := &r.outputs[len(r.outputs)-1]
	o.Meta, o.Uses = m, r.blobs.takeUses()
	r.stats.WrittenBytes += m.Size
	r.lower = bytes.Clone(upper)
	return nil
}

// addTombstones writes what lies in [r.lower, upper).
func (r *runner) addTombstones(upper []byte) error {
	skip := true
	for i := r.lowerAt; i < len(r.keep); i++ {
		t := r.keep[i]
		if rangedel.CompareEnd(t.Start, upper) >= 0 {
			break
		}
		// Starts that were cut off at lower are all equal, so the order holds.
		part := t.Truncate(r.lower, upper)
		if !part.Empty() {
			if err := r.w.AddRangeDel(part.Start, part.End, part.Seq); err != nil {
				return err
			}
		}
		if skip && upper != nil && rangedel.CompareEnds(t.End, upper) <= 0 {
			r.lowerAt = i + 1
		} else {
			skip = false
		}
	}
	return nil
}

// finishLast ends the last output. Tombstones without any record beside or after
// them get an output of their own.
func (r *runner) finishLast() error {
	if r.w == nil {
		// Without an output so far there are no points at all: an output stays open
		// until a key of the next one, or the end, is there.
		if !slices.ContainsFunc(r.keep, func(t rangedel.Tombstone) bool { return !t.Truncate(r.lower, r.upper).Empty() }) {
			return nil
		}
		if err := r.open(); err != nil {
			return err
		}
	}
	return r.finish(r.upper)
}
