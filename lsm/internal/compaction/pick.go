package compaction

import (
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
)

// picker holds what one choice needs.
type picker struct {
	v     *manifest.Version
	o     Options
	env   *Env
	shape Shape
}

func newPicker(v *manifest.Version, o Options, env *Env) *picker {
	o = o.WithDefaults()
	return &picker{v: v, o: o, env: env, shape: ShapeOf(v, o)}
}

// Pick chooses what to do next, nil if nothing is due or all of it conflicts with
// what runs. It is a pure function of its arguments. Doing what it says and asking
// again ends after finitely many steps.
//
// In order: tables that can simply go; blob files of which half is garbage, unless L0 has
// more than L0Max tables; levels whose score is 1 or more, the neediest first; then tables
// that hold garbage; then blob files; then, while Idle, L0.
func Pick(v *manifest.Version, o Options, env Env) *Compaction {
	p := newPicker(v, o, &env)
	if c := p.pickCovered(); c != nil {
		return c
	}
	if len(v.Levels[0]) <= p.o.L0Max {
		if c := p.pickBlobs(blobGarbageMost); c != nil {
			return c
		}
	}
	for _, l := range p.due() {
		var c *Compaction
		if l == 0 {
			c = p.pickL0(false)
		} else {
			c = p.takeDown(l, p.shape.Size[l]-p.shape.Target[l], "level")
		}
		if c != nil {
			return c
		}
	}
	if c := p.pickGarbage(); c != nil {
		return c
	}
	most := blobGarbageBusy
	if env.Idle {
		most = blobGarbageIdle
	}
	if c := p.pickBlobs(most); c != nil {
		return c
	}
	if c := p.pickMovesL0(); c != nil {
		return c
	}
	if env.Idle {
		return p.settle()
	}
	return nil
}

// settle leaves little garbage at rest: L0 goes down unless that is too dear, and
// then the levels shrink to the ratio that they may exceed under load, down to
// MinBaseBytes.
func (p *picker) settle() *Compaction {
	if c := p.pickL0(true); c != nil {
		return c
	}
	for l := p.shape.Base; l < bottomLevel; l++ {
		want := max(p.shape.Size[l+1]/int64(p.o.Multiplier), p.o.TargetFileSize)
		if p.shape.Size[l] > want {
			if c := p.takeDown(l, p.shape.Size[l]-want, "idle level"); c != nil {
				return c
			}
		}
	}
	return nil
}

// due returns the levels with a score of 1 or more, the largest first.
func (p *picker) due() []int {
	var out []int
	s := &p.shape.Score
	for l := 0; l < bottomLevel; l++ {
		if s[l] < 1 {
			continue
		}
		i := len(out)
		out = append(out, l)
		for ; i > 0 && s[out[i-1]] < s[l]; i-- {
			out[i] = out[i-1]
		}
		out[i] = l
	}
	return out
}

// finish fills in bounds and grandparents of a compaction of these inputs, and
// returns nil if it conflicts with what runs.
func (p *picker) finish(c *Compaction) *Compaction {
	var s span
	keep := c.Inputs[:0]
	for _, in := range c.Inputs {
		if len(in.Files) > 0 {
			keep = append(keep, in)
			for _, f := range in.Files {
				s.add(f)
			}
		}
	}
	c.Inputs = keep
	if len(keep) == 0 {
		return nil
	}
	c.Lo, c.Hi, c.HiExclusive = s.lo, s.hi, s.hiEx
	if !c.Move && !c.DeleteOnly && c.OutputLevel > 0 {
		c.TargetFileSize = p.o.TargetFileSize
		if c.OutputLevel < bottomLevel {
			c.Grandparents = p.v.Overlaps(c.OutputLevel+1, s.lo, s.hi, s.hiEx)
		}
	}
	return p.env.free(c)
}

// into makes the compaction of files of level from, with what they overlap in
// level to. It is nil if any of that is taken.
func (p *picker) into(reason string, from int, files []*manifest.FileMeta, to int) *Compaction {
	s := spanOf(files)
	below := p.v.Overlaps(to, s.lo, s.hi, s.hiEx)
	if len(files) == 0 || p.env.anyBusy(files) || p.env.anyBusy(below) {
		return nil
	}
	return p.finish(&Compaction{
		Reason:      reason,
		Inputs:      []Input{{from, files}, {to, below}},
		OutputLevel: to,
	})
}

// moveTo returns the deepest level that f can be moved to from level from, or from
// itself: nothing may overlap f on the way or there, and it should not come to lie
// over so much of the next level that taking it further would be dear.
func (p *picker) moveTo(f *manifest.FileMeta, from int) int {
	to := from
	for l := max(from+1, p.shape.Base); l <= bottomLevel; l++ {
		if len(p.v.Overlaps(l, f.Smallest, f.Largest, f.LargestExclusive)) > 0 {
			break
		}
		if l < bottomLevel {
			next := bytesOf(p.v.Overlaps(l+1, f.Smallest, f.Largest, f.LargestExclusive))
			if next > int64(p.o.Multiplier)*max(f.Bytes(), p.o.TargetFileSize) {
				break
			}
		}
		to = l
	}
	return to
}

// movable reports whether f gains nothing from being rewritten. At the bottom its
// tombstones would only have to be dropped later.
func movable(f *manifest.FileMeta, to int) bool {
	return to < bottomLevel || f.Deletes+f.RangeDels == 0
}

// avgEntry estimates the stored bytes of an entry of the whole tree's level l.
func (p *picker) avgEntry(l int) int64 {
	var n uint64
	for _, f := range p.v.Levels[l] {
		n += f.Entries
	}
	if n == 0 {
		return 0
	}
	return p.shape.Size[l] / int64(min(n, 1<<62))
}

// oldestFirst returns the L0 tables from the oldest on.
func oldestFirst(v *manifest.Version) []*manifest.FileMeta {
	l0 := v.Levels[0]
	out := make([]*manifest.FileMeta, len(l0))
	for i, f := range l0 {
		out[len(l0)-1-i] = f
	}
	return out
}

// older reports whether all of a is older than all of b.
func older(a, b *manifest.FileMeta) bool { return a.LargestSeq < b.SmallestSeq }
