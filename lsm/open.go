package lsm

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/cache"
	"github.com/ringwood-kv/ringwood/lsm/internal/compaction"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/rows"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Open opens the store in dir, and creates it, with dir, if there is none. o may be
// nil. Logs of an earlier run are replayed, written into tables and synced before Open
// returns, so that nothing depends on what the page cache happens to hold.
//
// A store is opened by one process at a time (ErrLocked names the other), except with
// Options.ReadOnly. Damage is ErrCorruption, never an older or emptier store: see
// CorruptionError for what to do then.
func Open(dir string, o *Options) (*DB, error) { return open(dir, o, nil) }

// open is Open. tune, if not nil, may change plan and shape before anything depends on
// them.
func open(dir string, o *Options, tune func(*DB)) (*DB, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if opts.Seed == 0 {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return nil, fmt.Errorf("lsm: seed: %w", err)
		}
		opts.Seed = int64(binary.LittleEndian.Uint64(b[:]))
	}
	if opts.FS == nil {
		opts.FS = vfs.OS
	}
	if dir == "" {
		return nil, fmt.Errorf("lsm: open: no directory was named")
	}
	if now := opts.Clock(); now.Before(time.Unix(0, 1)) || now.After(time.Unix(0, math.MaxInt64)) {
		return nil, fmt.Errorf("lsm: options: Clock says %v, and times from 1970 to 2262 can be kept", now)
	}
	dir, err = absolute(opts.FS, dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	db := &DB{dir: dir, fs: opts.FS, opts: opts}
	db.cond = sync.NewCond(&db.mu)
	db.left.step.L = &db.left.mu
	db.stepped = opts.Executor != nil
	db.work.exec = opts.Executor
	db.work.lead = func() {
		defer db.work.wait.Done()
		db.leadAsync()
	}
	db.tables = make(map[base.FileNum]*table)
	db.files.n = make(map[base.FileNum]int)
	db.bad = make(map[base.FileNum]bool)
	db.spared = make(map[base.FileNum]spare)
	db.plan = planMemory(opts.Memory, opts.RowCache, opts.CompactionConcurrency)
	db.shape = compaction.Options{MemtableSize: db.plan.memtable}.WithDefaults()
	db.blobFile = max(minBlobFile, db.plan.memtable)
	if tune != nil {
		tune(db)
	}
	if !opts.ReadOnly {
		db.memtables.keep = int(db.plan.memtable)
	}
	db.cache = cache.New(db.plan.total / 32)
	if opts.ReadOnly {
		err = db.openReadOnly()
	} else if db.rows, err = rows.New(opts.RowCache); err == nil {
		err = db.openReadWrite()
	}
	if err != nil {
		db.noteCorruption(err)
		db.abandon()
		if isCorruption(err) {
			err = fmt.Errorf("%w; kvctl check %s tells what to do", err, dir)
		}
		return nil, fmt.Errorf("open %s: %w", dir, classify(err))
	}
	db.resizeCache(0)
	db.mu.Lock()
	db.updatePaceLocked()
	db.scheduleLocked()
	if !db.stepped && !opts.ReadOnly {
		db.wakeAfterLocked(tickPause)
	}
	db.mu.Unlock()
	return db, nil
}

// absolute makes a path independent of the working directory, which may change while the
// store is open. Other file systems have none.
func absolute(fsys vfs.FS, path string) (string, error) {
	if fsys == vfs.OS {
		return filepath.Abs(path)
	}
	return filepath.Clean(path), nil
}

// abandon gives back what a failed Open has taken. Files that it made are left to the
// next one.
func (db *DB) abandon() {
	db.closing.Store(true)
	db.work.close()
	db.memtables.close()
	if s := db.state.Swap(nil); s != nil {
		s.release()
		db.retireAll(s)
	} else {
		db.rows.Free()
	}
	for _, l := range db.logs {
		_ = l.close()
	}
	if db.store != nil {
		_ = db.store.Close(false)
	}
	db.cache.Close()
	if db.lock != nil {
		_ = db.lock.Close()
	}
}

func (db *DB) openReadWrite() error {
	if err := db.lockDir(); err != nil {
		return err
	}
	store, st, err := manifest.Load(db.fs, db.dir)
	if errors.Is(err, manifest.ErrNoStore) {
		if db.opts.MustExist {
			return fmt.Errorf("there is no store: %w", fs.ErrNotExist)
		}
		if store, err = manifest.Create(db.fs, db.dir); err == nil {
			st = store.State()
		}
	}
	if err != nil {
		return err
	}
	db.store = store
	if err := db.checkTables(st.Version); err != nil {
		return err
	}
	return db.recover(st)
}

// lockDir makes dir if need be and takes its lock.
func (db *DB) lockDir() error {
	info, err := db.fs.Stat(db.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && db.opts.MustExist:
		return fmt.Errorf("there is no store: %w", fs.ErrNotExist)
	case errors.Is(err, fs.ErrNotExist):
		if err := db.fs.MkdirAll(db.dir); err != nil {
			return err
		}
	case err != nil:
		return err
	case !info.IsDir:
		return fmt.Errorf("is not a directory")
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	holder := fmt.Sprintf("process %d on %s, since %s", os.Getpid(), host, time.Now().Format(time.RFC3339))
	db.lock, err = db.fs.Lock(manifest.Path(db.dir, manifest.FileLock, 0), holder)
	var locked *vfs.LockedError
	if errors.As(err, &locked) {
		return fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return err
}

// checkTables sees that the files of all tables are there, and the blob files. What is in
// them is checked when they are opened.
func (db *DB) checkTables(v *manifest.Version) error {
	return eachFile(db.dir, v, func(name string, size int64, f *manifest.FileMeta) error {
		info, err := db.fs.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return lostFile(name, f, err)
		}
		if err != nil {
			return err
		}
		return checkSize(name, f, info.Size, size)
	})
}

// checkSize sees that a file of n bytes is as large as the manifest says.
func checkSize(name string, f *manifest.FileMeta, n, size int64) error {
	if n == size {
		return nil
	}
	return lostFile(name, f, fmt.Errorf("the file has %d bytes, the manifest says %d", n, size))
}

// lostFile is the error for a file that a version needs; f is nil for a blob file.
func lostFile(name string, f *manifest.FileMeta, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("the manifest has this file, but it is not there: %w", err)
	}
	ce := &CorruptionError{File: name, Offset: -1, Err: err}
	if f != nil {
		if ce.Lower = f.Smallest; !f.Unbounded() {
			ce.Upper = f.Largest
		}
	}
	return ce
}

// eachFile calls fn for every table file and every blob file of v; f is nil for these.
// Tables may share a file.
func eachFile(dir string, v *manifest.Version, fn func(name string, size int64, f *manifest.FileMeta) error) error {
	for _, files := range v.Levels {
		for _, f := range files {
			if err := fn(manifest.Path(dir, manifest.FileTable, f.File), f.Size, f); err != nil {
				return err
			}
		}
	}
	for _, b := range v.Blobs {
		if err := fn(manifest.Path(dir, manifest.FileBlob, b.Num), b.Size, nil); err != nil {
			return err
		}
	}
	return nil
}

// openReadOnly takes a picture of the store as it is on disk. Another process may be
// changing it: a file that is gone, or damage that another look does not find, means
// that the picture has to be taken again.
func (db *DB) openReadOnly() error {
	info, err := db.fs.Stat(db.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no store: %w", fs.ErrNotExist)
	}
	if err != nil {
		return err
	}
	if !info.IsDir {
		return fmt.Errorf("is not a directory")
	}
	const tries = 20
	for try := 1; ; try++ {
		err := db.readOnlyTry()
		if errors.Is(err, manifest.ErrNoStore) {
			return fmt.Errorf("there is no store: %w", fs.ErrNotExist)
		}
		vanished := errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrCorruption)
		if err == nil || !vanished || try == tries {
			return err
		}
	}
}

func (db *DB) readOnlyTry() (err error) {
	st, err := manifest.LoadReadOnly(db.fs, db.dir)
	if err != nil {
		return err
	}
	held := make(map[string]vfs.File)
	var mems []*memtable
	defer func() {
		if err == nil {
			return
		}
		for _, f := range held {
			_ = f.Close()
		}
		for _, m := range mems {
			m.free()
		}
	}()
	err = eachFile(db.dir, st.Version, func(name string, size int64, f *manifest.FileMeta) error {
		if held[name] == nil {
			file, err := db.fs.Open(name)
			if errors.Is(err, fs.ErrNotExist) {
				return lostFile(name, f, err)
			}
			if err != nil {
				return err
			}
			held[name] = file
		}
		// The name may be gone by now.
		n, err := held[name].Size()
		if err != nil {
			return err
		}
		return checkSize(name, f, n, size)
	})
	if err != nil {
		return err
	}
	r := replayer{db: db, last: st.LastSeq, sealed: func(m *memtable) error {
		mems = append([]*memtable{m}, mems...)
		return nil
	}}
	if _, err := r.run(st); err != nil {
		return err
	}
	db.held = held
	db.lastSeq = r.last
	db.visible.Store(uint64(r.last))
	db.mu.Lock()
	defer db.mu.Unlock()
	db.imm = mems
	for _, m := range mems {
		m.born = 1
	}
	db.installLocked(nil, mems, st.Version)
	return nil
}

// tablePath, blobPath and logPath name the files of the store.
func (db *DB) tablePath(num base.FileNum) string {
	return manifest.Path(db.dir, manifest.FileTable, num)
}

func (db *DB) blobPath(num base.FileNum) string {
	return manifest.Path(db.dir, manifest.FileBlob, num)
}

func (db *DB) logPath(num base.FileNum) string {
	return manifest.Path(db.dir, manifest.FileLog, num)
}
