package lsm

import (
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/compaction"
)

// work runs functions aside: on goroutines that close waits for, or as jobs of an
// Executor.
type work struct {
	mu     sync.Mutex
	exec   Executor
	jobs   []func() // not yet run; only with an Executor
	closed bool
	wait   sync.WaitGroup
	lead   func() // leads commits and is done; made once, so that a commit allocates nothing
}

// spawnLeader is spawn of leadAsync for a DB without an Executor, without allocations.
func (db *DB) spawnLeader() bool {
	w := &db.work
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.wait.Add(1)
	go w.lead()
	return true
}

// spawn runs fn aside and reports whether it will.
func (db *DB) spawn(fn func()) bool {
	w := &db.work
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	if w.exec != nil {
		w.jobs = append(w.jobs, fn)
		w.exec.Submit(w.runOne)
		return true
	}
	w.wait.Add(1)
	go func() {
		defer w.wait.Done()
		fn()
	}()
	return true
}

// take takes the oldest job of a stepped engine off the queue; nil if there is none.
func (w *work) take() func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.jobs) == 0 {
		return nil
	}
	fn := w.jobs[0]
	w.jobs = append(w.jobs[:0], w.jobs[1:]...)
	return fn
}

// runOne runs the oldest job of a stepped engine, if there is one.
func (w *work) runOne() {
	if fn := w.take(); fn != nil {
		fn()
	}
}

// runJobLocked does a step in place of waiting. db.mu is held, but not meanwhile: it is
// released only if there is a job.
func (db *DB) runJobLocked() bool {
	fn := db.work.take()
	if fn == nil {
		return false
	}
	db.mu.Unlock()
	defer db.mu.Lock()
	fn()
	return true
}

// close refuses further work, drops jobs that nobody ran, and waits for goroutines.
func (w *work) close() {
	w.mu.Lock()
	w.closed = true
	w.jobs = nil
	w.mu.Unlock()
	w.wait.Wait()
}

// background runs fn aside as something that Close waits for, unless Close has begun
// when its turn comes.
func (db *DB) background(fn func()) {
	db.spawn(func() {
		db.mu.Lock()
		if db.closing.Load() {
			db.mu.Unlock()
			return
		}
		db.active++
		db.mu.Unlock()
		fn()
		db.mu.Lock()
		db.active--
		db.cond.Broadcast()
		db.mu.Unlock()
	})
}

// scheduleLocked starts whatever background work there is and may run. db.mu is held.
func (db *DB) scheduleLocked() {
	if db.closing.Load() || db.opts.ReadOnly || db.poisoned.Load() != nil || db.paused > 0 {
		return
	}
	db.helpLocked()
	if db.spareLog == nil && !db.sparing && !db.stepped {
		db.sparing = true
		if !db.spawnCounted(db.makeSpareLog) {
			db.sparing = false
		}
	}
	if len(db.imm) > 0 && !db.flushing && db.flushFailed.over() {
		db.flushing = true
		db.background(db.flushJob)
	}
	for len(db.running) < db.opts.CompactionConcurrency && db.mergeFailed.over() {
		c := compaction.Pick(db.state.Load().version, db.shape, db.pickEnvLocked())
		if c == nil {
			return
		}
		db.running = append(db.running, c)
		db.background(func() { db.compactJob(c) })
	}
}

// spawnCounted is background for a function that must run even while Close waits.
func (db *DB) spawnCounted(fn func()) bool {
	db.active++
	ok := db.spawn(func() {
		fn()
		db.mu.Lock()
		db.active--
		db.cond.Broadcast()
		db.mu.Unlock()
	})
	if !ok {
		db.active--
	}
	return ok
}

func (db *DB) pickEnvLocked() compaction.Env {
	clock := db.now()
	now := clock
	if len(db.snapshots.open) > 0 {
		now = min(now, db.snapshots.open[0].now)
	}
	return compaction.Env{
		Running:        db.running,
		Busy:           func(n base.FileNum) bool { return db.bad[n] || clock < db.spared[n].until },
		OldestSnapshot: db.snapshots.oldest(),
		Now:            now,
		Idle:           len(db.imm) == 0 && db.idleSeq == db.visible.Load(),
		Tombstones:     db.tombstonesOf,
	}
}

// setback is a failure of background work, which is tried again after a pause. Flush,
// Compact and WaitIdle cut the pause short. A stepped engine has
// no pauses: it tries again with the next thing that is asked of it.
type setback struct {
	err   error
	until time.Time
}

func (s *setback) over() bool { return s.err == nil || time.Until(s.until) <= 0 }

// finishedLocked takes note, in last, of how a background job ended and starts what
// comes next.
func (db *DB) finishedLocked(last *setback, err error) {
	switch {
	case err == nil:
		if last.over() { // else another job's failure still has its pause
			*last = setback{}
		}
	case db.poisoned.Load() != nil || db.closing.Load():
	default:
		*last = setback{err: err}
		db.stats.backgroundErrors.Add(1)
		db.event(Event{Kind: EventBackgroundError, Err: err})
		db.noteCorruption(err)
		if db.stepped {
			return
		}
		last.until = time.Now().Add(retryPause)
		db.wakeAfterLocked(retryPause)
	}
	db.scheduleLocked()
	db.cond.Broadcast()
}

const (
	retryPause = 100 * time.Millisecond
	// tickPause is how often a DB looks for work that came with time: expired values,
	// and, when nobody has written since the last look, what a busy store leaves undone.
	tickPause = 2 * time.Second
)

// wakeAfterLocked looks for work again after d.
func (db *DB) wakeAfterLocked(d time.Duration) {
	if db.timer != nil {
		db.timer.Stop()
	}
	db.timer = time.AfterFunc(d, db.tick)
}

func (db *DB) tick() {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closing.Load() {
		return
	}
	seq := db.visible.Load()
	if seq == db.tickSeq {
		db.idleSeq = seq
	}
	db.tickSeq = seq
	db.scheduleLocked()
	db.wakeAfterLocked(tickPause)
}
