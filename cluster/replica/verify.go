package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
)

// maxProblems bounds what a Verification keeps.
const maxProblems = 100

// Verification is a walk over all that a store holds. It is filled by Replica.Verify and
// belongs to one goroutine; the zero Verification begins a walk.
type Verification struct {
	Records  int64   // that are whole, of all buckets
	Marks    int64   // entries of the index by time
	Dangling int64   // of these, how many belong to no record: harmless, Sweep and Reap delete them
	Dropped  int64   // records and marks that wait for Reclaim
	Bad      int64   // records and keys that make no sense
	Problems []error // the first hundred of what is bad

	cursor []byte
	obj    vclock.Object
	marks  []mark
	key    []byte
	value  []byte
}

// Verify looks at up to limit records and index entries more: that they decode, lie
// where their keys say, in a bucket that there is or was, have no dot of this node's
// actor that it has not minted, and that index and records agree. It says whether there
// is more to look at. Each step sees one moment; what it finds wrong is in v.Problems,
// and the error is only that the engine cannot be read further. lsm.DB.Verify checks the
// files below.
func (r *Replica) Verify(v *Verification, limit int) (more bool, err error) {
	names, dropped, end := r.bucketNames()
	snapshot := r.db.NewSnapshot()
	defer snapshot.Close()
	it, err := snapshot.NewIter(&lsm.IterOptions{Lower: v.cursor, Upper: binary.BigEndian.AppendUint16(nil, metaPartition)})
	if err != nil {
		return false, err
	}
	for more = it.First(); more && limit > 0; limit-- {
		p, ok := r.layout.parseKey(it.Key())
		if !ok {
			v.bad(r.strayKey(it.Key()))
			more = it.Next()
			continue
		}
		id := p.id &^ 1
		name, live := names[id]
		switch {
		case !live && slices.Contains(dropped, id):
			v.Dropped++
		case !live && id >= end && r.known(id):
			// It was made since the names were read.
		case !live:
			v.bad(r.recordError(fmt.Sprintf("number %d", id), p.token, p.key, fmt.Errorf("%w: there is no such bucket", ErrCorruption)))
		case p.indexed():
			v.mark(r, snapshot, &p)
		default:
			if err := v.record(r, snapshot, &p, it.Value()); err != nil {
				v.bad(r.recordError(name, p.token, p.key, err))
			} else {
				v.Records++
			}
		}
		more = it.Next()
	}
	if more {
		v.cursor = append(v.cursor[:0], it.Key()...)
	}
	return more, unjoin(errors.Join(it.Err(), it.Close()))
}

func (v *Verification) bad(err error) {
	v.Bad++
	if len(v.Problems) < maxProblems {
		v.Problems = append(v.Problems, err)
	}
}

// record says what is wrong with a record.
func (v *Verification) record(r *Replica, s *lsm.Snapshot, p *place, record []byte) error {
	if err := v.obj.Decode(record); err != nil {
		return malformed(err)
	}
	if err := r.dots.Load().Check(v.obj.Vector); err != nil {
		return malformed(err)
	}
	v.marks = appendMarks(v.marks[:0], &v.obj)
	for _, m := range v.marks {
		v.key = r.layout.appendIndex(v.key[:0], p.id, m, p.token, p.key)
		has, err := s.Has(v.key)
		if err != nil {
			return err
		}
		if !has {
			return fmt.Errorf("%w: the index does not have it, kind %d at %d", ErrCorruption, m.kind, m.time)
		}
	}
	return nil
}

// mark looks whether an index entry belongs to a record. What is wrong with the record
// is said when its turn comes.
func (v *Verification) mark(r *Replica, s *lsm.Snapshot, p *place) {
	v.Marks++
	v.key = r.layout.appendKey(v.key[:0], p.id&^1, p.token, p.key)
	var err error
	v.value, err = s.AppendGet(v.value[:0], v.key)
	switch {
	case errors.Is(err, lsm.ErrNotFound):
		v.Dangling++
	case err != nil:
	case v.obj.Decode(v.value) == nil:
		if v.marks = appendMarks(v.marks[:0], &v.obj); !slices.Contains(v.marks, p.mark) {
			v.Dangling++
		}
	}
}

// bucketNames returns the names by number, the numbers that were dropped, and the next
// number.
func (r *Replica) bucketNames() (names map[uint32]string, dropped []uint32, end uint32) {
	r.admin.Lock()
	defer r.admin.Unlock()
	names = make(map[uint32]string)
	for i := range r.catalog.buckets {
		names[r.catalog.buckets[i].id] = r.catalog.buckets[i].name
	}
	return names, slices.Clone(r.catalog.drops), r.catalog.nextID
}

// bucketName returns the name of a bucket, or its number.
func (r *Replica) bucketName(id uint32) string {
	for _, b := range *r.buckets.Load() {
		if b.ID() == id {
			return b.name
		}
	}
	return fmt.Sprintf("number %d", id)
}

// known says whether a number was ever given to a bucket.
func (r *Replica) known(id uint32) bool {
	r.admin.Lock()
	defer r.admin.Unlock()
	return r.catalog.validID(id)
}
