package replica

import "sync"

// stripeCount is how many latches there are. Keys share one by the low bits of their
// tokens, and hold it for a few microseconds: between reading a record and handing its
// successor to the engine, or, without a sync and if nobody waits, until the commit is
// done.
const stripeCount = 1 << 12

// stripe is one latch, and what is under way behind it.
type stripe struct {
	mu   sync.Mutex // held for a few instructions; nothing else is locked under it
	busy bool
	// Who waits, in order of arrival. A latch is handed to the first of them.
	head, tail *Tx
	// The newest records that were handed to the engine and are not visible yet, by key.
	// Only the holder of the latch adds to it.
	pending []pending
	_       [8]byte // a cache line in all
}

// pending is a record whose commit is under way. Key and record belong to tx.
type pending struct {
	tx     *Tx
	entry  int // its index in tx
	key    []byte
	record []byte // empty: there is none
}

// acquire takes the latches that tx lacks, in ascending order, which excludes deadlocks.
// It returns false when it has to wait: then whoever releases the latch goes on for tx,
// which must not be touched any more.
func (r *Replica) acquire(tx *Tx) bool {
	for tx.held < len(tx.stripes) {
		s := &r.stripes[tx.stripes[tx.held]]
		s.mu.Lock()
		if s.busy {
			tx.next = nil
			if s.tail == nil {
				s.head = tx
			} else {
				s.tail.next = tx
			}
			s.tail = tx
			s.mu.Unlock()
			r.stats.latchWaits.Add(1)
			return false
		}
		s.busy = true
		tx.held++
		tx.chained = tx.chained || len(s.pending) > 0
		s.mu.Unlock()
	}
	return true
}

// ready is a list of transactions that have their latches and whose bodies nobody runs
// yet.
type ready struct{ head, tail *Tx }

func (q *ready) push(tx *Tx) {
	tx.next = nil
	if q.tail == nil {
		q.head = tx
	} else {
		q.tail.next = tx
	}
	q.tail = tx
}

func (q *ready) pop() *Tx {
	tx := q.head
	if tx == nil {
		return nil
	}
	if q.head = tx.next; q.head == nil {
		q.tail = nil
	}
	tx.next = nil
	return tx
}

// release gives back the latches of tx. Those who waited and have all of theirs now are
// woken, or pushed to q if nobody sleeps for them.
func (r *Replica) release(tx *Tx, q *ready) {
	for _, i := range tx.stripes[:tx.held] {
		s := &r.stripes[i]
		s.mu.Lock()
		w := s.head
		if w == nil {
			s.busy = false
		} else {
			if s.head = w.next; s.head == nil {
				s.tail = nil
			}
			w.held++
			w.chained = w.chained || len(s.pending) > 0
		}
		s.mu.Unlock()
		if w != nil && r.acquire(w) {
			w.granted(q)
		}
	}
	tx.held, tx.chained = 0, false
}

// granted goes on with tx, which has all of its latches.
func (tx *Tx) granted(q *ready) {
	if tx.done == nil {
		tx.wake <- struct{}{}
		return
	}
	q.push(tx)
}

// alone says whether nobody waits for a latch of tx and nothing is pending there.
func (r *Replica) alone(tx *Tx) bool {
	if tx.chained {
		return false
	}
	for _, i := range tx.stripes {
		s := &r.stripes[i]
		s.mu.Lock()
		waiters := s.head != nil
		s.mu.Unlock()
		if waiters {
			return false
		}
	}
	return true
}

// publish shows what tx is about to commit to those who get its latches next.
func (r *Replica) publish(tx *Tx) {
	for i := range tx.entries {
		e := &tx.entries[i]
		if !e.dirty {
			continue
		}
		p := pending{tx: tx, entry: i, key: tx.key(e), record: tx.record(e)}
		s := &r.stripes[e.stripe]
		s.mu.Lock()
		found := false
		for j := range s.pending {
			if string(s.pending[j].key) == string(p.key) {
				s.pending[j], found = p, true
				break
			}
		}
		if !found {
			s.pending = append(s.pending, p)
		}
		s.mu.Unlock()
	}
}

// withdraw takes back what publish showed, where nobody replaced it: the engine shows
// it now. It reports whether anybody had looked.
func (r *Replica) withdraw(tx *Tx) (seen bool) {
	for i := range tx.entries {
		e := &tx.entries[i]
		if !e.dirty {
			continue
		}
		s := &r.stripes[e.stripe]
		s.mu.Lock()
		for j := range s.pending {
			if p := &s.pending[j]; p.tx == tx && p.entry == i {
				last := len(s.pending) - 1
				s.pending[j] = s.pending[last]
				s.pending[last] = pending{}
				s.pending = s.pending[:last]
				break
			}
		}
		seen = seen || e.seen
		s.mu.Unlock()
	}
	return seen
}

// peek copies the pending record of a key to dst, if there is one. The latch is held.
func (r *Replica) peek(dst []byte, stripe uint32, key []byte) (record []byte, found bool) {
	s := &r.stripes[stripe]
	s.mu.Lock()
	defer s.mu.Unlock()
	for j := range s.pending {
		p := &s.pending[j]
		if string(p.key) == string(key) {
			p.tx.entries[p.entry].seen = true
			return append(dst, p.record...), true
		}
	}
	return dst, false
}
