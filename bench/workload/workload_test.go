package workload

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/internal/mapengine"
)

// openMap opens a new store on d.
func openMap(t *testing.T, d *mapengine.Disk) engine.Engine {
	t.Helper()
	e, err := d.Kind().Open(engine.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func mustFind(t *testing.T, name string) Workload {
	t.Helper()
	w, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// perform runs a workload and returns what was measured, and the completed params.
func perform(t *testing.T, e engine.Engine, w Workload, p Params) (*driver.Result, Params) {
	t.Helper()
	p, err := w.Complete(p, false)
	if err != nil {
		t.Fatal(err)
	}
	run, err := w.Start(e, p)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	per := w.CallOps(p)
	res, err := driver.Run(context.Background(), driver.Job{
		Workers: run.Workers, Background: run.Background, CallOps: per, Calls: (p.Operations + per - 1) / per,
	})
	if err != nil {
		t.Fatalf("%s: %v", w.Name, err)
	}
	return res, p
}

// prepare opens a store that w can start on.
func prepare(t *testing.T, d *mapengine.Disk, w Workload, p Params) engine.Engine {
	e := openMap(t, d)
	if w.Needs != Empty {
		p.Operations = 0
		perform(t, e, Load(w.Data), p)
	}
	return e
}

func rows(t *testing.T, e engine.Engine) (n int64) {
	t.Helper()
	it, err := e.NewIter(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	return n
}

// Every workload does its operations on a correct store, loses nothing, and leaves
// what it says, with one thread and with three.
func TestEachWorkload(t *testing.T) {
	for _, w := range List() {
		for _, threads := range []int{1, 3} {
			p := Params{Records: 400, Threads: threads, Seed: 3, Batch: 30, Queue: 50}
			e := prepare(t, &mapengine.Disk{}, w, p)
			res, p := perform(t, e, w, p)
			if res.Totals.Lost != 0 {
				t.Errorf("%s: %d lost on a store that loses nothing", w.Name, res.Totals.Lost)
			}
			if want := p.Operations; res.Totals.Ops != want && !(w.callOps != nil && threads > 1) {
				t.Errorf("%s: %d operations, want %d", w.Name, res.Totals.Ops, want)
			}
			n := rows(t, e)
			switch state := w.Leaves; {
			case state == Loaded && n != p.Records, state == Unknown && n != p.Records:
				t.Errorf("%s: leaves %d records of %d", w.Name, n, p.Records)
			case state == Grown && n <= p.Records:
				t.Errorf("%s: did not insert", w.Name)
			}
		}
	}
}

func TestFind(t *testing.T) {
	for _, name := range []string{"a", "A", "ycsb-a", "ycsba", "workloada", "YCSB-A"} {
		if w := mustFind(t, name); w.Name != "a" {
			t.Errorf("%s finds %s", name, w.Name)
		}
	}
	if _, err := Find("workload"); err == nil || !strings.Contains(err.Error(), "readrandom") {
		t.Errorf("the error must list the workloads: %v", err)
	}
}

func TestCompleteRefusesNonsense(t *testing.T) {
	ycsb, db := mustFind(t, "a"), mustFind(t, "readrandom")
	for want, c := range map[string]struct {
		w Workload
		p Params
	}{
		"at least 2 records":   {ycsb, Params{Records: 1}},
		"negative":             {ycsb, Params{Records: 10, Threads: -1}},
		"size of values":       {db, Params{Records: 10, ValueSize: -1}},
		"compress":             {db, Params{Records: 10, Ratio: 1.5}},
		"hot set":              {db, Params{Records: 10, HotSet: 2}},
		"unknown update":       {ycsb, Params{Records: 10, Update: "odd"}},
		"unknown distribution": {ycsb, Params{Records: 10, Distribution: "odd"}},
		"same size":            {ycsb, Params{Records: 10, ValueSize: 1001}},
		"make them longer":     {db, Params{Records: 1000, KeySize: 3}},
	} {
		if _, err := c.w.Complete(c.p, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c.p, err, want)
		}
	}
}

// A store that loses, shortens or invents values must not get away with it.
func TestWrongAnswersAreNoticed(t *testing.T) {
	p := Params{Records: 300, Seed: 1}
	for _, name := range []string{"a", "b", "c", "d", "f", "readrandom", "readhot", "readwhilewriting"} {
		w := mustFind(t, name)
		d := &mapengine.Disk{}
		e := prepare(t, d, w, p)
		d.Hook = func(op string, key []byte) error {
			if op == "get" && key[len(key)-1] == '7' {
				return engine.ErrNotFound
			}
			return nil
		}
		if res, _ := perform(t, e, w, p); res.Totals.Lost == 0 {
			t.Errorf("%s: the store loses a tenth of the keys, unnoticed", name)
		}
		d.Hook = nil
		d.Read = func(_, value []byte) []byte { return value[:len(value)-1] }
		if res, _ := perform(t, e, w, Params{Records: 300}); res.Totals.Lost == 0 {
			t.Errorf("%s: the store shortens values, unnoticed", name)
		}
	}
	for _, name := range []string{"seekrandom", "seekreverse", "e", "scan", "scanreverse"} {
		w := mustFind(t, name)
		e := prepare(t, &mapengine.Disk{}, w, p)
		for k := range int64(30) {
			e.Delete(w.Data.Keys(p).Append(nil, k))
		}
		if res, _ := perform(t, e, w, p); res.Totals.Lost == 0 {
			t.Errorf("%s: a tenth of the keys is gone, unnoticed", name)
		}
	}
}

func TestMissingThatIsFoundFails(t *testing.T) {
	w := mustFind(t, "readmissing")
	p, err := w.Complete(Params{Records: 10}, false)
	if err != nil {
		t.Fatal(err)
	}
	e := openMap(t, &mapengine.Disk{})
	for k := range int64(10) {
		e.Put(append(w.Data.Keys(p).Append(nil, k), '.'), []byte("x"))
	}
	run, err := w.Start(e, p)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if _, err := run.Workers[0].Do(0); err == nil || !strings.Contains(err.Error(), "nobody wrote") {
		t.Fatalf("%v", err)
	}
}

// The first item out must be the first one in.
func TestQueueOrderIsChecked(t *testing.T) {
	w := mustFind(t, "deleteseq")
	p, _ := w.Complete(Params{Records: 10, Queue: 5}, false)
	e := openMap(t, &mapengine.Disk{})
	run, err := w.Start(e, p)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	e.Delete(w.Data.Keys(p).Append(nil, 0))
	if _, err := run.Workers[0].Do(1); err == nil || !strings.Contains(err.Error(), "oldest item") {
		t.Fatalf("%v", err)
	}
}

// Errors of the engine come out of every workload.
func TestEngineErrorsEndTheRun(t *testing.T) {
	broken := errors.New("broken")
	for _, w := range List() {
		d := &mapengine.Disk{}
		p, _ := w.Complete(Params{Records: 50, Queue: 5}, false)
		e := prepare(t, d, w, p)
		run, err := w.Start(e, p)
		if err != nil {
			t.Fatal(err)
		}
		d.Hook = func(string, []byte) error { return broken }
		for n := range int64(200) {
			if _, err = run.Workers[0].Do(n); err != nil {
				break
			}
		}
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v", w.Name, err)
		}
		run.Close()
	}
}

// The same seed performs the same operations with any number of threads.
func TestReproducible(t *testing.T) {
	trace := func(name string, threads int, seed uint64) map[string]int {
		d := &mapengine.Disk{}
		w := mustFind(t, name)
		p := Params{Records: 200, Seed: seed, Threads: threads}
		e := prepare(t, d, w, p)
		ops := make(chan string, 10_000)
		d.Hook = func(op string, key []byte) error {
			ops <- op + " " + string(key)
			return nil
		}
		perform(t, e, w, p)
		close(ops)
		count := make(map[string]int)
		for op := range ops {
			count[op]++
		}
		return count
	}
	same := func(a, b map[string]int) bool {
		if len(a) != len(b) {
			return false
		}
		for k := range a {
			if a[k] != b[k] {
				return false
			}
		}
		return true
	}
	for _, name := range []string{"a", "f", "fillrandom", "readrandom", "overwrite"} {
		one := trace(name, 1, 7)
		if !same(one, trace(name, 3, 7)) {
			t.Errorf("%s: three threads perform other operations than one", name)
		}
		if name != "fillrandom" && same(one, trace(name, 1, 8)) {
			t.Errorf("%s: another seed performs the same operations", name)
		}
	}
}

// A call allocates nothing beyond what the engine does.
func TestNoAllocationPerCall(t *testing.T) {
	for _, w := range List() {
		switch w.Name {
		case "e", "seekrandom", "seekreverse", "scan", "scanreverse", "deleteseq":
			continue // these make iterators
		}
		p, _ := w.Complete(Params{Records: 1000, Unchecked: true}, false)
		e, _ := engine.Noop.Open(engine.Config{})
		e.Put(nil, make([]byte, p.ValueSize))
		run, err := w.Start(e, p)
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		if allocs := testing.AllocsPerRun(200, func() {
			run.Workers[0].Do(n)
			n++
		}); allocs > 0 {
			t.Errorf("%s: %v allocations in a call", w.Name, allocs)
		}
		run.Close()
	}
}
