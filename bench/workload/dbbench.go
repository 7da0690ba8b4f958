package workload

import (
	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/gen"
)

func dbWorkloads() []Workload {
	batch := func(p Params) int64 { return int64(p.Batch) }
	chunk := func(Params) int64 { return scanRows }
	perThread := func(p Params) int64 { return p.Records * int64(p.Threads) }
	hundredth := func(p Params) int64 { return max(p.Records/100, 1) }
	twice := func(p Params) int64 { return 2 * p.Records }
	list := []Workload{
		{Name: "fillseq", Help: "write the records in key order", Needs: Empty, Leaves: Loaded,
			start: func(s *setup) error { return s.fill(inOrder, driver.Write) }},
		{Name: "fillrandom", Help: "write each record once, in random order", Needs: Empty, Leaves: Loaded,
			start: func(s *setup) error { return s.fill(shuffled(s), driver.Write) }},
		{Name: "fillsync", Help: "as fillrandom, each write synced; a hundredth of the records", Needs: Empty, Leaves: Part, Syncs: true, operations: hundredth,
			start: func(s *setup) error { return s.fill(shuffled(s), driver.Write) }},
		{Name: "fillbatch", Help: "as fillrandom, in batches of 100", Needs: Empty, Leaves: Loaded, callOps: batch,
			start: func(s *setup) error { return s.fillBatches(shuffled(s)) }},
		{Name: "overwrite", Help: "write random records that exist", Needs: Grown, requests: "uniform", start: (*setup).overwrite},
		{Name: "readrandom", Help: "read random records", Needs: Grown, requests: "uniform", start: (*setup).readExisting},
		{Name: "readmissing", Help: "read keys that are not there, between those that are", Needs: Grown, requests: "uniform", start: (*setup).readMissing},
		{Name: "readhot", Help: "read records, zipfian with theta 0.99", Needs: Grown, requests: "zipf", start: (*setup).readExisting},
		{Name: "seekrandom", Help: "seek a random record and read it and the 10 after it", Needs: Grown, requests: "uniform",
			start: func(s *setup) error { return s.seek(false) }},
		{Name: "seekreverse", Help: "seek a random record and read it and the 10 before it", Needs: Grown, requests: "uniform",
			start: func(s *setup) error { return s.seek(true) }},
		{Name: "scan", Help: "read all records in order; an operation is a row, latencies are of 1,000", Needs: Loaded, callOps: chunk, operations: perThread,
			start: func(s *setup) error { return s.scan(false) }},
		{Name: "scanreverse", Help: "read all records in reverse order", Needs: Loaded, callOps: chunk, operations: perThread,
			start: func(s *setup) error { return s.scan(true) }},
		{Name: "readwhilewriting", Help: "readrandom while one more thread overwrites", Needs: Grown, requests: "uniform", start: (*setup).readWhileWriting},
		{Name: "deleterandom", Help: "delete each record once, in random order", Needs: Grown, Leaves: Part, start: (*setup).deleteRandom},
		{Name: "deleteseq", Help: "a queue of 10,000: push at the tail, seek and delete at the head", Needs: Empty, Leaves: Part, operations: twice, start: (*setup).queue},
	}
	writes := map[string]bool{"overwrite": true, "readwhilewriting": true, "deleterandom": true, "deleteseq": true}
	once := map[string]bool{"deleterandom": true, "deleteseq": true}
	ordered := map[string]bool{"seekrandom": true, "seekreverse": true, "scan": true, "scanreverse": true, "deleteseq": true}
	for i := range list {
		w := &list[i]
		w.Data = Decimal
		w.Ordered = ordered[w.Name]
		w.Fills = w.Needs == Empty || once[w.Name]
		w.Writes = w.Needs == Empty || writes[w.Name]
	}
	return list
}

// order maps the n-th operation of a sequence to a record.
type order func(n int64) int64

func inOrder(n int64) int64 { return n }

// shuffled visits each record once.
func shuffled(s *setup) order {
	p := gen.NewPermutation(s.Records, gen.Mix(s.Seed))
	return p.At
}

// fill writes the records one by one. Beyond the last one it starts again.
func (s *setup) fill(o order, kind driver.Kind) error {
	s.each(func() driver.Worker { return &fillWorker{base: s.base(), order: o, kind: kind} })
	return nil
}

type fillWorker struct {
	base
	order order
	kind  driver.Kind
}

func (w *fillWorker) Do(n int64) (driver.Outcome, error) {
	w.begin(n)
	return w.put(w.order(n%w.Records), w.kind)
}

func (s *setup) overwrite() error {
	requests := s.requests(0)
	s.each(func() driver.Worker { return &overwriter{base: s.base(), requests: requests.Fork()} })
	return nil
}

type overwriter struct {
	base
	requests gen.Chooser
}

func (w *overwriter) Do(n int64) (driver.Outcome, error) {
	w.begin(n)
	return w.put(w.choose(w.requests), driver.Write)
}

func (s *setup) deleteRandom() error {
	o := shuffled(s)
	s.each(func() driver.Worker { return &deleter{base: s.base(), order: o} })
	return nil
}

type deleter struct {
	base
	order order
}

func (w *deleter) Do(n int64) (driver.Outcome, error) {
	key := w.setKey(w.order(n % w.Records))
	return driver.Outcome{Kind: driver.Delete, Ops: 1, Written: int64(len(key))}, w.e.Delete(key)
}
