package lsm

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/cache"
	"github.com/ringwood-kv/ringwood/lsm/internal/compaction"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/rows"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// DB is an open store. All methods are safe for concurrent use.
type DB struct {
	dir  string
	fs   vfs.FS
	opts Options
	plan memoryPlan
	lock io.Closer

	state   atomic.Pointer[readState] // nil after Close
	visible atomic.Uint64             // sequence number of the newest visible commit
	lastNow atomic.Int64              // the clock never runs backwards
	dead    deadSpans
	reclaim reclaimer
	files   fileRefs
	cache   *cache.Cache
	rows    *rows.Cache // nil in a read-only store, and without Options.RowCache
	reads   sstable.Stats
	stats   counters

	pipe pipeline
	// The commit leader's.
	lastSeq    base.SeqNum
	mem        *memtable
	log        *logFile
	logScratch []*logFile

	poisoned atomic.Pointer[error] // the failed sync; writes are refused from then on
	closing  atomic.Bool
	stepped  bool // an Executor steps us
	work     work
	left     leftovers
	shape    compaction.Options
	blobFile int64 // size at which merges cut blob files

	cacheMu   sync.Mutex // the newest look at the memory in use decides
	cacheSize atomic.Int64
	memtables arenas
	pace      pace
	closed    sync.Once
	closeErr  error

	mu        sync.Mutex
	cond      *sync.Cond // any change of what follows
	epoch     uint64
	imm       []*memtable // newest first; sealed memtables that wait for their flush
	logs      []*logFile  // oldest first; the last is log
	spareLog  *logFile    // made ahead for the next rotation
	sparing   bool
	store     *manifest.Store
	storeBusy bool                    // one edit at a time is being written, without mu
	tables    map[base.FileNum]*table // by FileMeta.Num
	running   []*compaction.Compaction
	splits    []*split // compactions that may be shared
	helpers   int      // goroutines that share in them
	waiting   int      // callers who wait for compactions
	flushing  bool
	// Why the last flush and the last compaction failed; nothing after one that did not.
	flushFailed, mergeFailed setback
	bad                      map[base.FileNum]bool  // damaged inputs: not compacted again
	spared                   map[base.FileNum]spare // blob files that could not be read
	snapshots                snapshotList
	readers                  readerList
	active                   int    // background jobs that have begun
	paused                   int    // no flush or compaction begins while > 0
	idleSeq                  uint64 // visible when the store was last seen, or said, to be idle: it is so until a commit
	tickSeq                  uint64
	held                     map[string]vfs.File // of a read-only store: every file of the tree, open
	timer                    *time.Timer
	nonMVCC                  uint64 // ingests and excises so far: what happened outside commit order
}

// writable says why writes are refused, if they are.
func (db *DB) writable() error {
	if db.closing.Load() {
		return ErrClosed
	}
	if db.opts.ReadOnly {
		return fmt.Errorf("%w: opened with Options.ReadOnly", ErrReadOnly)
	}
	if p := db.poisoned.Load(); p != nil {
		return *p
	}
	return nil
}

// poison refuses every write from now on: a sync failed, so that nobody knows what
// of the files since the last good one is on disk. Reads go on.
func (db *DB) poison(cause error) error {
	err := fmt.Errorf("%w until the store is opened again: %w", ErrReadOnly, cause)
	if db.poisoned.CompareAndSwap(nil, &err) {
		db.event(Event{Kind: EventPoisoned, Err: cause})
	}
	return *db.poisoned.Load()
}

// now returns the time in Unix nanoseconds, never less than before.
func (db *DB) now() int64 {
	t := db.opts.Clock().UnixNano()
	for {
		last := db.lastNow.Load()
		if t <= last {
			return last
		}
		if db.lastNow.CompareAndSwap(last, t) {
			return t
		}
	}
}

func (db *DB) path(name string) string { return filepath.Join(db.dir, name) }

// Put sets key to value, as durable as Options.Durability.
func (db *DB) Put(key, value []byte) error {
	b := db.getBatch()
	defer putBatch(b)
	if err := b.Put(key, value); err != nil {
		return err
	}
	return b.Commit(db.opts.Durability)
}

// PutTTL sets key to value until ttl from now, by Options.Clock. An expired value
// is not found, hides older versions, and is dropped by compaction.
func (db *DB) PutTTL(key, value []byte, ttl time.Duration) error {
	b := db.getBatch()
	defer putBatch(b)
	if err := b.PutTTL(key, value, ttl); err != nil {
		return err
	}
	return b.Commit(db.opts.Durability)
}

// Delete removes key, if it is there.
func (db *DB) Delete(key []byte) error {
	b := db.getBatch()
	defer putBatch(b)
	if err := b.Delete(key); err != nil {
		return err
	}
	return b.Commit(db.opts.Durability)
}

// DeleteRange removes the keys in [start, end), at the cost of one record however
// many they are; end == nil means to the end of the key space, start >= end removes
// nothing.
func (db *DB) DeleteRange(start, end []byte) error {
	b := db.getBatch()
	defer putBatch(b)
	if err := b.DeleteRange(start, end); err != nil {
		return err
	}
	return b.Commit(db.opts.Durability)
}

// Close waits for what runs, makes every commit durable and releases the store.
// Open iterators, snapshots and transactions answer ErrClosed from then on; the
// memory under an iterator's Key and Value stays valid until its own Close. Closing
// twice returns what the first time did. An error says that not every commit could be
// made durable; the store is released all the same.
func (db *DB) Close() error {
	db.closed.Do(func() { db.closeErr = db.close() })
	return db.closeErr
}

func (db *DB) close() error {
	var errs []error
	synced := false // nothing acknowledged is only in memory
	// The last exclusive section: commits after it are refused.
	errs = append(errs, db.exclusive(func() error {
		err := db.healthy() // if not, not everything is durable
		if err == nil && !db.opts.ReadOnly {
			err = db.syncLogs()
			synced = err == nil
		}
		db.closing.Store(true)
		return err
	}))
	db.mu.Lock()
	db.cond.Broadcast()
	if db.timer != nil {
		db.timer.Stop()
	}
	for db.active > 0 || db.storeBusy {
		db.cond.Wait()
	}
	db.mu.Unlock()
	db.work.close()
	if db.stepped {
		db.leadIfNobody() // commits whose job was dropped are refused
	}

	errs = append(errs, db.closeFiles(synced))
	db.mu.Lock()
	db.snapshots.closeAll()
	s := db.state.Swap(nil)
	db.mu.Unlock()
	db.memtables.close()
	db.cache.Close() // or the blocks of each table would be looked for in it
	if s != nil {
		s.release() // first, so that each table goes at once
		db.retireAll(s)
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
	}
	return classify(errors.Join(errs...))
}

// closeFiles ends the logs and the manifest such that the next Open can tell that
// nothing is missing, if the logs were synced.
func (db *DB) closeFiles(synced bool) error {
	if db.opts.ReadOnly {
		return nil
	}
	var errs []error
	healthy := synced && db.poisoned.Load() == nil
	if healthy {
		var edit manifest.Edit
		edit.LastSeq = db.lastSeq
		for _, l := range db.logs {
			// Each was synced; the size of what is in it goes on record.
			edit.LogEnd = append(edit.LogEnd, manifest.LogEnd{Num: l.num, End: l.w.Size()})
		}
		if err := db.store.Append(&edit); err != nil {
			errs = append(errs, db.storeFailed(err))
			healthy = false
		}
	}
	for _, l := range db.logs {
		errs = append(errs, l.close())
	}
	if l := db.spareLog; l != nil {
		errs = append(errs, l.close())
		if err := db.fs.Remove(db.logPath(l.num)); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, db.store.Close(healthy))...)
}
