package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func sortNums(n []base.FileNum) { slices.Sort(n) }

// placed is a table and its level.
type placed struct {
	level int
	meta  *manifest.FileMeta
}

// tree is what a manifest says, read with as little trust as possible: an edit that
// cannot be read or does not fit is reported, and those after it still count.
type tree struct {
	num     base.FileNum
	live    map[base.FileNum]placed             // by FileMeta.Num
	added   map[base.FileNum]*manifest.BlobMeta // blob files, also those that are gone
	deleted map[base.FileNum]bool               // physical files that an edit took away
	minLog  base.FileNum
	next    base.FileNum
	lastSeq base.SeqNum
	ends    map[base.FileNum]int64
	edits   int
	whole   bool // no damage was met
}

// readTree replays the manifest num. report is told of all damage, and of what cannot
// be read.
func readTree(fs vfs.FS, dir string, num base.FileNum, expect wal.Expect, report func(Finding)) *tree {
	t := &tree{
		num: num, live: make(map[base.FileNum]placed), deleted: make(map[base.FileNum]bool),
		ends: make(map[base.FileNum]int64), added: make(map[base.FileNum]*manifest.BlobMeta), whole: true,
	}
	name := manifest.Path(dir, manifest.FileManifest, num)
	bad := func(f Finding) {
		t.whole = false
		f.Advice = adviceManifest
		report(f)
	}
	apply := func(e *manifest.EditFrame) error {
		switch {
		case e.Type == wal.TypeDamage:
			bad(Finding{Severity: Damage, File: name, Offset: e.Offset, Length: e.Len, Problem: "no whole frame"})
		case e.Err != nil:
			bad(Finding{Severity: Damage, File: name, Offset: e.Offset, Length: e.Len, Problem: "edit: " + e.Err.Error()})
		case e.Edit != nil:
			if err := t.apply(e.Edit); err != nil {
				bad(Finding{Severity: Damage, File: name, Offset: e.Offset, Length: e.Len, Problem: "edit: " + err.Error()})
			}
		}
		return nil
	}
	// First as the engine reads it: this alone tells damage from a torn end.
	_, err := manifest.ScanEdits(fs, name, num, wal.ScanOptions{Expect: expect}, func(*manifest.EditFrame) error { return nil })
	skip := false
	var c *base.CorruptionError
	switch {
	case err == nil:
	case isNotExist(err):
		bad(Finding{Severity: Damage, File: name, Offset: -1, Problem: "missing, but CURRENT names it"})
		return t
	case errors.As(err, &c):
		skip = true
	case isNewer(err):
		bad(finding(err, name))
		return t
	default:
		bad(finding(err, name)) // what comes before counts
	}
	before := t.whole
	_, serr := manifest.ScanEdits(fs, name, num, wal.ScanOptions{Expect: expect, SkipDamage: skip}, apply)
	if serr != nil {
		if before {
			bad(finding(serr, name))
		}
	} else if err != nil && t.whole == before { // cut short: no range to point at
		bad(finding(err, name))
	}
	return t
}

const adviceManifest = "the tree is not known without the manifest: restore the store from a checkpoint, or save what can be read with: kvctl salvage DIR NEWDIR"

func (t *tree) apply(e *manifest.Edit) error {
	var err error
	t.edits++
	for _, d := range e.Deleted {
		p, ok := t.live[d.Num]
		if !ok || p.level != d.Level {
			err = fmt.Errorf("deletes table %d from L%d, where it is not", d.Num, d.Level)
		}
		if ok {
			t.deleted[p.meta.File] = true
		}
		delete(t.live, d.Num)
	}
	for _, a := range e.Added {
		if _, ok := t.live[a.Meta.Num]; ok {
			err = fmt.Errorf("adds table %d, which is there already", a.Meta.Num)
		}
		t.live[a.Meta.Num] = placed{a.Level, a.Meta}
		t.lastSeq = max(t.lastSeq, a.Meta.LargestSeq)
	}
	for _, b := range e.AddedBlobs {
		if t.added[b.Num] != nil {
			err = fmt.Errorf("adds blob file %d, which is there already", b.Num)
		}
		t.added[b.Num] = b
	}
	for _, p := range t.live {
		delete(t.deleted, p.meta.File)
	}
	if e.MinLog != 0 && e.MinLog < t.minLog {
		err = fmt.Errorf("smallest log goes back from %d to %d", t.minLog, e.MinLog)
	}
	t.minLog = max(t.minLog, e.MinLog)
	t.next = max(t.next, e.NextFile)
	t.lastSeq = max(t.lastSeq, e.LastSeq)
	for _, l := range e.LogEnd {
		t.ends[l.Num] = l.End
	}
	return err
}

// version builds the tree, or says which invariant does not hold.
func (t *tree) version() (*manifest.Version, error) {
	var levels [base.NumLevels][]*manifest.FileMeta
	for _, p := range t.live {
		levels[p.level] = append(levels[p.level], p.meta)
	}
	return manifest.NewVersion(levels, t.blobs()...)
}

// tables returns the live tables by level, in the order of their numbers.
func (t *tree) tables() []placed {
	out := make([]placed, 0, len(t.live))
	for _, p := range t.live {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b placed) int {
		if a.level != b.level {
			return a.level - b.level
		}
		return int(int64(a.meta.Num) - int64(b.meta.Num))
	})
	return out
}

// blobs returns the blob files that live tables refer to, ascending, as far as an edit has
// added them.
func (t *tree) blobs() []*manifest.BlobMeta {
	seen := make(map[base.FileNum]bool)
	var out []*manifest.BlobMeta
	for _, p := range t.live {
		for _, u := range p.meta.Blobs {
			if b := t.added[u.File]; b != nil && !seen[u.File] {
				seen[u.File] = true
				out = append(out, b)
			}
		}
	}
	slices.SortFunc(out, func(a, b *manifest.BlobMeta) int { return cmp.Compare(a.Num, b.Num) })
	return out
}
