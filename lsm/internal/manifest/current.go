package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"strconv"
	"strings"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// current is the content of CURRENT.
type current struct {
	manifest base.FileNum
	length   int64  // the manifest was whole and synced up to here
	closed   bool   // and ended exactly there: the store was closed in an orderly way
	version  uint64 // of the format; 0 for that of this build
}

const (
	currentIntro = "ringwood lsm "
	currentMax   = 4096 // no version will need more
)

var errNotCurrent = errors.New("not in the form of a CURRENT file")

func (c current) encode() []byte {
	closed := 0
	if c.closed {
		closed = 1
	}
	s := fmt.Sprintf("%s%d\nmanifest %d\nlength %d\nclosed %d\n",
		currentIntro, cmp.Or(c.version, FormatVersion), uint64(c.manifest), c.length, closed)
	return fmt.Appendf([]byte(s), "crc %08x\n", base.Checksum(0, 0, []byte(s)))
}

// decodeCurrent accepts exactly what encode makes. The checksum comes first, so
// that a damaged version number is damage, not a newer format; every version
// begins with the version and ends with the checksum.
func decodeCurrent(b []byte) (current, error) {
	var c current
	const crcLen = len("crc 00000000\n")
	if len(b) < len(currentIntro)+crcLen || len(b) > currentMax || !strings.HasPrefix(string(b), currentIntro) {
		return c, errNotCurrent
	}
	body := b[:len(b)-crcLen]
	if want := fmt.Sprintf("crc %08x\n", base.Checksum(0, 0, body)); string(b[len(body):]) != want {
		return c, errors.New("wrong checksum")
	}
	lines := strings.Split(string(body), "\n")
	version, err := strconv.ParseUint(lines[0][len(currentIntro):], 10, 32)
	if err != nil || version == 0 {
		return c, errNotCurrent
	}
	if version > FormatVersion {
		return c, fmt.Errorf("%w: version %d, this build reads 1 to %d", ErrNewerFormat, version, FormatVersion)
	}
	var num uint64
	closed := 0
	if _, err := fmt.Sscanf(string(body), currentIntro+"%d\nmanifest %d\nlength %d\nclosed %d\n",
		&version, &num, &c.length, &closed); err != nil {
		return c, errNotCurrent
	}
	c.version, c.manifest, c.closed = version, base.FileNum(num), closed == 1
	if c.manifest == 0 || c.length <= 0 || string(c.encode()) != string(b) {
		return c, errNotCurrent
	}
	return c, nil
}

// readCurrent reads CURRENT. An error of the file system is handed on.
func readCurrent(fs vfs.FS, dir string) (current, error) {
	name := Path(dir, FileCurrent, 0)
	b, err := readSmall(fs, name)
	if err != nil {
		return current{}, err
	}
	c, err := decodeCurrent(b)
	switch {
	case errors.Is(err, ErrNewerFormat):
		return c, fmt.Errorf("manifest: %s: %w", name, err)
	case err != nil:
		return c, &base.CorruptionError{File: name, Offset: 0, Err: err}
	}
	return c, nil
}

// readSmall returns up to currentMax+1 bytes of a file.
func readSmall(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	defer f.Close()
	b := make([]byte, currentMax+1)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("manifest: %s: %w", name, err)
	}
	return b[:n], nil
}

// writeCurrent replaces CURRENT. switched says whether it may have happened: if
// so, an error is final, since nobody knows which CURRENT a crash would leave.
func writeCurrent(fs vfs.FS, dir string, c current) (switched bool, err error) {
	name, tmp := Path(dir, FileCurrent, 0), Path(dir, FileCurrentTmp, 0)
	b := c.encode()
	if err := writeSynced(fs, tmp, b); err != nil {
		return false, err
	}
	if err := fs.Rename(tmp, name); err != nil {
		err = fmt.Errorf("manifest: %w", err)
		// It failed, but did it not happen?
		if now, rerr := readSmall(fs, name); rerr == nil && string(now) != string(b) {
			return false, err
		} else if rerr != nil && errors.Is(rerr, iofs.ErrNotExist) {
			return false, err
		}
		return true, err
	}
	if err := fs.SyncDir(dir); err != nil {
		return true, fmt.Errorf("manifest: %s: %w: %w", dir, ErrSyncFailed, err)
	}
	return true, nil
}

// writeSynced makes a file with content b and syncs it. What could not be written
// is removed, so that it takes no space on a full disk.
func writeSynced(fs vfs.FS, name string, b []byte) error {
	f, err := fs.Create(name)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	n, err := f.WriteAt(b, 0)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		err = fmt.Errorf("manifest: %s: %w", name, err)
	} else if serr := f.Sync(); serr != nil {
		err = fmt.Errorf("manifest: %s: %w: %w", name, ErrSyncFailed, serr)
	}
	if cerr := f.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("manifest: %s: close: %w", name, cerr)
	}
	if err != nil && !errors.Is(err, ErrSyncFailed) {
		_ = fs.Remove(name)
	}
	return err
}
