package compare

import (
	"fmt"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/report"
)

// Status is where a comparison stands.
type Status struct {
	Round, Rounds int // 0 while limits are measured
	Group         string
	Engine        string
	Threads       int
	Phase         string // the workload, or loading for it
	driver.Progress
	Elapsed time.Duration // of the phase
	Left    time.Duration // of the whole comparison; negative if nobody knows
}

// String is one line for a terminal.
func (s Status) String() string {
	var b strings.Builder
	if s.Round > 0 {
		if s.Group != "" {
			b.WriteString(s.Group + " · ")
		}
		fmt.Fprintf(&b, "round %d/%d · %s · ", s.Round, s.Rounds, s.Engine)
	}
	b.WriteString(s.Phase)
	if s.Threads > 1 {
		fmt.Fprintf(&b, " x%d", s.Threads)
	}
	if s.Done >= 0 {
		fmt.Fprintf(&b, " %.0f%%", s.Done*100)
	}
	if s.Mean > 0 {
		fmt.Fprintf(&b, " · %s ops/s", report.Rate(s.Mean))
	}
	if s.Left >= 0 {
		fmt.Fprintf(&b, " · about %s left", s.Left.Round(time.Second))
	}
	return b.String()
}

// show returns what passes on the progress of a cell.
func (b *bench) show(c cell, round int) func(progress) {
	if b.Progress == nil {
		return func(progress) {}
	}
	start := time.Now()
	return func(p progress) {
		b.Progress(Status{
			Round: round, Rounds: b.clock.rounds, Group: b.rows[c.row].name, Engine: b.kinds[c.engine].Name, Threads: b.rows[c.row].params.Threads,
			Phase: p.Phase, Progress: p.Progress, Elapsed: time.Since(start), Left: b.clock.left(c, p.Done),
		})
	}
}

// clock estimates the time that is left, from what each cell took before, and where it
// was not measured yet, from the mean of those that were. Loading is not foreseen.
type clock struct {
	rounds int
	todo   map[cell]int // rounds in which it is still to be measured
	took   map[cell]time.Duration
}

func newClock(rounds, rows, engines int) *clock {
	c := &clock{rounds: rounds, todo: make(map[cell]int), took: make(map[cell]time.Duration)}
	for r := range rows {
		for e := range engines {
			c.todo[cell{r, e}] = rounds
		}
	}
	return c
}

func (c *clock) done(at cell, took time.Duration) {
	c.took[at] = took
	c.todo[at]--
}

// resumed takes a cell out of one round.
func (c *clock) resumed(at cell) { c.todo[at] = max(c.todo[at]-1, 0) }

// skip takes a cell out of all rounds.
func (c *clock) skip(at cell) { c.todo[at] = 0 }

// left is the expected time, while a share of one cell is done.
func (c *clock) left(at cell, share float64) (sum time.Duration) {
	if len(c.took) == 0 {
		return -1
	}
	var mean time.Duration
	for _, t := range c.took {
		mean += t
	}
	mean /= time.Duration(len(c.took))
	expected := func(at cell) time.Duration {
		if t, ok := c.took[at]; ok {
			return t
		}
		return mean
	}
	for at, n := range c.todo {
		sum += time.Duration(n) * expected(at)
	}
	return sum - time.Duration(max(share, 0)*float64(expected(at)))
}
