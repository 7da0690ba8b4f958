package compare

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/engine/remote"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// Config says what is compared. All of it applies to all engines, but for what Groups say. Documents hold it,
// and two of them can be merged if it is the same but for Rounds.
type Config struct {
	Engines   []string `json:"engines"` // the names of Targets, if there are any
	Subject   string   `json:"subject"` // the engine that is compared with the others; "" means the first
	Roofs     []string `json:"roofs,omitempty"`
	Workloads []string `json:"workloads"`
	Threads   []int    `json:"threads"`          // on servers each has a connection
	Table     string   `json:"table,omitempty"`  // the Table that it was made from
	Groups    []Group  `json:"groups,omitempty"` // rows with settings of their own, in place of Workloads
	Rounds    int      `json:"rounds"`

	// Targets are servers, in place of engines within a process. They have a memory and a
	// durability of their own, and no limits are measured, nor a control process run.
	Targets  []remote.Target `json:"targets,omitempty"`
	Pipeline int             `json:"pipeline,omitempty"`   // calls under way on each of their connections; 0 means one
	Timeout  time.Duration   `json:"timeout_ns,omitempty"` // see remote.Options

	Memory     int64           `json:"memory"` // of an engine; 0 means its default
	Durability string          `json:"durability"`
	Params     workload.Params `json:"params"` // Threads are those above

	Rate     float64       `json:"rate,omitempty"`  // operations a second: an open loop
	Share    float64       `json:"share,omitempty"` // in place of Rate: a share of the engine's own capacity
	Duration time.Duration `json:"duration_ns,omitempty"`
	Warmup   time.Duration `json:"warmup_ns,omitempty"`
	PauseAt  time.Duration `json:"pause_at_ns"`
	Control  bool          `json:"control,omitempty"` // a control process beside an open loop

	Limits bool `json:"limits"` // measure the limits of the machine first
}

// Group is some of a comparison's rows, with settings of their own. A field that is zero
// means what the Config says.
type Group struct {
	Name       string        `json:"name"`
	Workloads  []string      `json:"workloads"`
	Threads    []int         `json:"threads,omitempty"`
	Without    []string      `json:"without,omitempty"` // engines that are left out
	Roofs      []string      `json:"roofs,omitempty"`   // engines that are no peers here
	Memory     int64         `json:"memory,omitempty"`
	Durability string        `json:"durability,omitempty"`
	Records    int64         `json:"records,omitempty"`
	Operations int64         `json:"operations,omitempty"`
	ValueSize  int           `json:"value_size,omitempty"`
	Warmup     time.Duration `json:"warmup_ns,omitempty"`
	Duration   time.Duration `json:"duration_ns,omitempty"`
	Revision   string        `json:"revision,omitempty"` // that measured it, in a document merged of several
}

// apply returns a configuration of the group's rows alone.
func (g Group) apply(c Config) Config {
	c.Table, c.Groups = "", nil
	c.Workloads = slices.Clone(g.Workloads)
	if len(g.Threads) > 0 {
		c.Threads = g.Threads
	}
	has := func(name string) bool { return slices.Contains(c.Engines, name) }
	for _, name := range g.Without {
		c.Engines = slices.DeleteFunc(slices.Clone(c.Engines), func(e string) bool { return e == name && e != c.Subject })
	}
	c.Roofs = slices.DeleteFunc(slices.Concat(c.Roofs, g.Roofs), func(e string) bool { return !has(e) })
	c.Memory, c.Durability, c.Warmup = cmp.Or(g.Memory, c.Memory), cmp.Or(g.Durability, c.Durability), cmp.Or(g.Warmup, c.Warmup)
	c.Duration = cmp.Or(g.Duration, c.Duration)
	p := &c.Params
	p.Records, p.Operations, p.ValueSize = cmp.Or(g.Records, p.Records), cmp.Or(g.Operations, p.Operations), cmp.Or(g.ValueSize, p.ValueSize)
	return c
}

// part is a group with its configuration; of a comparison without groups, all of it.
type part struct {
	name     string
	revision string
	config   Config
}

func (c Config) parts() (list []part) {
	for _, g := range c.Groups {
		list = append(list, part{g.Name, g.Revision, g.apply(c)})
	}
	if len(list) == 0 {
		list = []part{{config: c}}
	}
	return list
}

// row is a workload with a number of threads.
type row struct {
	part
	workload workload.Workload
	params   workload.Params // completed
}

// label names a row.
func label(workload string, threads int) string { return fmt.Sprintf("%s(%d)", workload, threads) }

// check completes a configuration, and returns its rows and kinds.
func (c *Config) check(find func(name string) (engine.Kind, error)) (rows []row, kinds []engine.Kind, err error) {
	if err := c.checkTargets(); err != nil {
		return nil, nil, err
	}
	switch {
	case len(c.Engines) == 0:
		return nil, nil, errors.New("no engines are named")
	case len(c.Workloads)+len(c.Groups) == 0:
		return nil, nil, errors.New("no workloads are named")
	case c.Rounds < 1:
		return nil, nil, fmt.Errorf("%d rounds: at least one is needed", c.Rounds)
	case len(c.Threads) == 0:
		c.Threads = []int{1}
	}
	for i, name := range c.Engines {
		kind, err := find(name)
		if err != nil {
			return nil, nil, err
		}
		if slices.Contains(c.Engines[:i], name) {
			return nil, nil, fmt.Errorf("the engine %q is named twice", name)
		}
		kinds = append(kinds, kind)
	}
	if c.Subject == "" {
		c.Subject = c.Engines[0]
	}
	for _, name := range append([]string{c.Subject}, c.Roofs...) {
		if !slices.Contains(c.Engines, name) {
			return nil, nil, fmt.Errorf("%q is not among the engines: %s", name, strings.Join(c.Engines, ", "))
		}
	}
	for _, p := range c.parts() {
		if err := p.config.checkDurability(); err != nil {
			return nil, nil, err
		}
		more, err := p.rows()
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, more...)
	}
	return rows, kinds, nil
}

func (t part) rows() (rows []row, err error) {
	c := &t.config
	for i, name := range c.Workloads {
		w, err := workload.Find(name)
		if err != nil {
			return nil, err
		}
		if c.Workloads[i] = w.Name; slices.Contains(c.Workloads[:i], w.Name) {
			return nil, fmt.Errorf("the workload %q is named twice", w.Name)
		}
		if err := w.On(engine.Kind{Server: len(c.Targets) > 0}); err != nil {
			return nil, err
		}
		for j, threads := range c.Threads {
			if threads < 1 || slices.Contains(c.Threads[:j], threads) {
				return nil, fmt.Errorf("%d threads: each number is at least 1 and named once", threads)
			}
			p := c.Params
			p.Threads = threads
			if p, err = w.Complete(p, c.Duration > 0); err != nil {
				return nil, fmt.Errorf("%s: %w", w.Name, err)
			}
			rows = append(rows, row{t, w, p})
		}
	}
	return rows, nil
}

// order returns the order in which the engines are measured in a round, as indexes: each
// comes first once in as many rounds as there are engines, and its place moves so that it
// does not always come after the same other one and gets what that leaves behind (the
// balanced order of Williams).
func order(engines, round int) []int {
	list := make([]int, engines)
	for i := range list {
		step := (i + 1) / 2 // 0, 1, -1, 2, -2, …
		if i%2 == 0 {
			step = engines - step
		}
		list[i] = (step + round) % engines
	}
	return list
}
