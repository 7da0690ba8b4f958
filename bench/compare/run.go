package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/session"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// Options are what a comparison needs beside its Config.
type Options struct {
	// Dir is where the stores are put, and removed at the end: a directory that is new
	// or empty, "" for a temporary one.
	Dir string
	// Find finds engines; nil means engine.Find. RunIfChild must know the same.
	Find func(name string) (engine.Kind, error)
	// Progress shows where the comparison stands; may be nil.
	Progress func(Status)
	// Failed is called for each failure, as soon as it is there; may be nil.
	Failed func(Failure)
}

// Check tells whether a configuration can be run, and completes it.
func Check(c *Config, o Options) error {
	if o.Find == nil {
		o.Find = engine.Find
	}
	_, _, err := c.check(o.Find)
	return err
}

// Run measures everything. What fails is noted in the document, and the rest goes on.
// When ctx ends, the document has what was measured until then, and the error is nil.
func Run(ctx context.Context, c Config, o Options) (d *Document, err error) {
	if o.Find == nil {
		o.Find = engine.Find
	}
	rows, kinds, err := c.check(o.Find)
	if err != nil {
		return nil, err
	}
	dir, remove, err := makeDir(o.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	d = &Document{Comparison: Comparison{Config: c, Engines: describe(&c, kinds), Modules: modules()}}
	d.Environment = report.Look(dir)
	b := &bench{Options: o, d: d, dir: dir, rows: rows, kinds: kinds, stores: make(map[store]session.Contents), failed: make(map[cell]bool)}
	b.clock = newClock(c.Rounds, len(rows), len(kinds))
	if c.Limits {
		b.limits(ctx)
	}
	for round := range c.Rounds {
		for r := range rows {
			for _, e := range order(len(kinds), round) {
				if ctx.Err() == nil {
					b.cell(ctx, cell{r, e}, round+1)
				}
			}
		}
	}
	d.Comparison.Interrupted = ctx.Err() != nil
	return d, nil
}

// makeDir makes the directory for the stores. remove leaves what was there before.
func makeDir(name string) (dir string, remove func() error, err error) {
	if name == "" {
		dir, err = os.MkdirTemp("", "kvbench-compare-*")
		return dir, func() error { return os.RemoveAll(dir) }, err
	}
	entries, err := os.ReadDir(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return name, func() error { return os.RemoveAll(name) }, os.MkdirAll(name, 0o777)
	case err != nil:
		return "", nil, fmt.Errorf("--dir: %w", err)
	case len(entries) > 0:
		return "", nil, fmt.Errorf("%s is not empty: give --dir an empty or a new directory", name)
	}
	return name, func() error {
		entries, err := os.ReadDir(name)
		for _, e := range entries {
			err = errors.Join(err, os.RemoveAll(filepath.Join(name, e.Name())))
		}
		return err
	}, nil
}

// cell is a row on an engine, by their indexes.
type cell struct{ row, engine int }

// store is one of the stores of an engine.
type store struct {
	engine int
	use    string // the name of its directory
}

// bench is a comparison under way.
type bench struct {
	Options
	d      *Document
	dir    string
	rows   []row
	kinds  []engine.Kind
	clock  *clock
	stores map[store]session.Contents // those that exist
	failed map[cell]bool
}

// use names the store that a workload works on. What only reads has one that nobody
// writes to, so that all rounds read the same.
func use(w workload.Workload) string {
	data := "decimal"
	if w.Data == workload.YCSB {
		data = "ycsb"
	}
	switch {
	case w.Needs == workload.Empty:
		return "fill"
	case w.Writes:
		return data + "-write"
	}
	return data + "-read"
}

// cell measures a row on an engine in a round.
func (b *bench) cell(ctx context.Context, c cell, round int) {
	if b.failed[c] {
		b.clock.skip(c)
		return
	}
	result, err := b.measure(ctx, c, round)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		b.failed[c] = true
		r := b.rows[c.row]
		b.fail(Failure{Round: round, Workload: r.workload.Name, Threads: r.params.Threads, Engine: b.kinds[c.engine].Name}, err)
		b.clock.skip(c)
		return
	}
	result.Round = round
	b.d.Results = append(b.d.Results, *result)
}

func (b *bench) fail(f Failure, err error) {
	f.Error = err.Error()
	var child childError
	if errors.As(err, &child) {
		f.Stderr = child.stderr
	}
	b.d.Comparison.Failures = append(b.d.Comparison.Failures, f)
	if b.Failed != nil {
		b.Failed(f)
	}
}

// measure loads what the cell needs, and measures it.
func (b *bench) measure(ctx context.Context, c cell, round int) (*report.Result, error) {
	r, kind := b.rows[c.row], b.kinds[c.engine]
	s := store{c.engine, use(r.workload)}
	t := task{
		Config: b.d.Comparison.Config, Engine: kind.Name, Workload: r.workload.Name, Threads: r.params.Threads,
		Dir: filepath.Join(b.dir, kind.Name, s.use),
	}
	show := b.show(c, round)
	if _, ok := b.stores[s]; !ok {
		b.stores[s] = session.Contents{State: workload.Empty}
	}
	if r.workload.Needs != workload.Empty && !b.stores[s].Suit(r.workload, r.params) {
		t.Prepare = true
		show(progress{"loading for " + r.workload.Name, driver.Progress{Done: -1}})
		if _, err := b.perform(ctx, t, s, show); err != nil {
			return nil, fmt.Errorf("loading: %w", err)
		}
		t.Prepare = false
	}
	show(progress{r.workload.Name, driver.Progress{Done: -1}})
	start := time.Now()
	found, err := b.perform(ctx, t, s, show)
	if err != nil {
		return nil, err
	}
	b.clock.done(c, time.Since(start))
	if s.use == "fill" {
		if err := b.drop(s, t.Dir); err != nil {
			return nil, err
		}
	}
	return found.Result, nil
}

// perform runs a task on a store, and notes what the store holds then. After a failure
// nobody knows, and it is removed.
func (b *bench) perform(ctx context.Context, t task, s store, show func(progress)) (*outcome, error) {
	t.Holds = b.stores[s]
	found, err := t.run(ctx, show)
	if err != nil {
		return nil, errors.Join(err, b.drop(s, t.Dir))
	}
	b.stores[s] = found.Holds
	return found, nil
}

func (b *bench) drop(s store, dir string) error {
	delete(b.stores, s)
	return os.RemoveAll(dir)
}

func (b *bench) limits(ctx context.Context) {
	memory := int64(1 << 30)
	if has := b.d.Environment.Memory; has > 0 {
		memory = min(memory, has/4)
	}
	start := time.Now()
	found, err := task{Dir: b.dir, Limits: &memory}.run(ctx, func(p progress) {
		if b.Progress != nil {
			b.Progress(Status{Phase: "limits: " + p.Phase, Progress: p.Progress, Left: -1, Elapsed: time.Since(start)})
		}
	})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		b.fail(Failure{}, fmt.Errorf("limits of the machine: %w", err))
	default:
		b.d.Comparison.Limits = found.Limits
	}
}
