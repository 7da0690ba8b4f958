package replica

import (
	"encoding/binary"
	"errors"

	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
)

// recount counts what was in the buckets when the store was opened. What has changed
// since then the generations know: the two sums are the exact count, whatever is
// written meanwhile.
type recount struct {
	snapshot *lsm.Snapshot
	cursor   []byte // the engine's key to go on at
	sums     map[uint32]*tally
	obj      vclock.Object
}

// newRecount begins a recount. Nothing was written since the store was opened.
func newRecount(r *Replica) *recount {
	c := &recount{snapshot: r.db.NewSnapshot(), sums: make(map[uint32]*tally)}
	for i := range r.catalog.buckets {
		c.sums[r.catalog.buckets[i].id] = new(tally)
	}
	return c
}

func (c *recount) stop() { _ = c.snapshot.Close() }

// Recount counts the keys of a store that was not closed in order, up to limit records
// in a step, and says whether there is more to do; where the counts are exact there is
// nothing. Until it is done the engine keeps what is overwritten, for as long as it was
// there at Open. After an error it is over, and the counts stay inexact until the next
// Open.
func (r *Replica) Recount(limit int) (more bool, err error) {
	r.maint.Lock()
	defer r.maint.Unlock()
	if r.closed.Load() {
		return false, ErrClosed
	}
	c := r.count
	if c == nil {
		return false, nil
	}
	done, err := c.step(r, limit)
	if err == nil && !done {
		return true, nil
	}
	c.stop()
	r.count = nil
	r.recounting.Store(false)
	if err != nil {
		return false, err
	}
	for _, b := range *r.buckets.Load() {
		g := b.gen.Load()
		if g == nil {
			continue
		}
		if sum := c.sums[g.id]; sum != nil {
			g.counted(*sum)
		}
	}
	return false, nil
}

// step counts up to limit records more.
func (c *recount) step(r *Replica, limit int) (done bool, err error) {
	it, err := c.snapshot.NewIter(&lsm.IterOptions{Lower: c.cursor, Upper: binary.BigEndian.AppendUint16(nil, metaPartition)})
	if err != nil {
		return false, err
	}
	done, err = c.walk(r, it, limit)
	return done, unjoin(errors.Join(err, it.Close()))
}

func (c *recount) walk(r *Replica, it *lsm.Iterator, limit int) (done bool, err error) {
	ok := it.First()
	for ; ok && limit > 0; limit-- {
		p, valid := r.layout.parseKey(it.Key())
		if !valid {
			return false, r.strayKey(it.Key())
		}
		sum := c.sums[p.id]
		if sum == nil {
			// An index, or what was dropped: the whole of it is passed.
			ok = it.SeekGE(appendBound(nil, p.partition, p.id+1))
			continue
		}
		if err := c.obj.Decode(it.Value()); err != nil {
			return false, r.recordError(r.bucketName(p.id), p.token, p.key, malformed(err))
		}
		sum.add(present(&c.obj, len(p.key)))
		c.obj.Reset()
		ok = it.Next()
	}
	if err := it.Err(); err != nil {
		return false, err
	}
	if !ok {
		return true, nil
	}
	c.cursor = append(c.cursor[:0], it.Key()...)
	return false, nil
}
