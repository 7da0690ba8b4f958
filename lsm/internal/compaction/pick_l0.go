package compaction

import (
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
)

// pickL0 chooses among the ways to relieve L0: tables that can be moved, all
// tables that overlap one another down to the base level, or, while the base
// level is taken, the newest ones into one. With settle it takes L0 down although
// nothing presses, unless that is too dear.
func (p *picker) pickL0(settle bool) *Compaction {
	if c := p.pickMovesL0(); c != nil {
		return c
	}
	if settle && !p.worthSettling() {
		return nil
	}
	reason := "L0"
	if settle {
		reason = "idle L0"
	}
	if c := p.pickDownL0(reason, oldestFirst(p.v), p.shape.Base); c != nil {
		return c
	}
	if settle {
		return nil
	}
	return p.pickIntraL0()
}

// worthSettling reports whether L0 should go down while there is nothing better to
// do: it is not tiny beside the base level, tombstones counted with what they hide,
// and it is more than one table, or holds mostly tombstones.
func (p *picker) worthSettling() bool {
	l0 := p.v.Levels[0]
	gain := p.shape.Size[0]
	perDelete := p.avgEntry(p.shape.Base)
	for _, f := range l0 {
		gain += int64(min(f.Deletes+f.RangeDels, 1<<31)) * perDelete
	}
	many := len(l0) > 1 || len(l0) == 1 && dense(l0[0]) && l0[0].LargestSeq <= p.env.OldestSnapshot
	return many && gain >= p.shape.Size[p.shape.Base]/int64(2*p.o.Multiplier)
}

// pickMovesL0 collects the L0 tables that overlap nothing in L0 nor on the way to
// a deeper level, and moves all that go to the same level in one edit.
func (p *picker) pickMovesL0() *Compaction {
	var files []*manifest.FileMeta
	to := 0
	for _, f := range oldestFirst(p.v) {
		if p.env.busy(f) || len(p.v.Overlaps(0, f.Smallest, f.Largest, f.LargestExclusive)) > 1 {
			continue
		}
		d := p.moveTo(f, 0)
		if d == 0 || to != 0 && d != to || !movable(f, d) {
			continue
		}
		to = d
		files = append(files, f)
	}
	if len(files) < p.o.L0Trigger/2 && !p.env.Idle && len(p.v.Levels[0]) < p.o.L0Trigger {
		return nil // wait for company: each edit costs a sync
	}
	if len(files) == 0 {
		return nil
	}
	oldest := files[0]
	slices.Reverse(files)
	if c := p.finish(&Compaction{Reason: "move L0", Inputs: []Input{{0, files}}, OutputLevel: to, Move: true}); c != nil {
		return c
	}
	// Together they span something that runs between them.
	files = []*manifest.FileMeta{oldest}
	return p.finish(&Compaction{Reason: "move L0", Inputs: []Input{{0, files}}, OutputLevel: to, Move: true})
}

// pickDownL0 takes L0 tables to the level to: the oldest free one of candidates
// (which go from old to new), everything in L0 that overlaps it or what it
// overlaps, and the tables of that level under them. A table may go down only
// with every older one that it overlaps.
func (p *picker) pickDownL0(reason string, candidates []*manifest.FileMeta, to int) *Compaction {
	all := oldestFirst(p.v)
	for i, seed := range candidates {
		if p.env.busy(seed) {
			continue
		}
		files := p.closureL0(all, seed)
		if len(files) == 0 {
			continue
		}
		slices.Reverse(files)
		if c := p.into(reason, 0, files, to); c != nil {
			return c
		}
		if i >= 8 {
			break // the next ones will hardly fare better
		}
	}
	return nil
}

// closureL0 grows seed into the set of L0 tables, from old to new, that overlap one
// another. Where a taken table is in the way, what is not older than it is left
// out; nothing remains if the taken one is older than the seed.
func (p *picker) closureL0(all []*manifest.FileMeta, seed *manifest.FileMeta) []*manifest.FileMeta {
	limit := len(all) // tables from here on are too new to come along
	for {
		s := spanOf([]*manifest.FileMeta{seed})
		var files []*manifest.FileMeta
		for n := -1; n != len(files); {
			n, files = len(files), files[:0]
			for _, f := range all[:limit] {
				if s.overlaps(f) {
					s.add(f)
					files = append(files, f)
				}
			}
		}
		cut := slices.IndexFunc(all[:limit], func(f *manifest.FileMeta) bool { return s.overlaps(f) && p.env.busy(f) })
		if cut < 0 {
			return files
		}
		limit = cut
		if !slices.Contains(all[:limit], seed) {
			return nil
		}
	}
}

// pickIntraL0 merges the newest free tables of L0 into one, so that readers and
// writers can hold out until the base level is free. Tables of very different
// size are not merged: rewriting the large one would gain little.
func (p *picker) pickIntraL0() *Compaction {
	l0 := p.v.Levels[0] // newest first
	i := 0
	for i < len(l0) && p.env.busy(l0[i]) {
		i++
	}
	var files []*manifest.FileMeta
	for sum := int64(0); i < len(l0) && !p.env.busy(l0[i]); i++ {
		f := l0[i]
		if len(files) > 0 && (!older(f, files[len(files)-1]) || f.Bytes() > 2*max(sum/int64(len(files)), 1)) {
			break
		}
		sum += f.Bytes()
		files = append(files, f)
		if sum >= p.o.MaxBytes {
			break
		}
	}
	if len(files) < p.o.L0Max {
		return nil
	}
	return p.finish(&Compaction{Reason: "within L0", Inputs: []Input{{0, files}}, OutputLevel: 0})
}
