package driver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Worker performs calls. It belongs to one goroutine at a time.
type Worker interface {
	// Do performs call number n. An error ends the run.
	Do(n int64) (Outcome, error)
	Close() error
}

// Feeder is a Worker that decides itself which call is its next one: a replay, where
// the calls on one key must stay in order. The time it takes is not part of a call.
type Feeder interface {
	Worker
	// Next waits for the worker's next call; not ok at the end.
	Next() (n int64, ok bool, err error)
}

// Job is a run. Workers is needed, all else has a zero value that works.
type Job struct {
	Workers []Worker
	// Background workers run beside, until the others are done, and are reported
	// apart. BackgroundRate is calls a second for each of them; 0 as fast as it goes.
	Background     []Worker
	BackgroundRate float64

	Calls    int64         // how many calls there are; 0 for no limit
	Duration time.Duration // after which no call starts; 0 for no limit
	Rate     float64       // operations a second, all workers together; 0 for a closed loop
	// CallOps is how many operations a call stands for, for the rate and the progress;
	// 0 means one.
	CallOps int64
	First   int64 // number of the first call

	// PauseAt is how long a call must take to be listed as a pause; 0 means 10 ms.
	PauseAt time.Duration

	Progress func(Progress) // called now and then, from a goroutine of the driver
	Every    time.Duration  // how often; 0 means four times a second
	// SeriesEvery is the length of an interval of Result.Series; 0 means a second.
	SeriesEvery time.Duration
	// Fraction tells how much is done where Calls does not, as a number from 0 to 1.
	Fraction func() float64
}

// Result is what was measured.
type Result struct {
	Began   time.Time
	Elapsed time.Duration
	Totals  Totals
	Latency map[Kind]*Histogram
	Series  []Point
	Every   time.Duration // length of an interval of Series
	// Pauses lists the calls that took long, Background included.
	Pauses []Pause
	// Tenths has when each tenth of the calls began; nil if there is no number of calls.
	Tenths []time.Duration

	Background        Totals
	BackgroundLatency map[Kind]*Histogram

	// Open loop only: how late calls began although a worker was waiting for them, how
	// long the driver spun in all, and how late the last call began.
	Pacing *Histogram
	Spin   time.Duration
	Behind time.Duration

	Interrupted bool // the context ended before the calls did
}

// run is a job under way.
type run struct {
	job        Job
	sched      *schedule
	stop       atomic.Bool // ends everything
	foreground atomic.Bool // the foreground is done
	series     *series

	errOnce sync.Once
	err     error
}

// Run performs the job. It returns the first error of a worker. When ctx ends, calls
// under way are finished and the result says that it was interrupted. Run does not
// close the workers.
func Run(ctx context.Context, job Job) (*Result, error) {
	job.CallOps = max(job.CallOps, 1)
	if job.SeriesEvery == 0 {
		job.SeriesEvery = time.Second
	}
	if job.PauseAt == 0 {
		job.PauseAt = 10 * time.Millisecond
	}
	r := &run{job: job, series: newSeries(job.SeriesEvery, len(job.Workers))}
	r.sched = &schedule{first: job.First, calls: job.Calls, until: job.Duration, stop: &r.stop, tenth: job.Calls / 10}
	if job.Rate > 0 {
		r.sched.interval = float64(time.Second) * float64(job.CallOps) / job.Rate
		r.series.bars = true
	}
	front, back := r.recorders(len(job.Workers), r.series), r.recorders(len(job.Background), nil)

	defer context.AfterFunc(ctx, func() { r.stop.Store(true) })()
	r.sched.begin = time.Now()
	stopProgress := r.progress(front)
	var foreground, background sync.WaitGroup
	for i, w := range job.Background {
		background.Go(func() { r.background(w, back[i]) })
	}
	for i, w := range job.Workers {
		foreground.Go(func() { r.work(w, front[i]) })
	}
	foreground.Wait()
	elapsed := r.sched.since()
	r.foreground.Store(true)
	background.Wait()
	stopProgress()
	if r.err != nil {
		return nil, r.err
	}
	result := r.result(front, back)
	result.Elapsed = elapsed
	result.Interrupted = ctx.Err() != nil && (job.Calls == 0 || result.Totals.Calls < job.Calls)
	return result, nil
}

func (r *run) recorders(n int, s *series) []*recorder {
	list := make([]*recorder, n)
	for i := range list {
		list[i] = newRecorder(i, s, r.job.PauseAt)
	}
	return list
}

func (r *run) fail(err error) {
	r.errOnce.Do(func() { r.err = err })
	r.stop.Store(true)
}

// work performs the calls of one worker.
func (r *run) work(w Worker, rec *recorder) {
	defer rec.finish()
	s := r.sched
	feeder, _ := w.(Feeder)
	open := s.interval > 0
	start := s.since()
	for {
		n, due, ok := int64(0), time.Duration(0), false
		if feeder != nil {
			n, due, ok = r.feed(feeder, rec)
			start = s.since()
		} else {
			n, due, ok = s.take(rec)
		}
		if !ok || !open && s.until > 0 && start >= s.until {
			return
		}
		if open {
			rec.behind = s.since() - due
			start = due
		}
		o, err := w.Do(n)
		if err != nil {
			r.fail(err)
			return
		}
		end := s.since()
		rec.record(o, start, end)
		start = end // the next call of a closed loop: one look at the clock each
	}
}

func (r *run) feed(f Feeder, rec *recorder) (n int64, due time.Duration, ok bool) {
	n, ok, err := f.Next()
	if err != nil {
		r.fail(err)
	}
	if err != nil || !ok || r.stop.Load() {
		return 0, 0, false
	}
	if r.sched.interval > 0 {
		due, ok = r.sched.wait(n-r.sched.first, rec)
	}
	return n, due, ok
}

// background performs calls until the foreground is done, one at least.
func (r *run) background(w Worker, rec *recorder) {
	s := &schedule{begin: r.sched.begin, stop: &r.stop}
	if r.job.BackgroundRate > 0 {
		s.interval = float64(time.Second) / r.job.BackgroundRate
	}
	start := s.since()
	for n := int64(0); !r.stop.Load() && (n == 0 || !r.foreground.Load()); n++ {
		if s.interval > 0 {
			due, ok := s.wait(n, rec)
			if !ok {
				return
			}
			start = due
		}
		o, err := w.Do(n)
		if err != nil {
			r.fail(err)
			return
		}
		end := s.since()
		rec.record(o, start, end)
		start = end
	}
}

func (r *run) result(front, back []*recorder) *Result {
	res := &Result{Began: r.sched.begin, Series: r.series.points, Every: r.series.every}
	var spin, unused time.Duration
	var list []Pause
	res.Totals, res.Latency, spin = merge(front, &list)
	res.Background, res.BackgroundLatency, unused = merge(back, &list)
	res.Pauses = mergePauses(list)
	if r.sched.interval > 0 {
		res.Pacing = NewHistogram()
		for _, rec := range front {
			res.Pacing.Merge(rec.pacing)
			res.Behind = max(res.Behind, rec.behind)
		}
	}
	res.Spin = spin + unused
	if r.sched.tenth > 0 {
		for i := range r.sched.tenths {
			res.Tenths = append(res.Tenths, time.Duration(r.sched.tenths[i].Load()))
		}
	}
	return res
}

func merge(recs []*recorder, list *[]Pause) (t Totals, latency map[Kind]*Histogram, spin time.Duration) {
	latency = make(map[Kind]*Histogram)
	for _, rec := range recs {
		t.add(rec.totals)
		spin += rec.spin
		*list = append(*list, rec.pauses.list...)
		for k, h := range rec.hist {
			if h == nil {
				continue
			}
			if latency[Kind(k)] == nil {
				latency[Kind(k)] = NewHistogram()
			}
			latency[Kind(k)].Merge(h)
		}
	}
	return t, latency, spin
}
