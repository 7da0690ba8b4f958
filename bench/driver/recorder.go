package driver

import (
	"sync/atomic"
	"time"
)

// Outcome is what one call did.
type Outcome struct {
	Kind    Kind
	Ops     int64 // operations the call stands for: records of a batch, rows of a scan
	Read    int64 // bytes of keys and values that were returned
	Written int64 // bytes of keys and values that were stored
	Misses  int64 // reads that found nothing where nothing had to be
	Lost    int64 // reads that did not find what had to be there
}

// Totals are the sums of the outcomes of a run.
type Totals struct {
	Calls, Ops    int64
	Read, Written int64
	Misses, Lost  int64
}

func (t *Totals) add(o Totals) {
	t.Calls += o.Calls
	t.Ops += o.Ops
	t.Read += o.Read
	t.Written += o.Written
	t.Misses += o.Misses
	t.Lost += o.Lost
}

// recorder is what one worker measures. Only ops is read by others meanwhile.
type recorder struct {
	index  int
	series *series // nil for background workers
	now    *interval
	until  time.Duration // when that interval ends

	hist   [kinds]*Histogram
	totals Totals
	pauses pauses
	pacing *Histogram
	spin   time.Duration
	behind time.Duration // how late the newest call began
	ops    atomic.Int64
	_      [64]byte // the counter has a cache line of its own
}

func newRecorder(index int, s *series, pauseAt time.Duration) *recorder {
	return &recorder{index: index, series: s, now: newInterval(), pauses: pauses{at: pauseAt}}
}

// record notes a call that began, or was due, at start.
func (r *recorder) record(o Outcome, start, end time.Duration) {
	h := r.hist[o.Kind]
	if h == nil {
		h = NewHistogram()
		r.hist[o.Kind] = h
	}
	h.Record(end - start)
	r.totals.add(Totals{1, o.Ops, o.Read, o.Written, o.Misses, o.Lost})
	r.ops.Store(r.totals.Ops)
	if end-start >= r.pauses.at {
		r.pauses.add(start, end)
	}
	if r.series == nil {
		return
	}
	if end >= r.until {
		n := int(end / r.series.every)
		r.series.flush(r.index, r.now, n)
		r.until = time.Duration(n+1) * r.series.every
	}
	if r.now.ops == 0 || start < r.now.since {
		r.now.since = start
	}
	r.now.ops += o.Ops
	r.now.late = r.behind
	r.now.h.Record(end - start)
}

// waited notes that the driver started a call late although a worker was free.
func (r *recorder) waited(late, spun time.Duration) {
	if r.pacing == nil {
		r.pacing = NewHistogram()
	}
	r.pacing.Record(late)
	r.spin += spun
}

func (r *recorder) finish() {
	if r.series != nil {
		r.series.flush(r.index, r.now, -1)
	}
}
