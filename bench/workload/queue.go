package workload

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/bench/driver"
)

// queue is a FIFO on an ordered store: items are numbered, pushed under the number
// and popped by a seek to the lowest key and a delete. What was popped leaves
// tombstones at the head, exactly where every seek begins. Calls push and pop in turn.
func (s *setup) queue() error {
	q := &queue{setup: s}
	if err := q.fill(); err != nil {
		return err
	}
	s.each(func() driver.Worker { return &queueWorker{base: s.base(), q: q} })
	return nil
}

type queue struct {
	*setup
	tail atomic.Int64 // number of the next item

	mu   sync.Mutex // one consumer at a time
	head int64      // number of the oldest item
}

// fill brings the queue to its length before the measurement starts.
func (q *queue) fill() error {
	b, w := q.e.NewBatch(), q.base()
	for i := range q.Queue {
		w.begin(i)
		if err := b.Put(w.setKey(i), w.newValue()); err != nil {
			return err
		}
		if (i+1)%1000 == 0 || i == q.Queue-1 {
			if err := b.Commit(); err != nil {
				return err
			}
		}
	}
	q.tail.Store(q.Queue)
	return b.Close()
}

type queueWorker struct {
	base
	q        *queue
	expected []byte
}

func (w *queueWorker) Do(n int64) (driver.Outcome, error) {
	w.begin(n)
	if n%2 == 0 {
		return w.put(w.q.tail.Add(1)-1, driver.Push)
	}
	return w.pop()
}

func (w *queueWorker) pop() (driver.Outcome, error) {
	o := driver.Outcome{Kind: driver.Pop, Ops: 1}
	w.q.mu.Lock()
	defer w.q.mu.Unlock()
	it, err := w.e.NewIter(nil, nil)
	if err != nil {
		return o, err
	}
	if !it.SeekGE(w.setKey(0)) {
		// With several threads the queue may be empty for a moment, if it is short.
		o.Misses = 1
		return o, closeIter(it)
	}
	w.key = append(w.key[:0], it.Key()...)
	o.Read = int64(len(w.key) + len(it.Value()))
	if err := closeIter(it); err != nil {
		return o, err
	}
	if err := w.check(); err != nil {
		return o, err
	}
	o.Written = int64(len(w.key))
	return o, w.e.Delete(w.key)
}

// check compares the item with the one whose turn it is. With several threads items
// arrive out of order by a few.
func (w *queueWorker) check() error {
	w.expected = w.keys.Append(w.expected[:0], w.q.head)
	w.q.head++
	if w.Threads > 1 || w.Unchecked || bytes.Equal(w.expected, w.key) {
		return nil
	}
	return fmt.Errorf("the oldest item of the queue is %q, and the store gave %q", w.expected, w.key)
}
