package lsm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/compaction"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Compact rewrites the keys in [start, end) down to the last level, so that what was
// deleted, replaced or has expired there takes no space, open snapshots and up to 5% of a
// blob file aside; end == nil means to the end of the key space. It flushes first. What is
// written meanwhile it may leave as it is.
// Cancelling ctx ends it between two steps; what was done stays done.
func (db *DB) Compact(ctx context.Context, start, end []byte) error {
	if end != nil && string(start) >= string(end) {
		return db.writable()
	}
	m := compaction.Manual{Lo: start, Hi: end, UpTo: base.SeqNum(db.visible.Load())}
	if err := db.Flush(); err != nil {
		return err
	}
	defer db.wakeWhenDone(ctx)()
	db.mu.Lock()
	defer db.mu.Unlock()
	db.waiting++
	db.helpLocked()
	defer func() {
		db.waiting--
		db.scheduleLocked()
	}()
	for {
		if err := errors.Join(ctx.Err(), db.writable()); err != nil {
			return err
		}
		if db.paused > 0 {
			db.cond.Wait()
			continue
		}
		c, done := m.Next(db.state.Load().version, db.shape, db.pickEnvLocked())
		if done {
			return nil
		}
		if c == nil { // waits for a compaction that runs
			if !db.stepLocked() {
				return fmt.Errorf("lsm: tables in the range cannot be compacted: %w", db.stuckLocked())
			}
			continue
		}
		db.running = append(db.running, c)
		db.active++
		db.mu.Unlock()
		err := db.compact(c)
		db.mu.Lock()
		db.active--
		db.endCompactionLocked(c, err)
		if err != nil {
			return classify(err)
		}
		if base.SeqNum(db.visible.Load()) > m.UpTo {
			db.scheduleLocked() // what others write meanwhile has its turn
		}
	}
}

// stepLocked waits for background work, or does some, and reports whether there was
// any. With an Executor a job that is not queued may be under way elsewhere.
func (db *DB) stepLocked() bool {
	if db.stepped && db.runJobLocked() {
		return true
	}
	if db.active == 0 && len(db.running) == 0 && !db.flushing && db.paused == 0 {
		return false
	}
	db.cond.Wait()
	return true
}

// stuckLocked says why nothing can be done.
func (db *DB) stuckLocked() error {
	if err := cmp.Or(db.flushFailed.err, db.mergeFailed.err); err != nil {
		return err
	}
	if len(db.bad) > 0 {
		return fmt.Errorf("%w: %d tables or blob files cannot be read; Verify or kvctl check %s tells which", ErrCorruption, len(db.bad), db.dir)
	}
	return errors.New("nothing is running")
}

// wakeWhenDone wakes those who wait for cond when ctx ends. The function returned ends
// that.
func (db *DB) wakeWhenDone(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		db.mu.Lock()
		db.cond.Broadcast()
		db.mu.Unlock()
		db.left.wake()
	})
}

// WaitIdle returns when no flush or compaction is running or due, what a quiet store
// would do included, and the files of tables that nobody reads any more are gone. It
// does not flush the memtable that is being written. Work that
// fails is tried once more, and then the error is returned.
func (db *DB) WaitIdle(ctx context.Context) error {
	defer db.wakeWhenDone(ctx)()
	db.mu.Lock()
	defer db.mu.Unlock()
	db.waiting++
	defer func() { db.waiting-- }()
	tried := false
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if db.closing.Load() {
			return ErrClosed
		}
		if db.opts.ReadOnly {
			return nil // what was replayed stays in memory
		}
		if err := db.healthy(); err != nil {
			return err
		}
		if err := cmp.Or(db.flushFailed.err, db.mergeFailed.err); err != nil {
			if tried {
				return classify(err)
			}
			// One more try at once: the cause may have gone.
			tried, db.flushFailed, db.mergeFailed = true, setback{}, setback{}
		}
		db.idleSeq = db.visible.Load() // the caller says that it is time to settle
		db.scheduleLocked()
		if len(db.imm) == 0 && len(db.running) == 0 && !db.flushing && !db.left.busy() {
			return nil
		}
		switch {
		case !db.stepped:
			db.cond.Wait()
		case db.stepLocked():
		case db.left.busy(): // whoever let go of the tables is at it, a reader perhaps
			db.mu.Unlock()
			db.left.wait(ctx)
			db.mu.Lock()
		default:
			return db.stuckLocked()
		}
	}
}

// compactJob carries out c, which is in running already.
func (db *DB) compactJob(c *compaction.Compaction) {
	err := db.healthy()
	if err == nil {
		err = db.compact(c)
	}
	db.mu.Lock()
	db.endCompactionLocked(c, err)
	db.finishedLocked(&db.mergeFailed, err)
	db.mu.Unlock()
}

func (db *DB) endCompactionLocked(c *compaction.Compaction, err error) {
	db.running = slices.DeleteFunc(db.running, func(x *compaction.Compaction) bool { return x == c })
	var be *blobError
	var ce *CorruptionError
	if errors.As(err, &be) {
		db.spareLocked(be) // the tables can be merged
	} else if errors.As(err, &ce) {
		// Its inputs stay where they are; trying again would meet the same damage.
		for _, in := range c.Inputs {
			for _, f := range in.Files {
				if len(c.Inputs) == 1 && len(in.Files) == 1 || ce.File == db.tablePath(f.File) {
					db.bad[f.Num] = true
				}
			}
		}
	}
	db.cond.Broadcast()
}

func (db *DB) compact(c *compaction.Compaction) error {
	start := time.Now()
	edit := &manifest.Edit{}
	for _, in := range c.Inputs {
		for _, f := range in.Files {
			edit.Deleted = append(edit.Deleted, manifest.DeletedFile{Level: in.Level, Num: f.Num})
			if c.Move {
				edit.Added = append(edit.Added, manifest.NewFile{Level: c.OutputLevel, Meta: f})
			}
		}
	}
	var outs outputs
	var written int64
	if !c.Move && !c.DeleteOnly {
		var err error
		if outs, err = db.merge(c); err != nil {
			return err
		}
		written = outs.addTo(edit, c.OutputLevel)
	}
	if err := db.logAndApply(edit, nil, nil); err != nil {
		db.removeOutputs(outs)
		return err
	}
	db.stats.compacted(c, written)
	db.event(Event{
		Kind: EventCompaction, Reason: c.Reason, Level: c.StartLevel(), OutputLevel: c.OutputLevel,
		Files: len(edit.Deleted), Bytes: written, Duration: time.Since(start),
	})
	return nil
}

// merge writes the outputs of c, durable with their names.
func (db *DB) merge(c *compaction.Compaction) (outputs, error) {
	s := db.acquire()
	if s == nil {
		return outputs{}, ErrClosed
	}
	s.keep(holdTables) // not the memtables of this moment, for as long as it takes
	s.release()
	defer s.drop(holdTables)
	db.mu.Lock()
	now := db.momentLocked()
	db.mu.Unlock()
	p, err := db.newSplit(c, s, now)
	if err != nil {
		return outputs{}, err
	}
	return p.run()
}

// mergeTables merges inputs, tables of s, as job says.
func (db *DB) mergeTables(job *compaction.Job, s *readState, inputs []compaction.Input) (outputs, error) {
	old := blobSource{db: db, s: s}
	defer old.release()
	job.Blobs.Fetch, job.Blobs.Move = old.fetch, old.move
	var young []tableSource // of L0
	defer func() {
		for i := range young {
			young[i].done()
		}
	}()
	for _, in := range inputs {
		if in.Level == 0 {
			young = make([]tableSource, len(in.Files))
		}
		if err := db.addInput(job, s, in, young); err != nil {
			for _, it := range job.Sources {
				_ = it.Close()
			}
			return outputs{}, err
		}
	}
	outs, _, err := db.runJob(job)
	return outs, err
}

// inputs returns the tables of in.
func (s *readState) inputs(in compaction.Input) ([]*table, error) {
	tables := make([]*table, 0, len(in.Files))
	for _, f := range in.Files {
		for _, t := range s.tables[in.Level] {
			if t.meta.Num == f.Num {
				tables = append(tables, t)
			}
		}
	}
	if len(tables) != len(in.Files) {
		return nil, fmt.Errorf("lsm: a table to compact left L%d", in.Level)
	}
	return tables, nil
}

// addInput opens the tables of one level as sources of job, those of L0 in young.
func (db *DB) addInput(job *compaction.Job, s *readState, in compaction.Input, young []tableSource) error {
	opts := sstable.IterOptions{Sequential: true}
	tables, err := s.inputs(in)
	if err != nil {
		return err
	}
	for i, t := range tables {
		o, err := db.reader(t)
		if err != nil {
			return err
		}
		if o.dels != nil {
			job.Tombstones = append(job.Tombstones, o.dels.Tombstones()...)
		}
		if in.Level == 0 {
			src, err := young[i].open(db, t, opts)
			if err != nil {
				return err
			}
			job.Sources = append(job.Sources, src)
		}
	}
	if in.Level > 0 {
		job.Sources = append(job.Sources, &levelSource{db: db, tables: tables, opts: opts})
	}
	return nil
}

// newTable makes the file of a new table.
func (db *DB) newTable() (vfs.File, string, base.FileNum, uint64, error) {
	return db.newFile(manifest.FileTable)
}

// newBlob makes a new blob file.
func (db *DB) newBlob() (vfs.File, string, base.FileNum, uint64, error) {
	return db.newFile(manifest.FileBlob)
}

func (db *DB) newFile(kind manifest.FileKind) (vfs.File, string, base.FileNum, uint64, error) {
	num := db.store.NewNum()
	name := manifest.Path(db.dir, kind, num)
	f, err := db.fs.Create(name)
	return tableFile{f, db, name}, name, num, db.uid(num), err
}

// tableFile is a table that is being written: a failed sync of it poisons.
type tableFile struct {
	vfs.File
	db   *DB
	name string
}

func (f tableFile) StartWriteback(off, n int64) { vfs.StartWriteback(f.File, off, n) }

func (f tableFile) Sync() error {
	if err := f.File.Sync(); err != nil {
		return f.db.poison(fmt.Errorf("sync %s: %w", f.name, err))
	}
	return nil
}

// uid gives a table an id that no table of another store has.
func (db *DB) uid(num base.FileNum) uint64 {
	x := uint64(db.opts.Seed) ^ uint64(num)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31 | 1
}

func (db *DB) writerOptions(level int) sstable.WriterOptions {
	o := sstable.WriterOptions{BlockSize: db.opts.BlockSize, FilterBitsPerKey: db.opts.FilterBitsPerKey}
	if db.opts.compression(level) == NoCompression {
		o.Compression = sstable.None
	} else {
		o.Compression = sstable.Snappy
	}
	return o
}
