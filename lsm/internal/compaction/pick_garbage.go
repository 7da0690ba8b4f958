package compaction

import (
	"bytes"

	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
)

// pickCovered finds tables that lie entirely under a newer range tombstone which
// every snapshot sees. They go without being read; the tombstone stays.
func (p *picker) pickCovered() *Compaction {
	if p.env.Tombstones == nil {
		return nil
	}
	gone := make(map[*manifest.FileMeta]bool)
	var inputs [][]*manifest.FileMeta
	for l := range p.v.Levels {
		for _, f := range p.v.Levels[l] {
			if f.RangeDels == 0 {
				continue
			}
			for _, t := range p.env.Tombstones(f) {
				if t.Seq <= p.env.OldestSnapshot {
					inputs = p.coveredBy(t, f, l, gone, inputs)
				}
			}
		}
	}
	if len(gone) == 0 {
		return nil
	}
	c := &Compaction{Reason: "covered", DeleteOnly: true}
	for l, files := range inputs {
		c.Inputs = append(c.Inputs, Input{l, files})
		if len(files) > 0 {
			c.OutputLevel = l
		}
	}
	return p.finish(c)
}

// coveredBy adds to inputs the tables that t, which stands in table owner of level
// top, covers.
func (p *picker) coveredBy(t rangedel.Tombstone, owner *manifest.FileMeta, top int, gone map[*manifest.FileMeta]bool, inputs [][]*manifest.FileMeta) [][]*manifest.FileMeta {
	for l := top; l <= bottomLevel; l++ {
		for _, f := range p.v.Overlaps(l, t.Start, t.End, true) {
			if f == owner || gone[f] || gone[owner] || f.LargestSeq >= t.Seq || p.env.busy(f) || !within(f, t) {
				continue
			}
			gone[f] = true
			if inputs == nil {
				inputs = make([][]*manifest.FileMeta, bottomLevel+1)
			}
			inputs[l] = append(inputs[l], f)
		}
	}
	return inputs
}

// within reports whether the bounds of f lie in [t.Start, t.End).
func within(f *manifest.FileMeta, t rangedel.Tombstone) bool {
	if bytes.Compare(t.Start, f.Smallest) > 0 {
		return false
	}
	switch {
	case t.End == nil:
		return true
	case f.Unbounded():
		return false
	case f.LargestExclusive:
		return bytes.Compare(f.Largest, t.End) <= 0
	}
	return bytes.Compare(f.Largest, t.End) < 0
}

// pickGarbage takes a table whose rewriting gives back space: full of tombstones
// or of expired records. Above the bottom it goes one level down; at the bottom
// it is rewritten in place, only when that surely drops something, so that it
// does not come up again.
func (p *picker) pickGarbage() *Compaction {
	for l := p.shape.Base; l < bottomLevel; l++ {
		for i, f := range p.v.Levels[l] {
			// A tombstone that a snapshot does not see cannot take anything with it yet.
			hides := dense(f) && f.LargestSeq <= p.env.OldestSnapshot
			if !p.env.busy(f) && (hides || p.expired(f)) {
				reason := "tombstones"
				if !hides {
					reason = "expired"
				}
				if c := p.into(reason, l, p.v.Levels[l][i:i+1:i+1], l+1); c != nil {
					return c
				}
			}
		}
	}
	for i, f := range p.v.Levels[bottomLevel] {
		reason := p.bottomGarbage(f)
		if reason == "" || p.env.busy(f) {
			continue
		}
		if c := p.rewrite(reason, bottomLevel, i); c != nil {
			return c
		}
	}
	return nil
}

// rewrite is the compaction of table i of a level below L0, in place.
func (p *picker) rewrite(reason string, level, i int) *Compaction {
	files := p.v.Levels[level][i : i+1 : i+1]
	return p.finish(&Compaction{Reason: reason, Inputs: []Input{{level, files}}, OutputLevel: level})
}

// dense reports whether half of the records of f are tombstones, or it has range
// tombstones, each of which may hide any amount.
func dense(f *manifest.FileMeta) bool {
	return f.RangeDels > 0 || f.Deletes > 0 && f.Deletes >= f.Entries/2
}

// expired reports whether a fifth of f's records have an expiry and about half of
// those are past it. The least of them is then past it too, so that a rewrite
// changes the table; what remains expires later on the average.
func (p *picker) expired(f *manifest.FileMeta) bool {
	if f.TTLs == 0 || f.TTLs < f.Entries/5 || f.MinExpiry > p.env.Now {
		return false
	}
	return f.MinExpiry+(f.MaxExpiry-f.MinExpiry)/2 <= p.env.Now
}

// bottomGarbage says why a table of the bottom level should be rewritten, "" if it
// should not. Where no snapshot is older than any of its records every tombstone
// goes. A table of old records without sequence numbers and newer ones with them
// was written under a snapshot that may have kept shadowed versions alive.
func (p *picker) bottomGarbage(f *manifest.FileMeta) string {
	if p.expired(f) {
		return "expired"
	}
	if f.LargestSeq > p.env.OldestSnapshot {
		return ""
	}
	switch {
	case f.RangeDels > 0, f.Deletes > 0 && (p.env.Idle || f.Deletes >= f.Entries/10):
		return "bottom tombstones"
	case p.env.Idle && f.SmallestSeq == 0 && f.LargestSeq > 0 && f.GlobalSeq == 0:
		return "after snapshot"
	}
	return ""
}
