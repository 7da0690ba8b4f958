package inspect

import (
	"fmt"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/batch"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// stale says by what other files a manifest that reads well is proved to be older than
// the store: cut short, or replaced by an older copy. "" if nothing speaks against it.
// The error says that a log could not be asked.
func (t *tree) stale(fs vfs.FS, dir string, l *listing) (because string, err error) {
	if t.minLog != 0 && !slices.Contains(l.logs, t.minLog) {
		return fmt.Sprintf("it needs %s, which is missing", manifest.FileName(manifest.FileLog, t.minLog)), nil
	}
	if t.minLog == 0 {
		known := make(map[base.FileNum]bool)
		for _, p := range t.live {
			known[p.meta.File] = true
		}
		for _, b := range t.blobs() {
			known[b.Num] = true
		}
		unknown := func(num base.FileNum) bool { return !known[num] }
		name := ""
		if i := slices.IndexFunc(l.tables, unknown); i >= 0 {
			name = manifest.FileName(manifest.FileTable, l.tables[i])
		} else if i := slices.IndexFunc(l.blobs, unknown); i >= 0 {
			name = manifest.FileName(manifest.FileBlob, l.blobs[i])
		}
		if name != "" {
			return fmt.Sprintf("it says that the store was never opened, but %s has data", name), nil
		}
	}
	for _, num := range l.logs {
		if num < t.minLog {
			continue
		}
		s, ferr := t.refuted(fs, dir, num)
		if s != "" {
			return s, nil
		}
		if err == nil && ioFailed(ferr) {
			err = ferr
		}
	}
	return "", err
}

// refuted is stale for one log.
func (t *tree) refuted(fs vfs.FS, dir string, num base.FileNum) (because string, err error) {
	name := manifest.Path(dir, manifest.FileLog, num)
	f, err := fs.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return "", err
	}
	var first base.SeqNum
	o := wal.ScanOptions{SkipDamage: true}
	_, err = wal.ScanFrames(f, size, name, wal.KindLog, num, o, func(fr *wal.Frame) error {
		if fr.Type == wal.TypeHeader {
			first = base.SeqNum(fr.Base)
		}
		if fr.Type != wal.TypeData && fr.Type != wal.TypeMarked || len(fr.Payload) == 0 || because != "" {
			return nil
		}
		g, err := batch.Decode(fr.Payload, first)
		switch {
		case err != nil:
		case t.minLog == 0:
			because = fmt.Sprintf("it says that the store was never opened, but %s has data", manifest.FileName(manifest.FileLog, num))
		case g.Count == 0 && g.Seq > t.lastSeq:
			because = fmt.Sprintf("%s says that the tree was changed under sequence number %d, the manifest knows up to %d",
				manifest.FileName(manifest.FileLog, num), g.Seq, t.lastSeq)
		}
		return nil
	})
	return because, err
}
