package driver

import (
	"sync"
	"time"
)

// Progress is where a run stands.
type Progress struct {
	Elapsed time.Duration
	Ops     int64
	Rate    float64       // operations a second since the last report
	Mean    float64       // operations a second since the beginning
	Done    float64       // from 0 to 1; negative if nobody knows
	Left    time.Duration // expected; negative if nobody knows
}

// progress reports now and then until the function it returns is called.
func (r *run) progress(recs []*recorder) (stop func()) {
	if r.job.Progress == nil {
		return func() {}
	}
	every := r.job.Every
	if every == 0 {
		every = time.Second / 4
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		var last Progress
		for {
			select {
			case <-tick.C:
				last = r.look(recs, last)
				r.job.Progress(last)
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

func (r *run) look(recs []*recorder, last Progress) Progress {
	p := Progress{Elapsed: r.sched.since(), Done: -1, Left: -1}
	for _, rec := range recs {
		p.Ops += rec.ops.Load()
	}
	p.Mean = float64(p.Ops) / p.Elapsed.Seconds()
	p.Rate = float64(p.Ops-last.Ops) / (p.Elapsed - last.Elapsed).Seconds()
	if r.job.Calls > 0 {
		p.Done = float64(p.Ops) / float64(r.job.Calls*r.job.CallOps)
	}
	if r.job.Duration > 0 {
		p.Done = max(p.Done, p.Elapsed.Seconds()/r.job.Duration.Seconds())
	}
	if r.job.Fraction != nil {
		p.Done = r.job.Fraction()
	}
	if p.Done > 0 {
		p.Done = min(p.Done, 1)
		p.Left = time.Duration(float64(p.Elapsed) * (1 - p.Done) / p.Done)
	}
	return p
}
