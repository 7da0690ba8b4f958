package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/gen"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// prepare opens the store in the state that w needs, and loads records if need be.
func (s *Session) prepare(ctx context.Context, w workload.Workload, p workload.Params) (results []report.Result, err error) {
	if w.Needs == workload.Empty {
		if err := s.needEmpty(w.Name); err != nil {
			return nil, err
		}
		return nil, s.open(s.wanted(w))
	}
	if s.has.State == workload.Unknown {
		if err := s.explore(ctx, w, p); err != nil {
			return nil, err
		}
	}
	if !s.has.Suit(w, p) {
		if !s.ours {
			return nil, s.refuse(w, p)
		}
		if results, err = s.load(ctx, w, p); err != nil {
			return results, err
		}
		if results[0].Interrupted {
			return results, errInterrupted
		}
	}
	return results, s.open(s.wanted(w))
}

// errInterrupted ends a preparation that was cut short.
var errInterrupted = errors.New("interrupted")

func (s *Session) wanted(w workload.Workload) engine.Durability {
	if w.Syncs {
		return engine.Sync
	}
	return s.cfg.Durability
}

// needEmpty empties the store if it is ours.
func (s *Session) needEmpty(name string) error {
	if s.has.State == workload.Empty {
		return nil
	}
	if !s.ours {
		return fmt.Errorf("%s needs an empty store, and there is one in %s: %s", name, s.place(), s.elsewhere())
	}
	return s.empty()
}

func (s *Session) refuse(w workload.Workload, p workload.Params) error {
	fix := fmt.Sprintf("load it with `kvbench load --workload %s --records %d %s --fresh`", w.Name, p.Records, s.flags())
	if s.has.State == workload.Grown && s.has.Data == w.Data {
		return fmt.Errorf("%s needs exactly %d records, and the store in %s has others beyond (workloads d and e insert): %s", w.Name, p.Records, s.place(), fix)
	}
	return fmt.Errorf("%s needs %d records with values of %d bytes, which the store in %s does not have: give --records, --value-size and --key-size as it was loaded, or %s",
		w.Name, p.Records, p.ValueSize, s.place(), fix)
}

// load writes the records that w needs.
func (s *Session) load(ctx context.Context, w workload.Workload, p workload.Params) ([]report.Result, error) {
	if err := s.needEmpty("load"); err != nil {
		return nil, err
	}
	l := workload.Load(w.Data)
	d := s.cfg.Durability
	if d == engine.Sync {
		d = engine.OS // to sync each record of a preparation takes minutes and shows nothing
	}
	if err := s.open(d); err != nil {
		return nil, err
	}
	p.Operations = p.Records
	if !s.cfg.Kind.Server { // where one connection would wait most of the time
		p.Threads = 1
	}
	job := s.job(l, p)
	job.phase, job.rate, job.duration = "load", 0, 0
	r, err := s.perform(ctx, l, p, job)
	if err != nil {
		return nil, err
	}
	return []report.Result{r}, s.e.Sync()
}

// probes is how many records are looked up in a store that was there before.
const probes = 100

// explore finds out whether a store that was there before holds the records of w.
func (s *Session) explore(ctx context.Context, w workload.Workload, p workload.Params) error {
	if err := s.open(s.wanted(w)); err != nil {
		return err
	}
	if _, err := s.e.Settle(ctx); err != nil && !errors.Is(err, engine.ErrUntold) {
		return err
	}
	keys := w.Data.Keys(p)
	has := func(k int64) (bool, error) {
		v, err := s.e.AppendGet(nil, keys.Append(nil, k))
		if errors.Is(err, engine.ErrNotFound) {
			return false, nil
		}
		return len(v) == p.ValueSize, err
	}
	perm := gen.NewPermutation(p.Records, 1)
	samples := []int64{0, p.Records - 1}
	for i := range min(probes, p.Records) {
		samples = append(samples, perm.At(i))
	}
	for _, k := range samples {
		if ok, err := has(k); err != nil || !ok {
			return err // the state stays unknown
		}
	}
	more, err := has(p.Records)
	if err != nil {
		return err
	}
	s.has = full(w.Data, p)
	if more {
		s.has.State, s.has.Logical = workload.Grown, 0
	}
	return nil
}

// logicalBytes is the size of the records, from that of a sample of the keys.
func logicalBytes(d workload.DataSet, p workload.Params) int64 {
	keys := d.Keys(p)
	var sum int64
	sample := min(p.Records, 10_000)
	for k := range sample {
		sum += int64(len(keys.Append(nil, k)))
	}
	return p.Records*int64(p.ValueSize) + sum*p.Records/sample
}
