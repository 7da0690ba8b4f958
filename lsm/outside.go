package lsm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/batch"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
)

// Ingest and Excise change the tree itself, beside the order of commits. Both stop
// the write path, make sure that nothing of the affected range is in memory, keep
// compactions away, and pin the state before for every open snapshot, which so goes
// on seeing its moment. A transaction that was open meanwhile has a conflict.

// outside runs change, which makes an edit, with all of that in place for r.
func (db *DB) outside(r keyRange, change func(*readState) (*manifest.Edit, error)) error {
	return db.exclusive(func() error {
		if err := db.writable(); err != nil {
			return err
		}
		if err := db.flushRange(r); err != nil {
			return err
		}
		// The change is durable at once; no commit before it may be lost.
		if err := db.syncLogs(); err != nil {
			return err
		}
		db.mu.Lock()
		db.paused++
		for len(db.running) > 0 || db.flushing {
			db.stepLocked()
		}
		db.mu.Unlock()
		defer func() {
			db.mu.Lock()
			db.paused--
			db.scheduleLocked()
			db.cond.Broadcast()
			db.mu.Unlock()
		}()
		s := db.acquire()
		if s == nil {
			return ErrClosed
		}
		defer s.release()
		edit, err := change(s)
		if err != nil || edit == nil {
			return err
		}
		seq := max(db.lastSeq, edit.LastSeq)
		return db.outsideRows(func() error {
			err := db.logAndApply(edit, nil, func() {
				db.snapshots.pinAll(s)
				db.nonMVCC++
				db.dead.forget(seq)
			})
			if err == nil {
				// After the state: with the number first, a snapshot could take it and read
				// the state before. A reader that took the old state shows the moment before.
				db.lastSeq = seq
				db.visible.Store(uint64(seq))
				err = db.witness(seq)
			}
			return err
		})
	})
}

// witness notes in the log that the tree was changed under the number seq. No commit
// tells of the change, and its tables may outlive it: without the note, a manifest
// that was cut short or replaced by an older copy would open as the tree before.
func (db *DB) witness(seq base.SeqNum) error {
	err := db.appendLog([][]byte{batch.AppendHeader(nil, seq, db.log.base, 0)}, Sync)
	if db.poisoned.Load() == nil {
		return nil // the change is durable, with the note or without
	}
	return err
}

// flushRange flushes the memtables if one of them has something in r. It runs as
// leader.
func (db *DB) flushRange(r keyRange) error {
	s := db.acquire() // a flush that ends meanwhile would free what is looked at
	if s == nil {
		return ErrClosed
	}
	mems := s.memtables()
	touched := slices.ContainsFunc(mems, func(m *memtable) bool { return m.overlaps(r) })
	s.release()
	if !touched {
		return nil
	}
	upTo := db.mem
	if !db.mem.empty() {
		if err := db.waitForFlush(true); err != nil {
			return err
		}
		if err := db.rotate(0); err != nil {
			return err
		}
	} else if len(mems) > 1 {
		upTo = mems[1]
	}
	return db.waitFlushed(upTo)
}

// Excise drops the keys in [start, end) without reading them, so that it also works
// where blocks cannot be read; end == nil means to the end of the key space. Tables
// that lie within the range go at once; one that reaches over its ends is cut, and its
// space comes back when it is compacted. It waits for flushes and compactions that
// run, and writers wait for it. When it returns, it is durable.
func (db *DB) Excise(start, end []byte) error {
	r := keyRange{bytes.Clone(start), bytes.Clone(end)}
	if len(start) > MaxKeyLen || len(end) > MaxKeyLen {
		return fmt.Errorf("%w: bound of %d bytes, the limit is %d", ErrTooLarge, max(len(start), len(end)), MaxKeyLen)
	}
	if r.empty() {
		return db.writable()
	}
	return db.outside(r, func(s *readState) (*manifest.Edit, error) {
		edit := &manifest.Edit{LastSeq: db.lastSeq + 1}
		for level, files := range s.version.Levels {
			for i, f := range files {
				if !f.Overlaps(r.start, r.end, true) {
					continue
				}
				edit.Deleted = append(edit.Deleted, manifest.DeletedFile{Level: level, Num: f.Num})
				for _, part := range db.cut(s.tables[level][i], r) {
					edit.Added = append(edit.Added, manifest.NewFile{Level: level, Meta: part})
				}
			}
		}
		if len(edit.Deleted) == 0 {
			return nil, nil
		}
		return edit, nil
	})
}

// cut returns what is left of t without r: nothing, one piece or two, which share the
// file.
func (db *DB) cut(t *table, r keyRange) []*manifest.FileMeta {
	f := t.meta
	var parts []*manifest.FileMeta
	var sizes []int64
	before, after, whole := db.weigh(t, r)
	if bytes.Compare(f.Smallest, r.start) < 0 {
		left := *f
		left.Largest, left.LargestExclusive = r.start, true
		parts, sizes = append(parts, &left), append(sizes, before)
	}
	if r.end != nil && !f.EndsBefore(r.end) {
		right := *f
		right.Smallest = r.end
		parts, sizes = append(parts, &right), append(sizes, after)
	}
	for i, p := range parts {
		share := 1 / float64(len(parts))
		if whole > 0 {
			share = float64(sizes[i]) / float64(whole)
		}
		p.Num = db.store.NewNum()
		p.LiveSize = max(1, int64(float64(f.Bytes())*share))
		p.Blobs = scaleUses(f.Blobs, share)
		p.Clipped = true
	}
	return parts
}

// weigh estimates, by the index of t, how many bytes of it lie before r and after it, and
// how many there are; 0 if that cannot be told.
func (db *DB) weigh(t *table, r keyRange) (before, after, whole int64) {
	o, err := db.pinned(t)
	if err != nil {
		return 0, 0, 0
	}
	defer o.unpin()
	from := t.meta.Smallest
	o.Marks(marksPerTable, func(to []byte, n int64) {
		if bytes.Compare(to, from) < 0 || t.meta.EndsBefore(from) {
			return // t is part of a file
		}
		whole += n
		switch {
		case bytes.Compare(to, r.start) < 0:
			before += n
		case bytes.Compare(from, r.start) < 0:
			before += n / 2
		}
		switch {
		case r.end == nil:
		case bytes.Compare(from, r.end) >= 0:
			after += n
		case bytes.Compare(to, r.end) >= 0:
			after += n / 2
		}
		from = to
	})
	return before, after, whole
}

// Ingest adds whole tables, made by a TableWriter, as if their records were written in
// one batch now: all of them or none. The key ranges of the tables must not overlap.
// Each file is linked, or copied where that is not possible, and may be removed
// afterwards. A table goes to the lowest level where nothing is above it, so that bulk
// loading costs no compaction. It waits for flushes and compactions that run, and
// writers wait for it. When it returns, it is durable.
func (db *DB) Ingest(paths []string) error {
	if err := db.writable(); err != nil {
		return err
	}
	if len(paths) == 0 {
		return nil
	}
	in, err := db.openIngest(paths)
	if err != nil {
		return err
	}
	// Close waits: after it, the directory and the numbers of its files are another's.
	db.mu.Lock()
	if db.closing.Load() {
		db.mu.Unlock()
		return ErrClosed
	}
	db.active++
	db.mu.Unlock()
	defer func() {
		db.mu.Lock()
		db.active--
		db.cond.Broadcast()
		db.mu.Unlock()
	}()
	if err := db.importFiles(in); err != nil {
		return classify(err)
	}
	r := keyRange{start: in[0].meta.Smallest, end: clipEnd(in[len(in)-1].meta)}
	err = db.outside(r, func(s *readState) (*manifest.Edit, error) {
		seq := db.lastSeq + 1
		edit := &manifest.Edit{LastSeq: seq}
		for _, f := range in {
			f.meta.GlobalSeq, f.meta.SmallestSeq, f.meta.LargestSeq = seq, seq, seq
			edit.Added = append(edit.Added, manifest.NewFile{Level: ingestLevel(s.version, f.meta), Meta: f.meta})
		}
		return edit, nil
	})
	if err != nil && db.poisoned.Load() == nil {
		for _, f := range in {
			_ = db.fs.Remove(db.tablePath(f.meta.File))
		}
	}
	return err
}

type ingestFile struct {
	path string
	meta *manifest.FileMeta
}

// openIngest reads what is in the files, checks them whole, and sorts them by key.
func (db *DB) openIngest(paths []string) ([]ingestFile, error) {
	in := make([]ingestFile, len(paths))
	for i, path := range paths {
		meta, err := db.inspectExternal(path)
		if err != nil {
			return nil, fmt.Errorf("ingest %s: %w", path, err)
		}
		in[i] = ingestFile{path, meta}
	}
	slices.SortFunc(in, func(a, b ingestFile) int { return bytes.Compare(a.meta.Smallest, b.meta.Smallest) })
	for i := 1; i < len(in); i++ {
		if !in[i-1].meta.EndsBefore(in[i].meta.Smallest) {
			return nil, fmt.Errorf("lsm: ingest: %s and %s overlap at key %.64q", in[i-1].path, in[i].path, in[i].meta.Smallest)
		}
	}
	return in, nil
}

func (db *DB) inspectExternal(path string) (*manifest.FileMeta, error) {
	info, err := db.fs.Stat(path)
	if err != nil {
		return nil, err
	}
	f, err := db.fs.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := sstable.NewReader(f, sstable.ReaderOptions{Name: path, Size: info.Size})
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	defer r.Close()
	p := r.Properties()
	if p.Kind != sstable.External {
		return nil, fmt.Errorf("is not a table made by a TableWriter")
	}
	if err := r.VerifyBlocks(func(int64) error { return nil }); err != nil {
		return nil, err
	}
	return newFileMeta(0, r.Meta()), nil
}

// newFileMeta describes a table that was just written, or opened to be ingested.
func newFileMeta(num base.FileNum, m sstable.Meta) *manifest.FileMeta {
	return &manifest.FileMeta{
		Num: num, File: num, UID: m.UID, Size: m.Size,
		Smallest: m.Smallest, Largest: m.Largest, LargestExclusive: m.LargestExclusive,
		SmallestSeq: m.SmallestSeq, LargestSeq: m.LargestSeq,
		Entries: m.Entries, Deletes: m.Deletes, RangeDels: m.RangeDels, TTLs: m.TTLs,
		MinExpiry: m.MinExpiry, MaxExpiry: m.MaxExpiry,
		RawBytes: m.RawKeyBytes + m.RawValueBytes,
	}
}

// importFiles brings the files into the directory, durable under their numbers.
func (db *DB) importFiles(in []ingestFile) error {
	var done []string
	for _, f := range in {
		num := db.store.NewNum()
		f.meta.Num, f.meta.File = num, num
		name := db.tablePath(num)
		err := db.importFile(f.path, name)
		if err == nil {
			done = append(done, name)
			continue
		}
		for _, n := range append(done, name) {
			_ = db.fs.Remove(n)
		}
		if errors.Is(err, manifest.ErrSyncFailed) {
			err = db.poison(err)
		}
		return fmt.Errorf("ingest %s: %w", f.path, err)
	}
	if err := db.fs.SyncDir(db.dir); err != nil {
		return db.poison(fmt.Errorf("sync directory: %w", err))
	}
	return nil
}

func (db *DB) importFile(from, to string) error {
	if err := db.fs.Link(from, to); err == nil {
		// The writer synced it when it finished; another program may have copied it.
		f, err := db.fs.Open(to)
		if err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			_ = f.Close()
			return db.poison(fmt.Errorf("sync %s: %w", to, err))
		}
		return f.Close()
	}
	return db.copyFile(from, to, -1)
}

// ingestLevel returns the lowest level such that nothing above it, nor in it, overlaps
// f: its records are newer than everything that does.
func ingestLevel(v *manifest.Version, f *manifest.FileMeta) int {
	level := 0
	for l := 0; l < base.NumLevels; l++ {
		if len(v.Overlaps(l, f.Smallest, f.Largest, f.LargestExclusive)) > 0 {
			break
		}
		level = l
	}
	return level
}
