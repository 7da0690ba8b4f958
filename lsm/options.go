package lsm

import (
	"log/slog"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Durability says what a commit has survived when it is acknowledged.
type Durability uint8

const (
	// Sync: on disk. The commit survives a power cut. Writers that commit at the
	// same time share one sync. The zero value.
	Sync Durability = iota
	// OS: handed to the operating system. The commit survives the death of the
	// process, not a power cut.
	OS
	// None: in the memory of the process until the next sync, flush or Close, or
	// until about a megabyte of log has gathered.
	None
)

func (d Durability) String() string {
	switch d {
	case Sync:
		return "Sync"
	case OS:
		return "OS"
	case None:
		return "None"
	}
	return "Durability(?)"
}

// Compression names a block codec.
type Compression uint8

const (
	// Snappy compresses each block by github.com/golang/snappy and keeps the result
	// where it saves an eighth or more. The zero value.
	Snappy Compression = iota
	// NoCompression stores blocks as they are.
	NoCompression
)

// Options configures Open. The zero value of every field is a good default.
type Options struct {
	// Memory is the budget in bytes for everything the store keeps in memory:
	// memtables, block cache, filters, indexes and compaction buffers. Metrics shows
	// how it is used. At least 8 MiB; 0 means 256 MiB. One oversized value, and what
	// open iterators pin, come on top and are counted on their own.
	Memory int64

	// Durability is what Put, Delete and the other single writes promise. A batch
	// says its own on Commit.
	Durability Durability

	// ReadOnly opens a store without writing anything, not even the lock. It may be a
	// store that another process is writing: the view is of one moment and never
	// refreshes. Every write answers ErrReadOnly.
	ReadOnly bool

	// MustExist makes Open fail, with an error that wraps fs.ErrNotExist, where there
	// is no store, in place of creating one. ReadOnly implies it.
	MustExist bool

	// Compression has the codec for each level, L0 first; deeper levels than it has
	// entries use its last one. Empty means Snappy everywhere.
	Compression []Compression

	// FilterBitsPerKey sizes the bloom filters, on every level. 0 means 10, about one
	// false positive in a hundred; negative means no filters; at most 32.
	FilterBitsPerKey int

	// BlockSize is the target size in bytes of an uncompressed data block, 1 KiB to
	// 1 MiB. 0 means 4 KiB.
	BlockSize int

	// BlobThreshold is the length in bytes from which values are kept outside of the tree,
	// in blob files: compactions then leave them where they are, and give their space back
	// once a third of it is known to be garbage: a value that was replaced or deleted is so
	// when a compaction has met both, as with values in the tree. A read of such a value is one more read of a file. 0
	// means 4 KiB; negative means never; at least 32. It may differ from one Open to the
	// next: values move when compactions rewrite them.
	BlobThreshold int

	// CompactionConcurrency is how many compactions may run at once, beside one
	// flush. 0 means one for each two processors, at least one. While WaitIdle or Compact
	// waits and nobody writes, all processors of GOMAXPROCS share in them.
	CompactionConcurrency int

	// MaxOpenFiles bounds the tables that are open at once. 0 means 1000, or less where
	// the process may not open so many files; at least 16. What iterators stand on may
	// come on top, and a read-only store holds all of its files.
	MaxOpenFiles int

	// FS is the file system. nil means the operating system's.
	FS vfs.FS

	// Logger gets rare events: recovery, errors, stalls. nil means silence.
	Logger *slog.Logger

	// Events, if set, is called for each event, from the goroutine where it happens.
	// It must return soon and must not call the DB.
	Events func(Event)

	// Executor runs background work. nil means goroutines of the DB's own. With an
	// Executor the DB starts none: see Executor.
	Executor Executor

	// Clock tells the time, for TTL: from 1970 to 2262. nil means time.Now. The DB never
	// lets it run backwards.
	Clock func() time.Time

	// Seed feeds what is random in the engine (skiplist heights, table ids). 0 means
	// a random one. With Executor, Clock and Seed given, a run replays exactly.
	Seed int64
}
