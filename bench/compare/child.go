package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/engine/remote"
	"github.com/ringwood-kv/ringwood/bench/limits"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/session"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// mark is the variable of the environment that makes a process a child. It gets its
// task as a line of JSON on its standard input, which then stays open as long as the
// parent lives and wants an answer. The child writes answers, a line of JSON each: any
// number of times its progress, and at last its outcome.
const mark = "KVBENCH_COMPARE_CHILD"

// task is what a child does: measure one cell, load records, or measure the limits.
type task struct {
	Config   Config
	Engine   string
	Workload string
	Threads  int
	Dir      string
	Holds    session.Contents
	Prepare  bool // load what the workload needs, and measure nothing
	// Passwords are those of the targets: they are in no document.
	Passwords remote.Passwords

	Limits *int64 // measure the limits, within this much memory
}

// answer is a line from a child. Exactly one field is set.
type answer struct {
	Progress *progress
	Outcome  *outcome
	Error    string
}

type progress struct {
	Phase string
	driver.Progress
}

// outcome is what a child found.
type outcome struct {
	Result *report.Result
	Holds  session.Contents
	Limits []limits.Figure
}

// RunIfChild is the whole program in a process that measures for another one, and
// returns at once in any other. Engines are found by find.
func RunIfChild(find func(name string) (engine.Kind, error)) {
	if _, ok := os.LookupEnv(mark); !ok {
		return
	}
	os.Unsetenv(mark)           // the control process of an open loop is no child of this kind
	signal.Ignore(os.Interrupt) // a terminal sends it to all; the parent decides
	out := json.NewEncoder(os.Stdout)
	in := json.NewDecoder(os.Stdin)
	var t task
	err := in.Decode(&t)
	var found *outcome
	if err == nil {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent, however it ends
			cancel()
		}()
		found, err = t.perform(ctx, find, func(p progress) { _ = out.Encode(answer{Progress: &p}) })
	}
	if err != nil {
		_ = out.Encode(answer{Error: err.Error()})
		os.Exit(1)
	}
	if out.Encode(answer{Outcome: found}) != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// loadingPipeline is how deep a pipeline is at least while a server is loaded.
const loadingPipeline = 32

// perform does what the task says.
func (t task) perform(ctx context.Context, find func(name string) (engine.Kind, error), show func(progress)) (found *outcome, err error) {
	if t.Limits != nil {
		figures, err := limits.Measure(ctx, limits.Config{Dir: t.Dir, Memory: *t.Limits, Progress: func(what string) {
			show(progress{what, driver.Progress{Done: -1, Left: -1}})
		}})
		return &outcome{Limits: figures}, err
	}
	kind, err := t.Config.finder(find, t.Passwords)(t.Engine)
	if err != nil {
		return nil, err
	}
	w, err := workload.Find(t.Workload)
	if err != nil {
		return nil, err
	}
	var durability engine.Durability
	if !kind.Server {
		if durability, err = engine.ParseDurability(t.Config.Durability); err != nil {
			return nil, err
		}
	}
	c, p := t.Config, t.Config.Params
	p.Threads = t.Threads
	if t.Prepare { // nobody measures how long a connection waits for its replies
		c.Pipeline = max(c.Pipeline, loadingPipeline)
	}
	s, err := session.Open(session.Config{
		Kind: kind, Dir: t.Dir, Holds: &t.Holds, Memory: c.Memory, Durability: durability, Pipeline: c.Pipeline, Params: p,
		Rate: c.Rate, Share: c.Share, Duration: c.Duration, Series: interval(c.Duration, c.Rate > 0 || c.Share > 0), Warmup: c.Warmup,
		PauseAt: c.PauseAt, Control: c.Control,
		Progress: func(phase string, p driver.Progress) { show(progress{phase, p}) },
	})
	if err != nil {
		return nil, err
	}
	found = &outcome{}
	if t.Prepare {
		err = s.Prepare(ctx, w)
	} else {
		found.Result, err = measure(ctx, s, w)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	found.Holds = s.Contents()
	return found, nil
}

func measure(ctx context.Context, s *session.Session, w workload.Workload) (*report.Result, error) {
	results, err := s.Run(ctx, w)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		switch {
		case r.Interrupted:
			return nil, errors.New("interrupted")
		case r.Lost > 0:
			return nil, fmt.Errorf("%d reads did not find what must be there: the store is wrong", r.Lost)
		}
	}
	return &results[len(results)-1], nil
}

// interval is the length of the intervals of a result: fine enough to show pauses, and
// not more than about a thousand. In an open loop it is fine enough to tell apart when the
// machine disturbed.
func interval(d time.Duration, open bool) time.Duration {
	each := max(d/1000, 100*time.Millisecond).Round(100 * time.Millisecond)
	if open {
		each = min(each, time.Second/4)
	}
	return each
}

// childError is a child that failed, with the beginning of its standard error.
type childError struct {
	error
	stderr string
}

// grace is how long a child may take to end after it was told to.
const grace = 5 * time.Second

// run performs the task in a process of its own.
func (t task) run(ctx context.Context, show func(progress)) (*outcome, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), mark+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var said head
	cmd.Stderr = &said
	cmd.Cancel = in.Close
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// A child that ends early is seen by its output, not by this write.
	_ = json.NewEncoder(in).Encode(t)
	found, err := listen(out, show)
	in.Close()
	if e := cmd.Wait(); err == nil {
		err = e
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, childError{err, said.String()}
	}
	return found, nil
}

// listen reads the answers of a child up to its outcome.
func listen(out io.Reader, show func(progress)) (*outcome, error) {
	lines := json.NewDecoder(out)
	for {
		var a answer
		switch err := lines.Decode(&a); {
		case errors.Is(err, io.EOF):
			return nil, errors.New("the process ended without a result")
		case err != nil:
			return nil, fmt.Errorf("the process answered something odd: %w", err)
		case a.Error != "":
			return nil, errors.New(a.Error)
		case a.Outcome != nil:
			return a.Outcome, nil
		case a.Progress != nil:
			show(*a.Progress)
		}
	}
}

// head keeps the beginning of what is written to it: of a panic, that tells most.
type head struct{ text []byte }

const headSize = 8 << 10

func (h *head) Write(b []byte) (int, error) {
	h.text = append(h.text, b[:min(len(b), headSize-len(h.text))]...)
	return len(b), nil
}

func (h *head) String() string { return string(h.text) }
