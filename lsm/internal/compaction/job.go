package compaction

import (
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/merge"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Snapshot is an open view of the store: it sees records with sequence numbers up
// to Seq, and judges expiry at Time (Unix nanoseconds).
type Snapshot struct {
	Seq  base.SeqNum
	Time int64
}

// Job is a merge: of tables (a compaction), or of one memtable (a flush, into L0).
type Job struct {
	// Sources are the records, newest source first. Run closes them.
	Sources []base.Iter
	// Tombstones are the range tombstones of all sources, in any order. Those of a
	// table whose reads are limited to bounds must be limited likewise.
	Tombstones []rangedel.Tombstone
	// Snapshots are all that are open, ascending by Seq.
	Snapshots []Snapshot
	// Now is the time, Unix nanoseconds, by which records expire: that at which
	// Snapshots was taken, since a snapshot opened later may judge by an earlier clock
	// than that of the end of the job.
	Now int64

	OutputLevel int
	// Bottom reports whether no record older than those of the job can exist, outside
	// of its sources, for a key in [lo, hi], or [lo, hi) with hiExclusive (then an
	// empty hi is no bound). nil: there may always be one.
	Bottom func(lo, hi []byte, hiExclusive bool) bool
	// AllBottom says that Bottom holds for all keys of the job. Sequence numbers that
	// no snapshot needs are then written as 0. Never with OutputLevel 0, where they
	// order the tables.
	AllBottom bool

	// Lower and Upper limit the job to the keys in [Lower, Upper), one part of a merge of
	// the same sources and tombstones; nil is no limit. Where a source goes on past Upper,
	// and when none does, Onward, if set, may move it up: false ends the job there.
	Lower, Upper []byte
	Onward       func() (upper []byte, more bool)

	TargetFileSize int64                // outputs are cut at about this size; 0: never
	Grandparents   []*manifest.FileMeta // see Compaction

	// NewOutput makes the file for the next output.
	NewOutput func() (f vfs.File, name string, num base.FileNum, uid uint64, err error)
	Writer    sstable.WriterOptions // UID is filled in
	// Blobs says which values are kept outside of the tables.
	Blobs BlobPolicy

	// Cancel, if set, is asked about every 64 KiB; an error ends the job with it.
	Cancel func() error
	// Progress, if set, is told at the same times how many bytes of keys and values,
	// those that moved between blob files included, were read since the last time.
	Progress func(bytes int64)
}

// Output is a table that a job has made. Meta is set when Run succeeded.
type Output struct {
	Num  base.FileNum
	Name string
	Meta sstable.Meta
	// Uses are the blob files that the table refers to, ascending.
	Uses []manifest.BlobUse
}

// BlobPolicy says what a job does with values that are large. The zero value leaves those
// that are in tables there, and those that are not where they are.
type BlobPolicy struct {
	// Least is the length of the values that go into blob files, 0: none do.
	Least int
	// FileSize is where blob files are cut; 0: never.
	FileSize int64
	// NewFile makes the next blob file.
	NewFile func() (f vfs.File, name string, num base.FileNum, uid uint64, err error)
	// Condemned says which blob files are to be given up: what is alive of them moves. nil:
	// none.
	Condemned map[base.FileNum]bool
	// Fetch returns the value of key at ref, and Move returns it as it is stored; both are
	// valid until the next call of either.
	Fetch func(key []byte, ref base.BlobRef) ([]byte, error)
	Move  func(key []byte, ref base.BlobRef) (*sstable.RawBlob, error)
}

// BlobOutput is a blob file that a job has made. Meta is set when Run succeeded.
type BlobOutput struct {
	Num   base.FileNum
	Name  string
	Bytes int64 // of values, as they are stored
	Meta  sstable.Meta
}

// Made is what came out of a job, tables in the order of their keys.
type Made struct {
	Tables []Output
	Blobs  []BlobOutput
}

// Stats counts what a job did.
type Stats struct {
	Read, Written uint64 // point records
	ReadBytes     uint64 // keys and values, and what moved between blob files
	WrittenBytes  int64  // files
	Moved         uint64 // values that left a condemned blob file
	MovedBytes    uint64 // of them, as they were stored
	Shadowed      uint64 // dropped: a newer version hides them from everybody
	Covered       uint64 // dropped: a range tombstone hides them from everybody
	Tombstones    uint64 // dropped: deletes and range tombstones that hide nothing
	Expired       uint64 // turned into deletes
}

// Configure sets what the job does with what comes out as c and v say.
func (c *Compaction) Configure(j *Job, v *manifest.Version) {
	j.OutputLevel = c.OutputLevel
	j.TargetFileSize = c.TargetFileSize
	j.Blobs.Condemned = c.Condemned
	j.Grandparents = c.Grandparents
	j.Bottom = c.bottom(v)
	j.AllBottom = c.OutputLevel > 0 && j.Bottom(c.Lo, c.Hi, c.HiExclusive)
}

// bottom returns Job.Bottom for a compaction of v. What other compactions do
// meanwhile does not matter: they drop and move records, but none of them moves an
// older record into the bounds at this level or above it, or they would conflict.
func (c *Compaction) bottom(v *manifest.Version) func(lo, hi []byte, hiExclusive bool) bool {
	return func(lo, hi []byte, hiExclusive bool) bool {
		if c.OutputLevel == 0 {
			for _, f := range v.Overlaps(0, lo, hi, hiExclusive) {
				if !c.Has(f.Num) && !older(c.Inputs[0].Files[0], f) {
					return false
				}
			}
		}
		for l := c.OutputLevel + 1; l <= bottomLevel; l++ {
			for _, f := range v.Overlaps(l, lo, hi, hiExclusive) {
				if !c.Has(f.Num) {
					return false
				}
			}
		}
		return true
	}
}

// Run does the job. The files that it returns are synced and closed; the names are not
// durable before their directory is synced. With an error it returns those it has begun,
// closed, for the caller to remove.
func Run(j *Job) (Made, Stats, error) {
	r := newRunner(j)
	var it merge.Iter
	it.Init(j.Sources)
	err := r.merge(&it)
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = r.finishLast()
	}
	if err == nil {
		err = r.blobs.finish()
	}
	if err != nil {
		if r.w != nil {
			r.w.Abort()
		}
		r.blobs.abort()
	}
	r.stats.WrittenBytes += r.blobs.written
	return Made{r.outputs, r.blobs.outputs}, r.stats, err
}
