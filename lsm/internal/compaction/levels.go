package compaction

import (
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
)

const bottomLevel = base.NumLevels - 1

// Shape is what a version's levels ought to look like.
type Shape struct {
	Base   int                   // the level that L0 goes to
	Size   [base.NumLevels]int64 // bytes, as they are
	Target [base.NumLevels]int64 // bytes, as they should be at most; 0 for L0 and above Base
	Score  [base.NumLevels]float64
}

// ShapeOf computes targets from the bottom up: the deepest level may have what it
// has, each one above a Multiplier-th of that, until a level is small enough for
// L0 to go there. A level needs work when its score is 1 or more.
func ShapeOf(v *manifest.Version, o Options) Shape {
	o = o.WithDefaults()
	var s Shape
	first := bottomLevel // the shallowest level below L0 that has tables
	for l := bottomLevel; l >= 0; l-- {
		s.Size[l] = v.Size(l)
		if l > 0 && len(v.Levels[l]) > 0 {
			first = l
		}
	}
	s.Base = bottomLevel
	t := s.Size[bottomLevel]
	for t > o.BaseLevelBytes && s.Base > 1 {
		s.Base--
		t = max(t/int64(o.Multiplier), o.MinBaseBytes)
	}
	// Data that already stands higher up must not be overtaken from above.
	s.Base = min(s.Base, first)
	t = s.Size[bottomLevel]
	for l := bottomLevel; l >= s.Base; l-- {
		s.Target[l] = max(t, o.MinBaseBytes)
		t = s.Target[l] / int64(o.Multiplier)
	}
	s.Score[0] = scoreL0(v, o, s.Size[s.Base])
	for l := s.Base; l < bottomLevel; l++ {
		s.Score[l] = float64(s.Size[l]) / float64(s.Target[l])
	}
	return s
}

// scoreL0 weighs what L0 costs readers, by its tables, against what it costs to
// merge it into the base level, which is all the cheaper the more goes at a time:
// from L0Trigger tables on it is due when it has as many bytes as the base level,
// and at L0Max tables in any case.
func scoreL0(v *manifest.Version, o Options, baseBytes int64) float64 {
	n := len(v.Levels[0])
	byCount := float64(n) / float64(o.L0Max)
	if n < o.L0Trigger {
		return byCount
	}
	if baseBytes == 0 {
		return max(byCount, float64(n)/float64(o.L0Trigger))
	}
	return max(byCount, float64(bytesOf(v.Levels[0]))/float64(baseBytes))
}

// Scores returns each level's need for work; 1 or more is due. L0's is at least the
// number of its tables over L0Max.
func Scores(v *manifest.Version, o Options) [base.NumLevels]float64 {
	return ShapeOf(v, o).Score
}

// Debt estimates the bytes that compactions have to write until all scores are
// below 1.
func Debt(v *manifest.Version, o Options) int64 {
	s := ShapeOf(v, o)
	var debt, carry int64
	if s.Score[0] >= 1 {
		carry = s.Size[0]
		debt = s.Size[0] + s.Size[s.Base]
	}
	for l := s.Base; l < bottomLevel; l++ {
		size := s.Size[l] + carry
		carry = 0
		if excess := size - s.Target[l]; excess > 0 {
			ratio := float64(s.Size[l+1]) / float64(size)
			debt += excess + int64(float64(excess)*ratio)
			carry = excess
		}
	}
	return debt
}
