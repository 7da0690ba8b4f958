package session

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// job is how a workload is to be driven.
type job struct {
	phase    string
	rate     float64
	duration time.Duration
	warmup   time.Duration
}

func (s *Session) job(w workload.Workload, p workload.Params) job {
	j := job{phase: "run", rate: s.cfg.Rate, duration: s.cfg.Duration}
	if w.Name == "load" {
		j.phase = "load"
	}
	if !w.Fills {
		j.warmup = s.cfg.Warmup
	}
	return j
}

// warmupCalls is where the numbers of warm-up calls begin, so that they draw other
// records than those measured.
const warmupCalls = 1 << 40

// perform runs a workload on the open store, which is in the state it needs.
func (s *Session) perform(ctx context.Context, w workload.Workload, p workload.Params, j job) (report.Result, error) {
	fail := func(err error) (report.Result, error) {
		return report.Result{}, fmt.Errorf("%s on %s: %w", w.Name, s.cfg.Kind.Name, err)
	}
	before := s.has.State
	s.has.State = workload.Part // unless it gets to its end
	started := p
	started.Threads = s.workers(p)
	run, err := w.Start(s.e, started)
	if err != nil {
		return fail(err)
	}
	defer run.Close()
	per := w.CallOps(p)
	d := driver.Job{
		Workers: run.Workers, Background: run.Background, BackgroundRate: p.WriteRate,
		Calls: (p.Operations + per - 1) / per, CallOps: per, Rate: j.rate, Duration: j.duration, PauseAt: s.cfg.PauseAt, SeriesEvery: s.cfg.Series,
	}
	if j.warmup > 0 {
		warm := d
		warm.Calls, warm.Duration, warm.First = 0, j.warmup, warmupCalls
		s.watch(&warm, w.Name+" (warm-up)")
		if _, err := driver.Run(ctx, warm); err != nil {
			return fail(err)
		}
	}
	s.watch(&d, name(w.Name, j.phase))
	m := s.begin()
	if err := m.control(j.rate > 0); err != nil {
		return fail(err)
	}
	res, err := driver.Run(ctx, d)
	if err := m.ran(err); err != nil {
		return fail(err)
	}
	if err := run.Close(); err != nil {
		return fail(err)
	}
	if w.Writes {
		if err := m.settle(ctx, w.Name, res); err != nil {
			return fail(err)
		}
	}
	s.leave(w, p, before, res)
	r, err := m.result(res, s.has.Logical)
	if err != nil {
		return fail(err)
	}
	r.Workload, r.Phase = w.Name, j.phase
	r.Settings = s.settings(w, p, run)
	m.openLoop(&r, res, j.rate)
	return r, nil
}

func name(workload, phase string) string {
	if phase == "capacity" {
		return workload + " (capacity)"
	}
	return workload
}

// watch connects the progress of a run.
func (s *Session) watch(d *driver.Job, name string) {
	if s.cfg.Progress != nil {
		d.Progress = func(p driver.Progress) { s.cfg.Progress(name, p) }
	}
}

// leave notes what the store holds after a workload.
func (s *Session) leave(w workload.Workload, p workload.Params, before workload.State, res *driver.Result) {
	done := !res.Interrupted && (p.Operations == 0 || res.Totals.Ops >= p.Operations)
	switch {
	case w.Leaves == workload.Unknown:
		s.has.State = before
	case w.Needs == workload.Empty && w.Leaves == workload.Loaded && done && res.Totals.Ops >= p.Records:
		s.has = full(w.Data, p)
	case w.Leaves == workload.Grown:
		s.has.State = workload.Grown
		if s.has.Logical > 0 {
			s.has.Logical += res.Totals.Written // what was written was inserted
		}
	default:
		s.has = Contents{State: workload.Part}
	}
}

func (s *Session) settings(w workload.Workload, p workload.Params, run *workload.Run) report.Settings {
	set := report.Settings{
		Records: p.Records, KeySize: p.KeySize, ValueSize: p.ValueSize, Ratio: p.Ratio, Threads: p.Threads,
		Durability: s.durability.String(), Memory: s.cfg.Memory, Seed: p.Seed,
		Distribution: run.Distribution, Update: w.Variant(p),
	}
	if s.cfg.Kind.Server {
		set.Durability, set.Memory, set.Pipeline = "", 0, max(s.cfg.Pipeline, 1)
	}
	if w.Data == workload.YCSB {
		set.KeySize = 0 // of its own
	}
	return set
}

// controlDir is a directory on the disk of the store, and not within it.
func (s *Session) controlDir() string { return filepath.Dir(filepath.Clean(s.dir)) }
