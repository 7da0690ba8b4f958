package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/engine/remote"
	"github.com/ringwood-kv/ringwood/bench/internal/datasync"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/session"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// Options are what a comparison needs beside its Config.
type Options struct {
	// Dir is where the stores are put, and removed at the end: a directory that is new
	// or empty, "" for a temporary one.
	Dir string
	// Passwords are those of targets.
	Passwords remote.Passwords
	// Fresh deletes all keys in the databases of targets first. Without it they must be
	// empty.
	Fresh bool
	// Find finds engines; nil means engine.Find. RunIfChild must know the same.
	Find func(name string) (engine.Kind, error)
	// Progress shows where the comparison stands; may be nil.
	Progress func(Status)
	// Failed is called for each failure, as soon as it is there; may be nil.
	Failed func(Failure)
	// Saved is called with what there is after each round of a group; may be nil.
	Saved func(*Document)
	// Resume has rounds that were measured before, by the same program: those that are
	// complete are not measured again. May be nil.
	Resume *Document
}

// Check tells whether a configuration can be run, and completes it.
func Check(c *Config, o Options) error {
	if o.Find == nil {
		o.Find = engine.Find
	}
	_, _, err := c.check(c.finder(o.Find, o.Passwords))
	return err
}

// Run measures everything. What fails is noted in the document, and the rest goes on.
// When ctx ends, the document has what was measured until then, and the error is nil.
func Run(ctx context.Context, c Config, o Options) (d *Document, err error) {
	if o.Find == nil {
		o.Find = engine.Find
	}
	rows, kinds, err := c.check(c.finder(o.Find, o.Passwords))
	if err != nil {
		return nil, err
	}
	dir, remove := "", func() error { return nil }
	if len(c.Targets) == 0 {
		if dir, remove, err = makeDir(o.Dir); err != nil {
			return nil, err
		}
	}
	defer func() { err = errors.Join(err, remove()) }()
	d = &Document{Comparison: Comparison{Config: c, Engines: describe(&c, kinds), Modules: modules()}}
	d.Environment = report.Look(dir)
	if len(c.Targets) > 0 {
		d.Environment.FileSystem = "" // that of the servers nobody knows
	}
	b := &bench{Options: o, d: d, dir: dir, rows: rows, kinds: kinds, stores: make(map[store]session.Contents), failed: make(map[cell]bool)}
	b.clock = newClock(c.Rounds, len(rows), len(kinds))
	for r := range rows {
		for e := range kinds {
			if !b.measures(cell{r, e}) {
				b.clock.skip(cell{r, e})
			}
		}
	}
	clear, err := b.meet()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, clear()) }()
	if o.Resume != nil {
		if err := b.resume(o.Resume); err != nil {
			return nil, err
		}
	}
	if c.Limits && len(d.Comparison.Limits) == 0 {
		b.limits(ctx)
	}
	for first := 0; first < len(rows); {
		n := 1
		for first+n < len(rows) && rows[first+n].name == rows[first].name {
			n++
		}
		b.group(ctx, first, first+n)
		first += n
	}
	d.Comparison.Interrupted = ctx.Err() != nil
	return d, nil
}

// group measures all rounds of the rows from one to another.
func (b *bench) group(ctx context.Context, from, to int) {
	for round := range b.d.Comparison.Config.Rounds {
		if b.has(from, to, round+1) {
			continue
		}
		for r := from; r < to; r++ {
			for _, e := range order(len(b.kinds), round) {
				if ctx.Err() == nil && b.measures(cell{r, e}) {
					b.cell(ctx, cell{r, e}, round+1)
				}
			}
		}
		if b.Saved != nil && ctx.Err() == nil {
			b.Saved(b.d)
		}
	}
	b.dropChanged()
}

// dropChanged removes the stores that were written to, so that those of the next group
// begin as they would if it were measured alone.
func (b *bench) dropChanged() {
	for s := range b.stores {
		if strings.HasSuffix(s.use, changed) {
			_ = b.drop(s, b.storeDir(s)) // what remains is removed at the end
		}
	}
}

// measures tells whether the cell's engine takes part in its row.
func (b *bench) measures(c cell) bool {
	return slices.Contains(b.rows[c.row].config.Engines, b.kinds[c.engine].Name)
}

// resume takes over the rounds of o that are complete.
func (b *bench) resume(o *Document) error {
	if err := b.d.same(o); err != nil {
		return err
	}
	b.d.Comparison.Limits = o.Comparison.Limits
	b.d.Comparison.Failures = o.Comparison.Failures
	for _, f := range o.Comparison.Failures {
		for c := range b.clock.todo {
			if r := b.rows[c.row]; f.Engine == b.kinds[c.engine].Name && f.Group == r.name && f.Workload == r.workload.Name && f.Threads == r.params.Threads {
				b.failed[c] = true
				b.clock.skip(c)
			}
		}
	}
	b.d.Results = o.Results
	var keep []report.Result
	for from := range b.rows {
		if from > 0 && b.rows[from].name == b.rows[from-1].name {
			continue
		}
		to := from + 1
		for to < len(b.rows) && b.rows[to].name == b.rows[from].name {
			to++
		}
		for round := 1; round <= b.d.Comparison.Config.Rounds && b.has(from, to, round); round++ {
			for _, r := range o.Results {
				if r.Group == b.rows[from].name && r.Round == round {
					keep = append(keep, r)
				}
			}
			for r := from; r < to; r++ {
				for e := range b.kinds {
					b.clock.resumed(cell{r, e})
				}
			}
		}
	}
	b.d.Results = keep
	return nil
}

// has tells whether all cells of some rows were measured in a round, or failed.
func (b *bench) has(from, to, round int) bool {
	for r := from; r < to; r++ {
		for e, kind := range b.kinds {
			if c := (cell{r, e}); b.measures(c) && !b.failed[c] && !slices.ContainsFunc(b.d.Results, func(x report.Result) bool {
				return x.Round == round && x.Engine == kind.Name && b.rows[r].made(x)
			}) {
				return false
			}
		}
	}
	return true
}

// made tells whether a result is of the row.
func (r row) made(x report.Result) bool {
	return x.Group == r.name && x.Workload == r.workload.Name && x.Settings.Threads == r.params.Threads
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

// changed ends the names of stores that workloads change.
const changed = "-write"

// server is the name of the one store of a target.
const server = "server"

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
		return data + changed
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
		b.fail(Failure{Round: round, Group: r.name, Workload: r.workload.Name, Threads: r.params.Threads, Engine: b.kinds[c.engine].Name}, err)
		b.clock.skip(c)
		return
	}
	result.Round, result.Group = round, b.rows[c.row].name
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
	if kind.Server {
		s.use = server
	}
	t := task{
		Config: r.config, Engine: kind.Name, Workload: r.workload.Name, Threads: r.params.Threads,
		Dir: b.storeDir(s), Passwords: b.Passwords,
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
	datasync.All() // what others left to write is not for this cell
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

// storeDir is the directory of a store, "" for that of a server.
func (b *bench) storeDir(s store) string {
	if s.use == server {
		return ""
	}
	return filepath.Join(b.dir, b.kinds[s.engine].Name, s.use)
}

func (b *bench) drop(s store, dir string) error {
	if s.use == server {
		b.stores[s] = spoiled // the next cell that needs another one empties it
		return nil
	}
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
