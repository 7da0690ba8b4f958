package workload

import (
	"bytes"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/gen"
)

// scanRows is how many rows of a scan are one call.
const scanRows = 1000

// closeIter closes it and returns its error, or that of closing it.
func closeIter(it engine.Iter) error {
	err := it.Err()
	if e := it.Close(); err == nil {
		err = e
	}
	return err
}

// seek reads a few rows from a random one, each time with a new iterator, as db_bench
// does.
func (s *setup) seek(reverse bool) error {
	requests := s.requests(0)
	s.each(func() driver.Worker {
		return &seeker{base: s.base(), requests: requests.Fork(), reverse: reverse}
	})
	return nil
}

type seeker struct {
	base
	requests gen.Chooser
	reverse  bool
}

func (w *seeker) Do(n int64) (driver.Outcome, error) {
	w.begin(n)
	o := driver.Outcome{Kind: driver.Seek, Ops: 1}
	key := w.setKey(w.choose(w.requests))
	it, err := w.e.NewIter(nil, nil)
	if err != nil {
		return o, err
	}
	var ok bool
	if w.reverse {
		w.key = append(key, 0) // the next possible key: what lies before is the record
		ok = it.SeekLT(w.key)
	} else {
		ok = it.SeekGE(key)
	}
	if !ok || !bytes.Equal(it.Key(), key) {
		o.Lost += w.lost(1)
	}
	for left := w.Nexts; ok; left-- {
		o.Read += int64(len(it.Key()) + len(it.Value()))
		if left == 0 {
			break
		}
		if w.reverse {
			ok = it.Prev()
		} else {
			ok = it.Next()
		}
	}
	return o, closeIter(it)
}

// scan walks over the whole store, in each thread, again and again.
func (s *setup) scan(reverse bool) error {
	s.each(func() driver.Worker { return &scanner{base: s.base(), reverse: reverse} })
	return nil
}

type scanner struct {
	base
	reverse bool
	it      engine.Iter // nil between two passes
	ok      bool
	rows    int64 // in this pass
}

func (w *scanner) Do(int64) (driver.Outcome, error) {
	o := driver.Outcome{Kind: driver.Scan}
	if w.it == nil {
		if err := w.begin(); err != nil {
			return o, err
		}
	}
	for ; w.ok && o.Ops < scanRows; o.Ops++ {
		o.Read += int64(len(w.it.Key()) + len(w.it.Value()))
		if w.reverse {
			w.ok = w.it.Prev()
		} else {
			w.ok = w.it.Next()
		}
	}
	w.rows += o.Ops
	if w.ok {
		return o, nil
	}
	it := w.it
	w.it = nil
	if w.rows != w.Records {
		o.Lost += w.lost(max(w.Records-w.rows, w.rows-w.Records))
	}
	return o, closeIter(it)
}

// begin starts a pass.
func (w *scanner) begin() (err error) {
	w.rows = 0
	if w.it, err = w.e.NewIter(nil, nil); err != nil {
		w.it = nil
		return err
	}
	if w.reverse {
		w.ok = w.it.Last()
	} else {
		w.ok = w.it.First()
	}
	return nil
}

func (w *scanner) Close() error {
	if w.it == nil {
		return nil
	}
	return closeIter(w.it)
}
