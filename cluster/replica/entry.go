package replica

import (
	"slices"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
)

// entry is one key of a transaction.
type entry struct {
	bucket *Bucket
	gen    *generation // of the bucket, since the latches are held
	user   []byte      // the client's key
	token  uint64
	stripe uint32

	keyAt, keyEnd int // the engine's key, in Tx.keys

	loaded  bool
	found   bool // there is a record
	chained bool // it was read from a commit under way
	seen    bool // somebody read ours while that was under way; the stripe's lock guards it
	err     error
	rec     []byte // the record that was read
	obj     vclock.Object
	counted tally  // what it counted for
	before  []mark // its marks

	dirty         bool // obj is not what was read
	gone          bool // the record is to be removed
	dangling      []mark
	recAt, recEnd int // the new record, in Tx.out
	after         []mark
	adds          tally
}

// key returns the key of e in the engine.
func (tx *Tx) key(e *entry) []byte { return tx.keys[e.keyAt:e.keyEnd] }

// record returns what e commits, nothing if the record is removed.
func (tx *Tx) record(e *entry) []byte { return tx.out[e.recAt:e.recEnd] }

// tally is what records count for in the statistics of their bucket.
type tally struct {
	keys     int64 // that have a value, expired or not, that nobody has dropped yet
	bytes    int64 // of these keys and of all their values
	expiring int64 // keys of which such a value has an expiry
}

// present returns what a record counts for.
func present(o *vclock.Object, keyLen int) (t tally) {
	for i := range o.Siblings {
		s := &o.Siblings[i]
		if s.Flags&(vclock.Tombstone|vclock.Expired) != 0 {
			continue
		}
		t.keys = 1
		t.bytes += int64(len(s.Value))
		if s.Expiry != 0 {
			t.expiring = 1
		}
	}
	t.bytes += t.keys * int64(keyLen)
	return t
}

func (t *tally) add(o tally) {
	t.keys += o.keys
	t.bytes += o.bytes
	t.expiring += o.expiring
}

// less returns t without o.
func (t tally) less(o tally) tally {
	return tally{t.keys - o.keys, t.bytes - o.bytes, t.expiring - o.expiring}
}

// appendMarks appends the marks of a record to dst, which is empty: one for each time at
// which a value expires, or one for a record that has only tombstones and the like.
func appendMarks(dst []mark, o *vclock.Object) []mark {
	if len(o.Siblings) == 0 {
		return dst
	}
	dead := true
	for i := range o.Siblings {
		s := &o.Siblings[i]
		if s.Flags&(vclock.Tombstone|vclock.Expired) != 0 {
			continue
		}
		dead = false
		if m := (mark{markExpiry, s.Expiry}); s.Expiry != 0 && !slices.Contains(dst, m) {
			dst = append(dst, m)
		}
	}
	if dead {
		dst = append(dst, mark{markDead, o.MaxHLC().Millis()})
	}
	return dst
}

// begin makes the entries ready for a run of the body: which generation they belong to
// is certain only now, under the latches.
func (tx *Tx) begin() error {
	r := tx.r
	tx.keys, tx.out, tx.err = tx.keys[:0], tx.out[:0], nil
	tx.batch.Reset()
	tx.starved, tx.durability, tx.bytes = false, durabilityUnset, 0
	tx.peeked, tx.failures = false, r.failures.Load()
	for i := range tx.entries {
		e := &tx.entries[i]
		if e.gen = e.bucket.gen.Load(); e.gen == nil {
			return e.bucket.gone()
		}
		e.keyAt = len(tx.keys)
		tx.keys = r.layout.appendKey(tx.keys, e.gen.id, e.token, e.user)
		e.keyEnd = len(tx.keys)
		e.loaded, e.dirty, e.gone, e.seen, e.err = false, false, false, false, nil
		e.recAt, e.recEnd = 0, 0
		e.dangling = e.dangling[:0]
		tx.durability = min(tx.durability, e.bucket.settings.Load().Durability)
	}
	if len(tx.entries) > 1 {
		tx.prefetch()
	}
	return nil
}

// prefetch tells the engine what is about to be read.
func (tx *Tx) prefetch() {
	tx.hints = tx.hints[:0]
	for i := range tx.entries {
		tx.hints = append(tx.hints, tx.key(&tx.entries[i]))
	}
	tx.r.db.Prefetch(tx.hints)
}

// stage turns what the body did into a batch, and says whether there is anything in it.
func (tx *Tx) stage() (bool, error) {
	for i := range tx.entries {
		if e := &tx.entries[i]; e.dirty {
			if err := tx.encode(e); err != nil {
				return false, err
			}
		}
	}
	for i := range tx.entries {
		if err := tx.stageEntry(&tx.entries[i]); err != nil {
			return false, err
		}
	}
	return tx.batch.Len() > 0, nil
}

// encode appends the new record of e to tx.out.
func (tx *Tx) encode(e *entry) error {
	e.recAt = len(tx.out)
	e.gone = e.gone || tx.r.forgettable(&e.obj, tx.wall)
	if e.gone {
		e.obj.Reset()
	} else {
		var err error
		if tx.out, err = e.obj.AppendTo(tx.out); err != nil {
			return tx.r.recordError(e.bucket.name, e.token, e.user, err)
		}
	}
	e.recEnd = len(tx.out)
	if e.gone && !e.found {
		e.dirty = false // it never was
	}
	return nil
}

// forgettable says whether a record may be removed as soon as there is no value in it:
// on a ring of one there is nobody who could bring an old one back.
func (r *Replica) forgettable(o *vclock.Object, wall int64) bool {
	return !r.shared.Load() && o.Removable(hlc.Max, wall)
}

// stageEntry adds to the batch the record of e and what changes in the index.
func (tx *Tx) stageEntry(e *entry) error {
	for _, m := range e.dangling {
		if err := tx.batch.Delete(tx.indexKey(e, m)); err != nil {
			return err
		}
	}
	if !e.dirty {
		return nil
	}
	if !e.gen.used.Load() {
		e.gen.used.Store(true)
	}
	var err error
	if e.gone {
		err = tx.batch.Delete(tx.key(e))
	} else {
		err = tx.batch.Put(tx.key(e), tx.record(e))
	}
	if err != nil {
		return err
	}
	e.adds = present(&e.obj, len(e.user)).less(e.counted)
	e.after = appendMarks(e.after[:0], &e.obj)
	for _, m := range e.before {
		if !slices.Contains(e.after, m) {
			if err := tx.batch.Delete(tx.indexKey(e, m)); err != nil {
				return err
			}
		}
	}
	for _, m := range e.after {
		// What a commit under way has marked is lost if that fails.
		if e.chained || !slices.Contains(e.before, m) {
			if err := tx.batch.Put(tx.indexKey(e, m), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// indexKey returns the key of an index entry for e, good until the next call.
func (tx *Tx) indexKey(e *entry, m mark) []byte {
	tx.index = tx.r.layout.appendIndex(tx.index[:0], e.gen.id, m, e.token, e.user)
	return tx.index
}

// settle notes in memory what a commit has done.
func (tx *Tx) settle() {
	for i := range tx.entries {
		e := &tx.entries[i]
		if !e.dirty {
			continue
		}
		e.gen.add(e.adds)
		// After the commit is visible: a sweep that sets the time of its next look before it
		// reads the index either sees the entry or is told here.
		for _, m := range e.after {
			e.gen.due[m.kind].lower(tx.r.layout.partition(e.token), m.time)
		}
	}
}
