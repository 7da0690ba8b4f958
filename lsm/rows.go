package lsm

import (
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/batch"
	"github.com/ringwood-kv/ringwood/lsm/internal/rows"
)

// The row cache in front of single reads of the newest moment; package rows says how it
// stays right. The commit leader announces what it writes only while somebody reads: a
// store that is only written to pays nothing for it.

// unusedKeys is after how many written keys without a lookup the leader stops.
const unusedKeys = 1 << 16

// getNewest is get in the newest view, by way of the row cache.
func (db *DB) getNewest(dst, key []byte, s *readState) ([]byte, error) {
	var t rows.Ticket
	if db.rows.On() {
		out, ticket, hit := db.rows.AppendGet(dst, key)
		if hit {
			return out, nil
		}
		// What was committed between the state and the ticket may be in a memtable that the state
		// does not have.
		if db.state.Load() == s {
			t = ticket
		}
	} else {
		db.wantRows()
	}
	v := view{state: s, seq: base.SeqNum(db.visible.Load())}
	out, err := db.get(dst, key, &v, true)
	if t.Valid() && v.plain {
		db.rows.Fill(t, key, out[len(dst):])
	}
	return out, err
}

// Prefetch says that keys are about to be read by Get or AppendGet, one after the other.
// What the row cache has of them comes into the processor's caches side by side then,
// while the reads would wait for each: eight or more at a time pay. It is a hint, reads
// nothing from files and changes no result.
func (db *DB) Prefetch(keys [][]byte) {
	if !db.rows.On() {
		return
	}
	s := db.acquire() // as long as there is one, so are the rows
	if s == nil {
		return
	}
	db.rows.Prefetch(keys)
	s.release()
}

// wantRows has the row cache turned on, which only the leader of commits may do, or who
// sees that there is none.
func (db *DB) wantRows() {
	if db.rows == nil || db.rows.Wanted() {
		return
	}
	p := &db.pipe
	if !p.mu.TryLock() {
		return
	}
	db.rows.Want()
	if !p.leading {
		db.startRows()
	}
	p.mu.Unlock()
}

// startRows turns the row cache on if it is wanted, where nobody leads. Whoever wanted it
// while somebody led does not ask again, and there may be no commit after that one. The
// lock of the pipeline is held.
func (db *DB) startRows() {
	if db.rows.Wanted() && !db.rows.On() {
		db.pipe.rowKeys = 0
		db.rows.TurnOn()
	}
}

// rowsChange is what the leader does to the row cache for one group.
type rowsChange struct {
	on    bool
	whole bool // there are range tombstones
}

// beginRows announces a group that is about to become visible.
func (db *DB) beginRows(group []*Batch, count uint64) (c rowsChange) {
	if db.rows == nil || !db.turnRows(count) {
		return c
	}
	c.on, c.whole = true, count > rows.MaxKeys
	for _, b := range group {
		c.whole = c.whole || b.span
	}
	if c.whole {
		db.rows.BeginAll()
		return c
	}
	db.rows.Lock()
	for op := range operations(group) {
		db.rows.Begin(op.Key)
	}
	db.rows.Unlock()
	return c
}

// endRows puts the group, which is visible now, in the place of what was before.
func (db *DB) endRows(group []*Batch, c rowsChange) {
	switch {
	case !c.on:
	case c.whole:
		db.rows.EndAll()
	default:
		db.rows.Lock()
		for op := range operations(group) {
			db.rows.End(op.Key, op.Value, op.Kind == base.KindSet)
		}
		db.rows.Unlock()
	}
}

// operations walks the operations of a group, which were checked before.
func operations(group []*Batch) func(func(batch.Op) bool) {
	return func(yield func(batch.Op) bool) {
		for _, b := range group {
			for ops := b.ops; len(ops) > 0; {
				op, rest, err := batch.DecodeOp(ops)
				if err != nil || !yield(op) {
					return
				}
				ops = rest
			}
		}
	}
}

// turnRows turns the row cache on if somebody wants it, and off if nobody does any more.
func (db *DB) turnRows(count uint64) bool {
	p := &db.pipe
	if !db.rows.On() {
		if !db.rows.Wanted() {
			return false
		}
		p.rowKeys = 0
		db.rows.TurnOn()
		return true
	}
	if p.rowKeys += count; p.rowKeys < unusedKeys {
		return true
	}
	p.rowKeys = 0
	if !db.rows.Unused() {
		return true
	}
	db.rows.TurnOff()
	return false
}

// outsideRows runs change, which alters the tree beside the order of commits.
func (db *DB) outsideRows(change func() error) error {
	if !db.rows.On() {
		return change()
	}
	db.rows.BeginAll()
	defer db.rows.EndAll()
	return change()
}
