package lsm

import "sync"

// Readers take no reference on each memtable, table reader or file they use. They
// hold a readState, and whatever may be in use by a readState is freed no earlier
// than the last state that could reach it is released:
//
//   - Every installed state has an epoch, one larger than the one before.
//   - A resource was reachable in the states of epochs [born, died]. When it drops
//     out of the current state it is retired with that span.
//   - It is freed as soon as no live state has an epoch in its span.
//
// So a long-lived iterator keeps what it can see, and nothing that came later.
type reclaimer struct {
	mu      sync.Mutex
	live    []uint64 // epochs of states not yet released, ascending
	retired []retired
}

type retired struct {
	born, died uint64
	free       func()
}

// begin registers the state of a new epoch.
func (r *reclaimer) begin(epoch uint64) {
	r.mu.Lock()
	r.live = append(r.live, epoch)
	r.mu.Unlock()
}

// end unregisters epoch and frees what only it kept.
func (r *reclaimer) end(epoch uint64) {
	r.mu.Lock()
	for i, e := range r.live {
		if e == epoch {
			r.live = append(r.live[:i], r.live[i+1:]...)
			break
		}
	}
	ready := r.takeReady()
	r.mu.Unlock()
	for _, f := range ready {
		f()
	}
}

// retire frees a resource now, or when the last state of its span is released.
func (r *reclaimer) retire(born, died uint64, free func()) {
	r.mu.Lock()
	r.retired = append(r.retired, retired{born, died, free})
	ready := r.takeReady()
	r.mu.Unlock()
	for _, f := range ready {
		f()
	}
}

func (r *reclaimer) takeReady() []func() {
	var ready []func()
	kept := r.retired[:0]
	for _, x := range r.retired {
		if r.inUse(x.born, x.died) {
			kept = append(kept, x)
		} else {
			ready = append(ready, x.free)
		}
	}
	clear(r.retired[len(kept):])
	r.retired = kept
	return ready
}

func (r *reclaimer) inUse(born, died uint64) bool {
	for _, e := range r.live {
		if e >= born && e <= died {
			return true
		}
	}
	return false
}
