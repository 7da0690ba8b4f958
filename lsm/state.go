package lsm

import (
	"iter"
	"math"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
)

// readState is all that a read needs: the memtables and the tree of one moment.
// It is immutable but for the mutable memtable, to which commits are still added;
// a reader therefore takes a state first and the visible sequence number second.
// (The other order could pair an old number with a state from which compaction has
// already dropped what that number should see.)
//
// A state is held in three ways, each of which implies the next: see hold. acquire takes
// the strongest, meant for one call; what lasts longer adds a weaker one by keep and
// releases the first. One strongest hold belongs to the DB as long as the state is the
// current one. When the last of them goes its count becomes hugely negative, once, so
// that a reader which comes too late notices and takes the newer state.
type readState struct {
	db      *DB
	epoch   uint64
	mem     *memtable   // the mutable one; nil in a read-only store
	imm     []*memtable // newest first
	version *manifest.Version
	tables  [base.NumLevels][]*table // parallel to version.Levels
	dels    [base.NumLevels]bool     // some table of the level has range tombstones
	newest  base.SeqNum              // the largest sequence number in a table
	blobs   []*table                 // parallel to version.Blobs

	// refs counts the holds of each kind, and one more as long as there is a stronger one.
	refs [numHolds]atomic.Int64
}

const refsDead = math.MinInt64 / 2

func (s *readState) release() { s.drop(holdReaders) }

// keep adds a hold; the caller has one that is not weaker.
func (s *readState) keep(h hold) { s.refs[h].Add(1) }

// tryKeep adds a hold weaker than the strongest, unless the last of its kind is gone.
func (s *readState) tryKeep(h hold) bool {
	for n := s.refs[h].Load(); n > 0; n = s.refs[h].Load() {
		if s.refs[h].CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// drop ends a hold, and with the last of its kind the one that it stands for in the next
// weaker kind.
func (s *readState) drop(h hold) {
	for ; h >= 0 && s.refs[h].Add(-1) == 0; h-- {
		if h == holdReaders && !s.refs[h].CompareAndSwap(0, refsDead) {
			return
		}
		s.db.reclaim.end(s.epoch, h)
	}
}

// acquire returns the current state with a reference, or nil after Close.
func (db *DB) acquire() *readState {
	for {
		s := db.state.Load()
		if s == nil {
			return nil
		}
		if s.tryAcquire() {
			return s
		}
	}
}

// tryAcquire takes the strongest hold, unless the last of them is gone.
func (s *readState) tryAcquire() bool {
	if s.refs[holdReaders].Add(1) > 0 {
		return true
	}
	s.refs[holdReaders].Add(-1)
	return false
}

// installLocked makes a new current state. db.mu is held; v may be the version of
// the state before.
func (db *DB) installLocked(mem *memtable, imm []*memtable, v *manifest.Version) {
	old := db.state.Load()
	s := &readState{db: db, mem: mem, imm: imm, version: v}
	for h := range s.refs {
		s.refs[h].Store(1)
	}
	db.epoch++
	s.epoch = db.epoch
	if old != nil && old.version == v {
		s.tables, s.dels, s.newest, s.blobs = old.tables, old.dels, old.newest, old.blobs
	} else {
		db.bindTables(s)
	}
	db.reclaim.begin(s.epoch)
	db.state.Store(s)
	if old == nil {
		return
	}
	db.retireDropped(old, s)
	old.release()
}

// files walks all tables of s, and its blob files.
func (s *readState) files() iter.Seq[*table] {
	return func(yield func(*table) bool) {
		for _, handles := range s.tables {
			for _, t := range handles {
				if !yield(t) {
					return
				}
			}
		}
		for _, t := range s.blobs {
			if !yield(t) {
				return
			}
		}
	}
}

// bindTables finds or makes the handle of every table of s.version, and of every blob file.
func (db *DB) bindTables(s *readState) {
	for _, b := range s.version.Blobs {
		t := db.tables[b.Num]
		if t == nil {
			t = &table{blob: true, born: s.epoch, meta: &manifest.FileMeta{Num: b.Num, File: b.Num, UID: b.UID, Size: b.Size}}
			db.tables[b.Num] = t
			db.files.add(b.Num)
		}
		s.blobs = append(s.blobs, t)
	}
	for level, files := range s.version.Levels {
		if len(files) == 0 {
			continue
		}
		handles := make([]*table, len(files))
		for i, f := range files {
			t := db.tables[f.Num]
			if t == nil {
				t = &table{meta: f, born: s.epoch}
				db.tables[f.Num] = t
				db.files.add(f.File)
			}
			handles[i] = t
			s.dels[level] = s.dels[level] || f.RangeDels > 0
			s.newest = max(s.newest, f.LargestSeq)
		}
		s.tables[level] = handles
	}
}

// retireDropped hands everything that was in old and is not in s to the reclaimer.
func (db *DB) retireDropped(old, s *readState) {
	for _, m := range append(old.imm[:len(old.imm):len(old.imm)], old.mem) {
		if m != nil && !s.hasMemtable(m) {
			db.reclaim.retire(holdMemory, m.born, old.epoch, m.free)
		}
	}
	if old.version == s.version {
		return
	}
	kept := make(map[base.FileNum]bool)
	for _, files := range s.version.Levels {
		for _, f := range files {
			kept[f.Num] = true
		}
	}
	for _, b := range s.version.Blobs {
		kept[b.Num] = true
	}
	for t := range old.files() {
		if kept[t.meta.Num] || db.tables[t.meta.Num] != t {
			continue
		}
		delete(db.tables, t.meta.Num)
		db.reclaim.retire(holdTables, t.born, old.epoch, func() { db.dropTable(t) })
	}
}

func (s *readState) hasMemtable(m *memtable) bool {
	if s.mem == m {
		return true
	}
	for _, x := range s.imm {
		if x == m {
			return true
		}
	}
	return false
}
