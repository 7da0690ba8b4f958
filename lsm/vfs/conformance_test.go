package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// systems are the file systems that must behave the same, each with an empty
// directory to play in.
func systems(t *testing.T) map[string]struct {
	fs  FS
	dir string
} {
	mem, under := NewMem(), NewMem()
	for _, m := range []*Mem{mem, under} {
		must(t, m.MkdirAll("/a/store"))
	}
	return map[string]struct {
		fs  FS
		dir string
	}{
		"OS":        {OS, t.TempDir()},
		"Mem":       {mem, "/a/store"},
		"Fault/OS":  {NewFault(OS), t.TempDir()},
		"Fault/Mem": {NewFault(under), "/a/store"},
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func put(t testing.TB, sys FS, name, text string) {
	t.Helper()
	f, err := sys.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte(text), 0)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
}

// text returns the whole file, or "-" where there is none.
func text(t testing.TB, sys FS, name string) string {
	t.Helper()
	f, err := sys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "-"
	}
	must(t, err)
	defer f.Close()
	return handleText(t, f)
}

func handleText(t testing.TB, f File) string {
	t.Helper()
	n, err := f.Size()
	must(t, err)
	b := make([]byte, n)
	got, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF || int64(got) != n {
		t.Fatalf("read %d of %d: %v", got, n, err)
	}
	return string(b)
}

func wantText(t testing.TB, sys FS, name, want string) {
	t.Helper()
	if got := text(t, sys, name); got != want {
		t.Fatalf("%s is %q, want %q", name, got, want)
	}
}

var conformance = map[string]func(t *testing.T, sys FS, dir string){
	"create and read": func(t *testing.T, sys FS, dir string) {
		name := filepath.Join(dir, "f")
		f, err := sys.Create(name)
		must(t, err)
		n, err := f.WriteAt([]byte("hello, wood"), 0)
		if n != 11 || err != nil {
			t.Fatal(n, err)
		}
		b := make([]byte, 8)
		n, err = f.ReadAt(b, 7)
		if n != 4 || err != io.EOF || string(b[:4]) != "wood" {
			t.Fatal(n, err, string(b))
		}
		if n, err = f.ReadAt(b, 3); n != 8 || err != nil {
			t.Fatal(n, err)
		}
		if n, err = f.ReadAt(b, 11); n != 0 || err != io.EOF {
			t.Fatal(n, err)
		}
		if n, err = f.ReadAt(b, 1<<20); n != 0 || err != io.EOF {
			t.Fatal(n, err)
		}
		if n, err = f.ReadAt(nil, 3); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if _, err = f.ReadAt(b, -1); err == nil {
			t.Fatal("negative offset read")
		}
		if _, err = f.WriteAt(b, -1); err == nil {
			t.Fatal("negative offset written")
		}
		must(t, f.Close())
		info, err := sys.Stat(name)
		if err != nil || info != (Info{Size: 11}) {
			t.Fatal(info, err)
		}
	},
	"create truncates": func(t *testing.T, sys FS, dir string) {
		name := filepath.Join(dir, "f")
		put(t, sys, name, "long content")
		f, err := sys.Create(name)
		must(t, err)
		must(t, f.Close())
		wantText(t, sys, name, "")
	},
	"holes": func(t *testing.T, sys FS, dir string) {
		name := filepath.Join(dir, "f")
		f, err := sys.Create(name)
		must(t, err)
		defer f.Close()
		_, err = f.WriteAt([]byte("x"), 10000)
		must(t, err)
		want := append(make([]byte, 10000), 'x')
		if got := handleText(t, f); got != string(want) {
			t.Fatal("hole is not zeros")
		}
		must(t, f.Truncate(20000))
		if got := handleText(t, f); got != string(append(want, make([]byte, 9999)...)) {
			t.Fatal("extension is not zeros")
		}
	},
	"truncate and grow reads zeros": func(t *testing.T, sys FS, dir string) {
		f, err := sys.Create(filepath.Join(dir, "f"))
		must(t, err)
		defer f.Close()
		_, err = f.WriteAt(bytes.Repeat([]byte("y"), 9000), 0)
		must(t, err)
		must(t, f.Truncate(4100))
		must(t, f.Truncate(3))
		must(t, f.Truncate(9000))
		if got := handleText(t, f); got != "yyy"+string(make([]byte, 8997)) {
			t.Fatal("old bytes came back")
		}
		if f.Truncate(-1) == nil {
			t.Fatal("negative size")
		}
	},
	"handles": func(t *testing.T, sys FS, dir string) {
		name := filepath.Join(dir, "f")
		put(t, sys, name, "abc")
		f, err := sys.Open(name)
		must(t, err)
		if _, err := f.WriteAt([]byte("x"), 0); err == nil {
			t.Fatal("wrote to a file open for reading")
		}
		if f.Truncate(0) == nil {
			t.Fatal("truncated a file open for reading")
		}
		must(t, f.Close())
		wantErr(t, f.Close(), fs.ErrClosed)
		_, err = f.ReadAt(make([]byte, 1), 0)
		wantErr(t, err, fs.ErrClosed)
		_, err = f.WriteAt(make([]byte, 1), 0)
		wantErr(t, err, fs.ErrClosed)
		wantErr(t, f.Sync(), fs.ErrClosed)
		_, err = f.Size()
		wantErr(t, err, fs.ErrClosed)
	},
	"removed and replaced files live on in their handles": func(t *testing.T, sys FS, dir string) {
		name, other := filepath.Join(dir, "f"), filepath.Join(dir, "g")
		f, err := sys.Create(name)
		must(t, err)
		_, err = f.WriteAt([]byte("one"), 0)
		must(t, err)
		must(t, sys.Remove(name))
		_, err = f.WriteAt([]byte("two"), 3)
		must(t, err)
		if got := handleText(t, f); got != "onetwo" {
			t.Fatal(got)
		}
		must(t, f.Close())
		wantText(t, sys, name, "-")

		put(t, sys, other, "new")
		put(t, sys, name, "old")
		f, err = sys.Open(name)
		must(t, err)
		defer f.Close()
		if runtime.GOOS != "windows" {
			must(t, sys.Rename(other, name))
			if got := handleText(t, f); got != "old" {
				t.Fatal(got)
			}
			wantText(t, sys, name, "new")
		}
	},
	"rename": func(t *testing.T, sys FS, dir string) {
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		put(t, sys, a, "A")
		must(t, sys.Rename(a, b))
		wantText(t, sys, a, "-")
		wantText(t, sys, b, "A")
		put(t, sys, a, "A2")
		must(t, sys.Rename(a, b))
		wantText(t, sys, b, "A2")
		must(t, sys.Rename(b, b))
		wantText(t, sys, b, "A2")
		wantErr(t, sys.Rename(a, b), fs.ErrNotExist)
		wantErr(t, sys.Rename(b, filepath.Join(dir, "none", "b")), fs.ErrNotExist)
		must(t, sys.MkdirAll(filepath.Join(dir, "sub")))
		if sys.Rename(b, filepath.Join(dir, "sub")) == nil {
			t.Fatal("a file replaced a directory")
		}
		must(t, sys.Rename(b, filepath.Join(dir, "sub", "b")))
		wantText(t, sys, filepath.Join(dir, "sub", "b"), "A2")
		if sys.Rename(filepath.Join(dir, "sub"), filepath.Join(dir, "sub", "x")) == nil {
			t.Fatal("a directory moved into itself")
		}
		must(t, sys.Rename(filepath.Join(dir, "sub"), filepath.Join(dir, "moved")))
		wantText(t, sys, filepath.Join(dir, "moved", "b"), "A2")
	},
	"link": func(t *testing.T, sys FS, dir string) {
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		put(t, sys, a, "A")
		must(t, sys.Link(a, b))
		wantErr(t, sys.Link(a, b), fs.ErrExist)
		wantErr(t, sys.Link(filepath.Join(dir, "none"), filepath.Join(dir, "c")), fs.ErrNotExist)
		if sys.Link(dir, filepath.Join(dir, "d")) == nil {
			t.Fatal("linked a directory")
		}
		must(t, sys.Remove(a))
		wantText(t, sys, b, "A")
		must(t, sys.Link(b, a))
		put(t, sys, a, "shared")
		wantText(t, sys, b, "shared")
	},
	"remove": func(t *testing.T, sys FS, dir string) {
		wantErr(t, sys.Remove(filepath.Join(dir, "none")), fs.ErrNotExist)
		sub := filepath.Join(dir, "sub")
		must(t, sys.MkdirAll(sub))
		put(t, sys, filepath.Join(sub, "f"), "f")
		if sys.Remove(sub) == nil {
			t.Fatal("removed a directory that was not empty")
		}
		must(t, sys.Remove(filepath.Join(sub, "f")))
		must(t, sys.Remove(sub))
		_, err := sys.Stat(sub)
		wantErr(t, err, fs.ErrNotExist)
	},
	"directories": func(t *testing.T, sys FS, dir string) {
		deep := filepath.Join(dir, "x", "y", "z")
		must(t, sys.MkdirAll(deep))
		must(t, sys.MkdirAll(deep))
		info, err := sys.Stat(deep)
		if err != nil || !info.IsDir {
			t.Fatal(info, err)
		}
		for _, n := range []string{"b", "a", "c"} {
			put(t, sys, filepath.Join(deep, n), n)
		}
		names, err := sys.List(deep)
		if err != nil || !slices.Equal(names, []string{"a", "b", "c"}) {
			t.Fatal(names, err)
		}
		must(t, sys.SyncDir(deep))
		wantErr(t, sys.SyncDir(filepath.Join(dir, "none")), fs.ErrNotExist)
		_, err = sys.List(filepath.Join(dir, "none"))
		wantErr(t, err, fs.ErrNotExist)
		file := filepath.Join(deep, "a")
		if sys.SyncDir(file) == nil || sys.MkdirAll(filepath.Join(file, "q")) == nil {
			t.Fatal("a file served as a directory")
		}
		if _, err = sys.List(file); err == nil {
			t.Fatal("listed a file")
		}
		if _, err = sys.Create(deep); err == nil {
			t.Fatal("created over a directory")
		}
		if _, err = sys.Create(filepath.Join(file, "q")); err == nil {
			t.Fatal("created in a file")
		}
		_, err = sys.Create(filepath.Join(dir, "none", "f"))
		wantErr(t, err, fs.ErrNotExist)
		_, err = sys.Open(filepath.Join(dir, "none"))
		wantErr(t, err, fs.ErrNotExist)
	},
	"names are cleaned": func(t *testing.T, sys FS, dir string) {
		put(t, sys, dir+string(filepath.Separator)+"."+string(filepath.Separator)+"f", "f")
		wantText(t, sys, filepath.Join(dir, "f"), "f")
		info, err := sys.Stat(dir + string(filepath.Separator))
		if err != nil || !info.IsDir {
			t.Fatal(info, err)
		}
	},
	"lock": func(t *testing.T, sys FS, dir string) {
		name := filepath.Join(dir, "LOCK")
		l, err := sys.Lock(name, "first, pid 1")
		must(t, err)
		for range 2 {
			_, err = sys.Lock(filepath.Join(dir, ".", "LOCK"), "second")
			var locked *LockedError
			if !errors.As(err, &locked) || locked.Holder != "first, pid 1" || locked.Name == "" {
				t.Fatalf("second lock: %v", err)
			}
		}
		other, err := sys.Lock(filepath.Join(dir, "OTHER"), "x")
		must(t, err)
		must(t, other.Close())
		must(t, l.Close())
		must(t, l.Close())
		l, err = sys.Lock(name, "")
		must(t, err)
		must(t, l.Close())
		_, err = sys.Lock(filepath.Join(dir, "none", "LOCK"), "x")
		wantErr(t, err, fs.ErrNotExist)
	},
	"a lock outlives its name": func(t *testing.T, sys FS, dir string) {
		name, alias := filepath.Join(dir, "LOCK"), filepath.Join(dir, "ALIAS")
		l, err := sys.Lock(name, "me")
		must(t, err)
		must(t, sys.Link(name, alias))
		_, err = sys.Lock(alias, "other")
		wantLocked(t, err, "me")
		must(t, sys.Remove(alias))
		must(t, sys.Remove(name))
		_, err = sys.Lock(name, "other")
		wantLocked(t, err, "me")
		must(t, l.Close())
		l, err = sys.Lock(name, "other")
		must(t, err)
		must(t, l.Close())
	},
	"one of many gets the lock": func(t *testing.T, sys FS, dir string) {
		name := filepath.Join(dir, "LOCK")
		var wg sync.WaitGroup
		var mu sync.Mutex
		var got []io.Closer
		for range 8 {
			wg.Go(func() {
				l, err := sys.Lock(name, "x")
				mu.Lock()
				defer mu.Unlock()
				var locked *LockedError
				if err == nil {
					got = append(got, l)
				} else if !errors.As(err, &locked) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(got) != 1 {
			t.Fatalf("%d hold the lock", len(got))
		}
		must(t, got[0].Close())
	},
	"concurrent reads beside a write": func(t *testing.T, sys FS, dir string) {
		f, err := sys.Create(filepath.Join(dir, "f"))
		must(t, err)
		defer f.Close()
		block := bytes.Repeat([]byte("z"), 5000)
		_, err = f.WriteAt(block, 0)
		must(t, err)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				b := make([]byte, 5000)
				for range 50 {
					if n, err := f.ReadAt(b, 0); n != 5000 || err != nil || !bytes.Equal(b, block) {
						t.Errorf("read %d: %v", n, err)
						return
					}
				}
			})
		}
		for i := range 50 {
			if _, err := f.WriteAt(block, int64(i+1)*5000); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		n, err := f.Size()
		if n != 51*5000 || err != nil {
			t.Fatal(n, err)
		}
	},
}

func wantLocked(t *testing.T, err error, holder string) {
	t.Helper()
	var locked *LockedError
	if !errors.As(err, &locked) || locked.Holder != holder {
		t.Fatalf("error %v, want locked by %s", err, holder)
	}
}

func TestConformance(t *testing.T) {
	for what, test := range conformance {
		t.Run(what, func(t *testing.T) {
			for name, s := range systems(t) {
				t.Run(name, func(t *testing.T) { test(t, s.fs, s.dir) })
			}
		})
	}
}
