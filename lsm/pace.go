package lsm

import (
	"sync/atomic"
	"time"
)

// pace slows writers down before they run into a wall. Two things are limited, and
// both limits tighten gradually:
//
//   - While sealed memtables are being flushed, writers may fill the memory that is
//     left no faster than the flush is expected to end. Without, a burst of large
//     values fills every memtable and then stands still for a whole flush.
//   - When tables pile up in L0, the rate falls from no limit towards a trickle, with
//     the square of the excess, so that writers settle at the speed of compaction.
//
// It is a token bucket: each byte has a due time; the leader sleeps when it is more
// than minDelay ahead of it, never longer than maxDelay at a time.
type pace struct {
	l0        atomic.Int64 // nanoseconds for each thousand bytes, by tables in L0
	unflushed atomic.Int64 // bytes of sealed memtables that the flush has not read yet
	flushRate atomic.Int64 // bytes a second that flushes have reached

	// The leader's.
	gathered int       // bytes since the clock was last read
	due      time.Time // when the bytes so far should have been written
}

const (
	minDelay = 500 * time.Microsecond
	maxDelay = 5 * time.Millisecond
	maxDebt  = 100 * time.Millisecond
	// paceStep is how many bytes are let pass between two looks at the clock.
	paceStep = 16 << 10
	// firstFlushRate is assumed until a flush has been timed.
	firstFlushRate = 100 << 20
)

// wait holds the leader up, if need be, before it writes n bytes.
func (p *pace) wait(db *DB, n int) {
	if db.stepped {
		return
	}
	if p.gathered += n; p.gathered < paceStep {
		return
	}
	n, p.gathered = p.gathered, 0
	perByte := float64(p.l0.Load()) / 1000
	if left := p.unflushed.Load(); left > 0 {
		perByte = max(perByte, p.flushLimit(db, left))
	}
	if perByte == 0 {
		p.due = time.Time{}
		return
	}
	now := time.Now()
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(min(time.Duration(float64(n)*perByte), maxDebt))
	if p.due.Sub(now) > maxDebt {
		p.due = now.Add(maxDebt) // what was owed to a tighter limit is forgiven
	}
	if ahead := p.due.Sub(now); ahead > minDelay {
		time.Sleep(min(ahead, maxDelay))
		db.stats.delayNanos.Add(int64(time.Since(now)))
	}
}

// flushLimit returns the nanoseconds that a byte must take for the memory that is left
// to last until left bytes are flushed.
func (p *pace) flushLimit(db *DB, left int64) float64 {
	rate := p.flushRate.Load()
	if rate == 0 {
		rate = firstFlushRate
	}
	sealed := len(db.state.Load().imm)
	slack := int64(db.mem.room()) + int64(db.plan.sealed-sealed)*db.plan.memtable
	return float64(left) / float64(rate) * 1e9 / float64(max(slack, 1<<16))
}

// flushed takes note of a flush of n bytes of memtables that took d.
func (p *pace) flushed(n int64, d time.Duration) {
	if d <= 0 || n < 1<<20 {
		return
	}
	rate := int64(float64(n) / d.Seconds())
	if old := p.flushRate.Load(); old > 0 {
		rate = (3*old + rate) / 4
	}
	p.flushRate.Store(max(rate, 1<<20))
}

// setL0 sets the limit by the number of tables in L0.
func (p *pace) setL0(tables, limit int) {
	x := (float64(tables) - 2*float64(limit)) / (3 * float64(limit))
	x = min(max(x, 0), 1)
	// At the end of the scale 4 MB/s are let through: less than any disk compacts.
	const full = 1e9 / 4e3
	p.l0.Store(int64(full * x * x))
}
