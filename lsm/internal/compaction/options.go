package compaction

import (
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
)

// Options shapes the tree. The zero value of each field takes the default; those
// in bytes follow from MemtableSize. docs/compaction.md has the figures that the
// defaults were chosen by.
type Options struct {
	MemtableSize   int64 // bytes of a full memtable; 32 MiB
	TargetFileSize int64 // bytes at which outputs are cut; MemtableSize/2
	// BaseLevelBytes is how large the level that L0 goes to may get before another
	// one is put above it; 12 memtables.
	BaseLevelBytes int64
	// MinBaseBytes is the least target of a level, so that one L0 compaction does not
	// overfill it; 4 memtables.
	MinBaseBytes int64
	Multiplier   int // size ratio of neighbouring levels; 10
	// L0Trigger is how many tables L0 must have before they are merged downwards at
	// all; 4.
	L0Trigger int
	// L0Max is how many it may have before they are merged downwards whatever that
	// costs: it bounds what a lookup visits; 8.
	L0Max int
	// MaxBytes bounds the input of one compaction between levels where it can be
	// chosen, and what one moves between blob files, up to one file more; 25 target files.
	MaxBytes int64
}

// WithDefaults fills in the fields that are 0.
func (o Options) WithDefaults() Options {
	def := func(p *int64, v int64) {
		if *p <= 0 {
			*p = max(v, 1)
		}
	}
	def(&o.MemtableSize, 32<<20)
	def(&o.TargetFileSize, o.MemtableSize/2)
	def(&o.BaseLevelBytes, 12*o.MemtableSize)
	def(&o.MinBaseBytes, 4*o.MemtableSize)
	def(&o.MaxBytes, 25*o.TargetFileSize)
	if o.Multiplier < 2 {
		o.Multiplier = 10
	}
	if o.L0Trigger < 2 {
		o.L0Trigger = 4
	}
	o.L0Max = max(o.L0Max, 2*o.L0Trigger)
	return o
}

// Env is what the choice depends on beside the version.
type Env struct {
	// Running are the compactions under way; nothing that conflicts with one of them
	// is picked.
	Running []*Compaction
	// Busy says which tables, and blob files, are to be left alone for another reason: they
	// cannot be read, for instance. May be nil.
	Busy func(base.FileNum) bool
	// OldestSnapshot is the sequence number of the oldest open snapshot (and of the
	// oldest transaction or iterator that reads new versions): SeqNumMax if there is
	// none.
	OldestSnapshot base.SeqNum
	// Now is the time by which records expire, in Unix nanoseconds: the clock, or the
	// time of an open snapshot if that is earlier. 0 if nothing is to expire.
	Now int64
	// Idle says that nothing has been written for a while: work that pays off only
	// later may be done now.
	Idle bool
	// Tombstones returns the envelope of the range tombstones of a table (asked only
	// where RangeDels > 0), to find tables that they cover entirely. May be nil.
	Tombstones func(*manifest.FileMeta) []rangedel.Tombstone
}

// busy reports whether f is taken.
func (e *Env) busy(f *manifest.FileMeta) bool {
	for _, c := range e.Running {
		if c.Has(f.Num) {
			return true
		}
	}
	return e.Busy != nil && e.Busy(f.Num)
}

func (e *Env) anyBusy(files []*manifest.FileMeta) bool {
	for _, f := range files {
		if e.busy(f) {
			return true
		}
	}
	return false
}

// free returns c, or nil if it conflicts with something that runs.
func (e *Env) free(c *Compaction) *Compaction {
	if c == nil {
		return nil
	}
	for _, r := range e.Running {
		if Conflict(c, r) {
			return nil
		}
	}
	return c
}
