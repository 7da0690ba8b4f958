package lsm_test

import (
	"errors"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/internal/model"
)

var errDiffUser = errors.New("the function gave up")

func (h *differ) view() {
	if h.depth > 0 {
		return
	}
	h.check(h.db.View(func(tx *lsm.Txn) error {
		m := h.m.Begin(h.now())
		h.disturb()
		h.readTxn(tx, m)
		if err := tx.Put([]byte("k"), nil); !errors.Is(err, lsm.ErrReadOnly) {
			h.failf("a View that writes answers %v", err)
		}
		h.disturb()
		h.readTxn(tx, m)
		return nil
	}))
}

// readTxn reads within a transaction, by key and by iterator.
func (h *differ) readTxn(tx *lsm.Txn, m *model.Txn) {
	for range h.rng.IntN(4) {
		s := m.State()
		if h.chance(0.5) {
			k := h.key()
			// A key that the transaction itself has settled is not read from the store.
			if !owns(m, k) {
				m.ReadKey(k)
			}
			h.readOne(tx, &s, m.Now, k)
			continue
		}
		x := h.makeIter(tx, &s, m.Now)
		own := len(m.Ops())
		x.note = func(from, to string, endless bool) { m.ReadRange(from, to, endless, own) }
		h.move(x)
		if h.chance(0.5) {
			h.check(x.it.Close())
		}
	}
}

func owns(m *model.Txn, key string) bool {
	for _, o := range m.Ops() {
		if o.Touches(key) {
			return true
		}
	}
	return false
}

// disturb lets others write, and background work happen, while a transaction is open.
func (h *differ) disturb() {
	h.depth++
	defer func() { h.depth-- }()
	acts := []func(){
		h.put, h.put, h.put, h.del, h.putTTL, h.deleteRange, h.batch, h.async, h.tick, h.flush, h.compact, h.waitIdle, h.newSnapshot,
	}
	if h.chance(0.05) {
		acts = []func(){h.ingest, h.excise}
	}
	for range h.rng.IntN(3) {
		acts[h.rng.IntN(len(acts))]()
	}
	if h.stepped && h.chance(0.5) {
		h.step.Step()
	}
}

// update runs a transaction that others disturb in its first tries, and holds what
// comes of it against the rule for conflicts.
func (h *differ) update() {
	if h.depth > 0 {
		return
	}
	disturbed := h.rng.IntN(4)
	if h.chance(0.02) {
		disturbed = 100
	}
	giveUp := h.chance(0.1)
	var m *model.Txn
	outside, tries := 0, 0
	err := h.db.Update(func(tx *lsm.Txn) error {
		if m != nil {
			h.mayConflict(m, outside)
		}
		h.logf("  try %d", tries)
		tries++
		outside = h.outside
		m = h.m.Begin(h.now())
		for range 1 + h.rng.IntN(3) {
			h.readTxn(tx, m)
			if tries <= disturbed {
				h.disturb()
			}
			if h.chance(0.7) {
				for _, o := range h.some(tx, 3) {
					m.Write(o)
				}
			}
		}
		if tries <= disturbed {
			h.disturb()
		}
		if giveUp && tries > 1 {
			return errDiffUser
		}
		return nil
	})
	h.logf("  update: %v after %d tries, %d writes", err, tries, len(m.Ops()))
	switch {
	case errors.Is(err, errDiffUser) && giveUp:
	case errors.Is(err, lsm.ErrConflict):
		h.mayConflict(m, outside)
		if tries != 32 {
			h.failf("gave up after %d tries", tries)
		}
	case err != nil:
		h.failf("update: %v", err)
	case len(m.Ops()) > 0:
		if m.Changed() {
			h.failf("a transaction was committed although what it read has changed")
		}
		h.commit(h.opts.Durability, m.Ops()...)
	}
}

// mayConflict checks that a try that failed had a reason.
func (h *differ) mayConflict(m *model.Txn, outside int) {
	h.figures.mu.Lock()
	h.figures.conflicts++
	h.figures.mu.Unlock()
	if outside == h.outside && !m.Touched() {
		h.failf("a conflict, but nothing that was read has been written")
	}
}
