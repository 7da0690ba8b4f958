package manifest

import (
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Current is what the file CURRENT says.
type Current struct {
	Manifest base.FileNum
	Length   int64 // the manifest was whole and synced up to here
	Closed   bool  // and ended exactly there
}

// ReadCurrent reads CURRENT, for tools. Damage is a *base.CorruptionError; an error of
// the file system, also that there is no such file, is handed on.
func ReadCurrent(fs vfs.FS, dir string) (Current, error) {
	c, err := readCurrent(fs, dir)
	return Current{c.manifest, c.length, c.closed}, err
}

// EditFrame is one frame of a manifest as ScanEdits shows it.
type EditFrame struct {
	wal.Frame
	Edit *Edit // of a frame with a payload that can be decoded
	Err  error // why it cannot
}

// ScanEdits shows every frame of the manifest num in file name, for tools; see
// wal.ScanFrames.
func ScanEdits(fs vfs.FS, name string, num base.FileNum, o wal.ScanOptions, fn func(*EditFrame) error) (wal.Tail, error) {
	f, err := fs.Open(name)
	if err != nil {
		return wal.Tail{}, fmt.Errorf("manifest: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return wal.Tail{}, fmt.Errorf("manifest: %s: %w", name, err)
	}
	return wal.ScanFrames(f, size, name, wal.KindManifest, num, o, func(fr *wal.Frame) error {
		e := EditFrame{Frame: *fr}
		if len(fr.Payload) > 0 {
			e.Edit, e.Err = DecodeEdit(fr.Payload)
		}
		return fn(&e)
	})
}
