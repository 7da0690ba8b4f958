package manifest

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

const (
	firstManifest base.FileNum = 1
	// rollSize is the size from which a manifest is replaced by a snapshot, when it
	// also is more than twice as large as the snapshot that began it.
	rollSize = 4 << 20
)

// Store appends edits to the manifest of a store, and holds the state that they
// lead to. All methods are safe for concurrent use; edits happen one at a time.
type Store struct {
	fs   vfs.FS
	dir  string
	next atomic.Uint64 // the next file number
	err  atomic.Pointer[error]

	mu struct {
		sync.Mutex
		state  State
		w      *wal.Writer // nil until the first Append after Load
		roll   int64       // roll over when the manifest is larger than this
		closed bool
	}
}

func newStore(fs vfs.FS, dir string, st State) *Store {
	s := &Store{fs: fs, dir: dir}
	s.mu.state = st
	s.mu.roll = rollSize
	s.next.Store(uint64(st.NextFile))
	return s
}

// Create makes an empty store in dir, and dir itself with its missing parents,
// durably. The caller has asked Load before, which said ErrNoStore. A crash within
// leaves no store or an empty one.
func Create(fs vfs.FS, dir string) (*Store, error) {
	return CreateFrom(fs, dir, State{Version: &Version{}, NextFile: firstManifest})
}

// CreateFrom makes a store in dir, of tables and logs that are there already,
// durably and with their names synced: a checkpoint, or what was salvaged. Of st
// only the fields up to LogEnds count.
func CreateFrom(fs vfs.FS, dir string, st State) (*Store, error) {
	if err := fs.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	// Which of the parents are new is not known: a run that crashed may have made
	// some. So all of their entries are synced.
	for d := filepath.Clean(dir); ; {
		up := filepath.Dir(d)
		if up == d {
			break
		}
		if err := fs.SyncDir(up); err != nil {
			if errors.Is(err, iofs.ErrPermission) {
				break // not ours, so not new
			}
			return nil, fmt.Errorf("manifest: %s: %w: %w", up, ErrSyncFailed, err)
		}
		d = up
	}
	s := newStore(fs, dir, st)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := st.Version.Check(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if err := s.rollLocked(st); err != nil {
		return nil, err
	}
	return s, nil
}

// NewNum returns a file number that was never given out in this store.
func (s *Store) NewNum() base.FileNum { return base.FileNum(s.next.Add(1) - 1) }

// Version returns the version after the last edit.
func (s *Store) Version() *Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.state.Version
}

// State returns the state after the last edit.
func (s *Store) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.state
}

// Err returns the failure after which nothing can be appended any more, or nil.
func (s *Store) Err() error {
	if p := s.err.Load(); p != nil {
		return *p
	}
	return nil
}

// Append makes e durable and current. The first one after Load, and one that
// finds the manifest grown large, happen by a new manifest that holds the state
// after e as a snapshot.
//
// NextFile is filled in, LastSeq raised to what the added tables hold. An edit
// that does not fit the current version is refused. After an error e did not
// happen, and Append may be tried again, unless Err is not nil: then only
// reopening tells. e and its FileMetas belong to the store afterwards.
func (s *Store) Append(e *Edit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableLocked(); err != nil {
		return err
	}
	full := *e
	full.NextFile = max(e.NextFile, base.FileNum(s.next.Load()))
	st, err := s.mu.state.after(&full)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	s.raise(st.NextFile)
	if s.mu.w == nil {
		return s.rollLocked(st)
	}
	if s.mu.w.Size() > s.mu.roll {
		err := s.rollLocked(st)
		if err == nil || s.Err() != nil {
			return err
		}
		// No room for a snapshot; there may be some for an edit.
		s.mu.roll = s.mu.w.Size() + rollSize/4
	}
	if err := s.appendLocked(s.mu.w, &full); err != nil {
		return err
	}
	st.Manifest, st.Closed, st.Dropped, st.End = s.mu.state.Manifest, false, 0, s.mu.w.Size()
	s.mu.state = st
	return nil
}

// raise lifts the counter to at least next.
func (s *Store) raise(next base.FileNum) {
	for {
		n := s.next.Load()
		if n >= uint64(next) || s.next.CompareAndSwap(n, uint64(next)) {
			return
		}
	}
}

// Roll writes the current state into a new manifest.
func (s *Store) Roll() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableLocked(); err != nil {
		return err
	}
	return s.rollLocked(s.mu.state)
}

// Close ends the use of the store. With clean, and if anything was appended, it
// records that the manifest ends where it does: from then on any byte less is
// damage. Close again does nothing.
func (s *Store) Close(clean bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return nil
	}
	s.mu.closed = true
	w := s.mu.w
	if w == nil {
		return s.Err()
	}
	err := s.Err()
	if err == nil && clean {
		err = w.Sync() // the last mark
	}
	if err == nil && clean {
		_, err = writeCurrent(s.fs, s.dir, current{manifest: w.Num(), length: w.Size(), closed: true})
		if err != nil {
			s.fail(err)
		}
	}
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return err
}

func (s *Store) usableLocked() error {
	if s.mu.closed {
		return base.ErrClosed
	}
	return s.Err()
}

// fail makes err the answer from now on.
func (s *Store) fail(err error) error {
	s.err.CompareAndSwap(nil, &err)
	return s.Err()
}

// appendLocked adds one edit to w and syncs it. An edit that did not get into the
// file is taken back.
func (s *Store) appendLocked(w *wal.Writer, e *Edit) error {
	at := w.Size()
	err := w.Append(e.Encode(nil))
	if err == nil {
		if err = w.Sync(); err == nil {
			s.mark(w)
			return nil
		}
		if !w.IsBroken() {
			if derr := w.DropFrom(at); derr != nil {
				return s.fail(errors.Join(err, derr))
			}
		}
	}
	if w.IsBroken() {
		return s.fail(err)
	}
	return err
}

// mark notes in the manifest that all before is synced. Without, the last edit
// could not be told from one that a crash has torn until the next edit follows.
// The note is not synced itself: it gets to the disk soon, and is needed by nobody. If
// it breaks the file, the edit stands, and Err says that no other can follow.
func (s *Store) mark(w *wal.Writer) {
	at := w.Size()
	if err := w.Mark(); err == nil {
		err = w.Flush()
		if err != nil && !w.IsBroken() {
			_ = w.DropFrom(at)
		}
	}
	if w.IsBroken() {
		_ = s.fail(w.Err())
	}
}

// rollLocked writes st as the snapshot of a new manifest, switches CURRENT to it,
// and removes the old one. Every step is durable before the next. A failure before
// the switch leaves the store as it was.
func (s *Store) rollLocked(st State) error {
	num := s.NewNum()
	st.NextFile = max(st.NextFile, base.FileNum(s.next.Load()))
	w, err := s.writeManifest(num, &st)
	if err != nil {
		return err
	}
	switched, err := writeCurrent(s.fs, s.dir, current{manifest: num, length: w.Size()})
	if err != nil {
		if switched || errors.Is(err, ErrSyncFailed) {
			_ = w.Close()
			return s.fail(err)
		}
		s.discard(w, num)
		return err
	}
	if s.mu.w != nil {
		_ = s.mu.w.Close() // synced, and obsolete
	}
	st.Manifest, st.Closed, st.Dropped, st.End = num, false, 0, w.Size()
	s.mu.state, s.mu.w = st, w
	s.mark(w)
	s.mu.roll = max(rollSize, 2*w.Size())
	s.removeOld(num)
	return nil
}

// writeManifest makes a new manifest, durable in content and name.
func (s *Store) writeManifest(num base.FileNum, st *State) (*wal.Writer, error) {
	name := Path(s.dir, FileManifest, num)
	f, err := s.fs.Create(name)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	w, err := wal.Create(f, name, wal.KindManifest, num, uint64(st.LastSeq))
	if err == nil {
		if err = w.Append(st.snapshot().Encode(nil)); err == nil {
			err = w.Sync()
		}
	}
	if err == nil {
		if err = s.fs.SyncDir(s.dir); err == nil {
			return w, nil
		}
		err = fmt.Errorf("manifest: %s: %w: %w", s.dir, ErrSyncFailed, err)
	}
	if errors.Is(err, ErrSyncFailed) {
		_ = w.Close()
		return nil, s.fail(err)
	}
	s.discard(w, num)
	return nil, err
}

// discard removes a manifest that CURRENT does not name.
func (s *Store) discard(w *wal.Writer, num base.FileNum) {
	if w != nil {
		_ = w.Abandon()
	}
	_ = s.fs.Remove(Path(s.dir, FileManifest, num))
}

// removeOld removes every manifest before the current one. One that stays is
// removed another time.
func (s *Store) removeOld(current base.FileNum) {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return
	}
	for _, name := range names {
		if kind, num, ok := ParseName(name); ok && (kind == FileManifest && num < current || kind == FileCurrentTmp) {
			_ = s.fs.Remove(filepath.Join(s.dir, name))
		}
	}
}
