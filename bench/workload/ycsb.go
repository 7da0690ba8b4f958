package workload

import (
	"bytes"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/gen"
)

const (
	fields      = 10  // in a row; YCSB's fieldcount
	longestScan = 100 // rows; YCSB's maxscanlength in workload E
)

// mix has the shares of the operations, which add up to 1.
type mix struct{ read, update, insert, scan, rmw float64 }

func ycsbWorkloads() []Workload {
	make := func(name, help, requests string, m mix) Workload {
		w := Workload{
			Name: name, Help: help, Data: YCSB, Needs: Grown, requests: requests,
			Writes: m.read < 1, Ordered: m.scan > 0, update: m.update+m.rmw > 0,
		}
		if m.insert > 0 {
			w.Needs, w.Leaves = Loaded, Grown
		}
		w.start = func(s *setup) error { return s.ycsb(m) }
		return w
	}
	return []Workload{
		make("a", "YCSB A, update heavy: 50% read, 50% update, zipfian", "scrambled", mix{read: .5, update: .5}),
		make("b", "YCSB B, read mostly: 95% read, 5% update, zipfian", "scrambled", mix{read: .95, update: .05}),
		make("c", "YCSB C, read only: zipfian", "scrambled", mix{read: 1}),
		make("d", "YCSB D, read latest: 95% read, 5% insert, latest", "latest", mix{read: .95, insert: .05}),
		make("e", "YCSB E, short ranges: 95% scan of 1 to 100 rows, 5% insert, zipfian", "scrambled", mix{scan: .95, insert: .05}),
		make("f", "YCSB F, read-modify-write: 50% read, 50% rmw, zipfian", "scrambled", mix{read: .5, rmw: .5}),
	}
}

func (s *setup) ycsb(m mix) error {
	planned := s.Operations
	if planned == 0 { // by time: YCSB has no rule for it
		planned = s.Records
	}
	future := int64(float64(planned) * m.insert * 2) // 2 is YCSB's "fudge factor"
	requests := s.requests(future)
	s.each(func() driver.Worker {
		return &ycsbWorker{base: s.base(), mix: m, requests: requests.Fork()}
	})
	return nil
}

type ycsbWorker struct {
	base
	mix      mix
	requests gen.Chooser
}

// Do performs one transaction of YCSB's CoreWorkload.
func (w *ycsbWorker) Do(n int64) (driver.Outcome, error) {
	w.begin(n)
	u := w.r.Float64()
	switch m := w.mix; {
	case u < m.read:
		return w.doRead()
	case u < m.read+m.update:
		return w.doUpdate()
	case u < m.read+m.update+m.insert:
		return w.doInsert()
	case u < m.read+m.update+m.insert+m.scan:
		return w.doScan()
	default:
		return w.doReadModifyWrite()
	}
}

func (w *ycsbWorker) doRead() (driver.Outcome, error) {
	o := driver.Outcome{Kind: driver.Read, Ops: 1}
	_, err := w.get(w.choose(w.requests), &o)
	return o, err
}

func (w *ycsbWorker) doUpdate() (driver.Outcome, error) {
	o := driver.Outcome{Kind: driver.Update, Ops: 1}
	k := w.choose(w.requests)
	if w.Update == Blind {
		return w.put(k, driver.Update)
	}
	return o, w.updateRow(k, &o)
}

// updateRow is what YCSB's bindings for key-value stores do: read the row, change a
// field, write the row. A row that is not there is not written.
func (w *ycsbWorker) updateRow(k int64, o *driver.Outcome) error {
	found, err := w.get(k, o)
	if err != nil || !found {
		return err
	}
	return w.putField(o)
}

// putField changes one field of the row that was read, and writes the row.
func (w *ycsbWorker) putField(o *driver.Outcome) error {
	size := w.ValueSize / fields
	if at := int(w.r.Int64n(fields)) * size; at+size <= len(w.value) {
		copy(w.value[at:], w.values.At(w.r.Uint64(), size))
	}
	o.Written += int64(len(w.key) + len(w.value))
	return w.e.Put(w.key, w.value)
}

func (w *ycsbWorker) doInsert() (driver.Outcome, error) {
	k := w.ack.Next()
	o, err := w.put(k, driver.Insert)
	if err == nil {
		w.ack.Done(k)
	}
	return o, err
}

func (w *ycsbWorker) doScan() (driver.Outcome, error) {
	o := driver.Outcome{Kind: driver.Scan, Ops: 1}
	key := w.setKey(w.choose(w.requests))
	rows := 1 + w.r.Int64n(longestScan)
	it, err := w.e.NewIter(nil, nil)
	if err != nil {
		return o, err
	}
	ok := it.SeekGE(key)
	if !ok || !bytes.Equal(it.Key(), key) {
		o.Lost += w.lost(1)
	}
	for ; ok && rows > 0; rows-- {
		o.Read += int64(len(it.Key()) + len(it.Value()))
		if rows > 1 {
			ok = it.Next()
		}
	}
	return o, closeIter(it)
}

func (w *ycsbWorker) doReadModifyWrite() (driver.Outcome, error) {
	o := driver.Outcome{Kind: driver.ReadModifyWrite, Ops: 1}
	k := w.choose(w.requests)
	found, err := w.get(k, &o)
	if err != nil || !found {
		return o, err
	}
	if w.Update == Blind {
		return o, w.putField(&o)
	}
	return o, w.updateRow(k, &o)
}
