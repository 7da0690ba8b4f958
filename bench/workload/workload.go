package workload

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/gen"
)

// DataSet says what keys and values look like.
type DataSet uint8

const (
	YCSB    DataSet = iota // hashed keys, rows of ten fields
	Decimal                // db_bench's keys and values
)

func (d DataSet) valueSize() int {
	if d == YCSB {
		return fields * 100
	}
	return 100
}

func (d DataSet) records() int64 {
	if d == YCSB {
		return 100_000
	}
	return 1_000_000
}

// Keys returns the keys of the data set.
func (d DataSet) Keys(p Params) gen.Keys {
	if d == YCSB {
		return gen.HashedKeys{}
	}
	def(&p.KeySize, 16)
	return gen.DecimalKeys{Size: p.KeySize}
}

// State is what a store holds of a data set.
type State uint8

const (
	Unknown State = iota
	Empty         // nothing
	Part          // anything
	Grown         // all records, and others beyond
	Loaded        // the records and nothing else
)

// Workload is one of the workloads of this package.
type Workload struct {
	Name   string
	Help   string // one line
	Data   DataSet
	Needs  State // Empty, Grown (or better) or Loaded
	Leaves State // what the store holds afterwards; Unknown if that does not change
	// Syncs says that each write must be durable when it is acknowledged, whatever
	// the run asks for.
	Syncs bool
	// Writes says that the workload changes the store, so that it has to settle.
	Writes bool
	// Fills says that the calls are a sequence to go through once: no warm-up.
	Fills bool
	// Ordered says that the workload seeks or scans, and so needs keys in order.
	Ordered bool

	operations func(p Params) int64 // the number when none is asked for; nil means p.Records
	callOps    func(p Params) int64 // operations in a call; nil means 1
	update     bool                 // Params.Update matters
	requests   string               // distribution, "" where there is no choice
	start      func(*setup) error
}

// Run is a workload on an open engine, ready for the driver.
type Run struct {
	Workload     Workload
	Params       Params // completed with defaults
	Distribution string // of the requests; "" where there is no choice
	Workers      []driver.Worker
	Background   []driver.Worker
}

// Find returns the workload of that name. Names are those of List, and for YCSB also
// with "ycsb-" or "workload" before the letter, in any case.
func Find(name string) (Workload, error) {
	short := strings.ToLower(name)
	for _, prefix := range []string{"ycsb-", "ycsb", "workload"} {
		if rest, ok := strings.CutPrefix(short, prefix); ok && len(rest) == 1 {
			short = rest
		}
	}
	var names []string
	for _, w := range List() {
		if w.Name == short {
			return w, nil
		}
		names = append(names, w.Name)
	}
	return Workload{}, fmt.Errorf("unknown workload %q: it is one of %s", name, strings.Join(names, ", "))
}

// List returns all workloads, YCSB first.
func List() []Workload { return append(ycsbWorkloads(), dbWorkloads()...) }

// Load returns the workload that writes the records of a data set, each once: for
// YCSB in the order of their numbers, whose keys are hashed, else in random order.
func Load(d DataSet) Workload {
	w := Workload{Name: "load", Data: d, Needs: Empty, Leaves: Loaded, Writes: true, Fills: true}
	w.Help = "write the records of the data set"
	if d == YCSB {
		w.start = func(s *setup) error { return s.fill(inOrder, driver.Insert) }
	} else {
		w.start = func(s *setup) error { return s.fill(shuffled(s), driver.Insert) }
	}
	return w
}

// Complete returns p with the defaults of the workload, Operations included, or an
// error that says which parameter is wrong. With unlimited the number of operations
// stays 0 if it was.
func (w Workload) Complete(p Params, unlimited bool) (Params, error) {
	if err := p.setDefaults(w.Data); err != nil {
		return p, err
	}
	if p.Operations == 0 && !unlimited {
		p.Operations = p.Records
		if w.operations != nil {
			p.Operations = w.operations(p)
		}
	}
	return p, nil
}

// On is an error if the workload can't run on a kind of engine; it says which can.
func (w Workload) On(k engine.Kind) error {
	why := w.unfit(k)
	if why == "" {
		return nil
	}
	var names []string
	for _, other := range List() {
		if other.unfit(k) == "" {
			names = append(names, other.Name)
		}
	}
	return fmt.Errorf("%s %s; the workloads for a server are %s", w.Name, why, strings.Join(names, ", "))
}

// unfit says why the workload can't run on a kind of engine, "" if it can.
func (w Workload) unfit(k engine.Kind) string {
	switch {
	case !k.Server:
	case w.Ordered:
		return "seeks or scans, and a server has no order of keys (its scans walk in any)"
	case w.Syncs:
		return "syncs each write, which is for the server's own configuration to say: use fillrandom on a server that is set up so"
	}
	return ""
}

// CallOps returns how many operations a call stands for, for completed params.
func (w Workload) CallOps(p Params) int64 {
	if w.callOps == nil {
		return 1
	}
	return w.callOps(p)
}

// Variant returns the kind of update for the report, "" where there are none.
func (w Workload) Variant(p Params) string {
	if !w.update {
		return ""
	}
	return string(p.Update)
}

// Start makes the workers, for completed params. The store must be in the state that
// the workload needs. Close the run afterwards.
func (w Workload) Start(e engine.Engine, p Params) (*Run, error) {
	s := &setup{
		Params: p, e: e, data: w.Data, keys: w.Data.Keys(p),
		values: gen.NewValues(p.Seed, p.ValueSize, p.Ratio), ack: gen.NewAck(p.Records),
		run: &Run{Workload: w, Params: p},
	}
	if w.requests != "" {
		s.run.Distribution = cmp.Or(p.Distribution, w.requests)
	}
	if err := w.start(s); err != nil {
		s.run.Close()
		return nil, err
	}
	return s.run, nil
}

// Close closes the workers.
func (r *Run) Close() error {
	var first error
	for _, w := range append(r.Workers, r.Background...) {
		if err := w.Close(); err != nil && first == nil {
			first = err
		}
	}
	r.Workers, r.Background = nil, nil
	return first
}

// setup is what the start functions work with.
type setup struct {
	Params
	e      engine.Engine
	data   DataSet
	keys   gen.Keys
	values *gen.Values
	ack    *gen.Ack
	run    *Run
}

// each makes one worker for each thread.
func (s *setup) each(make func() driver.Worker) {
	for range max(s.Threads, 1) {
		s.run.Workers = append(s.run.Workers, make())
	}
}

// requests returns the chooser of the run's distribution.
func (s *setup) requests(future int64) gen.Chooser {
	return s.chooser(s.run.Distribution, s.ack, future)
}

// base is what the workers have in common.
type base struct {
	*setup
	r     gen.Rand
	key   []byte
	value []byte
}

func (s *setup) base() base { return base{setup: s} }

// begin starts call n: the random numbers depend on it alone.
func (b *base) begin(n int64) { b.r = gen.At(b.Seed, n) }

// setKey makes the key of record k.
func (b *base) setKey(k int64) []byte {
	b.key = b.keys.Append(b.key[:0], k)
	return b.key
}

// newValue returns a random value. It is not to be changed.
func (b *base) newValue() []byte { return b.values.At(b.r.Uint64(), b.ValueSize) }

// put writes a new value under the key of record k.
func (b *base) put(k int64, kind driver.Kind) (driver.Outcome, error) {
	key, value := b.setKey(k), b.newValue()
	return driver.Outcome{Kind: kind, Ops: 1, Written: int64(len(key) + len(value))}, b.e.Put(key, value)
}

// get reads the value of record k, which exists, into b.value.
func (b *base) get(k int64, o *driver.Outcome) (found bool, err error) {
	key := b.setKey(k)
	b.value, err = b.e.AppendGet(b.value[:0], key)
	if err != nil {
		if err != engine.ErrNotFound {
			return false, err
		}
		o.Lost += b.lost(1)
		return false, nil
	}
	if len(b.value) != b.ValueSize {
		o.Lost += b.lost(1)
	}
	o.Read += int64(len(key) + len(b.value))
	return true, nil
}

func (b *base) lost(n int64) int64 {
	if b.Unchecked {
		return 0
	}
	return n
}

// choose returns a record that exists.
func (b *base) choose(c gen.Chooser) int64 {
	for {
		if k := c.Next(&b.r); k <= b.ack.Last() {
			return k
		}
	}
}

func (b *base) Close() error { return nil }
