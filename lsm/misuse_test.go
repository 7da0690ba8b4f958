package lsm_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// saying wants an error with all of the words in it.
func saying(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func TestOpenWhereAFileIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, []byte("mine"), 0o600))
	for _, o := range []*lsm.Options{nil, {ReadOnly: true}, {MustExist: true}} {
		_, err := lsm.Open(path, o)
		saying(t, err, path, "directory")
		_, err = lsm.Open(filepath.Join(path, "below"), o)
		saying(t, err, path)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("the file has %q, %v", b, err)
	}
}

func TestOpenWhereNothingIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	for _, o := range []*lsm.Options{{ReadOnly: true}, {MustExist: true}} {
		if _, err := lsm.Open(dir, o); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Error("the directory was made:", err)
		}
	}
	must(t, os.Mkdir(dir, 0o700))
	for _, o := range []*lsm.Options{{ReadOnly: true}, {MustExist: true}} {
		if _, err := lsm.Open(dir, o); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
}

func TestOpenWithoutPermission(t *testing.T) {
	if os.Getuid() == 0 {
		// Root may do everything; a file system that refuses stands in.
		for _, kind := range []vfs.OpKind{vfs.OpLock, vfs.OpMkdir, vfs.OpCreate, vfs.OpList, vfs.OpRename} {
			f := vfs.NewFault(vfs.NewMem())
			f.SetHook(func(op vfs.Op) error {
				if op.Kind == kind {
					return fs.ErrPermission
				}
				return nil
			})
			if _, err := lsm.Open("/a/b", &lsm.Options{FS: f}); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("without permission for %v: %v", kind, err)
			}
		}
		return
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o500))
	defer os.Chmod(dir, 0o700)
	if _, err := lsm.Open(filepath.Join(dir, "store"), nil); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}

const lockedDir = "RINGWOOD_TEST_LOCKED_DIR"

// TestHolder is the other process of TestLockNamesItsHolder.
func TestHolder(t *testing.T) {
	dir := os.Getenv(lockedDir)
	if dir == "" {
		t.Skip("only as a child of TestLockNamesItsHolder")
	}
	_, err := lsm.Open(dir, nil)
	fmt.Printf("holds %v\n", err)
	time.Sleep(time.Minute)
}

func TestLockNamesItsHolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	cmd := exec.Command(os.Args[0], "-test.run=^TestHolder$")
	cmd.Env = append(os.Environ(), lockedDir+"="+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line := make([]byte, 100)
	n, _ := out.Read(line)
	if string(line[:n]) != "holds <nil>\n" {
		t.Fatalf("%q", line[:n])
	}
	_, err = lsm.Open(dir, nil)
	if !errors.Is(err, lsm.ErrLocked) {
		t.Error(err)
	}
	saying(t, err, dir, fmt.Sprintf("process %d on ", cmd.Process.Pid))
	ro, err := lsm.Open(dir, &lsm.Options{ReadOnly: true})
	must(t, err)
	must(t, ro.Close())
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	db, err := lsm.Open(dir, nil) // the lock went with the process
	must(t, err)
	_, err = lsm.Open(dir, nil)
	if !errors.Is(err, lsm.ErrLocked) {
		t.Error(err)
	}
	saying(t, err, fmt.Sprintf("process %d on ", os.Getpid()))
	must(t, db.Close())
}

// TestNewerFormat meets a store of a later version: it is refused, and not called
// damaged.
func TestNewerFormat(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, nil)
	must(t, db.Put([]byte("k"), []byte("v")))
	must(t, db.Close())
	name := filepath.Join(dir, "CURRENT")
	b, err := os.ReadFile(name)
	must(t, err)
	body := strings.Replace(string(b), "ringwood lsm 2\n", "ringwood lsm 99\n", 1)
	body = body[:strings.LastIndex(body, "crc ")]
	must(t, os.WriteFile(name, fmt.Appendf([]byte(body), "crc %08x\n", checksum([]byte(body))), 0o600))
	for _, o := range []*lsm.Options{nil, {ReadOnly: true}} {
		_, err := lsm.Open(dir, o)
		if !errors.Is(err, manifest.ErrNewerFormat) || errors.Is(err, lsm.ErrCorruption) {
			t.Error(err)
		}
		saying(t, err, name, "newer format", "99", "1")
	}
	now, err := os.ReadFile(name)
	must(t, err)
	must(t, os.WriteFile(name, b, 0o600))
	if !strings.Contains(string(now), "lsm 99") {
		t.Error("the store was changed")
	}
	db = open(t, dir, nil)
	if v, err := db.Get([]byte("k")); err != nil || string(v) != "v" {
		t.Error(string(v), err)
	}
}

// checksum is the one of docs/manifest.md: CRC32C over number, offset and content,
// masked.
func checksum(b []byte) uint32 {
	seed := make([]byte, 16)
	binary.LittleEndian.PutUint64(seed, 0)
	c := crc32.Update(0, crc32.MakeTable(crc32.Castagnoli), append(seed, b...))
	return (c>>15 | c<<17) + 0xa282ead8
}

func TestContradictoryOptions(t *testing.T) {
	for _, c := range []struct {
		o    lsm.Options
		says string
	}{
		{lsm.Options{Memory: 1 << 20}, "Memory"},
		{lsm.Options{Memory: -1}, "Memory"},
		{lsm.Options{RowCache: 256<<10 - 1}, "RowCache"},
		{lsm.Options{RowCache: -1}, "RowCache"},
		{lsm.Options{Memory: 8 << 20, RowCache: 4<<20 + 1}, "RowCache"},
		{lsm.Options{Durability: 3}, "Durability"},
		{lsm.Options{Compression: []lsm.Compression{0, 9}}, "Compression"},
		{lsm.Options{FilterBitsPerKey: 33}, "FilterBitsPerKey"},
		{lsm.Options{BlockSize: 100}, "BlockSize"},
		{lsm.Options{BlockSize: 2 << 20}, "BlockSize"},
		{lsm.Options{CompactionConcurrency: -1}, "CompactionConcurrency"},
		{lsm.Options{CompactionConcurrency: 65}, "CompactionConcurrency"},
		{lsm.Options{BlobThreshold: 31}, "BlobThreshold"},
		{lsm.Options{MaxOpenFiles: 3}, "MaxOpenFiles"},
		{lsm.Options{MaxOpenFiles: -3}, "MaxOpenFiles"},
	} {
		m := vfs.NewMem()
		c.o.FS = m
		_, err := lsm.Open("/a", &c.o)
		saying(t, err, "options", c.says)
		if names, _ := m.List("/"); len(names) > 0 {
			t.Errorf("%s: Open has made %v", c.says, names)
		}
	}
}

// TestReadOnlyWritesNothing opens a store that needs recovery, and compares every byte.
func TestReadOnlyWritesNothing(t *testing.T) {
	m := vfs.NewMem()
	o := &lsm.Options{FS: m, Executor: lsm.NewStepper()}
	db, err := lsm.OpenShaped(storeDir, o, tiny)
	must(t, err)
	for i := range 400 {
		must(t, db.Put(key(i), val(i, 300)))
	}
	f := vfs.NewFault(m.CrashClone(vfs.CrashOptions{}))
	f.SetHook(func(op vfs.Op) error {
		if op.Kind.Changes() {
			t.Error(op)
		}
		return nil
	})
	for range 2 {
		ro, err := lsm.Open(storeDir, &lsm.Options{FS: f, ReadOnly: true})
		must(t, err)
		for i := range 400 {
			if v, err := ro.Get(key(i)); err != nil || string(v) != string(val(i, 300)) {
				t.Fatal(i, err)
			}
		}
		for name, err := range map[string]error{
			"put": ro.Put(nil, nil), "delete": ro.Delete(nil), "range": ro.DeleteRange(nil, nil), "flush": ro.Flush(),
			"sync": ro.Sync(), "compact": ro.Compact(t.Context(), nil, nil), "checkpoint": ro.Checkpoint("/b"),
			"excise": ro.Excise(nil, nil), "ingest": ro.Ingest([]string{"/x"}),
			"update": ro.Update(func(tx *lsm.Txn) error { return tx.Put(nil, nil) }),
		} {
			if !errors.Is(err, lsm.ErrReadOnly) {
				t.Errorf("%s on a read-only store: %v", name, err)
			}
		}
		must(t, ro.Close())
	}
	must(t, db.Close())
}
