package lsm

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/compaction"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/internal/skiplist"
)

// Flush writes what is in memory to tables and returns when it is there: every
// commit that returned before is then durable.
func (db *DB) Flush() error {
	var upTo *memtable
	err := db.exclusive(func() error {
		if err := db.writable(); err != nil {
			return err
		}
		if db.mem.empty() {
			db.mu.Lock()
			if len(db.imm) > 0 {
				upTo = db.imm[0]
			}
			db.mu.Unlock()
			return nil
		}
		if err := db.waitForFlush(true); err != nil {
			return err
		}
		upTo = db.mem
		return db.rotate(0)
	})
	if err != nil || upTo == nil {
		return err
	}
	return db.waitFlushed(upTo)
}

// waitFlushed waits until m is in a table.
func (db *DB) waitFlushed(m *memtable) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	tried := false
	for db.hasSealedLocked(m) {
		if err := db.writable(); err != nil {
			return err
		}
		if db.flushFailed.err != nil {
			if tried {
				return classify(db.flushFailed.err)
			}
			// One more try at once: the cause may have gone.
			tried, db.flushFailed = true, setback{}
			db.scheduleLocked()
		}
		if !db.stepped {
			db.cond.Wait()
		} else if !db.stepLocked() {
			return fmt.Errorf("lsm: flush is stuck")
		}
	}
	return nil
}

func (db *DB) hasSealedLocked(m *memtable) bool {
	for _, x := range db.imm {
		if x == m {
			return true
		}
	}
	return false
}

// flushJob writes every sealed memtable into one table of L0. flushing is set.
func (db *DB) flushJob() {
	db.mu.Lock()
	batch := append([]*memtable(nil), db.imm...)
	m := db.momentLocked()
	db.mu.Unlock()
	err := db.healthy()
	if err == nil && len(batch) > 0 {
		err = db.flush(batch, m)
	}
	db.mu.Lock()
	db.flushing = false
	db.finishedLocked(&db.flushFailed, err)
	db.mu.Unlock()
}

// breathe is called by merges every 64 KiB or so. It lets whoever waits for a processor
// go first: the scheduler by itself would let a merge run for 10 ms at a time, and with
// as many merges as processors a writer waits that long, again and again.
func (db *DB) breathe() error {
	if !db.stepped {
		runtime.Gosched()
	}
	return db.healthy()
}

// healthy says why background work must not go on.
func (db *DB) healthy() error {
	if p := db.poisoned.Load(); p != nil {
		return *p
	}
	return nil
}

func (db *DB) flush(batch []*memtable, now moment) error {
	start := time.Now()
	var read int64
	made, _, err := db.writeTables(batch, now, func(n int64) {
		read += n
		db.pace.unflushed.Add(-n)
	})
	if err != nil {
		db.pace.unflushed.Add(read)
		return err
	}
	edit := &manifest.Edit{}
	bytes := made.addTo(edit, 0)
	flushed := batch[0].maxSeq
	err = db.logAndApply(edit, func(s *readState) {
		// The log of the oldest memtable that stays. Rotation adds newer ones only.
		edit.MinLog = s.mem.log
		if n := len(db.imm) - len(batch); n > 0 {
			edit.MinLog = db.imm[n-1].log
		}
	}, func() {
		db.imm = append([]*memtable(nil), db.imm[:len(db.imm)-len(batch)]...)
		left := int64(0)
		for _, m := range db.imm {
			left += m.size()
		}
		db.pace.unflushed.Store(left)
	})
	if err != nil {
		db.pace.unflushed.Add(read)
		db.removeOutputs(made)
		return err
	}
	db.pace.flushed(read, time.Since(start))
	db.stats.flushes.Add(1)
	db.stats.flushBytes.Add(bytes)
	db.dropLogs(edit.MinLog)
	db.event(Event{Kind: EventFlush, Bytes: bytes, Files: len(made.tables) + len(made.blobs), Duration: time.Since(start), FlushedSeq: uint64(flushed)})
	return nil
}

// moment is by which a merge drops records: the open snapshots, and the time. The two
// belong together: a snapshot taken after them sees nothing that has expired by time.
type moment struct {
	snapshots []compaction.Snapshot
	time      int64
}

func (db *DB) momentLocked() moment { return moment{db.snapshots.stripes(), db.now()} }

// writeTables merges memtables, newest first, into tables for L0. progress, which may be
// nil, is told how many bytes of them have been read since the last time.
func (db *DB) writeTables(batch []*memtable, now moment, progress func(int64)) (outputs, compaction.Stats, error) {
	job := compaction.Job{Snapshots: now.snapshots, Now: now.time, OutputLevel: 0, Progress: progress}
	for _, m := range batch {
		it := new(skiplist.Iter)
		m.list.Init(it)
		job.Sources = append(job.Sources, it)
		job.Tombstones = append(job.Tombstones, m.tombstones()...)
	}
	outs, stats, err := db.runJob(&job)
	if err == nil {
		if err = db.syncNames(outs); err != nil {
			outs = outputs{}
		}
	}
	return outs, stats, err
}

// outputs are the files that a merge has made, not yet in the tree.
type outputs struct {
	tables []*manifest.FileMeta
	blobs  []*manifest.BlobMeta
}

// addTo makes edit add o, its tables to level, and returns the bytes of all files.
func (o *outputs) addTo(edit *manifest.Edit, level int) (bytes int64) {
	for _, t := range o.tables {
		edit.Added = append(edit.Added, manifest.NewFile{Level: level, Meta: t})
		bytes += t.Size
	}
	for _, b := range o.blobs {
		edit.AddedBlobs = append(edit.AddedBlobs, b)
		bytes += b.Size
	}
	return bytes
}

// add adds what another part of the same merge has made.
func (o *outputs) add(x outputs) {
	o.tables = append(o.tables, x.tables...)
	o.blobs = append(o.blobs, x.blobs...)
}

// runJob runs a merge whose outputs become files of this store, durable but for their
// names. On an error they are removed.
func (db *DB) runJob(job *compaction.Job) (outputs, compaction.Stats, error) {
	job.NewOutput = db.newTable
	job.Writer = db.writerOptions(job.OutputLevel)
	if job.Cancel == nil {
		job.Cancel = db.breathe
	}
	job.Blobs.NewFile = db.newBlob
	job.Blobs.Least = max(db.opts.BlobThreshold, 0)
	job.Blobs.FileSize = db.blobFile
	made, stats, err := compaction.Run(job)
	var outs outputs
	for _, o := range made.Tables {
		m := newFileMeta(o.Num, o.Meta)
		m.Blobs = o.Uses
		outs.tables = append(outs.tables, m)
	}
	for _, b := range made.Blobs {
		outs.blobs = append(outs.blobs, &manifest.BlobMeta{Num: b.Num, UID: b.Meta.UID, Size: b.Meta.Size, Values: b.Meta.Entries, Bytes: b.Bytes})
	}
	if err != nil {
		db.removeOutputs(outs)
		return outputs{}, stats, err
	}
	return outs, stats, nil
}

// syncNames makes the names of outputs durable. On an error it removes them.
func (db *DB) syncNames(outs outputs) error {
	if len(outs.tables) == 0 {
		return nil
	}
	if err := db.fs.SyncDir(db.dir); err != nil {
		err = db.poison(fmt.Errorf("sync directory: %w", err))
		db.removeOutputs(outs)
		return err
	}
	return nil
}

func (db *DB) removeOutputs(outs outputs) {
	if db.poisoned.Load() != nil {
		return // the edit may be on disk in spite of the error
	}
	for _, t := range outs.tables {
		_ = db.fs.Remove(db.tablePath(t.File))
	}
	for _, b := range outs.blobs {
		_ = db.fs.Remove(db.blobPath(b.Num))
	}
}

// dropLogs closes and removes the logs before min.
func (db *DB) dropLogs(min base.FileNum) {
	db.mu.Lock()
	n := 0
	for n < len(db.logs) && db.logs[n].num < min {
		n++
	}
	old := append([]*logFile(nil), db.logs[:n]...)
	db.logs = append([]*logFile(nil), db.logs[n:]...)
	db.mu.Unlock()
	for _, l := range old {
		_ = l.close() // its commits are in a table: nothing of it matters
		if db.poisoned.Load() == nil {
			_ = db.fs.Remove(db.logPath(l.num))
		}
	}
}

// logAndApply writes edit to the manifest and installs the version after it. prepare
// completes the edit when no other one is under way; install changes what goes with
// the new version. Both run with db.mu held and may be nil.
func (db *DB) logAndApply(edit *manifest.Edit, prepare func(*readState), install func()) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	for db.storeBusy {
		db.cond.Wait()
	}
	if err := db.healthy(); err != nil {
		return err
	}
	s := db.state.Load()
	v, err := manifest.Apply(s.version, edit)
	if err != nil {
		return fmt.Errorf("lsm: edit of the tree: %w", err)
	}
	if prepare != nil {
		prepare(s)
	}
	edit.LastSeq = max(edit.LastSeq, base.SeqNum(db.visible.Load()))
	db.storeBusy = true
	db.mu.Unlock()
	err = db.store.Append(edit)
	db.mu.Lock()
	db.storeBusy = false
	db.cond.Broadcast()
	if err != nil {
		return db.storeFailed(err)
	}
	if err := db.store.Err(); err != nil { // it has the edit, and can take no more
		_ = db.storeFailed(err)
	}
	if install != nil {
		install()
	}
	// The memtable may have been rotated meanwhile.
	db.installLocked(db.state.Load().mem, db.imm, v)
	db.updatePaceLocked()
	return nil
}

// updatePaceLocked tells the writers how the tree stands.
func (db *DB) updatePaceLocked() {
	if s := db.state.Load(); s != nil {
		db.pace.setL0(len(s.version.Levels[0]), db.shape.L0Max)
	}
}

// storeFailed poisons the DB if the manifest may or may not have the edit.
func (db *DB) storeFailed(err error) error {
	if errors.Is(err, manifest.ErrSyncFailed) || db.store.Err() != nil {
		return db.poison(fmt.Errorf("manifest: %w", err))
	}
	return classify(err)
}

// tombstonesOf returns the newest range tombstones of a table for the compaction picker.
func (db *DB) tombstonesOf(f *manifest.FileMeta) []rangedel.Tombstone {
	t := db.tables[f.Num]
	if t == nil {
		return nil
	}
	if o := t.open.Load(); o != nil {
		return o.top
	}
	return nil
}
