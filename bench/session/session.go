// Package session performs workloads one after another on a store, prepares what each
// of them needs, and makes a result of what was measured.
//
//	s, err := session.Open(session.Config{Kind: kind, Params: workload.Params{Records: 1e6}})
//	defer s.Close()
//	results, err := s.Run(ctx, w)
//
// A workload that needs an empty store gets one; one that needs records finds those
// that are there, or the session loads them first, which is a result of its own. After
// a workload that writes, the store settles, and that time is charged to it.
//
// A store is emptied only if the session made it, or was told to by Fresh and the
// directory has the mark of a store: whatever else is in a directory is an error.
//
// A server has a database in place of a directory: it is the session's if it had no keys
// in the beginning, or none but those that Fresh deleted. It is not emptied at the end.
package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// Config says what to measure on.
type Config struct {
	Kind  engine.Kind
	Dir   string // "" means a temporary one, which Close removes
	Fresh bool   // begin by emptying Dir, if a store of Kind is in it
	// Holds says what an earlier session left in Dir, which this one may use and empty
	// as its own. Nil means that Dir must be empty, or is somebody's.
	Holds      *Contents
	Memory     int64 // of the engine; 0 means its default
	Durability engine.Durability
	// Pipeline is how many calls of a thread are under way at a time, on a server, where
	// each thread has a connection; 0 means one.
	Pipeline int
	Params   workload.Params

	Rate     float64 // operations a second: an open loop; 0 means a closed one
	Share    float64 // in place of Rate: a share of the capacity, which is measured first
	Duration time.Duration
	Series   time.Duration // length of an interval of Result.Series; 0 means a second, or a quarter in an open loop
	Warmup   time.Duration // before the measurement, for workloads that do not fill
	PauseAt  time.Duration // how long a call must take to be a pause; 0 means 10 ms
	Control  bool          // run a control process beside open loops

	Progress func(phase string, p driver.Progress) // may be nil
	Done     func()                                // after the last progress of a phase; may be nil
}

// Session is a store with what is known of its contents.
type Session struct {
	cfg  Config
	root string // temporary directory to remove, "" if none
	dir  string
	ours bool // the session made the store, and may empty it

	e          engine.Engine // nil while closed
	durability engine.Durability
	opened     *time.Duration // how long that took, until a result has told it

	has Contents

	server engine.Server // nil if the store is within this process, or closed
}

// Contents is what a store holds, as far as a session knows.
type Contents struct {
	State     workload.State // Unknown if the store was there before
	Data      workload.DataSet
	Records   int64
	KeySize   int
	ValueSize int
	Logical   int64 // bytes of the records that are there; 0 if unknown
}

// full returns the contents of a store after all records of p were written to it.
func full(d workload.DataSet, p workload.Params) Contents {
	return Contents{
		State: workload.Loaded, Data: d, Records: p.Records, KeySize: p.KeySize, ValueSize: p.ValueSize,
		Logical: logicalBytes(d, p),
	}
}

// Suit tells whether w finds the records it needs, for completed params.
func (c Contents) Suit(w workload.Workload, p workload.Params) bool {
	return c.State >= w.Needs && c.Data == w.Data && c.Records == p.Records &&
		c.ValueSize == p.ValueSize && (w.Data == workload.YCSB || c.KeySize == p.KeySize)
}

// Open prepares the directory. The store itself is opened when a workload needs it.
func Open(cfg Config) (*Session, error) {
	s := &Session{cfg: cfg, dir: cfg.Dir, has: Contents{State: workload.Empty}, ours: true}
	if s.cfg.PauseAt == 0 {
		s.cfg.PauseAt = 10 * time.Millisecond
	}
	if s.cfg.Series == 0 {
		s.cfg.Series = time.Second
		if cfg.Rate > 0 || cfg.Share > 0 {
			s.cfg.Series = time.Second / 4
		}
	}
	if cfg.Kind.Server {
		return s, s.connect()
	}
	if cfg.Dir == "" {
		root, err := os.MkdirTemp("", "kvbench-*")
		if err != nil {
			return nil, err
		}
		s.root, s.dir = root, filepath.Join(root, "store")
		return s, nil
	}
	if cfg.Holds != nil {
		s.has = *cfg.Holds
		return s, nil
	}
	entries, err := os.ReadDir(cfg.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	if len(entries) == 0 {
		return s, nil
	}
	if !s.hasStore() {
		return nil, fmt.Errorf("%s is not empty, and no store of the engine %q is in it: give --dir an empty or a new directory", cfg.Dir, cfg.Kind.Name)
	}
	s.ours, s.has.State = false, workload.Unknown
	if cfg.Fresh {
		s.ours = true
		return s, s.empty()
	}
	return s, nil
}

func (s *Session) hasStore() bool {
	found, err := fs.Glob(os.DirFS(s.dir), s.cfg.Kind.Marker)
	return s.cfg.Kind.Marker != "" && err == nil && len(found) > 0
}

// Contents returns what the store holds now.
func (s *Session) Contents() Contents { return s.has }

// Dir returns the directory of the store.
func (s *Session) Dir() string { return s.dir }

// Close closes the store, and removes it if it is a temporary one.
func (s *Session) Close() error {
	err := s.shut()
	if s.root != "" {
		if e := os.RemoveAll(s.root); err == nil {
			err = e
		}
	}
	return err
}

// open opens the store with a durability, if it is not open like that.
func (s *Session) open(d engine.Durability) error {
	if s.e != nil && (s.durability == d || s.server != nil) {
		return nil
	}
	if err := s.shut(); err != nil {
		return err
	}
	start := time.Now()
	e, err := s.cfg.Kind.Open(engine.Config{
		Dir: s.dir, Memory: s.cfg.Memory, Durability: d, Connections: s.cfg.Params.Threads, Pipeline: s.cfg.Pipeline,
	})
	if err != nil {
		return fmt.Errorf("open %s: %w", s.place(), err)
	}
	took := time.Since(start)
	s.e, s.durability = e, d
	if s.server, _ = e.(engine.Server); s.server == nil {
		s.opened = &took
	}
	return nil
}

func (s *Session) shut() error {
	if s.e == nil {
		return nil
	}
	err := s.e.Close()
	s.e, s.server = nil, nil
	return err
}

// empty leaves an empty directory, or database. Only for stores that are ours.
func (s *Session) empty() error {
	if s.server != nil {
		return s.clear()
	}
	if err := s.shut(); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(s.dir, entry.Name())); err != nil {
			return err
		}
	}
	s.has = Contents{State: workload.Empty}
	return nil
}

// Load writes the records of a data set into an empty store, and is measured.
func (s *Session) Load(ctx context.Context, d workload.DataSet) ([]report.Result, error) {
	w := workload.Load(d)
	if err := s.needEmpty("load"); err != nil {
		return nil, err
	}
	return s.Run(ctx, w)
}

// Prepare loads the records that a workload needs, unless the store has them.
func (s *Session) Prepare(ctx context.Context, w workload.Workload) error {
	p, err := s.complete(w)
	if err != nil {
		return err
	}
	p.Unchecked = s.cfg.Kind.Forgetful
	_, err = s.prepare(ctx, w, p)
	return err
}

// Run performs a workload. The results are its own, the last one, and before it those
// of what had to be done first: loading records, finding the capacity.
func (s *Session) Run(ctx context.Context, w workload.Workload) (results []report.Result, err error) {
	p, err := s.complete(w)
	if err != nil {
		return nil, err
	}
	p.Unchecked = s.cfg.Kind.Forgetful
	loaded, err := s.prepare(ctx, w, p)
	results = append(results, loaded...)
	if err != nil {
		return results, err
	}
	job := s.job(w, p)
	if s.cfg.Share > 0 {
		all := job.duration
		job.phase, job.rate, job.duration = "capacity", 0, min(all, capacityTime)
		capacity, err := s.perform(ctx, w, p, job)
		if err != nil {
			return results, err
		}
		results = append(results, capacity)
		if capacity.Interrupted {
			return results, nil
		}
		job.phase, job.rate, job.duration = "run", s.cfg.Share*sustained(capacity), all
		loaded, err := s.prepare(ctx, w, p)
		results = append(results, loaded...)
		if err != nil {
			return results, err
		}
	}
	result, err := s.perform(ctx, w, p, job)
	if err != nil {
		return results, err
	}
	return append(results, result), nil
}

// complete completes the parameters for a workload, which the store must be able to run.
func (s *Session) complete(w workload.Workload) (workload.Params, error) {
	if err := w.On(s.cfg.Kind); err != nil {
		return s.cfg.Params, err
	}
	p, err := w.Complete(s.cfg.Params, s.cfg.Duration > 0)
	if err != nil {
		return p, fmt.Errorf("%s: %w", w.Name, err)
	}
	return p, nil
}

// capacityTime is how long the capacity is measured at most.
const capacityTime = time.Minute

// sustained is the rate at which a store can be used for long: what is written has to
// be settled too.
func sustained(r report.Result) float64 {
	if r.SettledOpsPerSecond != nil {
		return *r.SettledOpsPerSecond
	}
	return r.OpsPerSecond
}
