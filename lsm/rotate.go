package lsm

import (
	"errors"
	"fmt"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
)

var errMemtableFull = errors.New("memtable is full")

// makeRoom sees to it that the mutable memtable takes need bytes of entries, and
// slows the leader, and so all writers, to what background work keeps up with.
func (db *DB) makeRoom(need, bytes int) error {
	db.pace.wait(db, bytes)
	if db.mem.fits(need) {
		return nil
	}
	if err := db.waitForFlush(false); err != nil {
		return err
	}
	return db.rotate(need)
}

// waitForFlush waits until a sealed memtable more may be queued. With a disk that
// is full, or a flush that fails for another reason, it says so at once; with again,
// after one more try.
func (db *DB) waitForFlush(again bool) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	start, tried := time.Time{}, false
	for len(db.imm) >= db.plan.sealed {
		if db.flushFailed.err != nil && (again || db.stepped) && !tried {
			tried, db.flushFailed = true, setback{}
			db.scheduleLocked()
		}
		if db.flushFailed.err != nil {
			return classify(fmt.Errorf("lsm: no room in memory, and the last flush failed: %w", db.flushFailed.err))
		}
		if err := db.writable(); err != nil {
			return err
		}
		if db.stepped {
			if !db.stepLocked() {
				return fmt.Errorf("lsm: no room in memory, and no flush is pending")
			}
			continue
		}
		if start.IsZero() {
			start = time.Now()
		}
		db.cond.Wait()
	}
	if !start.IsZero() {
		d := time.Since(start)
		db.stats.stalls.Add(1)
		db.stats.stallNanos.Add(int64(d))
		db.event(Event{Kind: EventStall, Duration: d})
	}
	return nil
}

// rotate seals the memtable with its log and begins new ones that take need bytes.
// Only the leader calls it.
func (db *DB) rotate(need int) error {
	next, err := db.takeSpareLog()
	if err != nil {
		return err
	}
	capacity := max(int(db.plan.memtable), need+memtableSlack+1<<12)
	db.resizeCache(db.memtables.more(capacity)) // first the cache gives way
	mem, err := newMemtable(capacity, db.keyPrefix(), next.num, &db.memtables)
	if err == nil {
		// The next log exists, with its name synced, before the end that names it.
		err = db.endLog(next.num)
	}
	if err != nil {
		if mem != nil {
			mem.free()
		}
		db.giveBackLog(next)
		return classify(err)
	}
	old := db.mem
	old.maxSeq = db.lastSeq // also when it is empty
	db.mu.Lock()
	db.imm = append([]*memtable{old}, db.imm...)
	db.pace.unflushed.Add(old.size())
	db.mem, db.log = mem, next
	db.logs = append(db.logs, next)
	mem.born = db.epoch + 1
	db.installLocked(mem, db.imm, db.state.Load().version)
	db.scheduleLocked()
	db.mu.Unlock()
	db.resizeCache(0)
	return nil
}

// endLog writes the end frame of the current log.
func (db *DB) endLog(next base.FileNum) error {
	w := db.log.w
	before := w.Size()
	err := w.End(next)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		return nil
	}
	if dropErr := w.DropFrom(before); dropErr != nil {
		return db.poison(fmt.Errorf("log %s: %w (after %w)", manifest.FileName(manifest.FileLog, db.log.num), dropErr, err))
	}
	if w.IsBroken() {
		return db.poison(fmt.Errorf("log %s: %w", manifest.FileName(manifest.FileLog, db.log.num), err))
	}
	return err
}

// keyPrefix guesses what the keys of the next memtable share: what those of this one
// did.
func (db *DB) keyPrefix() []byte {
	if db.mem == nil || db.mem.list.Len() == 0 {
		return nil
	}
	first, last := db.mem.list.Bounds()
	return append([]byte(nil), first[:base.CommonPrefixLen(first, last)]...)
}

// takeSpareLog returns a new log, made ahead if there was time.
func (db *DB) takeSpareLog() (*logFile, error) {
	db.mu.Lock()
	for db.sparing {
		db.cond.Wait()
	}
	l := db.spareLog
	db.spareLog = nil
	if l != nil {
		db.mu.Unlock()
		return l, nil
	}
	num := db.store.NewNum() // before a spare log can take a number: logs go by number
	db.mu.Unlock()
	return db.createLog(num, db.lastSeq+1)
}

// giveBackLog keeps a log that was not used for the next try, unless another one was
// made meanwhile.
func (db *DB) giveBackLog(l *logFile) {
	db.mu.Lock()
	if db.spareLog == nil {
		db.spareLog, l = l, nil
	}
	db.mu.Unlock()
	if l != nil {
		_ = l.close()
		_ = db.fs.Remove(db.logPath(l.num)) // what stays is removed by the next Open
	}
}

// makeSpareLog makes the next log ahead of the rotation that will need it.
func (db *DB) makeSpareLog() {
	l, err := db.createLog(db.store.NewNum(), base.SeqNum(db.visible.Load()))
	if err == nil { // if not, the rotation meets the error itself
		db.giveBackLog(l)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.sparing = false
	db.cond.Broadcast()
}
