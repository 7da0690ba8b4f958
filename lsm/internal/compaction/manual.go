package compaction

import (
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
)

// Manual chooses the next step of compacting [lo, hi) (hi == nil: no bound) all the
// way to the bottom, garbage at the bottom included. Doing what it says and
// asking again ends after finitely many steps with done. A nil compaction that is
// not done waits for something that runs.
func Manual(v *manifest.Version, o Options, env Env, lo, hi []byte) (c *Compaction, done bool) {
	env.Idle = true
	p := newPicker(v, o, &env)
	if hi != nil && len(hi) == 0 {
		return nil, true
	}
	if c := p.pickCovered(); c != nil {
		return c, false
	}
	for l := 0; l < bottomLevel; l++ {
		files := v.Overlaps(l, lo, hi, true)
		if len(files) == 0 {
			continue
		}
		return p.manualLevel(l, files), false
	}
	done = true
	for i, f := range v.Levels[bottomLevel] {
		if !f.Overlaps(lo, hi, true) || p.bottomGarbage(f) == "" && !p.anyExpired(f) {
			continue
		}
		done = false
		if !p.env.busy(f) {
			if c := p.rewrite("manual", bottomLevel, i); c != nil {
				return c, false
			}
		}
	}
	if !done {
		return nil, false
	}
	return p.manualBlobs(lo, hi)
}

// manualBlobs empties the blob files that hold garbage, as far as tables of [lo, hi) refer
// to them.
func (p *picker) manualBlobs(lo, hi []byte) (c *Compaction, done bool) {
	condemned, _ := p.condemned(blobGarbageManual)
	if len(condemned) == 0 {
		return nil, true
	}
	if c := p.moveFrom(condemned, lo, hi); c != nil {
		return c, false
	}
	for _, f := range p.v.Overlaps(bottomLevel, lo, hi, true) {
		if usedBy(f, condemned) > 0 {
			return nil, false // busy
		}
	}
	return nil, true
}

// anyExpired reports whether a rewrite would drop an expired record of f.
func (p *picker) anyExpired(f *manifest.FileMeta) bool {
	return f.TTLs > 0 && f.MinExpiry <= p.env.Now
}

// manualLevel takes files, all of level l that a manual compaction is to take
// down, or as many as MaxBytes allows.
func (p *picker) manualLevel(l int, files []*manifest.FileMeta) *Compaction {
	if l == 0 {
		for _, f := range files {
			if d := p.moveTo(f, 0); d > 0 && movable(f, d) && len(p.v.Overlaps(0, f.Smallest, f.Largest, f.LargestExclusive)) == 1 && !p.env.busy(f) {
				c := p.finish(&Compaction{Reason: "manual", Inputs: []Input{{0, []*manifest.FileMeta{f}}}, OutputLevel: d, Move: true})
				if c != nil {
					return c
				}
			}
		}
		oldest := make([]*manifest.FileMeta, len(files))
		for i, f := range files {
			oldest[len(files)-1-i] = f
		}
		return p.pickDownL0("manual", oldest, p.shape.Base)
	}
	for i := 0; i < len(files); i++ {
		if d := p.moveTo(files[i], l); d > l && movable(files[i], d) && !p.env.busy(files[i]) {
			c := p.finish(&Compaction{Reason: "manual", Inputs: []Input{{l, files[i : i+1 : i+1]}}, OutputLevel: d, Move: true})
			if c != nil {
				return c
			}
		}
		n := i + 1
		for n < len(files) && !p.env.busy(files[n]) && p.downBytes(l, files[i:n+1]) <= p.o.MaxBytes {
			n++
		}
		if c := p.into("manual", l, files[i:n:n], l+1); c != nil {
			return c
		}
	}
	return nil
}

// downBytes is the input of the compaction of files from level l to the next.
func (p *picker) downBytes(l int, files []*manifest.FileMeta) int64 {
	s := spanOf(files)
	return bytesOf(files) + bytesOf(p.v.Overlaps(l+1, s.lo, s.hi, s.hiEx))
}
