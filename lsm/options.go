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
	// Memory is the budget in bytes for everything the store keeps in memory. At least 8
	// MiB; 0 means 256 MiB. A memtable has an eighth, at most 128 MiB, and there are two,
	// or three while a flush is behind; up to an eighth is reserved for the buffers of
	// flush and compactions and for the Go heap; filters and indexes of open tables have up
	// to seven eighths of the rest; the block cache has what all these leave. Metrics shows
	// how it is used. RowCache is taken off first.
	//
	// The memtables and tables that open iterators keep, and a batch larger than a
	// memtable, are taken from the block cache, down to a thirty-second of the budget. What
	// is more than that comes on top. So do the buffers of iterators that read ahead, and a
	// large value while it is written or read. docs/operating.md has more.
	Memory int64

	// RowCache is how many bytes of Memory are for a cache of the newest values of keys, in
	// front of everything else. 0 means none; otherwise at least 256 KiB and at most half of
	// Memory. It serves Get and AppendGet outside of snapshots and transactions, of keys up to
	// 1 KiB and values up to 4 KiB that do not expire. It pays where keys are read, or read
	// and written, again and again that fit in it, each with some 20 bytes more; it costs
	// where reads go everywhere: a look more for each, and memory that blocks lack. Which reads
	// it serves differs from run to run, also with a Seed; what they return does not.
	RowCache int64

	// Durability is what Put, Delete and the other single writes promise, and Update. A
	// batch says its own on Commit.
	Durability Durability

	// ReadOnly opens a store without writing anything, not even the lock. It may be a
	// store that another process is writing: the view is of one moment and never
	// refreshes. Every write answers ErrReadOnly. What the logs hold stays in memtables,
	// whatever Memory says.
	ReadOnly bool

	// MustExist makes Open fail, with an error that wraps fs.ErrNotExist, where there
	// is no store, in place of creating one. ReadOnly implies it. A store that lacks a file
	// wraps that too, and ErrCorruption.
	MustExist bool

	// Compression has the codec for each level, L0 first; deeper levels than it has
	// entries use its last one. Empty means Snappy everywhere. A value in a blob file keeps
	// the codec of the level at which it left the tree, which is L0 for what a flush writes.
	Compression []Compression

	// FilterBitsPerKey sizes the bloom filters, on every level. 0 means 10, about one
	// false positive in a hundred; negative means no filters; at most 32.
	FilterBitsPerKey int

	// BlockSize is the target size in bytes of an uncompressed data block, 1 KiB to
	// 1 MiB. 0 means 4 KiB.
	BlockSize int

	// BlobThreshold is the length in bytes from which values are kept outside of the tree,
	// in blob files: compactions then leave them where they are. A read of such a value is
	// one more read of a file. 0 means 4 KiB; negative means never; at least 32. It may
	// differ from one Open to the next: a value leaves the tree when a compaction meets it,
	// and comes back when its blob file is collected.
	//
	// A value that was replaced or deleted is known to be garbage once a compaction has met
	// both, as with values in the tree. Blob files are collected when 30% of all bytes in them are garbage, 20%
	// while nobody writes, unless tables of more than twice the bytes of the garbage would
	// have to be rewritten; Compact collects each file of which 5% is garbage. So a disk
	// needs room for 1.4 times the values that the tree refers to, compressed, and for more
	// while files are collected: what was moved is there twice until its old file goes.
	// docs/compaction.md has more, and figures.
	BlobThreshold int

	// CompactionConcurrency is how many compactions may run at once, beside one
	// flush. 0 means one for each two processors, at least one; at most 64. While WaitIdle or
	// Compact waits and nobody writes, all processors of GOMAXPROCS share in them, as far as
	// Memory has buffers for them.
	CompactionConcurrency int

	// MaxOpenFiles bounds the tables and blob files that are open at once. 0 means 10,000, or
	// about half of what the process may open if that is less; at least 16. To open a table
	// again costs a lookup as much as some fifty others. What iterators, compactions and
	// Verify stand on may come on top, and a read-only store holds all of its files.
	MaxOpenFiles int

	// FS is the file system. nil means the operating system's.
	FS vfs.FS

	// Logger gets the events: flushes, compactions and removed files at Debug, recovery and
	// stalls at Info, failures of background work at Warn, damage and failed syncs at
	// Error. nil means silence. Its handler must not call the DB.
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

	// Seed feeds what is random in the engine: the ids of tables and blob files. 0 means a
	// random one. With Executor, Clock and Seed given, a run replays exactly.
	Seed int64
}
