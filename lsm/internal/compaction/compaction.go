// Package compaction keeps the tree in shape: it chooses what to merge next, and
// merges.
//
// The choice is a pure function. Pick takes a manifest.Version, Options and an Env
// (what runs already, the oldest snapshot, the time) and returns a Compaction, or
// nil; Manual does the same for a key range that is to reach the bottom, and remembers
// how far it has come. Nothing else here keeps state, and nothing reads a clock or
// starts a goroutine. Scores and Debt tell how
// far the tree is from where it should be.
//
// Run is the merge: a Job's sources and tombstones in, tables out. A flush is a Job
// whose source is a memtable. A Job may be one part of a merge, between two keys;
// Split chooses them.
//
// Invariants:
//
//  1. An older version of a key is never above a newer one: a table leaves L0 only
//     together with every older L0 table that it overlaps, and goes to a level only
//     with all that it overlaps there.
//  2. Two compactions that run together never write into the same key range of the
//     same level (Conflict). Bounds count for this, not tables: what comes out may
//     lie in a gap between inputs.
//  3. No choice can repeat for ever: each one takes bytes down a level, makes L0
//     shorter, or drops something at the bottom that will not come back.
//  4. What any open snapshot or later reader sees is the same before and after.
//  5. The versions of one key stay in one output; range tombstones are cut where
//     outputs are, and all of them together cover what they covered.
//  6. A reference to a blob file stands in an output only if its Uses name the file.
//
// Failure: the choice cannot fail. Run returns the first error of a source, a file,
// NewOutput or Cancel, with what it had begun closed and listed for removal; the
// version is untouched, so nothing is lost and the job may be done again.
//
// docs/compaction.md describes the policy, with the figures it was chosen by.
package compaction

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
)

// Compaction is a piece of work on a version: which tables go in, and where what
// comes out belongs. It is immutable.
type Compaction struct {
	Reason string // for people: "L0", "level", "tombstones", …
	// Inputs are the tables that leave the version, in search order: L0 (newest
	// first), then one entry for each deeper level. No entry is empty.
	Inputs      []Input
	OutputLevel int
	// Move: nothing is rewritten, every input goes to OutputLevel as it is.
	Move bool
	// DeleteOnly: nothing is rewritten, every input just leaves the version.
	DeleteOnly bool

	// Lo and Hi bound the keys of all inputs, and so of everything that may come out.
	// HiExclusive as in manifest.FileMeta: an exclusive and empty Hi is no bound.
	Lo, Hi      []byte
	HiExclusive bool

	// Grandparents are the tables of the level below OutputLevel within the bounds;
	// outputs are cut so that none overlaps too many of them.
	Grandparents []*manifest.FileMeta
	// TargetFileSize is where outputs are cut. 0: never (in L0, one table is one run).
	TargetFileSize int64
	// Condemned are blob files from which the values of the inputs are to move.
	Condemned map[base.FileNum]bool
}

// Input is the tables of one level.
type Input struct {
	Level int
	Files []*manifest.FileMeta
}

// InputBytes returns the bytes that go in.
func (c *Compaction) InputBytes() int64 {
	var n int64
	for _, in := range c.Inputs {
		n += bytesOf(in.Files)
	}
	return n
}

// Has reports whether table num goes in.
func (c *Compaction) Has(num base.FileNum) bool {
	for _, in := range c.Inputs {
		for _, f := range in.Files {
			if f.Num == num {
				return true
			}
		}
	}
	return false
}

// StartLevel returns the shallowest level touched.
func (c *Compaction) StartLevel() int {
	if len(c.Inputs) == 0 {
		return c.OutputLevel
	}
	return min(c.Inputs[0].Level, c.OutputLevel)
}

// EndLevel returns the deepest level touched.
func (c *Compaction) EndLevel() int {
	if len(c.Inputs) == 0 {
		return c.OutputLevel
	}
	return max(c.Inputs[len(c.Inputs)-1].Level, c.OutputLevel)
}

// Touches reports whether c may change what stands in [lo, hi] (or [lo, hi)) at
// any level from top to bottom. An Ingest or an Excise asks it of each running
// compaction.
func (c *Compaction) Touches(top, bottom int, lo, hi []byte, hiExclusive bool) bool {
	if c.StartLevel() > bottom || c.EndLevel() < top {
		return false
	}
	s := span{lo: c.Lo, hi: c.Hi, hiEx: c.HiExclusive}
	return s.meets(lo, hi, hiExclusive)
}

// String is one line: reason, inputs by level, output level, kind.
func (c *Compaction) String() string {
	if c == nil {
		return "nothing"
	}
	var b strings.Builder
	b.WriteString(c.Reason)
	b.WriteByte(':')
	for _, in := range c.Inputs {
		fmt.Fprintf(&b, " L%d", in.Level)
		for _, f := range in.Files {
			fmt.Fprintf(&b, " %d", f.Num)
		}
	}
	switch {
	case c.DeleteOnly:
		b.WriteString(" -> deleted")
	case c.Move:
		fmt.Fprintf(&b, " -> moved to L%d", c.OutputLevel)
	default:
		fmt.Fprintf(&b, " -> L%d", c.OutputLevel)
	}
	return b.String()
}

// Conflict reports whether a and b must not run at the same time: they share an
// input, or both may write into the same key range of the same level. Tables that
// come out can lie anywhere between the bounds of the inputs, gaps included, so
// bounds decide and not the tables.
//
// One overlap is harmless: a compaction within L0, of tables that are all newer
// (or all older) than the L0 tables of the other. A table that goes down from L0
// must not overtake an older one, so the other may go below L0 only when it is
// the older.
func Conflict(a, b *Compaction) bool {
	for _, in := range a.Inputs {
		for _, f := range in.Files {
			if b.Has(f.Num) {
				return true
			}
		}
	}
	if !a.Touches(b.StartLevel(), b.EndLevel(), b.Lo, b.Hi, b.HiExclusive) {
		return false
	}
	if a.DeleteOnly || b.DeleteOnly {
		return false // a table that only leaves stands in nobody's way
	}
	if a.OutputLevel != 0 && b.OutputLevel != 0 {
		return true
	}
	aLo, aHi, aOK := a.seqsL0()
	bLo, bHi, bOK := b.seqsL0()
	switch {
	case !aOK || !bOK:
		return true
	case a.OutputLevel == 0 && aLo > bHi:
		return false
	case b.OutputLevel == 0 && bLo > aHi:
		return false
	}
	return true
}

// seqsL0 returns the sequence numbers that the L0 inputs span.
func (c *Compaction) seqsL0() (lo, hi base.SeqNum, ok bool) {
	if len(c.Inputs) == 0 || c.Inputs[0].Level != 0 {
		return 0, 0, false
	}
	lo = base.SeqNumMax
	for _, f := range c.Inputs[0].Files {
		lo, hi = min(lo, f.SmallestSeq), max(hi, f.LargestSeq)
	}
	return lo, hi, true
}

// span is a key range with bounds as in manifest.FileMeta.
type span struct {
	lo, hi []byte
	hiEx   bool
	set    bool
}

func (s *span) add(f *manifest.FileMeta) {
	if !s.set {
		*s = span{f.Smallest, f.Largest, f.LargestExclusive, true}
		return
	}
	if bytes.Compare(f.Smallest, s.lo) < 0 {
		s.lo = f.Smallest
	}
	if manifest.CompareUpper(f.Largest, f.LargestExclusive, s.hi, s.hiEx) > 0 {
		s.hi, s.hiEx = f.Largest, f.LargestExclusive
	}
}

func spanOf(groups ...[]*manifest.FileMeta) span {
	var s span
	for _, g := range groups {
		for _, f := range g {
			s.add(f)
		}
	}
	return s
}

func (s *span) overlaps(f *manifest.FileMeta) bool { return f.Overlaps(s.lo, s.hi, s.hiEx) }

// meets reports whether s and [lo, hi] share a key.
func (s *span) meets(lo, hi []byte, hiEx bool) bool {
	f := manifest.FileMeta{Smallest: s.lo, Largest: s.hi, LargestExclusive: s.hiEx}
	return f.Overlaps(lo, hi, hiEx)
}

func bytesOf(files []*manifest.FileMeta) int64 {
	var n int64
	for _, f := range files {
		n += f.Bytes()
	}
	return n
}
