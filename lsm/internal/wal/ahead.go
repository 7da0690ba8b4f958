package wal

import "github.com/ringwood-kv/ringwood/lsm/vfs"

// spaceAhead keeps written zeros in front of a log that is synced often. A sync
// that neither grows the file nor allocates blocks needs no commit of the file
// system's journal: BenchmarkSync/ahead shows the difference. A log that is
// synced rarely gets none, since the zeros are bytes written for nothing.
//
// The zeros mean nothing: a reader takes them for the end. So a failure here is
// no failure of the log, and only turns the zeros off until the next attempt.
type spaceAhead struct {
	end   int64 // the file is written up to here, if beyond the log
	syncs int
	off   bool // a benchmark and a test compare
}

const (
	aheadChunk   = 64 << 10 // zeros per fill
	aheadMaxStep = 16 << 10 // a sync of more than this pays for its own blocks
	aheadPatient = 2        // syncs to see before the first fill
	// page is what one write fills: what Linux keeps of a file in memory, and counts as
	// written when a byte of it changes, is as large as the write that made it.
	page = 4 << 10
)

var zeros [page]byte

// fill is called before a sync: the log ends at end and is on disk up to synced.
func (a *spaceAhead) fill(f vfs.File, end, synced int64) {
	step := end - synced
	if a.off || step <= 0 || step > aheadMaxStep {
		return
	}
	if a.syncs++; a.syncs <= aheadPatient || a.end >= end+step {
		return
	}
	from := max(a.end, end)
	for at, next := from, int64(0); at < from+aheadChunk; at = next {
		next = at&^(page-1) + page
		if n, err := f.WriteAt(zeros[:next-at], at); err != nil || n < int(next-at) {
			a.forget()
			return
		}
		a.end = next
	}
}

// forget is called when the zeros may be gone.
func (a *spaceAhead) forget() { a.end, a.syncs = 0, 0 }

// cut gives the space back. Whether that succeeds, and survives a crash, does
// not matter.
func (a *spaceAhead) cut(f vfs.File, end int64) {
	if a.end > end {
		_ = f.Truncate(end)
	}
}
