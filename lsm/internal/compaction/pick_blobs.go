package compaction

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
)

// A blob file leaves the version when no table refers to it. Those of which much is
// garbage are condemned: the tables that refer to them are rewritten, one by one and each
// in its place, and the values that are alive move into a new file. The tables hold keys
// and references only where values are large, so that this costs little beside the values
// themselves.

const (
	// Of all bytes in blob files so much may be garbage: under load, and at rest.
	blobGarbageBusy = 0.3
	blobGarbageIdle = 0.2
	// blobGarbageMost is the share from which levels wait: load that never ends would
	// otherwise leave more and more of it.
	blobGarbageMost = 0.5
	// blobGarbageManual is the share of garbage from which a manual compaction empties a
	// blob file.
	blobGarbageManual = 0.05
	// blobCost is how many bytes of tables may be rewritten for a byte of garbage, not
	// counting the values that move.
	blobCost = 2
)

// pickBlobs rewrites a table that refers to condemned blob files, when of all that can be
// emptied the share most is garbage.
func (p *picker) pickBlobs(most float64) *Compaction {
	var total, garbage int64
	for i := range p.v.Blobs {
		if b := &p.v.Blobs[i]; p.canEmpty(b) {
			total += b.Bytes
			garbage += b.Garbage()
		}
	}
	if total == 0 || float64(garbage) < most*float64(total) {
		return nil
	}
	// Files with their part of it, or more: at least one has, but for rounding.
	condemned, back := p.condemned(float64(garbage) / float64(total) * (1 - 1e-9))
	if len(condemned) == 0 || p.costOf(condemned) > blobCost*back {
		return nil
	}
	return p.moveFrom(condemned, nil, nil)
}

// canEmpty reports whether values of b can move now: it can be read, and tables below L0
// refer to it.
func (p *picker) canEmpty(b *manifest.Blob) bool {
	return b.Deep > 0 && (p.env.Busy == nil || !p.env.Busy(b.Num))
}

// condemned returns the blob files to be emptied of which at least share is garbage, and
// how much that is.
func (p *picker) condemned(share float64) (files map[base.FileNum]bool, garbage int64) {
	for i := range p.v.Blobs {
		b := &p.v.Blobs[i]
		g := b.Garbage()
		if g == 0 || float64(g) < share*float64(b.Bytes) || !p.canEmpty(b) {
			continue
		}
		if files == nil {
			files = make(map[base.FileNum]bool)
		}
		files[b.Num] = true
		garbage += g
	}
	return files, garbage
}

// costOf returns the bytes of the tables below L0 that refer to condemned files. Tables of
// L0 go down by themselves.
func (p *picker) costOf(condemned map[base.FileNum]bool) int64 {
	var n int64
	for _, files := range p.v.Levels[1:] {
		for _, f := range files {
			if usedBy(f, condemned) > 0 {
				n += f.Bytes()
			}
		}
	}
	return n
}

// moveFrom rewrites the table of [lo, hi) (hi == nil: no bound) that needs the most of the
// condemned files. About MaxBytes of its values move, so that no step takes long.
func (p *picker) moveFrom(condemned map[base.FileNum]bool, lo, hi []byte) *Compaction {
	var best *Compaction
	var most int64
	for l := 1; l <= bottomLevel; l++ {
		for i, f := range p.v.Levels[l] {
			n := usedBy(f, condemned)
			if n <= most || p.env.busy(f) || f.EndsBefore(lo) || hi != nil && bytes.Compare(f.Smallest, hi) >= 0 {
				continue
			}
			if c := p.rewrite("blobs", l, i); c != nil {
				best, most = c, n
			}
		}
	}
	if best != nil {
		best.Condemned = p.worst(best.Inputs[0].Files[0], condemned)
	}
	return best
}

// worst returns those of the condemned files with the largest shares of garbage, of which f
// needs about MaxBytes. What other tables need of them comes next, so that they leave soon.
func (p *picker) worst(f *manifest.FileMeta, condemned map[base.FileNum]bool) map[base.FileNum]bool {
	alive := func(u manifest.BlobUse) float64 {
		b := p.v.Blob(u.File)
		return float64(b.Live) / float64(b.Bytes)
	}
	uses := slices.Clone(f.Blobs)
	slices.SortStableFunc(uses, func(x, y manifest.BlobUse) int { return cmp.Compare(alive(x), alive(y)) })
	files := make(map[base.FileNum]bool)
	left := p.o.MaxBytes
	for _, u := range uses {
		if condemned[u.File] && left > 0 {
			files[u.File] = true
			left -= u.Bytes
		}
	}
	return files
}

// usedBy returns how many bytes of the files f refers to.
func usedBy(f *manifest.FileMeta, files map[base.FileNum]bool) int64 {
	var n int64
	for _, u := range f.Blobs {
		if files[u.File] {
			n += u.Bytes
		}
	}
	return n
}
