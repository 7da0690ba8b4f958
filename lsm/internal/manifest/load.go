package manifest

import (
	"errors"
	"fmt"
	iofs "io/fs"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// ErrNoStore is returned by Load for a directory without a store: none of our
// files is there, or only what an interrupted Create has left.
var ErrNoStore = errors.New("manifest: no store here")

// Load opens the store in dir, which the caller has locked. It writes nothing;
// see Store.Append for the first thing that does. Until then nothing may be
// removed: what was read may not be on disk.
func Load(fs vfs.FS, dir string) (*Store, State, error) {
	st, err := load(fs, dir)
	if err != nil {
		return nil, State{}, err
	}
	// Files that are on disk and in no edit: what an interrupted run has left.
	names, err := fs.List(dir)
	if err != nil {
		return nil, State{}, fmt.Errorf("manifest: %w", err)
	}
	for _, name := range names {
		if _, num, ok := ParseName(name); ok {
			st.NextFile = max(st.NextFile, num+1)
		}
	}
	return newStore(fs, dir, st), st, nil
}

// LoadReadOnly reads the store in dir as Load does. Another process may be
// writing it: the result is the store at one moment.
func LoadReadOnly(fs vfs.FS, dir string) (State, error) {
	for try := 0; ; try++ {
		before, berr := readCurrent(fs, dir)
		st, err := load(fs, dir)
		if err == nil || try == readOnlyTries {
			return st, err
		}
		// The writer may have switched to a new manifest meanwhile, or been at work at
		// the end of this one.
		if now, nerr := readCurrent(fs, dir); berr == nil && nerr == nil && now == before && !errors.Is(err, base.ErrCorruption) {
			return st, err
		}
	}
}

const readOnlyTries = 4

func load(fs vfs.FS, dir string) (State, error) {
	c, err := readCurrent(fs, dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return State{}, withoutCurrent(fs, dir)
	}
	if err != nil {
		return State{}, err
	}
	st, edits, err := readManifest(fs, dir, c.manifest, wal.Expect{MinEnd: c.length, Clean: c.closed})
	if err == nil && edits == 0 {
		err = base.Corruptf(Path(dir, FileManifest, c.manifest), st.End, "no snapshot")
	}
	if err != nil {
		return State{}, err
	}
	st.Closed = c.closed
	return st, nil
}

// withoutCurrent tells a store that has lost its CURRENT from a directory without
// a store. An interrupted Create is the latter: it leaves the first manifest,
// empty, and nothing else, since logs and tables are made after CURRENT only.
func withoutCurrent(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return ErrNoStore
	}
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	lost := func(because string) error {
		return base.Corruptf(Path(dir, FileCurrent, 0), -1, "missing, but %s is there", because)
	}
	for _, name := range names {
		kind, num, ok := ParseName(name)
		switch {
		case !ok || kind == FileLock || kind == FileCurrentTmp:
		case kind != FileManifest || num != firstManifest:
			return lost(name)
		default:
			st, edits, err := readManifest(fs, dir, num, wal.Expect{})
			if err != nil && !errors.Is(err, base.ErrCorruption) {
				return err
			}
			if err != nil || edits > 1 || st.Version.Files() > 0 || st.MinLog > 0 || st.LastSeq > 0 {
				return lost(name)
			}
		}
	}
	return ErrNoStore
}

// readManifest replays one manifest and returns how many edits it has.
func readManifest(fs vfs.FS, dir string, num base.FileNum, expect wal.Expect) (State, int, error) {
	name := Path(dir, FileManifest, num)
	f, err := fs.Open(name)
	if errors.Is(err, iofs.ErrNotExist) {
		return State{}, 0, base.Corruptf(name, -1, "missing, but CURRENT names it")
	}
	if err != nil {
		return State{}, 0, fmt.Errorf("manifest: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return State{}, 0, fmt.Errorf("manifest: %s: %w", name, err)
	}
	r := replay{state: State{Manifest: num, NextFile: num + 1}}
	tail, err := wal.Scan(f, size, name, wal.KindManifest, num, expect, func(off int64, payload []byte) error {
		if len(payload) == 0 {
			return nil // a frame for the sake of its mark
		}
		e, err := DecodeEdit(payload)
		if err == nil {
			err = r.add(e)
		}
		switch {
		case errors.Is(err, ErrNewerFormat):
			return fmt.Errorf("manifest: %s at %d: %w", name, off, err)
		case err != nil:
			return &base.CorruptionError{File: name, Offset: off, Err: err}
		}
		return nil
	})
	if err != nil {
		return State{}, 0, err
	}
	r.state.End, r.state.Dropped = tail.End, tail.Dropped
	st, err := r.finish()
	if err != nil {
		return State{}, 0, &base.CorruptionError{File: name, Offset: -1, Err: err}
	}
	return st, r.edits, nil
}
