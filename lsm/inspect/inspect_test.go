package inspect

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

const dir = "/data"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func options(fs vfs.FS) *lsm.Options {
	return &lsm.Options{FS: fs, Executor: lsm.NewStepper(), Seed: 1, Memory: 8 << 20, Durability: lsm.OS, BlobThreshold: 94}
}

// small makes a store with two tables, a blob file that has the values of most keys, and a
// live log: 100 keys, of which "k050" to
// "k059" were deleted by range, "k099" by itself, and "k000" has been overwritten in
// the log.
func small(t testing.TB) *vfs.Mem {
	t.Helper()
	fs := vfs.NewMem()
	db, err := lsm.Open(dir, options(fs))
	must(t, err)
	for i := range 100 {
		must(t, db.Put(fmt.Appendf(nil, "k%03d", i), fmt.Appendf(nil, "v%d %s", i, strings.Repeat("x", 90))))
	}
	must(t, db.PutTTL([]byte("ttl"), []byte("v"), time.Hour))
	must(t, db.Flush())
	must(t, db.DeleteRange([]byte("k050"), []byte("k060")))
	must(t, db.Flush())
	must(t, db.Delete([]byte("k099")))
	must(t, db.Put([]byte("k000"), []byte("new")))
	must(t, db.Close())
	return fs
}

func files(t testing.TB, fs vfs.FS, suffix string) []string {
	t.Helper()
	names, err := fs.List(dir)
	must(t, err)
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, suffix) })
	for i, n := range names {
		names[i] = filepath.Join(dir, n)
	}
	return names
}

func TestSalvageRespectsDeletes(t *testing.T) {
	for _, lose := range []string{"", "CURRENT", "MANIFEST"} {
		fs := small(t)
		if lose != "" {
			names, err := fs.List(dir)
			must(t, err)
			for _, n := range names {
				if strings.HasPrefix(n, lose) || lose == "MANIFEST" && n == "CURRENT" {
					must(t, fs.Remove(filepath.Join(dir, n)))
				}
			}
		}
		r, err := Salvage(fs, dir, "/new", nil)
		must(t, err)
		if r.Saved != 90 || lose == "" && len(r.Lost) > 0 || lose == "MANIFEST" && len(r.Lost) == 0 {
			t.Fatalf("without %q: %v", lose, r)
		}
		db, err := lsm.Open("/new", options(fs))
		must(t, err)
		for i := range 100 {
			v, err := db.Get(fmt.Appendf(nil, "k%03d", i))
			if gone := i >= 50 && i < 60 || i == 99; gone != (err != nil) || i == 0 && string(v) != "new" {
				t.Fatalf("without %q: key %d: %q, %v", lose, i, v, err)
			}
		}
		if v, err := db.Get([]byte("ttl")); string(v) != "v" {
			t.Fatal(v, err)
		}
		must(t, db.Close())
	}
}

func TestSalvageRefuses(t *testing.T) {
	fs := small(t)
	if _, err := Salvage(fs, dir, dir, nil); err == nil {
		t.Error("into itself")
	}
	if _, err := Salvage(fs, dir, dir+"/", nil); err == nil {
		t.Error("into itself by another name")
	}
	must(t, fs.MkdirAll("/empty"))
	if _, err := Salvage(fs, "/empty", "/new", nil); err == nil {
		t.Error("of no store")
	}
}

// TestSalvageFindsMovedTables: two tables in each other's files are told by their ids.
func TestSalvageFindsMovedTables(t *testing.T) {
	fs := small(t)
	names := files(t, fs, ".sst")
	if len(names) != 2 {
		t.Fatal(names)
	}
	must(t, fs.Rename(names[0], "/tmp"))
	must(t, fs.Rename(names[1], names[0]))
	must(t, fs.Rename("/tmp", names[1]))
	c, err := Check(fs, dir, nil)
	must(t, err)
	if c.Damages() != 2 {
		t.Fatal(c)
	}
	r, err := Salvage(fs, dir, "/new", nil)
	must(t, err)
	if len(r.Lost) != 0 || r.Saved != 90 || len(r.Notes) != 2 {
		t.Fatal(r)
	}
}

func TestProgressEnds(t *testing.T) {
	fs := small(t)
	var last Progress
	o := &Options{Progress: func(p Progress) {
		if p.Done < last.Done && p.Total == last.Total || p.Done > p.Total {
			t.Fatalf("%+v after %+v", p, last)
		}
		last = p
	}}
	_, err := Check(fs, dir, o)
	must(t, err)
	if last.Done != last.Total || last.Total == 0 {
		t.Fatalf("%+v", last)
	}
	last = Progress{}
	_, err = Salvage(fs, dir, "/new", o)
	must(t, err)
	if last.Done != last.Total {
		t.Fatalf("%+v", last)
	}
}

func TestBytesJSON(t *testing.T) {
	for _, b := range []Bytes{nil, {}, Bytes("plain"), Bytes("a\x00\xff\"\\\n\u00e4")} {
		p, err := json.Marshal(b)
		must(t, err)
		var back Bytes
		must(t, json.Unmarshal(p, &back))
		if string(back) != string(b) || (back == nil) != (b == nil) {
			t.Errorf("%q became %s and %q", []byte(b), p, []byte(back))
		}
	}
}

// FuzzDump gives every dump arbitrary files.
func FuzzDump(f *testing.F) {
	fs := small(f)
	for _, suffix := range []string{".sst", ".blob", ".log", ""} {
		for _, name := range files(f, fs, suffix) {
			x, err := fs.Open(name)
			must(f, err)
			n, err := x.Size()
			must(f, err)
			b := make([]byte, n)
			_, _ = x.ReadAt(b, 0)
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fs := vfs.NewMem()
		must(t, fs.MkdirAll(dir))
		for _, name := range []string{"CURRENT", "MANIFEST-000001", "000004.log", "000003.sst", "000005.blob"} {
			x, err := fs.Create(filepath.Join(dir, name))
			must(t, err)
			_, err = x.WriteAt(b, 0)
			must(t, err)
			must(t, x.Close())
			path := filepath.Join(dir, name)
			_ = DumpLog(fs, path, nil, func(r *LogRecord) error { _ = r.String(); return nil })
			_ = DumpTable(fs, path, nil, func(r *TableRecord) error { _ = r.String(); return nil })
			_ = DumpManifest(fs, path, nil, func(r *ManifestRecord) error { _ = r.String(); return nil })
		}
		r, err := Check(fs, dir, nil)
		must(t, err)
		_ = r.String()
		_, _ = Stats(fs, dir, nil)
		s, err := Salvage(fs, dir, "/new", nil)
		must(t, err)
		if c, err := Check(fs, "/new", nil); err != nil || !c.OK() {
			t.Fatalf("salvaged %v, and it is damaged: %v %v", s, c, err)
		}
	})
}
