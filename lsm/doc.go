// Package lsm is an embedded, ordered key-value store: a log-structured merge
// tree in pure Go.
//
// Writes go to a write-ahead log and to a skiplist in memory (the memtable);
// full memtables are flushed to sorted tables on disk (SSTables), and compaction
// merges tables down the levels of the tree. Large values, from 4 KiB on, stand beside
// the tree in files of their own. Reads look into the memtables and then level by level,
// a bloom filter before each table.
//
//	db, err := lsm.Open("data", nil)
//	if err != nil { … }
//	err = db.Put([]byte("k"), []byte("v"))
//	v, err := db.Get([]byte("k"))
//	err = db.Close() // says if not every commit could be made durable
//
// # What it promises
//
// Every commit says how durable it is when it returns: see [Durability]. After a
// crash the store holds a prefix of the commits, whole batches only, with every
// commit that was acknowledged at Sync. Every byte read from disk is checked;
// damage is an error that names file and offset, never a wrong or missing answer.
// Snapshots and iterators see one moment; transactions are serializable. The
// promises with the tests behind them are in docs/guarantees.md, the file formats
// in docs/wal.md, docs/table.md and docs/manifest.md. How memory is divided and what
// to do about damage is in docs/operating.md.
//
// # Concurrency and bytes
//
// A DB and a Snapshot are safe for concurrent use; an Iterator, Batch or Txn
// belongs to one goroutine. Keys and values handed in are copied before a call
// returns; results belong to the caller, except an iterator's Key and Value, which live
// until its next move.
//
// # Limits
//
// A key has up to 65,535 bytes, a value up to 256 MiB, a batch up to 1 GiB: [MaxKeyLen],
// [MaxValueLen], [MaxBatchLen]. More is [ErrTooLarge].
//
// # Reading the source
//
// open.go recovers a store, commit.go is the write path, get.go and iter.go are
// the read paths, flush.go, compact.go and split.go the background work, state.go says what
// keeps memory and files alive under readers. The rooms below are in internal/,
// each with its own package comment.
package lsm
