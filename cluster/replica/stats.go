package replica

import "sync/atomic"

// counters are what Stats shows.
type counters struct {
	conflicts  atomic.Int64
	dropped    atomic.Int64
	warned     atomic.Int64
	latchWaits atomic.Int64
	chained    atomic.Int64
	renewals   atomic.Int64
	dangling   atomic.Int64
	swept      [markKinds]atomic.Int64
	drops      atomic.Int64
}

// Stats counts what has happened since Open.
type Stats struct {
	Conflicts       int64 // reads of one value that found several siblings
	DroppedSiblings int64 // writes that last-writer-wins or a limit dropped, and nobody had read
	SiblingWarnings int64 // writes that left more siblings than the bucket likes
	LatchWaits      int64 // transactions that found a key of theirs taken
	Chained         int64 // blocking transactions that gave others their keys before they were committed
	LeaseRenewals   int64 // times that the leases of dots and timestamps were made durable
	Swept           int64 // records of which expired values were dropped
	Reaped          int64 // records that were removed, by Reap
	Dangling        int64 // index entries without a record that were deleted
	Drops           int   // dropped and flushed generations of buckets that wait for Reclaim
	Recounting      bool  // Recount is not done
}

// Stats returns the counts. They are not of one moment. It waits for nobody, so that it
// tells something while a disk hangs.
func (r *Replica) Stats() Stats {
	c := &r.stats
	return Stats{
		Conflicts:       c.conflicts.Load(),
		DroppedSiblings: c.dropped.Load(),
		SiblingWarnings: c.warned.Load(),
		LatchWaits:      c.latchWaits.Load(),
		Chained:         c.chained.Load(),
		LeaseRenewals:   c.renewals.Load(),
		Swept:           c.swept[markExpiry].Load(),
		Reaped:          c.swept[markDead].Load(),
		Dangling:        c.dangling.Load(),
		Drops:           int(c.drops.Load()),
		Recounting:      r.recounting.Load(),
	}
}
