package compaction

import (
	"bytes"
	"maps"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
)

// Manual is a compaction of [Lo, Hi) (Hi == nil: no bound) all the way to the bottom,
// garbage at the bottom included. It goes through the levels from the top, and through
// the keys of each of them once, so that it ends however much is written meanwhile:
// what comes to where it has been is not what there was when it began.
type Manual struct {
	Lo, Hi []byte
	// UpTo is the newest sequence number when it began. Tables of L0 that have only
	// newer records need not go down.
	UpTo base.SeqNum

	level int                   // on the levels above it nothing is left to do,
	at    []byte                // nor on itself before at
	blobs map[base.FileNum]bool // the blob files to be emptied, once it has come to them
}

// Next chooses the next step, which must have been carried out when it is called again.
// After finitely many steps it says done. A nil compaction that is not done waits
// for something that runs.
func (m *Manual) Next(v *manifest.Version, o Options, env Env) (c *Compaction, done bool) {
	env.Idle = true
	p := newPicker(v, o, &env)
	if m.Hi != nil && len(m.Hi) == 0 {
		return nil, true
	}
	if c := p.pickCovered(); c != nil {
		return c, false
	}
	if m.level == 0 {
		files := slices.DeleteFunc(v.Overlaps(0, m.Lo, m.Hi, true), func(f *manifest.FileMeta) bool { return f.SmallestSeq > m.UpTo })
		if len(files) > 0 {
			return p.manualL0(files), false
		}
		m.level = 1
	}
	for ; m.level < bottomLevel; m.level, m.at = m.level+1, nil {
		if files := v.Overlaps(m.level, m.from(), m.Hi, true); len(files) > 0 {
			return m.down(p, files), false
		}
	}
	if m.level == bottomLevel {
		if c, done := m.bottom(p); !done {
			return c, false
		}
		m.level++
	}
	return m.emptyBlobs(p)
}

// from is where the part of [Lo, Hi) begins that is left on the level.
func (m *Manual) from() []byte {
	if bytes.Compare(m.at, m.Lo) > 0 {
		return m.at
	}
	return m.Lo
}

// passed says that nothing is left to do up to the end of f.
func (m *Manual) passed(f *manifest.FileMeta) {
	m.at = f.Largest
	if !f.LargestExclusive {
		m.at = append(m.at[:len(m.at):len(m.at)], 0)
	}
	if f.Unbounded() || m.Hi != nil && bytes.Compare(m.at, m.Hi) >= 0 {
		m.level, m.at = m.level+1, nil
	}
}

// bottom rewrites what holds garbage at the bottom.
func (m *Manual) bottom(p *picker) (c *Compaction, done bool) {
	done = true
	from := m.from()
	for i, f := range p.v.Levels[bottomLevel] {
		if !f.Overlaps(from, m.Hi, true) || p.bottomGarbage(f) == "" && !p.anyExpired(f) {
			continue
		}
		if !p.env.busy(f) {
			if c := p.rewrite("manual", bottomLevel, i); c != nil {
				if done {
					m.passed(f)
				}
				return c, false
			}
		}
		done = false
	}
	return nil, done
}

// emptyBlobs empties the blob files that held garbage when it came to them, as far as
// tables of [Lo, Hi) refer to them.
func (m *Manual) emptyBlobs(p *picker) (c *Compaction, done bool) {
	condemned, _ := p.condemned(blobGarbageManual)
	if m.blobs == nil {
		m.blobs = maps.Clone(condemned)
	}
	maps.DeleteFunc(condemned, func(num base.FileNum, _ bool) bool { return !m.blobs[num] })
	if len(condemned) == 0 {
		return nil, true
	}
	if c := p.moveFrom(condemned, m.Lo, m.Hi); c != nil {
		return c, false
	}
	for _, f := range p.v.Overlaps(bottomLevel, m.Lo, m.Hi, true) {
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

// manualL0 takes down tables of L0, or as many as belong together.
func (p *picker) manualL0(files []*manifest.FileMeta) *Compaction {
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

// down takes files, all that is left on the level, to the next, or as many as MaxBytes
// allows.
func (m *Manual) down(p *picker, files []*manifest.FileMeta) *Compaction {
	l := m.level
	for i, f := range files {
		n := i + 1
		var c *Compaction
		if d := p.moveTo(f, l); d > l && movable(f, d) && !p.env.busy(f) {
			c = p.finish(&Compaction{Reason: "manual", Inputs: []Input{{l, files[i:n:n]}}, OutputLevel: d, Move: true})
		}
		if c == nil {
			for n < len(files) && !p.env.busy(files[n]) && p.downBytes(l, files[i:n+1]) <= p.o.MaxBytes {
				n++
			}
			c = p.into("manual", l, files[i:n:n], l+1)
		}
		if c != nil {
			if i == 0 {
				m.passed(files[n-1])
			}
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
