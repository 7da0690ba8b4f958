package session

import (
	"context"
	"fmt"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/trace"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// Replay performs a trace on an empty store, and verifies every read; with check it
// closes the store at the end, opens it again and reads every key once more.
func (s *Session) Replay(ctx context.Context, path string, m trace.Mapping, check bool) (report.Result, error) {
	if s.cfg.Kind.Forgetful {
		return report.Result{}, fmt.Errorf("the engine %q keeps nothing, so that a replay has nothing to verify: choose another --engine", s.cfg.Kind.Name)
	}
	l := s.cfg.Kind.Limits
	r, err := trace.Open(path, m, trace.Limits{Key: l.Key, Value: l.Value})
	if err != nil {
		return report.Result{}, err
	}
	defer r.Close()
	if err := s.needEmpty("replay"); err != nil {
		return report.Result{}, err
	}
	if err := s.open(s.cfg.Durability); err != nil {
		return report.Result{}, err
	}
	p := s.cfg.Params
	p.Threads = max(p.Threads, 1)
	t := trace.New(r, s.e, trace.Options{Threads: s.workers(p), Seed: p.Seed, Ratio: p.Ratio})
	defer t.Close()
	result, err := s.replay(ctx, t)
	if err != nil {
		return result, err
	}
	result.Settings = report.Settings{
		Ratio: p.Ratio, Threads: p.Threads, Durability: s.durability.String(), Memory: s.cfg.Memory, Seed: p.Seed, Trace: path,
	}
	if s.cfg.Kind.Server {
		result.Settings.Durability, result.Settings.Memory, result.Settings.Pipeline = "", 0, max(s.cfg.Pipeline, 1)
	}
	if check && !result.Interrupted {
		if err := s.checkReplay(ctx, t); err != nil {
			return result, err
		}
	}
	found := t.Report()
	result.Trace, result.Lost = &found, found.Wrong
	return result, nil
}

func (s *Session) replay(ctx context.Context, t *trace.Replay) (report.Result, error) {
	d := driver.Job{
		Workers: t.Workers(), Rate: s.cfg.Rate, Duration: s.cfg.Duration, PauseAt: s.cfg.PauseAt, SeriesEvery: s.cfg.Series, Fraction: t.Fraction,
	}
	s.watch(&d, "replay")
	s.has.State = workload.Part
	m := s.begin()
	if err := m.control(s.cfg.Rate > 0); err != nil {
		return report.Result{}, err
	}
	res, err := driver.Run(ctx, d)
	if err := m.ran(err); err != nil {
		return report.Result{}, err
	}
	if err := m.settle(ctx, "replay", res); err != nil {
		return report.Result{}, err
	}
	result, err := m.result(res, t.LiveBytes())
	if err != nil {
		return report.Result{}, err
	}
	result.Workload, result.Phase = "replay", "run"
	m.openLoop(&result, res, s.cfg.Rate)
	return result, nil
}

// checkReplay reads everything from a store that was closed and opened again.
func (s *Session) checkReplay(ctx context.Context, t *trace.Replay) error {
	d := s.durability
	if err := s.shut(); err != nil {
		return err
	}
	if err := s.open(d); err != nil {
		return err
	}
	return t.Check(ctx, s.e)
}
