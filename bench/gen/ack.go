package gen

import (
	"sync"
	"sync/atomic"
)

// Ack hands out the numbers of new records and tells the newest one such that it and
// all before it are acknowledged: what YCSB's AcknowledgedCounterGenerator does. So
// a read never looks for a record whose insert is still under way. It is safe for
// concurrent use.
type Ack struct {
	next atomic.Int64
	last atomic.Int64

	mu   sync.Mutex
	done map[int64]struct{} // acknowledged out of order
}

// NewAck starts where n records, 0 to n-1, exist.
func NewAck(n int64) *Ack {
	a := &Ack{done: make(map[int64]struct{})}
	a.next.Store(n)
	a.last.Store(n - 1)
	return a
}

// Next returns the number of a new record, to be acknowledged once it is inserted.
func (a *Ack) Next() int64 { return a.next.Add(1) - 1 }

// Last returns the newest record such that it and all before it are acknowledged.
func (a *Ack) Last() int64 { return a.last.Load() }

// Done acknowledges the insert of record n.
func (a *Ack) Done(n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	last := a.last.Load()
	if n != last+1 {
		a.done[n] = struct{}{}
		return
	}
	for last++; ; last++ {
		if _, ok := a.done[last+1]; !ok {
			break
		}
		delete(a.done, last+1)
	}
	a.last.Store(last)
}
