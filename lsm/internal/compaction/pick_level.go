package compaction

import (
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
)

// takeDown takes something from level l, which has excess bytes too many, to the
// next: tables that can be moved, else the one whose way down costs least for what
// it relieves, with neighbours that come along for free.
func (p *picker) takeDown(l int, excess int64, reason string) *Compaction {
	if c := p.pickMoves(l, excess); c != nil {
		return c
	}
	files := p.v.Levels[l]
	perDelete := p.avgEntry(l + 1)
	best, bestCost := -1, 0.0
	for i, f := range files {
		if p.env.busy(f) {
			continue
		}
		below := p.v.Overlaps(l+1, f.Smallest, f.Largest, f.LargestExclusive)
		if p.env.anyBusy(below) {
			continue
		}
		// A tombstone takes what it hides with it.
		gain := f.Bytes() + int64(min(f.Deletes+f.RangeDels, 1<<31))*perDelete
		cost := float64(bytesOf(below)+f.Bytes()) / float64(max(gain, 1))
		if best < 0 || cost < bestCost {
			if p.into(reason, l, files[i:i+1], l+1) == nil {
				continue
			}
			best, bestCost = i, cost
		}
	}
	if best < 0 {
		return nil
	}
	return p.into(reason, l, p.grow(l, best), l+1)
}

// grow adds the neighbours of table i of level l whose overlap in the next level
// goes in anyway, within MaxBytes.
func (p *picker) grow(l, i int) []*manifest.FileMeta {
	files := p.v.Levels[l]
	below := func(i, j int) []*manifest.FileMeta {
		s := spanOf(files[i:j])
		return p.v.Overlaps(l+1, s.lo, s.hi, s.hiEx)
	}
	lo, hi := i, i+1
	base := len(below(lo, hi))
	total := bytesOf(below(lo, hi)) + files[i].Bytes()
	for lo > 0 && !p.env.busy(files[lo-1]) && len(below(lo-1, hi)) == base && total+files[lo-1].Bytes() <= p.o.MaxBytes {
		lo--
		total += files[lo].Bytes()
	}
	for hi < len(files) && !p.env.busy(files[hi]) && len(below(lo, hi+1)) == base && total+files[hi].Bytes() <= p.o.MaxBytes {
		total += files[hi].Bytes()
		hi++
	}
	return files[lo:hi:hi]
}

// pickMoves collects tables of level l that overlap nothing in the next, until
// excess bytes are gone, and moves those that go to one level in one edit.
func (p *picker) pickMoves(l int, excess int64) *Compaction {
	var files []*manifest.FileMeta
	to := l
	for _, f := range p.v.Levels[l] {
		if excess <= 0 {
			break
		}
		if p.env.busy(f) {
			continue
		}
		d := p.moveTo(f, l)
		if d == l || to != l && d != to || !movable(f, d) {
			continue
		}
		c := p.finish(&Compaction{Reason: "move", Inputs: []Input{{l, []*manifest.FileMeta{f}}}, OutputLevel: d, Move: true})
		if c == nil {
			continue
		}
		to = d
		files = append(files, f)
		excess -= f.Bytes()
	}
	if len(files) == 0 {
		return nil
	}
	if c := p.finish(&Compaction{Reason: "move", Inputs: []Input{{l, files}}, OutputLevel: to, Move: true}); c != nil {
		return c
	}
	// Together they span something that runs between them.
	return p.finish(&Compaction{Reason: "move", Inputs: []Input{{l, files[:1:1]}}, OutputLevel: to, Move: true})
}
