package lsm

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// TestTableWriterOnIngestedFile: Ingest may link the file, so that a new table under its
// name must not be written into it.
func TestTableWriterOnIngestedFile(t *testing.T) {
	for _, fs := range []vfs.FS{vfs.NewMem(), vfs.OS} {
		dir := "/"
		if fs == vfs.OS {
			dir = t.TempDir()
		}
		o := &Options{FS: fs}
		path := filepath.Join(dir, "in.sst")
		table := func(value string) {
			w, err := NewTableWriter(path, o)
			mustDo(t, err)
			mustDo(t, w.Put([]byte("k"), []byte(value)))
			mustDo(t, w.Finish())
		}
		db, err := Open(filepath.Join(dir, "db"), o)
		mustDo(t, err)
		defer db.Close()
		for i := range 3 {
			table(fmt.Sprint(i))
			if i > 0 {
				mustDo(t, db.Verify(t.Context()))
				if v, err := db.Get([]byte("k")); err != nil || string(v) != fmt.Sprint(i-1) {
					t.Fatalf("%q, %v", v, err)
				}
			}
			mustDo(t, db.Ingest([]string{path}))
		}
		if _, err := NewTableWriter(filepath.Join(dir, "db"), o); err == nil {
			t.Fatal("a table in place of a directory")
		}
	}
}

// TestUnreadableSectorInReadAhead: reading ahead meets a sector that the disk cannot
// read; only the block that is in it is lost to a scan, not those before it.
func TestUnreadableSectorInReadAhead(t *testing.T) {
	fs := vfs.NewFault(vfs.NewMem())
	db, err := Open("/db", &Options{FS: fs, Executor: NewStepper(), Compression: []Compression{NoCompression}})
	mustDo(t, err)
	defer db.Close()
	const keys = 2000
	key := func(i int) []byte { return fmt.Appendf(nil, "key%06d", i) }
	for i := range keys {
		mustDo(t, db.Put(key(i), make([]byte, 1000)))
	}
	mustDo(t, db.Flush())
	const bad = 1_000_000
	fs.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpRead && filepath.Ext(op.Name) == ".sst" && op.Offset <= bad && bad < op.Offset+int64(op.Len) {
			return syscall.EIO
		}
		return nil
	})
	it, err := db.NewIter(nil)
	mustDo(t, err)
	defer it.Close()
	n := 0
	for it.First(); it.Valid(); it.Next() {
		n++
	}
	if !errors.Is(it.Err(), syscall.EIO) || n < bad/1030-10 || n > bad/1000+10 {
		t.Errorf("%d keys forwards, then %v", n, it.Err())
	}
	m := 0
	for it.Last(); it.Valid(); it.Prev() {
		m++
	}
	if !errors.Is(it.Err(), syscall.EIO) || n+m < keys-10 || n+m >= keys {
		t.Errorf("%d keys forwards, %d backwards, then %v", n, m, it.Err())
	}
}

// TestSeekPastUnreadableTable: a table that cannot be read fails the seeks into it, and not
// the next one into another table of its level.
func TestSeekPastUnreadableTable(t *testing.T) {
	fs := vfs.NewFault(vfs.NewMem())
	db, err := OpenShaped("/db", &Options{FS: fs, Executor: NewStepper(), Durability: None, Compression: []Compression{NoCompression}}, Shape{Memtable: 256 << 10, Table: 64 << 10, BaseLevel: 128 << 10, Fanout: 4, Sealed: 2})
	mustDo(t, err)
	defer db.Close()
	const keys = 2000
	key := func(i int) []byte { return fmt.Appendf(nil, "key%06d", i) }
	for i := range keys {
		mustDo(t, db.Put(key(i), make([]byte, 1000)))
	}
	mustDo(t, db.Compact(t.Context(), nil, nil))
	if n := Levels(db); n[6] < 3 {
		t.Fatalf("tables: %v", n)
	}
	bad := db.fileOf(db.state.Load().tables[6][0])
	for name, move := range map[string]func(*Iterator) bool{
		"SeekGE": func(it *Iterator) bool { return it.SeekGE(key(keys - 100)) },
		"SeekLT": func(it *Iterator) bool { return it.SeekLT(key(keys - 100)) },
		"Last":   (*Iterator).Last,
	} {
		it, err := db.NewIter(nil)
		mustDo(t, err)
		defer it.Close()
		it.SeekGE(key(0))
		fs.SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpRead && op.Name == bad {
				return syscall.EIO
			}
			return nil
		})
		for it.Valid() {
			it.Next()
		}
		if !errors.Is(it.Err(), syscall.EIO) {
			t.Errorf("%s: %v", name, it.Err())
		}
		if !move(it) || it.Err() != nil {
			t.Errorf("%s in another table: %v", name, it.Err())
		}
		fs.SetHook(nil)
		if !it.First() || !it.Valid() || it.Err() != nil {
			t.Errorf("%s, and First: %v", name, it.Err())
		}
	}
}
