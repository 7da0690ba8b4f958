package session

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/ringwood-kv/ringwood/bench/control"
	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/proc"
	"github.com/ringwood-kv/ringwood/bench/report"
)

// measurement is what is noted around a run.
type measurement struct {
	s       *Session
	stats   engine.Stats
	start   proc.Usage
	end     proc.Usage // of the run
	settled *time.Duration

	account account // of a server

	monitor *control.Monitor
	watched control.Report
}

// begin notes how things stand before a run.
func (s *Session) begin() *measurement {
	debug.FreeOSMemory() // what an earlier run left does not count
	proc.ResetPeak()
	m := &measurement{s: s, stats: s.e.Stats()}
	if s.server != nil {
		m.account.note(s.server, &m.account.begin)
	}
	m.start = proc.Now()
	return m
}

// control starts the control process of an open loop.
func (m *measurement) control(open bool) (err error) {
	if open && m.s.cfg.Control {
		m.monitor, err = control.Start(m.s.controlDir())
	}
	return err
}

// ran notes the end of a run, and returns the error that it ended with, or that of
// the control process.
func (m *measurement) ran(err error) error {
	m.end = proc.Now()
	if m.s.cfg.Done != nil {
		m.s.cfg.Done()
	}
	if m.s.server != nil && err == nil {
		m.account.note(m.s.server, &m.account.end)
		err = m.s.server.Check()
	}
	if m.monitor == nil {
		return err
	}
	watched, e := m.monitor.Stop()
	m.watched = watched
	// Linux adds what a child wrote to its parent's account when it is waited for.
	account := proc.Now().Since(m.end)
	m.start.Written = plus(m.start.Written, account.Written)
	m.start.ReadDisk = plus(m.start.ReadDisk, account.ReadDisk)
	if err == nil && e != nil {
		err = fmt.Errorf("%w (--control=false does without it)", e)
	}
	return err
}

// plus adds what is known.
func plus(a, b int64) int64 {
	if a == proc.Unknown || b == proc.Unknown {
		return a
	}
	return a + b
}

// settle waits for the store to settle, and shows that it is waiting. An interrupted
// run does not settle, and one that is interrupted meanwhile is marked.
func (m *measurement) settle(ctx context.Context, name string, res *driver.Result) error {
	if res.Interrupted {
		return nil
	}
	start := time.Now()
	type settled struct {
		rested time.Duration
		err    error
	}
	done := make(chan settled, 1)
	go func() {
		rested, err := m.s.e.Settle(ctx)
		done <- settled{rested, err}
	}()
	tick := time.NewTicker(time.Second / 4)
	defer tick.Stop()
	for {
		select {
		case s := <-done:
			if m.s.cfg.Done != nil {
				m.s.cfg.Done()
			}
			if s.err != nil && ctx.Err() != nil {
				res.Interrupted = true
				return nil
			}
			if errors.Is(s.err, engine.ErrUntold) {
				return nil
			}
			took := time.Since(start) - s.rested
			m.settled = &took
			return s.err
		case <-tick.C:
			if m.s.cfg.Progress != nil {
				m.s.cfg.Progress(name+" (settling)", driver.Progress{Elapsed: time.Since(start), Done: -1, Left: -1})
			}
		}
	}
}

// result makes a result of it all. logical is the size of the records in the store, 0
// if unknown.
func (m *measurement) result(res *driver.Result, logical int64) (report.Result, error) {
	t := res.Totals
	seconds := res.Elapsed.Seconds()
	r := report.Result{
		Engine: m.s.cfg.Kind.Name, Ops: t.Ops, Calls: t.Calls, Seconds: seconds, OpsPerSecond: float64(t.Ops) / seconds,
		UserRead: t.Read, UserWritten: t.Written, Misses: t.Misses, Lost: t.Lost + res.Background.Lost,
		Latency: report.Latencies(res.Latency), Histograms: res.Latency, Interrupted: res.Interrupted,
	}
	if m.s.opened != nil {
		s := m.s.opened.Seconds()
		r.OpenSeconds, m.s.opened = &s, nil
	}
	if m.settled != nil {
		s := m.settled.Seconds()
		both := float64(t.Ops) / (seconds + s)
		r.SettleSeconds, r.SettledOpsPerSecond = &s, &both
	}
	if res.Background.Calls > 0 {
		r.Background = &report.Background{
			Ops: res.Background.Ops, OpsPerSecond: float64(res.Background.Ops) / seconds,
			Latency: report.Latencies(res.BackgroundLatency),
		}
	}
	for _, p := range res.Series {
		r.Series = append(r.Series, report.Second{Second: p.Start.Seconds(), Ops: p.Ops, P50: p.P50, P99: p.P99, Max: p.Max})
	}
	r.Tenths = tenths(res)
	m.process(&r, res)
	m.disk(&r, t.Written+res.Background.Written, logical)
	m.pauses(&r, res)
	m.quiet(&r, res)
	if m.s.server != nil {
		return r, m.server(&r)
	}
	return r, nil
}

// tenths turns the times at which the tenths began into their speeds.
func tenths(res *driver.Result) (speeds []float64) {
	if len(res.Tenths) == 0 || res.Interrupted {
		return nil
	}
	ops := float64(res.Totals.Ops) / float64(len(res.Tenths))
	for i, begin := range res.Tenths {
		end := res.Elapsed
		if i+1 < len(res.Tenths) {
			end = res.Tenths[i+1]
		}
		if end <= begin {
			return nil // a duration ended the run first
		}
		speeds = append(speeds, ops/(end-begin).Seconds())
	}
	return speeds
}

func (m *measurement) process(r *report.Result, res *driver.Result) {
	ops := float64(max(r.Ops, 1))
	run, all := m.end.Since(m.start), proc.Now().Since(m.start)
	if run.Stolen != proc.Unknown {
		s := run.Stolen.Seconds()
		r.Process.Stolen = &s
	}
	r.Process.AllocsPerOp = float64(run.Allocs) / ops
	r.Process.BytesPerOp = float64(run.AllocBytes) / ops
	r.Process.GCSeconds = run.GC.Seconds()
	if run.CPU() != proc.Unknown {
		user, system := run.User.Seconds(), run.System.Seconds()
		per := max(0, (run.CPU()-res.Spin).Seconds()) / ops * 1e6
		settled := max(0, (all.CPU()-res.Spin).Seconds()) / ops * 1e6
		r.Process.UserSeconds, r.Process.SystemSeconds = &user, &system
		r.Process.CPUPerOp, r.Process.SettledCPU = &per, &settled
	}
	r.Process.PeakMemory = told(proc.PeakMemory())
}

// told returns nil for what nobody knows.
func told(v int64) *int64 {
	if v == proc.Unknown {
		return nil
	}
	return &v
}

func by(v *int64, n int64) *float64 {
	if v == nil || n <= 0 {
		return nil
	}
	q := float64(*v) / float64(n)
	return &q
}

func (m *measurement) disk(r *report.Result, written, logical int64) {
	r.Counts = m.s.e.Stats().Since(m.stats)
	if m.s.server != nil {
		return // its disk is another one's
	}
	used := proc.Now().Since(m.start)
	r.Disk.Written, r.Disk.Read = told(used.Written), told(used.ReadDisk)
	r.Disk.PerUserByte = by(r.Disk.Written, written)
	if n, ok := r.Counts.Written(); ok {
		r.Disk.WriteAmplification = by(&n, written)
	}
	// A file that goes while it is looked at is no reason to lose the results.
	if d, err := proc.DiskUsed(m.s.dir); err == nil {
		r.Disk.Used, r.Disk.Allocated, r.Disk.Files = &d.Bytes, &d.Allocated, &d.Files
		r.Disk.UsedPerUserByte, r.Disk.AllocPerUserByte = by(&d.Bytes, logical), by(&d.Allocated, logical)
	}
}

// listed is how many pauses a result lists.
const listed = 100

func (m *measurement) pauses(r *report.Result, res *driver.Result) {
	p := report.Pauses{AtLeast: m.s.cfg.PauseAt, Count: len(res.Pauses), List: []report.Pause{}}
	for _, h := range res.Latency {
		p.Longest = max(p.Longest, h.Max())
	}
	shared, own := 0, time.Duration(0)
	for _, x := range res.Pauses {
		both := m.monitor != nil && m.watched.Shared(res.Began.Add(x.Start), res.Began.Add(x.End), x.Longest)
		p.Longest = max(p.Longest, x.Longest)
		if both {
			shared++
		} else {
			own = max(own, x.Longest)
		}
		p.List = append(p.List, report.Pause{Start: x.Start.Seconds(), End: x.End.Seconds(), Longest: x.Longest, Shared: both})
	}
	p.List = longest(p.List, listed)
	if m.monitor != nil {
		p.Shared, p.Own = &shared, &own
		p.Control = &report.Control{Writes: m.watched.Writes, Mean: m.watched.Mean, Longest: m.watched.Longest}
		for _, c := range m.watched.Pauses {
			if c.Duration() >= p.AtLeast/2 {
				p.Control.Pauses++
			}
		}
	}
	r.Pauses = p
}

// quiet adds the latencies of those intervals in which the machine disturbed nobody.
func (m *measurement) quiet(r *report.Result, res *driver.Result) {
	if m.monitor == nil {
		return
	}
	q := quiet(res.Series, res.Every, func(from, to time.Duration) bool {
		return m.watched.Quiet(res.Began.Add(from), res.Began.Add(to), m.s.cfg.PauseAt/2)
	})
	r.Pauses.Quiet = &q
}

// caughtUp is how late the last call of an interval may have begun for nothing to be left
// of what held calls up.
const caughtUp = 100 * time.Microsecond

// quiet sums up the intervals that nothing disturbed since the earliest of their calls was
// due, and that begin when all is made up for that a disturbance had held up.
func quiet(series []driver.Point, every time.Duration, undisturbed func(from, to time.Duration) bool) report.Quiet {
	q, sum := report.Quiet{Of: len(series)}, driver.NewHistogram()
	behind := false // because of the machine
	for _, p := range series {
		from := p.Start
		if p.Ops > 0 {
			from = min(from, p.Since)
		}
		disturbed := !undisturbed(from, p.Start+every)
		if !disturbed && !behind && p.Ops > 0 {
			q.Intervals++
			sum.AddBars(p.Bars)
		}
		if disturbed {
			behind = true
		}
		if p.Ops > 0 && p.Late <= caughtUp {
			behind = false
		}
	}
	q.Latency = report.NewLatency("all", sum)
	return q
}

// openLoop adds what is to be known of a schedule.
func (m *measurement) openLoop(r *report.Result, res *driver.Result, rate float64) {
	if rate <= 0 {
		return
	}
	r.OpenLoop = &report.OpenLoop{
		Rate: rate, Behind: res.Behind.Seconds(), Spin: res.Spin.Seconds(), Pacing: report.NewLatency("pacing", res.Pacing),
	}
}
