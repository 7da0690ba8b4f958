package lsm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Checkpoint makes a second store in dir, which must not exist or be empty, that has
// every commit returned before the call, and of those that are under way a prefix.
// Tables and blob files are hard links, where the file system can link, so it costs
// little time and space; logs are copied. The new store is durable when Checkpoint
// returns, and independent: both may be written, moved and removed.
func (db *DB) Checkpoint(dir string) error {
	s, logs, err := db.checkpointMoment()
	if err != nil {
		return err
	}
	defer s.drop(holdTables)
	defer closeAll(logs)
	if err := db.makeEmptyDir(dir); err != nil {
		return fmt.Errorf("checkpoint: %w", classify(err))
	}
	made := &checkpoint{db: db, dir: dir}
	if err := made.write(s, logs); err != nil {
		made.remove()
		if errors.Is(err, manifest.ErrSyncFailed) {
			return db.poison(fmt.Errorf("checkpoint in %s: %w", dir, err))
		}
		return fmt.Errorf("checkpoint in %s: %w", dir, classify(err))
	}
	return nil
}

// logLength is a log up to the commits that a checkpoint has.
type logLength struct {
	log  *logFile
	file vfs.File // opened while the log was sure to exist
	end  int64
}

// checkpointMoment fixes what goes into a checkpoint: a state, and for its memtables
// their logs up to now. Of the state the tables are kept.
func (db *DB) checkpointMoment() (*readState, []logLength, error) {
	if db.opts.ReadOnly {
		return nil, nil, db.writable()
	}
	var s *readState
	var logs []logLength
	err := db.exclusive(func() error {
		if db.closing.Load() {
			return ErrClosed
		}
		if err := db.writable(); err != nil {
			return err
		}
		if err := db.log.w.Flush(); err != nil {
			return db.logFailed(db.log, err)
		}
		db.mu.Lock()
		defer db.mu.Unlock()
		if s = db.acquire(); s == nil {
			return ErrClosed
		}
		defer s.release()
		for _, l := range db.logs {
			if n := len(s.imm); n > 0 && l.num < s.imm[n-1].log || n == 0 && l.num < s.mem.log {
				continue // its memtable is in a table already
			}
			f, err := db.fs.Open(db.logPath(l.num))
			if err != nil {
				closeAll(logs)
				return err
			}
			logs = append(logs, logLength{log: l, file: f, end: l.w.Size()})
		}
		s.keep(holdTables)
		return nil
	})
	return s, logs, err
}

func closeAll(logs []logLength) {
	for _, l := range logs {
		_ = l.file.Close()
	}
}

func (db *DB) makeEmptyDir(dir string) error {
	names, err := db.fs.List(dir)
	if err == nil && len(names) > 0 {
		return fmt.Errorf("%s is not empty: %w", dir, fs.ErrExist)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return db.fs.MkdirAll(dir) // CreateFrom makes the names durable
}

// checkpoint is one under construction.
type checkpoint struct {
	db    *DB
	dir   string
	names []string
}

func (c *checkpoint) path(name string) string {
	p := filepath.Join(c.dir, name)
	c.names = append(c.names, p)
	return p
}

func (c *checkpoint) remove() {
	for _, n := range c.names {
		_ = c.db.fs.Remove(n)
	}
	if names, err := c.db.fs.List(c.dir); err == nil {
		for _, n := range names {
			if kind, _, ok := manifest.ParseName(n); ok && kind != manifest.FileLock {
				_ = c.db.fs.Remove(filepath.Join(c.dir, n))
			}
		}
	}
	_ = c.db.fs.Remove(c.dir)
}

func (c *checkpoint) write(s *readState, logs []logLength) error {
	db := c.db
	linked := make(map[string]bool)
	err := eachFile(db.dir, s.version, func(from string, _ int64, _ *manifest.FileMeta) error {
		if linked[from] {
			return nil
		}
		linked[from] = true
		to := c.path(filepath.Base(from))
		if err := db.fs.Link(from, to); err != nil {
			return db.copyFile(from, to, -1)
		}
		return nil
	})
	if err != nil {
		return err
	}
	st := manifest.State{Version: s.version, LastSeq: base.SeqNum(db.visible.Load()), NextFile: db.store.NewNum()}
	for i, l := range logs {
		to := c.path(manifest.FileName(manifest.FileLog, l.log.num))
		if err := db.copyOpen(l.file, to, l.end); err != nil {
			return err
		}
		if i == 0 {
			st.MinLog = l.log.num
		}
		st.LogEnds = append(st.LogEnds, manifest.LogEnd{Num: l.log.num, End: l.end})
	}
	// The names of tables and logs are durable before the manifest speaks of them.
	if err := db.fs.SyncDir(c.dir); err != nil {
		return fmt.Errorf("%w: %w", manifest.ErrSyncFailed, err)
	}
	store, err := manifest.CreateFrom(db.fs, c.dir, st)
	if err != nil {
		return err
	}
	return store.Close(true)
}

// copyFile copies the first n bytes of a file, all of it if n < 0, and syncs the copy.
func (db *DB) copyFile(from, to string, n int64) error {
	f, err := db.fs.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return db.copyOpen(f, to, n)
}

func (db *DB) copyOpen(f vfs.File, to string, n int64) (err error) {
	if n < 0 {
		if n, err = f.Size(); err != nil {
			return err
		}
	}
	g, err := db.fs.Create(to)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := g.Close(); err == nil {
			err = cerr
		}
	}()
	buf := make([]byte, min(n, 1<<20))
	for off := int64(0); off < n; {
		p := buf[:min(int64(len(buf)), n-off)]
		if m, err := f.ReadAt(p, off); err != nil && (err != io.EOF || m < len(p)) {
			return err
		}
		if _, err := g.WriteAt(p, off); err != nil {
			return err
		}
		off += int64(len(p))
	}
	if err := g.Sync(); err != nil {
		return fmt.Errorf("%w: %w", manifest.ErrSyncFailed, err)
	}
	return nil
}
