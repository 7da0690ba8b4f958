package trace

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
)

// maxExamples is how many wrong answers are described.
const maxExamples = 10

// Options says how to replay.
type Options struct {
	Threads int     // 0 means 1
	Seed    uint64  // of the values
	Ratio   float64 // to which values compress; 0 means 0.5
}

// Report is what a replay found.
type Report struct {
	Requests int64 `json:"requests"`
	Reads    int64 `json:"reads"`
	Hits     int64 `json:"hits"`   // reads of what the trace had written
	Misses   int64 `json:"misses"` // reads of what it had not: found to be absent
	Writes   int64 `json:"writes"`
	Deletes  int64 `json:"deletes"`
	Keys     int64 `json:"keys"` // different ones, written or deleted
	// Wrong counts reads that did not answer what was written last, or nothing where
	// nothing was. Examples describes the first ones.
	Wrong    int64    `json:"wrong"`
	Examples []string `json:"examples,omitempty"`
	// Final counts the keys that were read once more at the end; it has its own wrong
	// ones in Wrong.
	Final int64 `json:"final_reads"`
}

// Replay performs the requests of a trace on an engine. Give its Workers to a driver,
// then Close it; then Check and Report.
type Replay struct {
	r       Reader
	values  *values
	feed    *feed
	workers []*worker

	mu       sync.Mutex
	examples []string
}

// New starts reading the trace. The engine's store must hold none of its keys.
func New(r Reader, e engine.Engine, o Options) *Replay {
	o.Threads = max(o.Threads, 1)
	if o.Ratio == 0 {
		o.Ratio = 0.5
	}
	p := &Replay{r: r, values: newValues(o.Seed, o.Ratio)}
	for i := range o.Threads {
		p.workers = append(p.workers, &worker{replay: p, e: e, index: i, keys: make(map[string]*state)})
	}
	p.feed = startFeed(r, o.Threads, func(key []byte) int { return p.values.shard(key, o.Threads) })
	return p
}

// Workers returns a worker for each thread; each performs the requests on its share
// of the keys.
func (p *Replay) Workers() []driver.Worker {
	list := make([]driver.Worker, len(p.workers))
	for i, w := range p.workers {
		list[i] = w
	}
	return list
}

// Fraction tells how much of the trace is read.
func (p *Replay) Fraction() float64 { return p.r.Fraction() }

// Close ends the reading of the trace; it does not close the reader.
func (p *Replay) Close() { p.feed.close() }

// Check reads every key of the trace once more from e, which may have been reopened.
func (p *Replay) Check(ctx context.Context, e engine.Engine) error {
	for _, w := range p.workers {
		w.e = e
		for key, s := range w.keys {
			if err := ctx.Err(); err != nil {
				return err
			}
			w.report.Final++
			if err := w.read([]byte(key), s, "at the end"); err != nil {
				return err
			}
		}
	}
	return nil
}

// Report sums up.
func (p *Replay) Report() Report {
	var sum Report
	for _, w := range p.workers {
		r := w.report
		sum.Reads += r.Reads
		sum.Hits += r.Hits
		sum.Misses += r.Misses
		sum.Writes += r.Writes
		sum.Deletes += r.Deletes
		sum.Wrong += r.Wrong
		sum.Final += r.Final
		sum.Keys += int64(len(w.keys))
	}
	sum.Requests = sum.Reads + sum.Writes + sum.Deletes
	sum.Examples = p.examples
	return sum
}

// LiveBytes returns the size of the keys and values that the store must hold.
func (p *Replay) LiveBytes() (n int64) {
	for _, w := range p.workers {
		for key, s := range w.keys {
			if s.live {
				n += int64(len(key)) + s.size
			}
		}
	}
	return n
}

func (p *Replay) example(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.examples) < maxExamples {
		p.examples = append(p.examples, fmt.Sprintf(format, args...))
	}
}

// state is what the store must hold for a key.
type state struct {
	version uint32 // writes so far
	live    bool   // not deleted since
	size    int64
}

// worker performs the requests on its share of the keys. It is a driver.Feeder.
type worker struct {
	replay *Replay
	e      engine.Engine
	index  int
	keys   map[string]*state
	report Report

	h     *handover // requests at hand
	next  int       // index in h
	now   request
	value []byte
}

// Next fetches the next request of this worker's keys.
func (w *worker) Next() (n int64, ok bool, err error) {
	for w.h == nil || w.next == len(w.h.requests) {
		if w.h != nil {
			w.replay.feed.give(w.h)
			w.h = nil
		}
		if w.h, err = w.replay.feed.take(w.index); w.h == nil {
			return 0, false, err
		}
		w.next = 0
	}
	w.now = w.h.requests[w.next]
	w.next++
	return w.now.n, true, nil
}

// Do performs the request that Next fetched.
func (w *worker) Do(n int64) (driver.Outcome, error) {
	key := w.now.key
	s := w.keys[string(key)]
	action := w.now.action
	if action == Reference {
		action = Read
		if s == nil {
			action = Write
		}
	}
	switch action {
	case Write:
		return w.write(key, s)
	case Delete:
		return w.delete(key, s)
	}
	o := driver.Outcome{Kind: driver.Read, Ops: 1}
	w.report.Reads++
	wrong := w.report.Wrong
	if err := w.read(key, s, "request"); err != nil {
		return o, err
	}
	o.Lost = w.report.Wrong - wrong
	if s == nil || !s.live {
		w.report.Misses += 1 - o.Lost
		o.Misses = 1 - o.Lost
		return o, nil
	}
	w.report.Hits += 1 - o.Lost
	o.Read = int64(len(key) + len(w.value))
	return o, nil
}

func (w *worker) write(key []byte, s *state) (driver.Outcome, error) {
	if s == nil {
		s = new(state)
		w.keys[string(key)] = s
	}
	s.version++
	s.live, s.size = true, w.now.size
	w.report.Writes++
	w.value = w.replay.values.append(w.value[:0], key, s.version, s.size)
	return driver.Outcome{Kind: driver.Write, Ops: 1, Written: int64(len(key) + len(w.value))}, w.e.Put(key, w.value)
}

func (w *worker) delete(key []byte, s *state) (driver.Outcome, error) {
	w.report.Deletes++
	if s == nil {
		s = new(state)
		w.keys[string(key)] = s
	}
	s.live = false
	return driver.Outcome{Kind: driver.Delete, Ops: 1, Written: int64(len(key))}, w.e.Delete(key)
}

// read gets a key and compares the answer with s.
func (w *worker) read(key []byte, s *state, when string) error {
	var err error
	w.value, err = w.e.AppendGet(w.value[:0], key)
	absent := errors.Is(err, engine.ErrNotFound)
	if err != nil && !absent {
		return err
	}
	expected := s != nil && s.live
	if absent != expected && (absent || w.replay.values.is(w.value, key, s.version, s.size)) {
		return nil
	}
	w.report.Wrong++
	if when == "request" {
		when = fmt.Sprintf("request %d", w.now.n+1)
	}
	w.replay.example("%s: key %q: %s", when, key, w.describe(key, s, absent))
	return nil
}

// describe says what is wrong about an answer.
func (w *worker) describe(key []byte, s *state, absent bool) string {
	switch {
	case s == nil:
		return fmt.Sprintf("%d bytes were found, and the trace has not written this key", len(w.value))
	case !s.live:
		return fmt.Sprintf("%d bytes were found, and the trace has deleted this key", len(w.value))
	case absent:
		return fmt.Sprintf("nothing was found, and %d bytes were written", s.size)
	}
	if w.replay.values.is(w.value, key, s.version, int64(len(w.value))) {
		return fmt.Sprintf("the first %d bytes were found of %d that were written", len(w.value), s.size)
	}
	for version := s.version - 1; version > 0; version-- {
		if w.replay.values.is(w.value, key, version, int64(len(w.value))) {
			return fmt.Sprintf("an older value was found: that of write %d of this key, of %d", version, s.version)
		}
	}
	return fmt.Sprintf("other bytes were found, %d of them, than the %d written", len(w.value), s.size)
}

func (w *worker) Close() error { return nil }
