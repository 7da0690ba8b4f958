package driver

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Below this the driver spins: to sleep and wake up again takes about as long.
	spinBelow = 100 * time.Microsecond
	// A sleeper looks up this often whether the run was stopped.
	nap = 50 * time.Millisecond
)

// schedule hands out the numbers of calls and says when they are due.
type schedule struct {
	first, calls int64         // first number, how many; 0 calls means no limit
	interval     float64       // nanoseconds between calls; 0 in a closed loop
	until        time.Duration // 0 means no limit
	begin        time.Time
	stop         *atomic.Bool

	next atomic.Int64
	// In an open loop one worker at a time waits for the next call to be due, the
	// others queue behind it: so one processor at most spins.
	mu sync.Mutex

	tenth  int64 // calls in a tenth of the run, 0 if that is not known
	tenths [10]atomic.Int64
}

func (s *schedule) since() time.Duration { return time.Since(s.begin) }

// take returns the number of the next call and, in an open loop, when it was due.
func (s *schedule) take(rec *recorder) (n int64, due time.Duration, ok bool) {
	if s.interval > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	n = s.next.Add(1) - 1
	if s.calls > 0 && n >= s.calls || s.stop.Load() {
		return 0, 0, false
	}
	if s.interval > 0 {
		if due, ok = s.wait(n, rec); !ok {
			return 0, 0, false
		}
	}
	if s.tenth > 0 && n%s.tenth == 0 && n/s.tenth < 10 {
		s.tenths[n/s.tenth].Store(int64(s.since()))
	}
	return s.first + n, due, true
}

// wait returns when call n of an open loop is due; not ok if that is beyond the end.
func (s *schedule) wait(n int64, rec *recorder) (due time.Duration, ok bool) {
	due = time.Duration(float64(n) * s.interval)
	if s.until > 0 && due >= s.until {
		return 0, false
	}
	now := s.since()
	if now >= due {
		return due, true
	}
	for due-now > spinBelow {
		sleep(min(due-now-spinBelow/2, nap))
		if s.stop.Load() {
			return 0, false
		}
		now = s.since()
	}
	spun := due - now
	for now < due {
		now = s.since()
	}
	rec.waited(now-due, max(0, spun))
	return due, true
}
