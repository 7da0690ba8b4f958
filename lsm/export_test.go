package lsm

import (
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/compaction"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
)

// Whoever reads memory of a memtable that was given back does not find what was there.
func init() {
	spoil = func(a *arena.Arena) {
		used := a.Bytes()[:a.Size()]
		for i := range used {
			used[i] = 0xdb
		}
	}
}

// Shape makes a store small enough for tests to reach every part of it with few
// operations. A zero field keeps what Open would choose.
type Shape struct {
	Memory    int64 // total, below the least that Options.Memory allows
	Memtable  int64
	Sealed    int   // sealed memtables that may wait
	Table     int64 // size at which compaction cuts its outputs
	BaseLevel int64 // size from which there is one more level
	Fanout    int   // ratio between neighbouring levels
	BlobFile  int64 // size at which merges cut blob files
}

// OpenShaped is Open with another shape.
func OpenShaped(dir string, o *Options, s Shape) (*DB, error) {
	return open(dir, o, func(db *DB) {
		if s.Memory > 0 {
			db.plan = planMemory(s.Memory, 0, db.opts.CompactionConcurrency)
		}
		if s.Memtable > 0 {
			db.plan.memtable = s.Memtable
		}
		if s.Sealed > 0 {
			db.plan.sealed = s.Sealed
		}
		if s.BlobFile > 0 {
			db.blobFile = s.BlobFile
		}
		db.shape = compaction.Options{
			MemtableSize: db.plan.memtable, TargetFileSize: s.Table,
			BaseLevelBytes: s.BaseLevel, MinBaseBytes: s.BaseLevel / 2, Multiplier: s.Fanout,
		}.WithDefaults()
	})
}

// NewTableWriterID is NewTableWriter with a unique id that is not drawn at random.
func NewTableWriterID(path string, o *Options, uid uint64) (*TableWriter, error) {
	f, err := o.FS.Create(path)
	if err != nil {
		return nil, err
	}
	return &TableWriter{fs: o.FS, path: path, w: sstable.NewWriter(f, path, sstable.WriterOptions{
		UID: uid, BlockSize: o.BlockSize, FilterBitsPerKey: 10, Kind: sstable.External, Compression: sstable.Snappy,
	})}, nil
}

// RollManifest replaces the manifest by a snapshot, as if it had grown large.
func RollManifest(db *DB) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	for db.storeBusy {
		db.cond.Wait()
	}
	db.storeBusy = true
	db.mu.Unlock()
	err := db.store.Roll()
	db.mu.Lock()
	db.storeBusy = false
	db.cond.Broadcast()
	if err != nil {
		return db.storeFailed(err)
	}
	return nil
}

// StoreFiles names the files that belong to the open store, LOCK included.
func StoreFiles(db *DB) map[string]bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	st := db.store.State()
	names := map[string]bool{
		manifest.FileName(manifest.FileLock, 0):               true,
		manifest.FileName(manifest.FileCurrent, 0):            true,
		manifest.FileName(manifest.FileManifest, st.Manifest): true,
	}
	for _, l := range append([]*logFile{db.spareLog}, db.logs...) {
		if l != nil {
			names[manifest.FileName(manifest.FileLog, l.num)] = true
		}
	}
	for _, files := range st.Version.Levels {
		for _, f := range files {
			names[manifest.FileName(manifest.FileTable, f.File)] = true
		}
	}
	for _, b := range st.Version.Blobs {
		names[manifest.FileName(manifest.FileBlob, b.Num)] = true
	}
	return names
}

// Levels returns the number of tables in each level.
func Levels(db *DB) (n [base.NumLevels]int) {
	for l, files := range db.store.Version().Levels {
		n[l] = len(files)
	}
	return n
}

// Forget drops what the store has in memory of the table file num: open readers, and
// blocks in the cache. Nothing may be reading.
func Forget(db *DB, num base.FileNum) {
	var drop []*table
	db.readers.mu.Lock()
	for i := len(db.readers.ring) - 1; i >= 0; i-- {
		if db.readers.ring[i].meta.File == num {
			drop = append(drop, db.readers.removeAt(i))
		}
	}
	db.readers.mu.Unlock()
	db.dropReaders(drop)
	for _, t := range db.tables {
		if t.meta.File == num {
			db.cache.EvictIDs(uint64(t.meta.Num))
		}
	}
}

// Alone skips a test of one goroutine in short runs under the race detector, which has
// nothing to see there.
func Alone(t testing.TB) {
	if RaceEnabled && testing.Short() {
		t.Skip("one goroutine")
	}
}

// RowsOn reports whether the leader announces what it writes to the row cache.
func (db *DB) RowsOn() bool { return db.rows.On() }

// GetAcross is Get, and runs between when the state is taken and before the row cache is
// asked.
func (db *DB) GetAcross(key []byte, between func()) ([]byte, error) {
	s := db.acquire()
	defer s.release()
	between()
	return db.getNewest(nil, key, s)
}

// Exclusive runs fn in the place of a commit.
func (db *DB) Exclusive(fn func() error) error { return db.exclusive(fn) }
