package workload

import (
	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
)

// fillBatches writes the records in batches. A latency is that of a whole batch.
func (s *setup) fillBatches(o order) error {
	s.each(func() driver.Worker { return &batchWorker{base: s.base(), order: o, b: s.e.NewBatch()} })
	return nil
}

type batchWorker struct {
	base
	order order
	b     engine.Batch
}

func (w *batchWorker) Do(n int64) (driver.Outcome, error) {
	w.begin(n)
	o := driver.Outcome{Kind: driver.BatchWrite}
	first := n * int64(w.Batch)
	last := first + int64(w.Batch)
	if w.Operations > 0 {
		last = min(last, w.Operations) // the last batch may be a short one
	}
	for i := first; i < last; i++ {
		key, value := w.setKey(w.order(i%w.Records)), w.newValue()
		if err := w.b.Put(key, value); err != nil {
			return o, err
		}
		o.Ops++
		o.Written += int64(len(key) + len(value))
	}
	return o, w.b.Commit()
}

func (w *batchWorker) Close() error { return w.b.Close() }
