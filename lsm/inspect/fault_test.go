package inspect

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// crashed makes a store that lost power during a flush: tables of all kinds, two logs,
// and a part of a table that no edit knows.
func crashed(t testing.TB) *vfs.Mem {
	t.Helper()
	mem := small(t)
	fs := vfs.NewFault(mem)
	o := options(fs)
	o.Durability = lsm.Sync
	must(t, mem.MkdirAll("/in"))
	w, err := lsm.NewTableWriter("/in/t", o)
	must(t, err)
	must(t, w.Put([]byte("k200"), []byte("ingested")))
	must(t, w.DeleteRange([]byte("k201"), nil))
	must(t, w.Finish())
	db, err := lsm.Open(dir, o)
	must(t, err)
	must(t, db.Excise([]byte("k010"), []byte("k012")))
	must(t, db.Ingest([]string{"/in/t"}))
	must(t, db.Put([]byte("k001"), []byte("in the first log")))
	var clone *vfs.Mem
	fs.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && strings.HasSuffix(op.Name, ".sst") && clone == nil {
			clone = mem.CrashClone(vfs.CrashOptions{Survive: 1})
		}
		return nil
	})
	must(t, db.Flush())
	must(t, db.Close())
	if clone == nil || len(files(t, clone, ".log")) != 2 || len(files(t, clone, ".sst")) < 3 {
		t.Fatal("not the store that it should be")
	}
	return clone
}

// contents returns all files of a directory.
func contents(t testing.TB, fs vfs.FS, dir string) map[string]string {
	t.Helper()
	m := make(map[string]string)
	names, err := fs.List(dir)
	must(t, err)
	for _, n := range names {
		f, err := fs.Open(filepath.Join(dir, n))
		must(t, err)
		size, err := f.Size()
		must(t, err)
		b := make([]byte, size)
		if size > 0 {
			_, err = f.ReadAt(b, 0)
			must(t, err)
		}
		must(t, f.Close())
		m[n] = string(b)
	}
	return m
}

// failing is a file system of which operation number n, or with forGood all from it
// on, fail with err.
type failing struct {
	*vfs.Fault
	failed []vfs.Op
}

func newFailing(inner vfs.FS, n int64, forGood bool, err error, kinds func(vfs.OpKind) bool) *failing {
	f := &failing{Fault: vfs.NewFault(inner)}
	var seen int64
	f.SetHook(func(op vfs.Op) error {
		if !kinds(op.Kind) {
			return nil
		}
		seen++
		if seen-1 < n || seen-1 > n && !forGood {
			return nil
		}
		f.failed = append(f.failed, op)
		return err
	})
	return f
}

// notClose leaves out the close of a file that was only read.
func notClose(k vfs.OpKind) bool { return k != vfs.OpClose }

// readers are the functions that only read. They return what they showed, in text, and
// the findings in it.
var readers = []struct {
	name string
	run  func(t *testing.T, fs vfs.FS) (string, []Finding, error)
}{
	{"Check", func(t *testing.T, fs vfs.FS) (string, []Finding, error) {
		r, err := Check(fs, dir, nil)
		if err != nil {
			return "", nil, err
		}
		unread := 0
		for _, f := range r.Findings {
			if f.Severity == Unread {
				unread++
			}
		}
		if r.OK() != (unread == 0) || r.Damages() > 0 {
			t.Fatalf("a whole store that cannot be read: %v", r)
		}
		return r.String(), r.Findings, nil
	}},
	{"Stats", func(t *testing.T, fs vfs.FS) (string, []Finding, error) {
		s, err := Stats(fs, dir, nil)
		if err != nil {
			return "", nil, err
		}
		return s.String(), s.Findings, nil
	}},
	{"DumpLog", func(t *testing.T, fs vfs.FS) (string, []Finding, error) {
		return dumpAll(t, fs, ".log", func(name string, b *strings.Builder, _ *[]Finding) error {
			return DumpLog(fs, name, nil, func(r *LogRecord) error { fmt.Fprintln(b, r); return nil })
		})
	}},
	{"DumpTable", func(t *testing.T, fs vfs.FS) (string, []Finding, error) {
		return dumpAll(t, fs, ".sst", func(name string, b *strings.Builder, found *[]Finding) error {
			return DumpTable(fs, name, nil, func(r *TableRecord) error {
				if r.Damage != nil {
					*found = append(*found, *r.Damage)
				}
				fmt.Fprintln(b, r)
				return nil
			})
		})
	}},
	{"DumpTable of blob files", func(t *testing.T, fs vfs.FS) (string, []Finding, error) {
		return dumpAll(t, fs, ".blob", func(name string, b *strings.Builder, found *[]Finding) error {
			return DumpTable(fs, name, nil, func(r *TableRecord) error {
				if r.Damage != nil {
					*found = append(*found, *r.Damage)
				}
				fmt.Fprintln(b, r)
				return nil
			})
		})
	}},
	{"DumpManifest", func(t *testing.T, fs vfs.FS) (string, []Finding, error) {
		return dumpAll(t, fs, "", func(name string, b *strings.Builder, _ *[]Finding) error {
			if !strings.Contains(name, "MANIFEST") {
				return nil
			}
			return DumpManifest(fs, name, nil, func(r *ManifestRecord) error { fmt.Fprintln(b, r); return nil })
		})
	}},
	// A name that does not tell the number of the file.
	{"DumpLog of a copy", func(t *testing.T, fs vfs.FS) (string, []Finding, error) {
		var b strings.Builder
		err := DumpLog(fs, "/copy", nil, func(r *LogRecord) error { fmt.Fprintln(&b, r); return nil })
		return b.String(), nil, err
	}},
}

func dumpAll(t *testing.T, fs vfs.FS, suffix string, dump func(string, *strings.Builder, *[]Finding) error) (string, []Finding, error) {
	var b strings.Builder
	var found []Finding
	for _, name := range files(t, below(fs), suffix) {
		if err := dump(name, &b, &found); err != nil {
			return b.String(), found, err
		}
	}
	return b.String(), found, nil
}

// below returns the file system that does not fail.
func below(fs vfs.FS) vfs.FS {
	if f, ok := fs.(*failing); ok {
		return f.Inner()
	}
	return fs
}

// faults are ways to fail.
var faults = []struct {
	name    string
	forGood bool
	err     error
	kinds   func(vfs.OpKind) bool
}{
	{"EIO", false, syscall.EIO, notClose},
	{"EIO for good", true, syscall.EIO, notClose},
	{"short read", false, vfs.ShortRead(5), func(k vfs.OpKind) bool { return k == vfs.OpRead }},
	{"short read for good", true, vfs.ShortRead(100), func(k vfs.OpKind) bool { return k == vfs.OpRead }},
}

// TestFaultsReading fails each operation of every function that reads: it says so,
// with the file, or shows what it does without the fault; and never calls it damage.
func TestFaultsReading(t *testing.T) {
	step := int64(1)
	if testing.Short() {
		step = 4
	}
	for _, store := range []*vfs.Mem{small(t), crashed(t)} {
		copyFile(t, store, files(t, store, ".log")[0], "/copy")
		before := contents(t, store, dir)
		for _, r := range readers {
			want, found, err := r.run(t, store)
			must(t, err)
			allowed := len(found) // the part of a table
			for _, how := range faults {
				for n := int64(0); ; n += step {
					fs := newFailing(store, n, how.forGood, how.err, how.kinds)
					got, found, err := r.run(t, fs)
					if len(fs.failed) == 0 {
						break
					}
					at := fmt.Sprintf("%s, %s, %v", r.name, how.name, fs.failed[0])
					switch {
					case err != nil:
						wantEIO(t, at, err, fs)
					case got != want:
						wantUnread(t, at, found, allowed)
					}
				}
			}
		}
		if !reflect.DeepEqual(contents(t, store, dir), before) {
			t.Fatal("the store was changed")
		}
	}
}

// TestFaultsBadFile has one file that cannot be read: that is what Check and Salvage
// report, and nothing is wrong with the others.
func TestFaultsBadFile(t *testing.T) {
	mem := crashed(t)
	for _, name := range files(t, mem, "") {
		fs := vfs.NewFault(mem.CrashClone(vfs.CrashOptions{Survive: 1}))
		fs.SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpRead && op.Name == name {
				return syscall.EIO
			}
			return nil
		})
		r, err := Check(fs, dir, nil)
		must(t, err)
		needed := filepath.Base(name) != "LOCK" && name != files(t, mem, ".sst")[len(files(t, mem, ".sst"))-1]
		if r.OK() == needed || r.Damages() > 0 || needed != strings.Contains(r.String(), "could not be read") {
			t.Errorf("%s: %v", name, r)
		}
		for _, f := range r.Findings {
			if f.Severity == Unread && (f.File != name || f.Advice == "" || !errors.Is(f.Err, syscall.EIO)) {
				t.Errorf("%s: %v", name, &f)
			}
		}
		s, err := Salvage(fs, dir, "/new", nil)
		must(t, err)
		for _, f := range s.Lost {
			if f.File != name || f.Severity != Unread || !errors.Is(f.Err, syscall.EIO) {
				t.Errorf("%s: %v", name, &f)
			}
		}
		if needed && len(s.Lost)+len(s.Notes) == 0 || len(s.Lost) > 0 && !strings.Contains(s.String(), "some could not be read") {
			t.Errorf("%s: %v", name, s)
		}
	}
}

func copyFile(t testing.TB, fs vfs.FS, from, to string) {
	t.Helper()
	f, err := fs.Create(to)
	must(t, err)
	_, err = f.WriteAt([]byte(contents(t, fs, filepath.Dir(from))[filepath.Base(from)]), 0)
	must(t, err)
	must(t, f.Close())
}

// wantEIO wants an error that says what failed, and is no damage.
func wantEIO(t *testing.T, at string, err error, fs *failing) {
	t.Helper()
	named := slices.ContainsFunc(fs.failed, func(op vfs.Op) bool { return strings.Contains(err.Error(), op.Name) })
	if !errors.Is(err, syscall.EIO) || errors.Is(err, lsm.ErrCorruption) || !named {
		t.Errorf("%s: %v", at, err)
	}
}

// wantUnread wants a finding of what could not be read, and no more of damage than
// allowed.
func wantUnread(t *testing.T, at string, found []Finding, allowed int) {
	t.Helper()
	unread := 0
	for _, f := range found {
		switch {
		case errors.Is(f.Err, syscall.EIO) && strings.Contains(f.String(), "input/output error") && strings.HasPrefix(f.File, dir+"/"):
			unread++
		case f.Severity == Damage:
			allowed--
		}
	}
	if unread == 0 || allowed < 0 {
		t.Errorf("%s: %v", at, found)
	}
}

// TestFaultsSalvage fails operations of Salvage. It fails and leaves nothing, or
// saves everything that it does not report as lost.
func TestFaultsSalvage(t *testing.T) {
	for i, store := range []func(testing.TB) *vfs.Mem{small, crashed} {
		src := store(t)
		before := contents(t, src, dir)
		clean := src.CrashClone(vfs.CrashOptions{Survive: 1})
		r, err := Salvage(clean, dir, "/new", nil)
		must(t, err)
		if len(r.Lost) > 0 {
			t.Fatal(r)
		}
		want := read(t, clean, "/new")
		step := int64(2)
		if testing.Short() {
			step = 14
		}
		for _, how := range faults {
			for n := int64(i) % step; ; n += step {
				mem := src.CrashClone(vfs.CrashOptions{Survive: 1})
				fs := newFailing(mem, n, how.forGood, how.err, how.kinds)
				r, err := Salvage(fs, dir, "/new", nil)
				if len(fs.failed) == 0 {
					break
				}
				at := fmt.Sprintf("%s, %v", how.name, fs.failed[0])
				if !reflect.DeepEqual(contents(t, mem, dir), before) {
					t.Fatalf("%s: the store was changed", at)
				}
				if err != nil {
					wantEIO(t, at, err, fs)
					if names, err := mem.List("/new"); err == nil && len(names) > 0 && !how.forGood {
						t.Errorf("%s: left %v", at, names)
					}
					continue
				}
				got := read(t, mem, "/new")
				switch {
				case len(r.Lost) > 0:
					wantUnread(t, at, r.Lost, 0)
				case !reflect.DeepEqual(got, want):
					t.Errorf("%s: saved %d of %d keys, and none is reported: %v", at, len(got), len(want), r)
				}
				for k, v := range got {
					if _, ok := want[k]; !ok && len(r.Lost) == 0 {
						t.Errorf("%s: key %s = %s came back", at, k, v)
					}
				}
			}
		}
	}
}

// read returns what is in a store that must be whole.
func read(t *testing.T, fs vfs.FS, dir string) map[string]string {
	t.Helper()
	if c, err := Check(fs, dir, nil); err != nil || !c.OK() {
		t.Fatalf("%v, %v", c, err)
	}
	o := options(fs)
	o.ReadOnly = true
	db, err := lsm.Open(dir, o)
	must(t, err)
	defer db.Close()
	it, err := db.NewIter(nil)
	must(t, err)
	defer it.Close()
	m := make(map[string]string)
	for ok := it.First(); ok; ok = it.Next() {
		m[string(it.Key())] = string(it.Value())
	}
	must(t, it.Err())
	return m
}

// TestFaultsFullDisk salvages to disks of every size: it fails for lack of room and
// leaves nothing, until there is enough.
func TestFaultsFullDisk(t *testing.T) {
	src := small(t)
	used := src.Used()
	full := 0
	for room := int64(4096); ; room += 4096 {
		fs := src.CrashClone(vfs.CrashOptions{Survive: 1})
		fs.SetCapacity(used + room)
		r, err := Salvage(fs, dir, "/new", nil)
		if err == nil {
			if len(r.Lost) > 0 || len(read(t, fs, "/new")) != 90 {
				t.Fatal(r)
			}
			break
		}
		full++
		if !errors.Is(err, lsm.ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "/new") {
			t.Errorf("with %d bytes: %v", room, err)
		}
		if names, err := fs.List("/new"); err != nil || len(names) > 0 || fs.Used() != used {
			t.Errorf("with %d bytes: left %v, %v, %d bytes", room, names, err, fs.Used()-used)
		}
		fs.SetCapacity(0)
		_, err = Salvage(fs, dir, "/new", nil) // into the same directory again
		must(t, err)
	}
	if full == 0 {
		t.Fatal("no disk was full")
	}
}
