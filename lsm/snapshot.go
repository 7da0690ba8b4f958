package lsm

import (
	"slices"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/compaction"
)

// Snapshot is the store at one moment. While it is open, compaction keeps what it
// sees. It is safe for concurrent use.
type Snapshot struct {
	db     *DB
	seq    base.SeqNum
	now    int64
	closed atomic.Bool
	// pinned is set when something happens outside of commit order (an ingest, an
	// excise): from then on the snapshot reads the state before that.
	pinned atomic.Pointer[readState]
}

// snapshotList has the open snapshots, oldest first. DB.mu guards it.
type snapshotList struct{ open []*Snapshot }

// NewSnapshot returns a snapshot of what is visible now. It must be closed. On a
// closed DB it returns one that is closed already.
func (db *DB) NewSnapshot() *Snapshot {
	s := &Snapshot{db: db}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closing.Load() {
		s.closed.Store(true)
		return s
	}
	// Under mu, so that no compaction starts between the look at visible and the
	// entry in the list.
	s.seq, s.now = base.SeqNum(db.visible.Load()), db.now()
	db.snapshots.open = append(db.snapshots.open, s)
	return s
}

// Close ends the snapshot; its iterators answer ErrClosed. Closing twice is fine.
func (s *Snapshot) Close() error {
	if s.db == nil || s.closed.Swap(true) {
		return nil
	}
	db := s.db
	db.mu.Lock()
	i := slices.Index(db.snapshots.open, s)
	if i >= 0 {
		db.snapshots.open = slices.Delete(db.snapshots.open, i, i+1)
	}
	// What only it kept may go. Most snapshots see all that is in tables, and keep
	// nothing there: to look for work after each would cost more than a transaction.
	if i == 0 && s.seq < db.state.Load().newest {
		db.scheduleLocked()
	}
	db.mu.Unlock()
	if p := s.pinned.Swap(nil); p != nil {
		p.drop(holdMemory)
	}
	return nil
}

// closeAll ends every snapshot, at Close of the DB.
func (l *snapshotList) closeAll() {
	for _, s := range l.open {
		s.closed.Store(true)
		if p := s.pinned.Swap(nil); p != nil {
			p.drop(holdMemory)
		}
	}
	l.open = nil
}

// pinAll makes every open snapshot keep state s. DB.mu is held.
func (l *snapshotList) pinAll(s *readState) {
	for _, x := range l.open {
		if x.pinned.Load() == nil {
			s.keep(holdMemory) // not the readers, which come and go in the meantime
			x.pinned.Store(s)
		}
	}
}

// stripes lists the snapshots for a compaction, ascending.
func (l *snapshotList) stripes() []compaction.Snapshot {
	out := make([]compaction.Snapshot, len(l.open))
	for i, s := range l.open {
		out[i] = compaction.Snapshot{Seq: s.seq, Time: s.now}
	}
	return out
}

func (l *snapshotList) oldest() base.SeqNum {
	if len(l.open) == 0 {
		return base.SeqNumMax
	}
	return l.open[0].seq
}

// view returns the view to read the snapshot from, for one call.
func (s *Snapshot) view() (view, error) {
	if s.db == nil {
		return view{}, ErrClosed
	}
	for {
		p := s.pinned.Load()
		st := s.db.acquire() // after p, and so not older
		if st == nil {
			return view{}, ErrClosed
		}
		// Pinning comes before the state that made it necessary, and closed is set before
		// anything is let go.
		same := s.pinned.Load() == p
		if s.closed.Load() {
			st.release()
			return view{}, ErrClosed
		}
		if same && p == nil {
			return view{state: st, seq: s.seq, now: s.now}, nil
		}
		if same && p.tryKeep(holdMemory) {
			return view{state: p, readers: st, seq: s.seq, now: s.now}, nil
		}
		st.release()
	}
}

// Get returns a copy of the value of key at the snapshot's moment, or ErrNotFound.
func (s *Snapshot) Get(key []byte) ([]byte, error) { return s.AppendGet(nil, key) }

// AppendGet is DB.AppendGet at the snapshot's moment.
func (s *Snapshot) AppendGet(dst, key []byte) ([]byte, error) {
	v, err := s.view()
	if err != nil {
		return dst, err
	}
	defer v.release()
	return s.db.get(dst, key, &v, true)
}

// Has is DB.Has at the snapshot's moment.
func (s *Snapshot) Has(key []byte) (bool, error) {
	v, err := s.view()
	if err != nil {
		return false, err
	}
	defer v.release()
	_, err = s.db.get(nil, key, &v, false)
	return found(err)
}

// MultiGet is DB.MultiGet at the snapshot's moment.
func (s *Snapshot) MultiGet(keys [][]byte) ([][]byte, error) {
	v, err := s.view()
	if err != nil {
		return nil, err
	}
	defer v.release()
	return s.db.multiGet(keys, &v)
}

// NewIter returns an iterator over the snapshot; o may be nil.
func (s *Snapshot) NewIter(o *IterOptions) (*Iterator, error) {
	v, err := s.view()
	if err != nil {
		return nil, err
	}
	it := &Iterator{db: s.db, snap: s, plain: true, v: v}
	if err := it.init(o, nil); err != nil {
		return nil, err
	}
	return it, nil
}
