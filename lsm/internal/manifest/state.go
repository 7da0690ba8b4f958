package manifest

import (
	"fmt"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// State is what a manifest says, and how it was found.
type State struct {
	Version  *Version
	MinLog   base.FileNum // the smallest log still needed: it must exist; 0 if there never was one
	NextFile base.FileNum // no file of the store has this number or a larger one
	LastSeq  base.SeqNum  // no table holds a larger sequence number
	LogEnds  []LogEnd     // of logs from MinLog on, by number

	Manifest base.FileNum // number of the manifest
	Closed   bool         // the store was closed in an orderly way
	End      int64        // bytes of the manifest that count
	Dropped  int64        // bytes after that, torn by a crash
}

// LogEnd returns where log num was closed, if it was.
func (s *State) LogEnd(num base.FileNum) (end int64, ok bool) {
	i, ok := slices.BinarySearchFunc(s.LogEnds, num, func(l LogEnd, n base.FileNum) int {
		return compareNum(l.Num, n)
	})
	if !ok {
		return 0, false
	}
	return s.LogEnds[i].End, true
}

func compareNum(a, b base.FileNum) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// snapshot is the edit that leads from nothing to s.
func (s *State) snapshot() *Edit {
	e := &Edit{MinLog: s.MinLog, NextFile: s.NextFile, LastSeq: s.LastSeq, LogEnd: s.LogEnds, AddedBlobs: s.Version.blobMetas()}
	for l := range s.Version.Levels {
		for _, f := range s.Version.Levels[l] {
			e.Added = append(e.Added, NewFile{l, f})
		}
	}
	return e
}

// after returns the state after e, without touching s.
func (s *State) after(e *Edit) (State, error) {
	n := *s
	if err := n.numbers(e); err != nil {
		return n, err
	}
	v, err := Apply(s.Version, e)
	n.Version = v
	return n, err
}

// numbers applies everything of e but the tables.
func (s *State) numbers(e *Edit) error {
	if e.MinLog != 0 {
		if e.MinLog < s.MinLog {
			return fmt.Errorf("smallest log goes back from %d to %d", s.MinLog, e.MinLog)
		}
		s.MinLog = e.MinLog
	}
	s.NextFile = max(s.NextFile, e.NextFile)
	s.LastSeq = max(s.LastSeq, e.LastSeq)
	for _, a := range e.Added {
		if a.Meta.Num >= s.NextFile || a.Meta.File >= s.NextFile {
			return fmt.Errorf("table %d in file %d, but the next number is %d", a.Meta.Num, a.Meta.File, s.NextFile)
		}
		s.LastSeq = max(s.LastSeq, a.Meta.LargestSeq)
	}
	for _, b := range e.AddedBlobs {
		if b.Num >= s.NextFile {
			return fmt.Errorf("blob file %d, but the next number is %d", b.Num, s.NextFile)
		}
	}
	if len(e.LogEnd) == 0 && e.MinLog == 0 {
		return nil
	}
	ends := make([]LogEnd, 0, len(s.LogEnds)+len(e.LogEnd))
	ends = append(append(ends, s.LogEnds...), e.LogEnd...)
	slices.SortStableFunc(ends, func(a, b LogEnd) int { return compareNum(a.Num, b.Num) })
	kept := ends[:0]
	for _, l := range ends {
		switch {
		case l.Num == 0 || l.End <= 0 || l.Num >= s.NextFile:
			return fmt.Errorf("log %d ends at %d, but the next number is %d", l.Num, l.End, s.NextFile)
		case l.Num < s.MinLog:
		case len(kept) > 0 && kept[len(kept)-1].Num == l.Num:
			kept[len(kept)-1] = l
		default:
			kept = append(kept, l)
		}
	}
	s.LogEnds = kept
	return nil
}

// replay gathers many edits without building a version for each.
type replay struct {
	state  State
	levels [base.NumLevels]map[base.FileNum]*FileMeta
	blobs  []*BlobMeta // all that ever were
	edits  int
}

func (r *replay) add(e *Edit) error {
	if err := r.state.numbers(e); err != nil {
		return err
	}
	for _, d := range e.Deleted {
		if _, ok := r.levels[d.Level][d.Num]; !ok {
			return fmt.Errorf("edit deletes table %d from L%d, where it is not", d.Num, d.Level)
		}
		delete(r.levels[d.Level], d.Num)
	}
	for _, a := range e.Added {
		if r.levels[a.Level] == nil {
			r.levels[a.Level] = make(map[base.FileNum]*FileMeta)
		}
		if _, ok := r.levels[a.Level][a.Meta.Num]; ok {
			return fmt.Errorf("edit adds table %d to L%d, where it is", a.Meta.Num, a.Level)
		}
		r.levels[a.Level][a.Meta.Num] = a.Meta
	}
	r.blobs = append(r.blobs, e.AddedBlobs...)
	r.edits++
	return nil
}

func (r *replay) finish() (State, error) {
	var levels [base.NumLevels][]*FileMeta
	for l, m := range r.levels {
		for _, f := range m {
			levels[l] = append(levels[l], f)
		}
	}
	v, err := NewVersion(levels, r.blobs...)
	r.state.Version = v
	return r.state, err
}
