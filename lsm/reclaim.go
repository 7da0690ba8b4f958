package lsm

import (
	"slices"
	"sync"
)

// Readers take no reference on each memtable, table reader or file they use. They
// hold a readState, and whatever may be in use by a readState is freed no earlier
// than the last state that could reach it is released:
//
//   - Every installed state has an epoch, one larger than the one before.
//   - A resource was reachable in the states of epochs [born, died]. When it drops
//     out of the current state it is retired with that span, and with the hold that keeps
//     things like it.
//   - It is freed as soon as no state with an epoch in its span is held in that way or
//     a stronger one.
//
// So a long-lived iterator keeps what it can see, and nothing that came later.
type reclaimer struct {
	mu      sync.Mutex
	live    [numHolds][]uint64 // epochs of the states that are so held, ascending
	retired []retired
}

// hold says what of a state stays in place. Each keeps what the ones before it do.
type hold int

const (
	holdTables  hold = iota // tables and their files: compactions, checkpoints, Verify
	holdMemory              // memtables too: iterators, snapshots across an ingest or excise
	holdReaders             // open readers of tables too: single reads
	numHolds
)

type retired struct {
	by         hold
	born, died uint64
	free       func()
}

// begin registers the state of a new epoch.
func (r *reclaimer) begin(epoch uint64) {
	r.mu.Lock()
	for h := range r.live {
		r.live[h] = append(r.live[h], epoch)
	}
	r.mu.Unlock()
}

// end unregisters the holds h of epoch and frees what only they kept.
func (r *reclaimer) end(epoch uint64, h hold) {
	r.mu.Lock()
	if i, ok := slices.BinarySearch(r.live[h], epoch); ok {
		r.live[h] = slices.Delete(r.live[h], i, i+1)
	}
	ready := r.takeReady()
	r.mu.Unlock()
	for _, f := range ready {
		f()
	}
}

// retire frees a resource now, or when the last hold on a state of its span ends.
func (r *reclaimer) retire(by hold, born, died uint64, free func()) {
	r.mu.Lock()
	r.retired = append(r.retired, retired{by, born, died, free})
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
		if r.inUse(x) {
			kept = append(kept, x)
		} else {
			ready = append(ready, x.free)
		}
	}
	clear(r.retired[len(kept):])
	r.retired = kept
	return ready
}

func (r *reclaimer) inUse(x retired) bool {
	i, _ := slices.BinarySearch(r.live[x.by], x.born)
	return i < len(r.live[x.by]) && r.live[x.by][i] <= x.died
}
