package lsm

import (
	"context"
	"errors"
	"io/fs"
	"runtime"
	"sync"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// leftovers are what tables that were dropped leave behind. A pass over a large cache
// takes milliseconds, and so does the removal of a file, in the kernel, on a processor
// that nobody else gets meanwhile: so one goroutine does one after the other. With one
// for each file a merge that dropped sixteen held all processors for 30 ms.
type leftovers struct {
	mu      sync.Mutex
	step    sync.Cond // of mu: a file is gone, or the goroutine is done
	tables  []uint64  // whose blocks are still in the cache
	files   []string  // to be removed
	tidying bool
}

// add reports whether nobody is at it yet: then the caller sees to it.
func (l *leftovers) add(table base.FileNum, file string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tables = append(l.tables, uint64(table))
	if file != "" {
		l.files = append(l.files, file)
	}
	first := !l.tidying
	l.tidying = true
	return first
}

// next takes all tables, and one file or "". If there is neither, whoever asks is done.
func (l *leftovers) next() (tables []uint64, file string, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tables, l.tables = l.tables, nil
	if len(l.files) > 0 {
		file, l.files = l.files[0], l.files[1:]
	}
	l.tidying = len(tables) > 0 || file != ""
	l.step.Broadcast()
	return tables, file, l.tidying
}

func (l *leftovers) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tidying
}

// wait returns after a step of whoever is at it, or when ctx ends and wake was called.
func (l *leftovers) wait(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tidying && ctx.Err() == nil {
		l.step.Wait()
	}
}

func (l *leftovers) wake() {
	l.mu.Lock()
	l.step.Broadcast()
	l.mu.Unlock()
}

// tidyUp sees to it that the blocks of table leave the cache, and that file, unless it is
// "", is removed. db.mu may be held.
func (db *DB) tidyUp(table base.FileNum, file string) {
	if !db.left.add(table, file) {
		return
	}
	if db.stepped || !db.spawn(func() {
		db.tidy()
		db.mu.Lock()
		db.cond.Broadcast()
		db.mu.Unlock()
	}) {
		db.tidy()
	}
}

func (db *DB) tidy() {
	for {
		tables, file, more := db.left.next()
		if !more {
			return
		}
		if len(tables) > 0 {
			db.cache.EvictIDs(tables...)
		}
		if file != "" {
			db.removeTableFile(file)
			runtime.Gosched()
		}
	}
}

// removeTableFile deletes the file name, which is no part of the tree any more. After a
// failed write of the manifest nothing is deleted: the tree on disk may be the old
// one. What stays behind is removed by the next Open.
func (db *DB) removeTableFile(name string) {
	if db.poisoned.Load() != nil || db.opts.ReadOnly || db.closing.Load() {
		return
	}
	if err := db.fs.Remove(name); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			db.event(Event{Kind: EventBackgroundError, File: name, Err: err})
		}
		return
	}
	db.stats.tablesDeleted.Add(1)
	db.event(Event{Kind: EventTableDeleted, File: name})
}
