package replica

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/lsm"
)

// sweepBatch is how many records one transaction of a sweep takes at most.
const sweepBatch = 64

// sweepCursor is where the next sweep begins, so that all buckets and partitions have
// their turn.
type sweepCursor struct {
	bucket    string
	partition int
}

// Sweep drops values that have expired at wall, in milliseconds since the Unix epoch, up
// to limit records of them, and returns how many records it changed; fewer than limit
// means that no more was due. It reads nothing where nothing is due. It waits for the
// commits. A record that cannot be read does not keep it from the others: it is the error
// when there is nothing else to do.
func (r *Replica) Sweep(wall int64, limit int) (n int, err error) {
	return r.sweep(markExpiry, wall, wall, limit, func(tx *Tx, e *entry) (bool, error) {
		if e.obj.Expire(wall) == 0 {
			return false, nil
		}
		e.dirty = true
		return true, nil
	})
}

// SetFloor says that everything with a timestamp below floor has reached every replica,
// and that no older copy can come back. It never goes down. A store that is not shared
// needs none.
func (r *Replica) SetFloor(floor hlc.Timestamp) {
	for {
		old := r.floor.Load()
		if uint64(floor) <= old || r.floor.CompareAndSwap(old, uint64(floor)) {
			return
		}
	}
}

// Reap removes records in which nothing is a value any more and that are below the
// floor, up to limit of them, and returns how many; fewer than limit means that there
// were no more. wall is the wall time less the uncertainty of the clock. It reads
// nothing where nothing is due. It waits for the commits. Records that cannot be read are
// as for Sweep.
func (r *Replica) Reap(wall int64, limit int) (n int, err error) {
	return r.sweep(markDead, r.reapFloor().Millis()-1, wall, limit, r.reaper(wall))
}

// reapFloor returns the timestamp below which dead records may go now.
func (r *Replica) reapFloor() hlc.Timestamp {
	if !r.shared.Load() {
		return hlc.Max
	}
	return hlc.Timestamp(r.floor.Load())
}

// reaper removes a record that may go. It asks for the floor under the latch: the store may
// have been shared since the index was read.
func (r *Replica) reaper(wall int64) func(*Tx, *entry) (bool, error) {
	return func(tx *Tx, e *entry) (bool, error) {
		if !e.found || e.gone || !e.obj.Removable(r.reapFloor(), wall) {
			return false, nil
		}
		e.dirty, e.gone = true, true
		return true, nil
	}
}

// sweep calls visit for records with a mark of that kind up to the time due.
func (r *Replica) sweep(kind uint8, due, wall int64, limit int, visit func(*Tx, *entry) (bool, error)) (n int, err error) {
	r.maint.Lock()
	defer r.maint.Unlock()
	buckets := *r.buckets.Load()
	c := &r.sweeps[kind]
	first, _ := slices.BinarySearchFunc(buckets, c.bucket, func(b *Bucket, name string) int {
		return bytes.Compare([]byte(b.name), []byte(name))
	})
	start := c.partition
	var damage error
	// From the cursor on, once around, and the first partitions of the first bucket at last.
	for i := 0; i <= len(buckets) && len(buckets) > 0; i++ {
		b := buckets[(first+i)%len(buckets)]
		g := b.gen.Load()
		if g == nil {
			start = 0
			continue
		}
		for p := start; p < r.layout.count; p++ {
			for g.due[kind][p].Load() <= due {
				if n >= limit {
					*c = sweepCursor{b.name, p}
					return n, nil
				}
				settled, changed, err := r.sweepPartition(b, g, kind, uint16(p), due, wall, min(limit-n, sweepBatch), visit)
				n += changed
				if errors.Is(err, ErrCorruption) {
					damage = cmp.Or(damage, err)
				} else if err != nil {
					*c = sweepCursor{b.name, p + 1}
					return n, err
				}
				if settled == 0 {
					break
				}
			}
		}
		start = 0
	}
	*c = sweepCursor{}
	return n, damage
}

// marked is an index entry that is due.
type marked struct {
	time int64
	key  []byte
}

// sweepPartition takes up to limit marks that are due, and returns how many of them are
// settled, and how many records were changed. None is settled if nothing is due, or what
// is due cannot be settled now: of a record that cannot be read, of a bucket that was
// flushed or dropped meanwhile, or above a floor that has come down.
func (r *Replica) sweepPartition(b *Bucket, g *generation, kind uint8, p uint16, due, wall int64, limit int, visit func(*Tx, *entry) (bool, error)) (settled, changed int, err error) {
	at := &g.due[kind]
	before := (*at)[p].Swap(math.MaxInt64) // before the index is read: see settle
	list, next, err := r.marks(g, kind, p, due, limit)
	if err != nil {
		at.lower(p, before)
		return 0, 0, err
	}
	at.lower(p, next)
	if len(list) == 0 {
		return 0, 0, nil
	}
	refs := make([]Ref, len(list))
	for i := range list {
		refs[i] = Ref{b, list[i].key}
	}
	dangling := 0
	var damage error
	err = r.Update(wall, refs, func(tx *Tx) error {
		changed, dangling, damage = 0, 0, nil
		for i := range list {
			e, err := tx.load(i)
			if errors.Is(err, ErrCorruption) {
				damage = cmp.Or(damage, err)
				continue
			}
			if err != nil {
				return err
			}
			m := mark{kind, list[i].time}
			if !slices.Contains(e.before, m) && e.gen == g && !slices.Contains(e.dangling, m) {
				// Left by a commit that failed and had been built upon.
				e.dangling = append(e.dangling, m)
				dangling++
			}
			did, err := visit(tx, e)
			if err != nil {
				return err
			}
			if did {
				changed++
			}
		}
		return nil
	})
	if errors.Is(err, ErrNoBucket) {
		return 0, 0, nil
	}
	if err != nil {
		at.lower(p, list[0].time)
		return 0, 0, err
	}
	r.stats.swept[kind].Add(int64(changed))
	r.stats.dangling.Add(int64(dangling))
	if settled = changed + dangling; settled < len(list) {
		at.lower(p, list[0].time)
	}
	return settled, changed, damage
}

// marks returns the first marks of a partition that are due, and the time of the one
// after them.
func (r *Replica) marks(g *generation, kind uint8, p uint16, due int64, limit int) (list []marked, next int64, err error) {
	prefix := append(appendBound(nil, p, g.id|1), kind)
	it, err := r.db.NewIter(&lsm.IterOptions{Prefix: prefix, KeysOnly: true})
	if err != nil {
		return nil, 0, err
	}
	next = math.MaxInt64
	for it.First(); it.Valid(); it.Next() {
		at, ok := r.layout.parseKey(it.Key())
		if !ok {
			err = r.strayKey(it.Key())
			break
		}
		if at.mark.time > due || len(list) >= limit {
			next = at.mark.time
			break
		}
		list = append(list, marked{at.mark.time, bytes.Clone(at.key)})
	}
	if err = errors.Join(err, it.Err(), it.Close()); err != nil {
		return nil, 0, err
	}
	return list, next, nil
}

// dropCursor is how far the first of the dropped ids has been deleted.
type dropCursor struct {
	id        uint32
	partition int
}

// Reclaim deletes what dropped and flushed buckets have left on disk, up to limit
// partitions of it, and says whether there is more. It reads no record: only whether
// there are any. What a step has done need not be durable: after a crash the rest is
// done again. It waits for the commits.
func (r *Replica) Reclaim(limit int) (more bool, err error) {
	r.maint.Lock()
	defer r.maint.Unlock()
	for ; limit > 0; limit-- {
		id, ok := r.firstDrop()
		if !ok {
			return false, nil
		}
		if r.drop.id != id {
			r.drop = dropCursor{id: id}
		}
		if r.drop.partition < r.layout.count {
			if err := r.deletePartition(id, &r.drop.partition); err != nil {
				return true, err
			}
			continue
		}
		if err := r.dropDone(id); err != nil {
			return true, err
		}
	}
	_, more = r.firstDrop()
	return more, nil
}

func (r *Replica) firstDrop() (id uint32, ok bool) {
	r.admin.Lock()
	defer r.admin.Unlock()
	if len(r.catalog.drops) == 0 {
		return 0, false
	}
	return r.catalog.drops[0], true
}

// deletePartition deletes what the id has in the first partition from *p on in which it
// has anything, and sets *p to the one after.
func (r *Replica) deletePartition(id uint32, p *int) error {
	it, err := r.db.NewIter(&lsm.IterOptions{KeysOnly: true, Upper: binary.BigEndian.AppendUint16(nil, metaPartition)})
	if err != nil {
		return err
	}
	at := *p
	for seeks := 0; at < r.layout.count && seeks < scanSeeks; seeks++ {
		if !it.SeekGE(appendBound(nil, uint16(at), id)) {
			at = r.layout.count
			break
		}
		key := it.Key()
		if len(key) < 6 {
			err = r.strayKey(key)
			break
		}
		partition, found := int(binary.BigEndian.Uint16(key)), binary.BigEndian.Uint32(key[2:])
		if partition == at && found&^1 == id {
			b := r.db.NewBatch()
			if err = b.DeleteRange(appendBound(nil, uint16(at), id), appendBound(nil, uint16(at), id+2)); err == nil {
				err = b.Commit(lsm.None)
			}
			if err == nil {
				at++
			}
			break
		}
		if at = partition; found > id|1 {
			at++
		}
	}
	if err := errors.Join(err, it.Err(), it.Close()); err != nil {
		return err
	}
	*p = at
	return nil
}

// dropDone takes an id off the list.
func (r *Replica) dropDone(id uint32) error {
	r.admin.Lock()
	defer r.admin.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	c := r.catalog.clone()
	if i, found := slices.BinarySearch(c.drops, id); found {
		c.drops = slices.Delete(c.drops, i, i+1)
	}
	b := r.db.NewBatch()
	if err := b.Put(metaBuckets, c.append(nil)); err != nil {
		return err
	}
	if err := b.Commit(lsm.Sync); err != nil {
		return err
	}
	r.setCatalog(c)
	return nil
}
