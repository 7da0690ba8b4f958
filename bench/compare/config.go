package compare

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// Config says what is compared. All of it applies to all engines. Documents hold it,
// and two of them can be merged if it is the same but for Rounds.
type Config struct {
	Engines   []string `json:"engines"`
	Subject   string   `json:"subject"` // the engine that is compared with the others; "" means the first
	Roofs     []string `json:"roofs,omitempty"`
	Workloads []string `json:"workloads"`
	Threads   []int    `json:"threads"`
	Rounds    int      `json:"rounds"`

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

// row is a workload with a number of threads.
type row struct {
	workload workload.Workload
	params   workload.Params // completed
}

func (r row) String() string { return label(r.workload.Name, r.params.Threads) }

// label names a row.
func label(workload string, threads int) string { return fmt.Sprintf("%s(%d)", workload, threads) }

// check completes a configuration, and returns its rows and kinds.
func (c *Config) check(find func(name string) (engine.Kind, error)) (rows []row, kinds []engine.Kind, err error) {
	switch {
	case len(c.Engines) == 0:
		return nil, nil, errors.New("no engines are named")
	case len(c.Workloads) == 0:
		return nil, nil, errors.New("no workloads are named")
	case c.Rounds < 1:
		return nil, nil, fmt.Errorf("%d rounds: at least one is needed", c.Rounds)
	case len(c.Threads) == 0:
		c.Threads = []int{1}
	}
	if _, err := engine.ParseDurability(c.Durability); err != nil {
		return nil, nil, err
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
	rows, err = c.rows()
	return rows, kinds, err
}

func (c *Config) rows() (rows []row, err error) {
	for i, name := range c.Workloads {
		w, err := workload.Find(name)
		if err != nil {
			return nil, err
		}
		if c.Workloads[i] = w.Name; slices.Contains(c.Workloads[:i], w.Name) {
			return nil, fmt.Errorf("the workload %q is named twice", w.Name)
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
			rows = append(rows, row{w, p})
		}
	}
	return rows, nil
}

// order returns the order in which the engines are measured in a round, as indexes:
// each comes first once in as many rounds as there are engines.
func order(engines, round int) []int {
	list := make([]int, engines)
	for i := range list {
		list[i] = (i + round) % engines
	}
	return list
}
