package lsm

import (
	"errors"
	"fmt"
	"sync"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
)

// logFile is a write-ahead log that is open for writing. There is one for each
// memtable; the last is the current one, to which only the commit leader writes.
type logFile struct {
	num  base.FileNum
	base base.SeqNum // sequence numbers in its records are relative to it

	mu     sync.Mutex // guards w against a sync or close by the flush
	w      *wal.Writer
	closed bool // its memtable is in a table: nothing of it matters any more
}

// sync makes everything written to the log durable.
func (l *logFile) sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	return l.w.Sync()
}

func (l *logFile) synced() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed || l.w.Synced() >= l.w.Size()
}

func (l *logFile) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	return l.w.Close()
}

// createLog makes the log file of number num, durable with its name.
func (db *DB) createLog(num base.FileNum, first base.SeqNum) (*logFile, error) {
	name := db.logPath(num)
	f, err := db.fs.Create(name)
	if err != nil {
		return nil, classify(err)
	}
	w, err := wal.Create(f, name, wal.KindLog, num, uint64(first))
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		if err = db.fs.SyncDir(db.dir); err != nil {
			err = db.poison(fmt.Errorf("sync directory: %w", err))
		}
	}
	if err != nil {
		if errors.Is(err, wal.ErrSyncFailed) {
			err = db.poison(err)
		}
		_ = f.Close()
		_ = db.fs.Remove(name)
		return nil, classify(err)
	}
	return &logFile{num: num, base: first, w: w}, nil
}

// appendLog writes one record as durable as d asks. On an error the record is not
// in the log, unless a sync failed.
func (db *DB) appendLog(parts [][]byte, d Durability) error {
	w := db.log.w
	before := w.Size()
	err := w.Append(parts...)
	if err == nil && d == OS {
		err = w.Flush()
	}
	if err == nil && d == Sync {
		if err = db.syncLogs(); errors.Is(err, ErrReadOnly) {
			return err
		}
	}
	if err == nil {
		db.stats.logBytes.Add(w.Size() - before)
		return nil
	}
	if dropErr := w.DropFrom(before); dropErr != nil {
		return db.poison(fmt.Errorf("log %s: %w (after %w)", manifest.FileName(manifest.FileLog, db.log.num), dropErr, err))
	}
	return db.logFailed(db.log, err)
}

// syncLogs makes every commit so far durable: the logs before the current one
// first, because a record of the current one that was synced is taken as proof that
// they are whole. Only the leader calls it.
func (db *DB) syncLogs() error {
	db.mu.Lock()
	older := append(db.logScratch[:0], db.logs...)
	db.mu.Unlock()
	db.logScratch = older
	for _, l := range older {
		if l == db.log || l.synced() {
			continue
		}
		if err := l.sync(); err != nil {
			return db.logFailed(l, err)
		}
	}
	if err := db.log.sync(); err != nil {
		return db.logFailed(db.log, err)
	}
	db.stats.syncs.Add(1)
	return nil
}

// logFailed poisons the DB if nobody knows any more what is in the log: after a failed
// sync, or a failed write that could not be undone. Any other write that failed is an
// ordinary error.
func (db *DB) logFailed(l *logFile, err error) error {
	if errors.Is(err, wal.ErrSyncFailed) || l.w.IsBroken() {
		return db.poison(fmt.Errorf("log %s: %w", manifest.FileName(manifest.FileLog, l.num), err))
	}
	return classify(err)
}

// Sync makes everything acknowledged so far durable, whatever its durability was.
func (db *DB) Sync() error {
	return db.exclusive(func() error {
		if err := db.writable(); err != nil {
			return err
		}
		return db.syncLogs()
	})
}
