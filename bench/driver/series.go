package driver

import (
	"math"
	"sync"
	"time"
)

// Point is one second of a run. Calls count in the second in which they ended.
type Point struct {
	Second int
	Ops    int64
	P50    time.Duration
	P99    time.Duration
	Max    time.Duration
}

// interval is what one worker did in one second.
type interval struct {
	second int
	ops    int64
	h      *Histogram
}

func newInterval() *interval { return &interval{h: newHistogram(2)} }

// series gathers the seconds of all workers. A second is finished, and its histogram
// used again, when every worker has moved beyond it.
type series struct {
	mu      sync.Mutex
	pending map[int]*interval
	at      []int // the second each worker is in
	points  []Point
	free    []*interval
}

func newSeries(workers int) *series {
	return &series{pending: make(map[int]*interval), at: make([]int, workers)}
}

// flush adds what a worker did in one second and empties it. The worker goes on in
// the second next, or is done if that is negative.
func (s *series) flush(worker int, i *interval, next int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i.ops > 0 {
		sum := s.pending[i.second]
		if sum == nil {
			sum = s.take(i.second)
		}
		sum.ops += i.ops
		sum.h.Merge(i.h)
		i.ops = 0
		i.h.Reset()
	}
	i.second = next
	if next < 0 {
		next = math.MaxInt
	}
	s.at[worker] = next
	s.finish()
}

func (s *series) take(second int) *interval {
	var i *interval
	if n := len(s.free); n > 0 {
		i, s.free = s.free[n-1], s.free[:n-1]
	} else {
		i = newInterval()
	}
	i.second = second
	s.pending[second] = i
	return i
}

func (s *series) finish() {
	slowest := math.MaxInt
	for _, at := range s.at {
		slowest = min(slowest, at)
	}
	for second, i := range s.pending {
		if second >= slowest {
			continue
		}
		for len(s.points) <= second {
			s.points = append(s.points, Point{Second: len(s.points)})
		}
		p := &s.points[second]
		p.Ops, p.P50, p.P99, p.Max = i.ops, i.h.Percentile(50), i.h.Percentile(99), i.h.Max()
		i.ops = 0
		i.h.Reset()
		s.free = append(s.free, i)
		delete(s.pending, second)
	}
}
