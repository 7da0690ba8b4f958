package session

import (
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/bench/driver"
)

// What counts as quiet, second by second: a disturbance takes away its own interval, those
// with calls that were due in it, and those until the calls that it held up are done.
func TestQuiet(t *testing.T) {
	const s = time.Second
	point := func(start, since, late time.Duration) driver.Point {
		return driver.Point{Start: start, Ops: 1, Since: since, Late: late, Bars: []driver.Bar{{Length: 1 + start, Count: 1}}}
	}
	empty := func(start time.Duration) driver.Point { return driver.Point{Start: start} }
	for _, c := range []struct {
		name      string
		series    []driver.Point
		from, to  time.Duration // of the disturbance
		intervals int
		longest   time.Duration
	}{
		{"none", []driver.Point{point(0, 0, 0), point(s, s, 5*s), point(2*s, 2*s, 0)}, 0, 0, 3, 1 + 2*s},
		{"in the middle", []driver.Point{point(0, 0, 0), point(s, s, 0), point(2*s, 2*s, 0)}, s + 1, s + 2, 2, 1 + 2*s},
		{"makes up for it", []driver.Point{point(0, 0, s/2), point(s, s, s/4), point(2*s, 2*s, 0), point(3*s, 3*s, s/2)}, 0, 1, 1, 1 + 3*s},
		{"a call that lasts", []driver.Point{point(0, 0, 0), empty(s), point(2*s, s/2, 0), point(3*s, 3*s, 0)}, s / 2, s/2 + 1, 1, 1 + 3*s},
		{"what is empty tells nothing", []driver.Point{point(0, 0, s/2), empty(s), point(2*s, 2*s, 0), point(3*s, 3*s, 0)}, 0, 1, 1, 1 + 3*s},
		{"another worker hangs", []driver.Point{point(0, 0, 0), point(s, s/2, 0)}, s / 2, s/2 + 1, 0, 0},
	} {
		q := quiet(c.series, s, func(from, to time.Duration) bool { return c.to <= from || to <= c.from })
		if q.Intervals != c.intervals || q.Of != len(c.series) || q.Latency.Max != c.longest {
			t.Errorf("%s: %d of %d intervals, longest %v; want %d, %v", c.name, q.Intervals, q.Of, q.Latency.Max, c.intervals, c.longest)
		}
	}
}
