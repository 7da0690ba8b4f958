package driver

import (
	"math"
	"sync"
	"time"
)

// Point is one interval of a run. Calls count in the interval in which they ended.
type Point struct {
	Start time.Duration // since the run began
	Ops   int64
	P50   time.Duration
	P99   time.Duration
	Max   time.Duration
	// In an open loop:
	Since time.Duration // when the earliest of its calls was due
	Late  time.Duration // how late the last one began, of the worker that was the latest
	Bars  []Bar         // of all calls, to two digits
}

// interval is what one worker did in one of them.
type interval struct {
	n     int
	ops   int64
	since time.Duration // when the earliest call was due
	late  time.Duration // how late the last call began
	h     *Histogram
}

func newInterval() *interval { return &interval{h: newHistogram(2)} }

// series gathers the intervals of all workers. An interval is finished, and its histogram
// used again, when every worker has moved beyond it.
type series struct {
	every   time.Duration // length of an interval
	bars    bool          // keep them
	mu      sync.Mutex
	pending map[int]*interval
	at      []int // the interval each worker is in
	points  []Point
	free    []*interval
}

func newSeries(every time.Duration, workers int) *series {
	return &series{every: every, pending: make(map[int]*interval), at: make([]int, workers)}
}

// flush adds what a worker did in one interval and empties it. The worker goes on in
// the interval next, or is done if that is negative.
func (s *series) flush(worker int, i *interval, next int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i.ops > 0 {
		sum := s.pending[i.n]
		if sum == nil {
			sum = s.take(i.n)
		}
		if sum.ops == 0 || i.since < sum.since {
			sum.since = i.since
		}
		sum.late = max(sum.late, i.late)
		sum.ops += i.ops
		sum.h.Merge(i.h)
		i.ops, i.late = 0, 0
		i.h.Reset()
	}
	i.n = next
	if next < 0 {
		next = math.MaxInt
	}
	s.at[worker] = next
	s.finish()
}

func (s *series) take(n int) *interval {
	var i *interval
	if last := len(s.free) - 1; last >= 0 {
		i, s.free = s.free[last], s.free[:last]
	} else {
		i = newInterval()
	}
	i.n = n
	s.pending[n] = i
	return i
}

func (s *series) finish() {
	slowest := math.MaxInt
	for _, at := range s.at {
		slowest = min(slowest, at)
	}
	for n, i := range s.pending {
		if n >= slowest {
			continue
		}
		for len(s.points) <= n {
			s.points = append(s.points, Point{Start: time.Duration(len(s.points)) * s.every})
		}
		p := &s.points[n]
		p.Ops, p.P50, p.P99, p.Max = i.ops, i.h.Percentile(50), i.h.Percentile(99), i.h.Max()
		if s.bars {
			p.Since, p.Late, p.Bars = i.since, i.late, i.h.bars()
		}
		i.ops, i.late = 0, 0
		i.h.Reset()
		s.free = append(s.free, i)
		delete(s.pending, n)
	}
}
