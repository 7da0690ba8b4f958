package lsm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/filter"
)

// view is the moment a read sees: commits up to seq in state, time as of now. now is
// asked for when the first expiring value turns up, unless a snapshot fixed it.
type view struct {
	state *readState
	seq   base.SeqNum
	now   int64 // 0 = not asked yet

	plain bool // the value that was found lies in memory and never expires

	// readers, if not nil, is held so that open readers of tables stay, and state by
	// holdMemory. An old state that was held for them would keep all that are opened and
	// closed again from its time on.
	readers *readState
}

// release lets go of what a view of one call holds.
func (v *view) release() {
	if v.readers == nil {
		v.state.release()
		return
	}
	v.state.drop(holdMemory)
	v.readers.release()
}

func (v *view) expired(db *DB, expiry int64) bool {
	if v.now == 0 {
		v.now = db.now()
	}
	return expiry <= v.now
}

// Get returns a copy of the value of key, or ErrNotFound.
func (db *DB) Get(key []byte) ([]byte, error) { return db.AppendGet(nil, key) }

// AppendGet appends the value of key to dst and returns the extended slice. It
// allocates only if dst has too little room. On an error, ErrNotFound too, it
// returns dst as it was.
func (db *DB) AppendGet(dst, key []byte) ([]byte, error) {
	s := db.acquire()
	if s == nil {
		return dst, ErrClosed
	}
	dst, err := db.getNewest(dst, key, s)
	s.release()
	return dst, err
}

// Has reports whether key has a value.
func (db *DB) Has(key []byte) (bool, error) {
	s := db.acquire()
	if s == nil {
		return false, ErrClosed
	}
	v := view{state: s, seq: base.SeqNum(db.visible.Load())}
	_, err := db.get(nil, key, &v, false)
	s.release()
	return found(err)
}

func found(err error) (bool, error) {
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// MultiGet returns the values of keys, all of one moment: nil where a key is absent,
// an empty slice for an empty value.
func (db *DB) MultiGet(keys [][]byte) ([][]byte, error) {
	s := db.acquire()
	if s == nil {
		return nil, ErrClosed
	}
	defer s.release()
	return db.multiGet(keys, &view{state: s, seq: base.SeqNum(db.visible.Load())})
}

func (db *DB) multiGet(keys [][]byte, v *view) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for i, k := range keys {
		value, err := db.get([]byte{}, k, v, true)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		values[i] = value
	}
	return values, nil
}

// get finds the newest version of key in v and, if want, appends its value to dst.
// It looks from the newest source to the oldest, so that the first version found
// wins, and a range tombstone counts if it was met no later than the version it is
// newer than.
func (db *DB) get(dst, key []byte, v *view, want bool) ([]byte, error) {
	s := v.state
	var covered base.SeqNum // the newest range tombstone over key so far
	if s.mem != nil {
		covered = s.mem.covering(key, v.seq)
		if value, t, ok := s.mem.list.Get(key, v.seq); ok {
			return db.finishGet(dst, key, value, t, covered, v, want)
		}
	}
	for _, m := range s.imm {
		covered = max(covered, m.covering(key, v.seq))
		if value, t, ok := m.list.Get(key, v.seq); ok {
			return db.finishGet(dst, key, value, t, covered, v, want)
		}
	}
	h := filter.HashKey(key)
	for _, t := range s.tables[0] {
		if !t.meta.Contains(key) {
			continue
		}
		out, done, err := db.getTable(dst, key, &h, t, &covered, v, want)
		if done {
			return out, err
		}
	}
	for level := 1; level < base.NumLevels; level++ {
		tables := s.tables[level]
		if len(tables) == 0 {
			continue
		}
		i := s.version.Search(level, key)
		if i >= len(tables) || !tables[i].meta.Contains(key) {
			continue
		}
		out, done, err := db.getTable(dst, key, &h, tables[i], &covered, v, want)
		if done {
			return out, err
		}
	}
	return dst, ErrNotFound
}

// getTable looks for key in one table; done says that the search is over.
func (db *DB) getTable(dst, key []byte, h *filter.Hash, t *table, covered *base.SeqNum, v *view, want bool) ([]byte, bool, error) {
	o, err := db.reader(t)
	if err != nil {
		return dst, true, err
	}
	if o.dels != nil {
		*covered = max(*covered, o.dels.Covering(key, v.seq))
	}
	seq, global := v.seq, t.meta.GlobalSeq
	if global != 0 {
		if global > seq {
			return dst, false, nil
		}
		seq = base.SeqNumMax
	}
	value, err := o.Get(key, h, seq)
	if err != nil {
		db.noteCorruption(err)
		return dst, true, err
	}
	if !value.Found {
		return dst, false, nil
	}
	trailer := value.Trailer
	if global != 0 {
		trailer = base.MakeTrailer(global, trailer.Kind())
	}
	dst, err = db.finishGet(dst, key, value.Bytes, trailer, *covered, v, want)
	value.Release()
	return dst, true, err
}

// finishGet turns the newest version of a key into the answer.
func (db *DB) finishGet(dst, key, value []byte, t base.Trailer, covered base.SeqNum, v *view, want bool) ([]byte, error) {
	if t.Seq() < covered {
		return dst, ErrNotFound
	}
	kind := t.Kind()
	if kind == base.KindDelete {
		return dst, ErrNotFound
	}
	if kind.TTL() {
		if len(value) < 8 {
			return dst, fmt.Errorf("%w: a value with a time to live has no expiry", ErrCorruption)
		}
		if v.expired(db, int64(binary.BigEndian.Uint64(value))) {
			return dst, ErrNotFound
		}
		value = value[8:]
	}
	if !want {
		return dst, nil
	}
	if kind.Blob() {
		ref, ok := base.DecodeBlobRef(value)
		if !ok {
			return dst, errBadRef
		}
		out, err := db.appendBlob(dst, v.state, key, ref)
		if err != nil {
			db.noteCorruption(err)
		}
		return out, err
	}
	if dst == nil {
		dst = make([]byte, 0, len(value))
	}
	v.plain = !kind.TTL()
	return append(dst, value...), nil
}
