package lsm_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// cutManifest cuts the manifest of the store in dir back by its last n edits.
func cutManifest(t *testing.T, fs *vfs.Mem, dir string, n int) {
	t.Helper()
	for name, b := range filesOf(t, fs, dir) {
		kind, num, ok := manifest.ParseName(name)
		if !ok || kind != manifest.FileManifest {
			continue
		}
		var edits []int64
		_, err := wal.Scan(bytes.NewReader(b), int64(len(b)), name, wal.KindManifest, num, wal.Expect{}, func(off int64, p []byte) error {
			if len(p) > 0 {
				edits = append(edits, off)
			}
			return nil
		})
		must(t, err)
		putFile(t, fs, filepath.Join(dir, name), b[:edits[len(edits)-n]])
	}
}

// crashed returns what a crash leaves of a store in which do was done.
func crashed(t *testing.T, do func(*lsm.DB, vfs.FS)) *vfs.Mem {
	t.Helper()
	fs := vfs.NewMem()
	db, err := lsm.Open(damageDir, damageOptions(fs))
	must(t, err)
	do(db, fs)
	left := fs.CrashClone(vfs.CrashOptions{})
	_ = db.Close()
	return left
}

func mustBeCorrupt(t *testing.T, fs vfs.FS) {
	t.Helper()
	for _, readOnly := range []bool{true, false} {
		o := damageOptions(fs)
		o.ReadOnly = readOnly
		db, err := lsm.Open(damageDir, o)
		if err == nil {
			_ = db.Close()
		}
		if !errors.Is(err, lsm.ErrCorruption) {
			t.Fatalf("read-only %v: opened with %v", readOnly, err)
		}
	}
}

// TestManifestCutToItsBeginning: the snapshot that Create writes names no log, and
// opened as an empty store that removed everything.
func TestManifestCutToItsBeginning(t *testing.T) {
	for _, flush := range []bool{false, true} {
		fs := crashed(t, func(db *lsm.DB, _ vfs.FS) {
			must(t, db.Put([]byte("k"), []byte("v")))
			if flush {
				must(t, db.Flush())
			} else {
				must(t, db.Sync())
			}
		})
		cutManifest(t, fs, damageDir, 1+map[bool]int{true: 1}[flush])
		mustBeCorrupt(t, fs)
	}
}

// TestManifestCutBeforeIngest: the ingested table was taken for an orphan and removed.
func TestManifestCutBeforeIngest(t *testing.T) {
	fs := crashed(t, func(db *lsm.DB, fs vfs.FS) {
		w, err := lsm.NewTableWriter("/x.sst", damageOptions(fs))
		must(t, err)
		must(t, w.Put([]byte("k"), []byte("v")))
		must(t, w.Finish())
		must(t, db.Ingest([]string{"/x.sst"}))
	})
	cutManifest(t, fs, damageDir, 1)
	mustBeCorrupt(t, fs)
}

// TestManifestCutBeforeExcise: what was excised from the middle of a table was back.
func TestManifestCutBeforeExcise(t *testing.T) {
	fs := crashed(t, func(db *lsm.DB, _ vfs.FS) {
		for _, k := range strings.Split("abcdefgh", "") {
			must(t, db.Put([]byte(k), []byte("v")))
		}
		must(t, db.Flush())
		must(t, db.Excise([]byte("c"), []byte("f")))
	})
	cutManifest(t, fs, damageDir, 1)
	mustBeCorrupt(t, fs)
}

// TestReadOnlyOpenOfMissingTable: it was a plain "no such file".
func TestReadOnlyOpenOfMissingTable(t *testing.T) {
	fs := crashed(t, func(db *lsm.DB, _ vfs.FS) {
		must(t, db.Put([]byte("k"), []byte("v")))
		must(t, db.Flush())
	})
	for name := range filesOf(t, fs, damageDir) {
		if strings.HasSuffix(name, ".sst") {
			must(t, fs.Remove(filepath.Join(damageDir, name)))
		}
	}
	mustBeCorrupt(t, fs)
	for _, readOnly := range []bool{true, false} {
		_, err := lsm.Open(damageDir, &lsm.Options{FS: fs, ReadOnly: readOnly})
		saying(t, err, "the manifest has this file, but it is not there", "kvctl check "+damageDir)
	}
}
