package inspect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func bigKey(i int) string { return fmt.Sprintf("k%03d", i) }

func bigValue(i, round int) string {
	return fmt.Sprintf("%d/%d %s", i, round, strings.Repeat(fmt.Sprint(i%7), 5000))
}

// big makes a store with two tables and a blob file of each: 60 keys, of which the first 20
// have a newer value in the second file, and the last two are deleted. It returns what the
// store holds.
func big(t testing.TB) (*vfs.Mem, map[string]string) {
	t.Helper()
	fs := vfs.NewMem()
	db, err := lsm.Open(dir, options(fs))
	must(t, err)
	want := make(map[string]string)
	put := func(i, round int) {
		want[bigKey(i)] = bigValue(i, round)
		if i%10 == 0 {
			must(t, db.PutTTL([]byte(bigKey(i)), []byte(want[bigKey(i)]), time.Hour))
		} else {
			must(t, db.Put([]byte(bigKey(i)), []byte(want[bigKey(i)])))
		}
	}
	for i := range 60 {
		put(i, 0)
	}
	must(t, db.Flush())
	for i := range 20 {
		put(i, 1)
	}
	must(t, db.Delete([]byte(bigKey(58))))
	must(t, db.DeleteRange([]byte(bigKey(59)), nil))
	delete(want, bigKey(58))
	delete(want, bigKey(59))
	must(t, db.Flush())
	must(t, db.Close())
	if len(files(t, fs, ".sst")) != 2 || len(files(t, fs, ".blob")) != 2 {
		t.Fatal("not the store that it should be")
	}
	return fs, want
}

// places returns where the values of the keys are in a blob file.
func places(t testing.TB, fs vfs.FS, name string) map[string]BlockRecord {
	t.Helper()
	m := make(map[string]BlockRecord)
	must(t, DumpTable(fs, name, nil, func(r *TableRecord) error {
		if r.Block != nil {
			m[string(r.Block.Separator)] = *r.Block
		}
		return nil
	}))
	return m
}

// blobDamages are ways to damage the blob files of big.
var blobDamages = []struct {
	name   string
	do     func(t testing.TB, fs *vfs.Mem, a, b string)
	find   string // by Check
	damage int
	lost   func(i int) bool // whose newest value Salvage cannot read
	older  bool             // there is an older one
	losses int              // parts that are lost
	notes  int
}{
	{"a value", func(t testing.TB, fs *vfs.Mem, a, _ string) {
		must(t, fs.Corrupt(a, places(t, fs, a)[bigKey(30)].Offset+20, []byte("damage")))
	}, `checksum mismatch (keys "k030" to "k030")`, 1, func(i int) bool { return i == 30 }, false, 1, 0},
	{"values side by side", func(t testing.TB, fs *vfs.Mem, a, _ string) {
		for i := 30; i < 35; i++ {
			must(t, fs.Corrupt(a, places(t, fs, a)[bigKey(i)].Offset+20, []byte("damage")))
		}
	}, `checksum mismatch (keys "k034" to "k034")`, 5, func(i int) bool { return i >= 30 && i < 35 }, false, 1, 0},
	{"a value that is shadowed", func(t testing.TB, fs *vfs.Mem, a, _ string) {
		must(t, fs.Corrupt(a, places(t, fs, a)[bigKey(3)].Offset+20, []byte("damage")))
	}, `checksum mismatch (keys "k003" to "k003")`, 1, nil, false, 0, 0},
	{"a value that is deleted", func(t testing.TB, fs *vfs.Mem, a, _ string) {
		must(t, fs.Corrupt(a, places(t, fs, a)[bigKey(58)].Offset+20, []byte("damage")))
		must(t, fs.Corrupt(a, places(t, fs, a)[bigKey(59)].Offset+20, []byte("damage")))
	}, `checksum mismatch (keys "k059" to "k059")`, 2, nil, false, 0, 0},
	{"a newest value", func(t testing.TB, fs *vfs.Mem, _, b string) {
		must(t, fs.Corrupt(b, places(t, fs, b)[bigKey(3)].Offset+20, []byte("damage")))
	}, `checksum mismatch (keys "k003" to "k003")`, 1, func(i int) bool { return i == 3 }, true, 1, 0},
	{"footer", func(t testing.TB, fs *vfs.Mem, a, _ string) {
		must(t, fs.Corrupt(a, size(t, fs, a)-50, []byte("damage")))
	}, `footer: checksum mismatch; tables need 60 values in it (keys "k000" to "k059")`, 1, nil, false, 0, 0},
	{"id in the footer", func(t testing.TB, fs *vfs.Mem, a, _ string) {
		must(t, fs.Corrupt(a, size(t, fs, a)-88, []byte("damage")))
	}, `footer: checksum mismatch; tables need 60 values`, 1, nil, false, 0, 0},
	{"properties", func(t testing.TB, fs *vfs.Mem, a, _ string) {
		x := places(t, fs, a)[bigKey(59)]
		must(t, fs.Corrupt(a, x.Offset+x.Length+1, []byte("damage")))
	}, `properties: checksum mismatch; tables need 60 values`, 1, nil, false, 0, 0},
	{"index", func(t testing.TB, fs *vfs.Mem, a, _ string) {
		must(t, fs.Corrupt(a, size(t, fs, a)-100, []byte("damage")))
	}, "index: checksum mismatch\n  next: nothing that the tables refer to is concerned", 1, nil, false, 0, 0},
	{"cut short", func(t testing.TB, fs *vfs.Mem, a, _ string) {
		put(t, fs, a, contents(t, fs, dir)[filepath.Base(a)][:places(t, fs, a)[bigKey(40)].Offset])
	}, "; tables need 60 values in it", 2, func(i int) bool { return i >= 40 && i < 58 }, false, 1, 0},
	{"something appended", func(t testing.TB, fs *vfs.Mem, a, _ string) {
		put(t, fs, a, contents(t, fs, dir)[filepath.Base(a)]+"more")
	}, "; tables need 60 values in it", 2, nil, false, 0, 0},
	{"missing", func(t testing.TB, fs *vfs.Mem, a, _ string) {
		must(t, fs.Remove(a))
	}, `missing, but tables refer to it; tables need 60 values in it (keys "k000" to "k059")`, 1,
		func(i int) bool { return i >= 20 && i < 58 }, false, 1, 0},
	{"the newer one missing", func(t testing.TB, fs *vfs.Mem, _, b string) {
		must(t, fs.Remove(b))
	}, `missing, but tables refer to it; tables need 20 values in it`, 1, func(i int) bool { return i < 20 }, true, 1, 0},
	{"in each other's places", func(t testing.TB, fs *vfs.Mem, a, b string) {
		must(t, fs.Rename(a, "/tmp"))
		must(t, fs.Rename(b, a))
		must(t, fs.Rename("/tmp", b))
	}, "; tables need 20 values in it", 2, nil, false, 0, 2},
	{"left over", func(t testing.TB, fs *vfs.Mem, a, _ string) {
		put(t, fs, filepath.Join(dir, "000900.blob"), contents(t, fs, dir)[filepath.Base(a)])
	}, "000900.blob: not needed", 0, nil, false, 0, 0},
}

func size(t testing.TB, fs vfs.FS, name string) int64 {
	t.Helper()
	info, err := fs.Stat(name)
	must(t, err)
	return info.Size
}

func put(t testing.TB, fs vfs.FS, name, b string) {
	t.Helper()
	f, err := fs.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte(b), 0)
	must(t, err)
	must(t, f.Close())
}

// TestBlobDamages damages blob files: Check tells what is wrong and which keys are
// concerned, and Salvage saves all that is left, and nothing that was deleted.
func TestBlobDamages(t *testing.T) {
	whole, want := big(t)
	for _, x := range blobDamages {
		fs := whole.CrashClone(vfs.CrashOptions{Survive: 1})
		names := files(t, fs, ".blob")
		x.do(t, fs, names[0], names[1])
		r, err := Check(fs, dir, nil)
		must(t, err)
		if r.Damages() != x.damage || !strings.Contains(r.String(), x.find) {
			t.Errorf("%s: %v", x.name, r)
		}
		for _, f := range r.Findings {
			if f.Severity == Damage && (f.Advice == "" || !strings.HasSuffix(f.File, ".blob")) {
				t.Errorf("%s: %v", x.name, &f)
			}
		}
		s, err := Salvage(fs, dir, "/new", nil)
		must(t, err)
		if len(s.Lost) != x.losses || len(s.Notes) != x.notes {
			t.Errorf("%s: %v", x.name, s)
		}
		saved := read(t, fs, "/new")
		n := 0
		for i := range 60 {
			v, there := saved[bigKey(i)]
			isLost := x.lost != nil && x.lost(i)
			named := false
			for _, l := range s.Lost {
				named = named || bigKey(i) >= string(l.Lower) && bigKey(i) <= string(l.Upper)
			}
			expect, is := want[bigKey(i)]
			if isLost {
				if expect, is = bigValue(i, 0), x.older; !is {
					expect = ""
				}
			}
			if there != is || v != expect || isLost != named {
				t.Errorf("%s: %s is there: %v, %.10q; lost: %v, reported: %v", x.name, bigKey(i), there, v, isLost, named)
			}
			if there {
				n++
			}
		}
		if n != len(saved) {
			t.Errorf("%s: %d keys too many", x.name, len(saved)-n)
		}
		if c, err := Check(fs, "/new", nil); err != nil || c.Values != uint64(n) {
			t.Errorf("%s: the new store has %d keys, and %d values in blob files", x.name, n, c.Values)
		}
	}
}

// TestSalvageBlobsWithoutManifest: references are resolved by the ids of the files.
func TestSalvageBlobsWithoutManifest(t *testing.T) {
	for _, footer := range []bool{true, false} {
		fs, want := big(t)
		for _, n := range []string{"CURRENT", "MANIFEST-000001"} {
			must(t, fs.Remove(filepath.Join(dir, n)))
		}
		if r, err := Check(fs, dir, nil); err != nil || r.Blobs != 2 || r.Values != 80 || r.Damages() != 1 {
			t.Errorf("%v, %v", err, r)
		}
		if !footer {
			b := files(t, fs, ".blob")[1]
			must(t, fs.Corrupt(b, size(t, fs, b)-50, []byte("damage")))
		}
		s, err := Salvage(fs, dir, "/new", nil)
		must(t, err)
		saved := read(t, fs, "/new")
		if len(saved) != len(want) || footer == strings.Contains(s.String(), "20 values: the footer is lost") {
			t.Errorf("footer %v: %d of %d keys: %v", footer, len(saved), len(want), s)
		}
		for k, v := range want {
			if i := (bytes.Compare([]byte(k), []byte("k020"))); footer || i >= 0 {
				if saved[k] != v {
					t.Errorf("%s = %.10q", k, saved[k])
				}
			}
		}
	}
}

// TestCheckBlobUses has the manifest say something else of blob files than is true.
func TestCheckBlobUses(t *testing.T) {
	for _, x := range []struct {
		name string
		do   func(a, b *manifest.FileMeta, blobs []*manifest.BlobMeta)
		want string
	}{
		{"nothing", func(_, _ *manifest.FileMeta, _ []*manifest.BlobMeta) {}, ""},
		{"too few values", func(a, _ *manifest.FileMeta, _ []*manifest.BlobMeta) { a.Blobs[0].Values-- }, "needs 59 values"},
		{"too many bytes", func(a, _ *manifest.FileMeta, _ []*manifest.BlobMeta) { a.Blobs[0].Bytes++ }, "and it needs 60 of"},
		{"a file not named", func(a, b *manifest.FileMeta, _ []*manifest.BlobMeta) { a.Blobs = b.Blobs }, "does not say that table"},
		{"a file too many", func(a, b *manifest.FileMeta, _ []*manifest.BlobMeta) { a.Blobs = append(a.Blobs, b.Blobs...) }, "and it needs 0 of 0"},
		{"fewer values in the file", func(_, _ *manifest.FileMeta, blobs []*manifest.BlobMeta) { blobs[0].Values-- }, "the manifest says 59 values"},
		{"fewer bytes in the file", func(_, _ *manifest.FileMeta, blobs []*manifest.BlobMeta) { blobs[0].Bytes-- }, "the manifest says 60 values"},
		{"a clipped table", func(a, _ *manifest.FileMeta, _ []*manifest.BlobMeta) {
			a.Clipped, a.LiveSize, a.Largest, a.Blobs[0].Values = true, 1, []byte("k030"), 1
		}, ""},
		{"a clipped table without its file", func(a, b *manifest.FileMeta, _ []*manifest.BlobMeta) {
			a.Clipped, a.LiveSize, a.Blobs = true, 1, b.Blobs
		}, "does not say that table"},
	} {
		fs, _ := big(t)
		st, err := manifest.LoadReadOnly(fs, dir)
		must(t, err)
		var levels [base.NumLevels][]*manifest.FileMeta
		for _, f := range st.Version.Levels[0] { // newest first
			c := *f
			c.Blobs = append([]manifest.BlobUse{}, f.Blobs...)
			levels[0] = append(levels[0], &c)
		}
		var blobs []*manifest.BlobMeta
		for _, b := range st.Version.Blobs {
			c := *b.BlobMeta
			blobs = append(blobs, &c)
		}
		x.do(levels[0][1], levels[0][0], blobs)
		st.Version, err = manifest.NewVersion(levels, blobs...)
		must(t, err)
		for _, n := range []string{"CURRENT", "MANIFEST-000001"} {
			must(t, fs.Remove(filepath.Join(dir, n)))
		}
		s, err := manifest.CreateFrom(fs, dir, st)
		must(t, err)
		must(t, s.Close(true))
		r, err := Check(fs, dir, nil)
		must(t, err)
		if r.OK() != (x.want == "") || !strings.Contains(r.String(), x.want) {
			t.Errorf("%s: %v", x.name, r)
		}
	}
}

// TestDumpBlobs shows references, and no bytes of them.
func TestDumpBlobs(t *testing.T) {
	fs, _ := big(t)
	var b strings.Builder
	for _, name := range append(files(t, fs, ".sst"), files(t, fs, ".blob")...) {
		must(t, DumpTable(fs, name, nil, func(r *TableRecord) error { fmt.Fprintln(&b, r); return nil }))
	}
	must(t, DumpManifest(fs, files(t, fs, "MANIFEST-000001")[0], nil, func(r *ManifestRecord) error { fmt.Fprintln(&b, r); return nil }))
	for _, want := range []string{
		"60 entries, of them 0 deletes and 6 expiring, 60 with values in blob files",
		`#2 BLOB "k001" in 000005.blob at`, `, 5004 bytes`, `BLOBTTL "k000" in 000005.blob at 0 +`, " bytes until ",
		"blob file: 60 values", `SET "k001" = "1/0 111`, "+ blob file 5, ", "; 60 values of",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %.3000s", want, b.String())
		}
	}
	st, err := Stats(fs, dir, nil)
	must(t, err)
	if x := st.Blobs; x.Files != 2 || x.Values != 80 || x.LiveValues != 80 || x.LiveBytes != x.ValueBytes || x.Garbage != 0 || x.Bytes <= x.ValueBytes {
		t.Errorf("%+v", x)
	}
}

// A salvage has few blob files open at a time, and does not take for lost what it could
// not open for want of descriptors.
func TestSalvageOfManyBlobFiles(t *testing.T) {
	mem := vfs.NewMem()
	db, err := lsm.Open(dir, options(mem))
	must(t, err)
	const n = 2*maxOpenBlobs + 10
	for i := range n {
		must(t, db.Put([]byte(bigKey(i)), []byte(bigValue(i, 0))))
		must(t, db.Put([]byte("a"), nil)) // so that tables are merged
		must(t, db.Put([]byte("z"), nil))
		must(t, db.Flush())
	}
	must(t, db.Compact(context.Background(), nil, nil))
	must(t, db.Close())
	if blobs := len(files(t, mem, ".blob")); blobs != n || len(files(t, mem, ".sst")) != 1 {
		t.Fatalf("%d blob files", blobs)
	}
	open, most := 0, 0
	limit := maxOpenBlobs + 10
	fs := vfs.NewFault(mem)
	fs.SetHook(func(op vfs.Op) error {
		switch {
		case op.Kind == vfs.OpClose:
			open--
		case op.Kind != vfs.OpOpen && op.Kind != vfs.OpCreate:
		case open == limit:
			return syscall.EMFILE
		default:
			open++
			most = max(most, open)
		}
		return nil
	})
	r, err := Salvage(fs, dir, "/new", nil)
	must(t, err)
	if len(r.Lost) > 0 || r.Saved != n+2 || open != 0 {
		t.Errorf("%d files left open: %v", open, r)
	}
	for limit = range most {
		if _, err := Salvage(fs, dir, fmt.Sprint("/new", limit), nil); !errors.Is(err, syscall.EMFILE) || open != 0 {
			t.Errorf("with %d files: %v, %d left open", limit, err, open)
		}
	}
}

// TestKeysWithoutUpperBound: a table with a range tombstone to the end of all keys counted
// as one that ends before every other, when the keys were named that a lost file concerns.
func TestKeysWithoutUpperBound(t *testing.T) {
	for _, suffix := range []string{".sst", ".blob"} {
		fs, _ := big(t)
		db, err := lsm.Open(dir, options(fs))
		must(t, err)
		must(t, db.Excise([]byte(bigKey(10)), []byte(bigKey(11)))) // cuts the table in two
		must(t, db.Close())
		names := files(t, fs, suffix)
		lost := names[len(names)-1]
		must(t, fs.Remove(lost))
		endless := func(lower int) func(Finding) bool {
			return func(f Finding) bool { return f.File == lost && string(f.Lower) == bigKey(lower) && f.Upper == nil }
		}
		r, err := Check(fs, dir, nil)
		must(t, err)
		if !slices.ContainsFunc(r.Findings, endless(0)) {
			t.Errorf("%s: %v", lost, r)
		}
		if suffix == ".blob" {
			continue
		}
		_, err = lsm.Open(dir, options(fs))
		var ce *lsm.CorruptionError
		if !errors.As(err, &ce) || ce.File != lost || string(ce.Lower) == bigKey(11) && ce.Upper != nil {
			t.Errorf("%s: %v", lost, err)
		}
		s, err := Salvage(fs, dir, "/new", nil)
		must(t, err)
		if !slices.ContainsFunc(s.Lost, endless(11)) {
			t.Errorf("%s: %v", lost, s)
		}
	}
}
