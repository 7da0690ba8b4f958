package vfs

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
)

var (
	nothing    = CrashOptions{}
	everything = CrashOptions{Survive: 1, Torn: true}
)

func half(seed uint64, torn bool) CrashOptions {
	return CrashOptions{Survive: 0.5, Torn: torn, Rand: rand.New(rand.NewPCG(seed, 2))}
}

// tree describes a file system as "name=content" lines, for small text files.
func tree(t testing.TB, m *Mem, dir string) string {
	t.Helper()
	var out []string
	names, err := m.List(dir)
	must(t, err)
	for _, n := range names {
		path := dir + "/" + n
		info, err := m.Stat(path)
		must(t, err)
		if info.IsDir {
			out = append(out, n+"("+tree(t, m, path)+")")
		} else {
			out = append(out, n+"="+text(t, m, path))
		}
	}
	return strings.Join(out, " ")
}

// TestCrashEntries lists, for each kind of entry change, every state that a crash
// may leave, and checks that these and no others come up.
func TestCrashEntries(t *testing.T) {
	for _, c := range []struct {
		name   string
		setup  string // durable files in /d
		do     func(t *testing.T, m *Mem)
		before string
		after  string
		others []string
	}{
		{
			name: "create", before: "", after: "f=f",
			do: func(t *testing.T, m *Mem) { put(t, m, "/d/f", "f") },
		}, {
			name: "remove", setup: "f", before: "f=f", after: "",
			do: func(t *testing.T, m *Mem) { must(t, m.Remove("/d/f")) },
		}, {
			name: "rename", setup: "f", before: "f=f", after: "g=f",
			do: func(t *testing.T, m *Mem) { must(t, m.Rename("/d/f", "/d/g")) },
		}, {
			name: "rename over", setup: "fg", before: "f=f g=g", after: "g=f",
			do: func(t *testing.T, m *Mem) { must(t, m.Rename("/d/f", "/d/g")) },
		}, {
			name: "link", setup: "f", before: "f=f", after: "f=f g=f",
			do: func(t *testing.T, m *Mem) { must(t, m.Link("/d/f", "/d/g")) },
		}, {
			name: "mkdir", before: "", after: "s()",
			do: func(t *testing.T, m *Mem) { must(t, m.MkdirAll("/d/s")) },
		}, {
			name: "two names are independent", setup: "f", before: "f=f", after: "g=g",
			others: []string{"", "f=f g=g"},
			do: func(t *testing.T, m *Mem) {
				put(t, m, "/d/g", "g")
				must(t, m.Remove("/d/f"))
			},
		}, {
			// As LevelDB once did: the old manifest may be gone and CURRENT still name it.
			name: "switch without a sync between", setup: "co", before: "c=c o=o", after: "c=new",
			others: []string{"c=c", "c=new o=o", "c=c o=o t=new", "c=c t=new"},
			do: func(t *testing.T, m *Mem) {
				put(t, m, "/d/t", "new")
				must(t, m.Rename("/d/t", "/d/c"))
				must(t, m.Remove("/d/o"))
			},
		}, {
			name: "one name keeps its order", setup: "f", before: "f=f", after: "f=2",
			others: []string{"", "f=1", "g=f", "f=1 g=f", "f=2 g=f"},
			do: func(t *testing.T, m *Mem) {
				must(t, m.Rename("/d/f", "/d/g"))
				must(t, m.Remove("/d/g"))
				put(t, m, "/d/f", "1")
				must(t, m.Remove("/d/f"))
				put(t, m, "/d/f", "2")
			},
		}, {
			name: "move to another directory", setup: "f", before: "f=f", after: "s(f=f)",
			others: []string{"f=f s()"},
			do: func(t *testing.T, m *Mem) {
				must(t, m.MkdirAll("/d/s"))
				must(t, m.Rename("/d/f", "/d/s/f"))
			},
		}, {
			name: "link, then the first name goes", setup: "f", before: "f=f", after: "g=f",
			others: []string{"f=f g=f", ""}, // different names: the removal may survive alone
			do: func(t *testing.T, m *Mem) {
				must(t, m.Link("/d/f", "/d/g"))
				must(t, m.Remove("/d/f"))
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := NewMem()
			must(t, m.MkdirAll("/d"))
			for _, n := range c.setup {
				put(t, m, "/d/"+string(n), string(n))
			}
			must(t, m.SyncDir("/"))
			must(t, m.SyncDir("/d"))
			c.do(t, m)
			if got := tree(t, m, "/d"); got != c.after {
				t.Fatalf("running: %q, want %q", got, c.after)
			}
			if got := tree(t, m.CrashClone(nothing), "/d"); got != c.before {
				t.Fatalf("nothing survives: %q, want %q", got, c.before)
			}
			if got := tree(t, m.CrashClone(everything), "/d"); got != c.after {
				t.Fatalf("everything survives: %q, want %q", got, c.after)
			}
			want := append([]string{c.before, c.after}, c.others...)
			slices.Sort(want)
			var seen []string
			for seed := range uint64(2000) {
				seen = append(seen, tree(t, m.CrashClone(half(seed, false)), "/d"))
			}
			slices.Sort(seen)
			if seen = slices.Compact(seen); !slices.Equal(seen, slices.Compact(want)) {
				t.Errorf("states after a crash\n got %q\nwant %q", seen, want)
			}
			must(t, m.SyncDir("/d"))
			if got := tree(t, m.CrashClone(nothing), "/d"); got != c.after {
				t.Fatalf("after SyncDir: %q, want %q", got, c.after)
			}
		})
	}
}

func TestCrashDirectoryNeedsItsParent(t *testing.T) {
	m := NewMem()
	must(t, m.MkdirAll("/p/d"))
	put(t, m, "/p/d/f", "f")
	must(t, m.SyncDir("/p/d"))
	if got := tree(t, m.CrashClone(nothing), "/"); got != "" {
		t.Fatalf("%q survived without its parents", got)
	}
	must(t, m.SyncDir("/p"))
	if got := tree(t, m.CrashClone(nothing), "/"); got != "" {
		t.Fatalf("%q survived without its parents", got)
	}
	must(t, m.SyncDir("/"))
	if got := tree(t, m.CrashClone(nothing), "/"); got != "p(d(f=f))" {
		t.Fatalf("got %q", got)
	}
}

// A sync of either directory makes a move durable, with what it builds on there.
func TestCrashMoveIsSyncedByEither(t *testing.T) {
	for _, by := range []string{"/a", "/b"} {
		m := NewMem()
		must(t, m.MkdirAll("/a"))
		must(t, m.MkdirAll("/b"))
		must(t, m.SyncDir("/"))
		put(t, m, "/a/f", "f")
		must(t, m.Rename("/a/f", "/b/f"))
		put(t, m, "/a/z", "z")
		put(t, m, "/b/z", "z")
		must(t, m.SyncDir(by))
		want := "a() b(f=f z=z)"
		if by == "/a" {
			want = "a(z=z) b(f=f)"
		}
		if got := tree(t, m.CrashClone(nothing), ""); got != want {
			t.Errorf("after SyncDir(%s): %q, want %q", by, got, want)
		}
		for seed := range uint64(50) { // the old name is never back
			if got := text(t, m.CrashClone(half(seed, false)), "/a/f"); got != "-" {
				t.Fatalf("after SyncDir(%s): /a/f is %q", by, got)
			}
		}
	}
}

// A move into a directory that is new itself must not lose the file.
func TestCrashMoveTakesItsDirectoryAlong(t *testing.T) {
	m := NewMem()
	put(t, m, "/f", "f")
	must(t, m.SyncDir("/"))
	must(t, m.MkdirAll("/x/y"))
	must(t, m.Rename("/f", "/x/y/f"))
	put(t, m, "/g", "g")
	c := m.CrashClone(everything)
	if got := tree(t, c, ""); got != "g=g x(y(f=f))" {
		t.Fatal(got)
	}
	for seed := range uint64(200) {
		got := tree(t, m.CrashClone(half(seed, false)), "")
		if !strings.Contains(got, "f=f") {
			t.Fatalf("lost: %q", got)
		}
	}
	must(t, m.SyncDir("/x/y"))
	if got := tree(t, m.CrashClone(nothing), ""); got != "x(y(f=f))" {
		t.Fatal(got)
	}
}

func newSynced(t testing.TB, name string, b []byte) (*Mem, File) {
	t.Helper()
	m := NewMem()
	f, err := m.Create(name)
	must(t, err)
	_, err = f.WriteAt(b, 0)
	must(t, err)
	must(t, f.Sync())
	must(t, m.SyncDir("/"))
	return m, f
}

func TestCrashData(t *testing.T) {
	m, f := newSynced(t, "/f", []byte("synced"))
	_, err := f.WriteAt([]byte("NOT"), 0)
	must(t, err)
	wantText(t, m.CrashClone(nothing), "/f", "synced")
	wantText(t, m.CrashClone(everything), "/f", "NOTced")
	wantText(t, m, "/f", "NOTced")
	must(t, f.Truncate(2))
	wantText(t, m.CrashClone(nothing), "/f", "synced")
	wantText(t, m.CrashClone(everything), "/f", "NO")
	must(t, f.Sync())
	wantText(t, m.CrashClone(nothing), "/f", "NO")
	must(t, f.Truncate(4))
	wantText(t, m.CrashClone(nothing), "/f", "NO")
	wantText(t, m.CrashClone(everything), "/f", "NO\x00\x00")
	must(t, f.Close()) // is no sync
	wantText(t, m.CrashClone(nothing), "/f", "NO")
	g, err := m.Create("/f") // truncates the same inode, which is not synced
	must(t, err)
	wantText(t, m.CrashClone(nothing), "/f", "NO")
	must(t, g.Sync())
	wantText(t, m.CrashClone(nothing), "/f", "")
}

// What a growing file may look like: any size between, zeros for lost pages.
func TestCrashExtension(t *testing.T) {
	m, f := newSynced(t, "/f", bytes.Repeat([]byte("a"), pageSize))
	_, err := f.WriteAt(bytes.Repeat([]byte("b"), 3*pageSize+100), pageSize)
	must(t, err)
	sizes := map[int]bool{}
	var zeros, stale bool
	for seed := range uint64(2000) {
		got := text(t, m.CrashClone(half(seed, false)), "/f")
		sizes[len(got)] = true
		for i := 0; i < len(got); i += pageSize {
			p := got[i:min(i+pageSize, len(got))]
			switch {
			case i == 0 && strings.Count(p, "a") == len(p):
			case i > 0 && strings.Count(p, "b") == len(p):
				stale = true
			case i > 0 && strings.Count(p, "\x00") == len(p):
				zeros = true
			default:
				t.Fatalf("page %d is a mixture", i/pageSize)
			}
		}
	}
	for n := 1; n <= 4; n++ {
		if !sizes[n*pageSize] {
			t.Errorf("never %d pages long: %v", n, sizes)
		}
	}
	if !sizes[4*pageSize+100] || len(sizes) != 5 || !zeros || !stale {
		t.Errorf("sizes %v, zero pages %v, written pages %v", sizes, zeros, stale)
	}
}

// A file cut and written again: where the cut is lost, the old bytes may lie under
// the new ones; where it survived, they never come back.
func TestCrashTruncateAndRewrite(t *testing.T) {
	m, f := newSynced(t, "/f", bytes.Repeat([]byte("o"), 3*pageSize))
	must(t, f.Truncate(10))
	_, err := f.WriteAt(bytes.Repeat([]byte("n"), 2*pageSize), 10)
	must(t, err)
	seen := map[int]bool{}
	for seed := range uint64(1000) {
		got := text(t, m.CrashClone(half(seed, true)), "/f")
		seen[len(got)] = true
		if len(got) != 3*pageSize && strings.Contains(got[10:], "o") {
			t.Fatalf("size %d: bytes from before the cut", len(got))
		}
	}
	if !seen[10] || !seen[3*pageSize] || !seen[2*pageSize+10] {
		t.Fatal(seen)
	}
}

func TestCrashTorn(t *testing.T) {
	m, f := newSynced(t, "/f", bytes.Repeat([]byte("o"), 4*pageSize))
	_, err := f.WriteAt(bytes.Repeat([]byte("n"), 4*pageSize), 0)
	must(t, err)
	torn := 0
	for seed := range uint64(300) {
		for _, o := range []CrashOptions{half(seed, true), half(seed, false)} {
			got := text(t, m.CrashClone(o), "/f")
			for i := 0; i < len(got); i += sectorSize {
				if s := got[i : i+sectorSize]; strings.Count(s, s[:1]) != sectorSize {
					t.Fatal("a sector is torn")
				}
			}
			for i := 0; i < len(got); i += pageSize {
				if p := got[i : i+pageSize]; strings.Count(p, p[:1]) != pageSize {
					if !o.Torn {
						t.Fatal("torn without Torn")
					}
					torn++
				}
			}
		}
	}
	if torn == 0 {
		t.Fatal("no page was torn")
	}
	wantText(t, m.CrashClone(CrashOptions{Torn: true}), "/f", strings.Repeat("o", 4*pageSize))
	wantText(t, m.CrashClone(everything), "/f", strings.Repeat("n", 4*pageSize))
}

func TestCrashIsReproducible(t *testing.T) {
	m := NewMem()
	for i := range 20 {
		put(t, m, "/"+string(rune('a'+i)), strings.Repeat("x", i*1000))
	}
	for seed := range uint64(20) {
		a, b := tree(t, m.CrashClone(half(seed, true)), ""), tree(t, m.CrashClone(half(seed, true)), "")
		if a != b {
			t.Fatal("the same seed, another crash")
		}
	}
}

func TestCrashCloneIsApart(t *testing.T) {
	m, f := newSynced(t, "/f", bytes.Repeat([]byte("1"), 2*pageSize))
	_, err := f.WriteAt([]byte("2"), 0)
	must(t, err)
	for _, o := range []CrashOptions{nothing, everything, half(3, false)} {
		c := m.CrashClone(o)
		want, here := text(t, c, "/f"), text(t, m, "/f")
		_, err = f.WriteAt([]byte("original"), 0)
		must(t, err)
		wantText(t, c, "/f", want)
		put(t, c, "/f", "clone")
		put(t, c, "/g", "clone")
		wantText(t, m, "/f", "original"+here[8:])
		wantText(t, m, "/g", "-")
	}
}

func TestCrashHardLinksShareAnInode(t *testing.T) {
	m, _ := newSynced(t, "/a", []byte("a"))
	must(t, m.MkdirAll("/d"))
	must(t, m.Link("/a", "/d/b"))
	must(t, m.SyncDir("/"))
	must(t, m.SyncDir("/d"))
	c := m.CrashClone(nothing)
	put(t, c, "/a", "both")
	wantText(t, c, "/d/b", "both")
	wantText(t, m, "/d/b", "a")
	must(t, c.Remove("/a"))
	if c.Used() != pageSize {
		t.Fatal(c.Used())
	}
	must(t, c.Remove("/d/b"))
	if c.Used() != 0 {
		t.Fatal(c.Used())
	}
}

func TestCrashCloneHasNoLocks(t *testing.T) {
	m := NewMem()
	_, err := m.Lock("/LOCK", "running")
	must(t, err)
	must(t, m.SyncDir("/"))
	c := m.CrashClone(nothing)
	l, err := c.Lock("/LOCK", "recovering")
	must(t, err)
	must(t, l.Close())
	_, err = m.Lock("/LOCK", "x")
	wantLocked(t, err, "running")
}

func TestMemCapacity(t *testing.T) {
	m := NewMem()
	m.SetCapacity(3 * pageSize)
	f, err := m.Create("/f")
	must(t, err)
	n, err := f.WriteAt(make([]byte, 5*pageSize), 100)
	if n != 3*pageSize-100 || !errors.Is(err, syscall.ENOSPC) || !IsNoSpace(err) {
		t.Fatal(n, err)
	}
	if size, _ := f.Size(); size != 3*pageSize {
		t.Fatal(size)
	}
	_, err = f.WriteAt(make([]byte, pageSize), pageSize) // over what is there
	must(t, err)
	put2 := func() error {
		g, err := m.Create("/g")
		must(t, err)
		defer g.Close()
		_, err = g.WriteAt([]byte("x"), 0)
		return err
	}
	wantErr(t, put2(), syscall.ENOSPC)
	wantErr(t, func() error {
		g, err := m.CrashClone(everything).Create("/g")
		must(t, err)
		_, err = g.WriteAt([]byte("x"), 0)
		return err
	}(), syscall.ENOSPC)
	m.SetCapacity(4 * pageSize)
	must(t, put2())
	must(t, m.Remove("/g"))
	must(t, put2())
	m.SetCapacity(pageSize) // below what is used
	must(t, m.Remove("/f"))
	wantErr(t, put2WithSize(t, m), syscall.ENOSPC) // the handle keeps the space
	must(t, f.Close())
	if m.Used() != pageSize {
		t.Fatal(m.Used())
	}
	m.SetCapacity(0)
	must(t, put2WithSize(t, m))
}

func put2WithSize(t *testing.T, m *Mem) error {
	g, err := m.Create("/h")
	must(t, err)
	defer g.Close()
	_, err = g.WriteAt(make([]byte, 2*pageSize), 0)
	return err
}

func TestMemRefusesWildOffsets(t *testing.T) {
	m := NewMem()
	f, err := m.Create("/f")
	must(t, err)
	_, err = f.WriteAt([]byte("x"), 1<<62)
	wantErr(t, err, syscall.EFBIG)
	wantErr(t, f.Truncate(1<<62), syscall.EFBIG)
	must(t, f.Truncate(maxFileSize))
	if IsNoSpace(syscall.EFBIG) {
		t.Fatal("EFBIG is not a full disk")
	}
}

func TestMemCorrupt(t *testing.T) {
	m, f := newSynced(t, "/f", bytes.Repeat([]byte("a"), 2*pageSize))
	before := m.CrashClone(nothing)
	must(t, m.Corrupt("/f", pageSize-1, []byte("XY")))
	want := strings.Repeat("a", pageSize-1) + "XY" + strings.Repeat("a", pageSize-1)
	wantText(t, m, "/f", want)
	wantText(t, m.CrashClone(nothing), "/f", want)
	wantText(t, before, "/f", strings.Repeat("a", 2*pageSize))
	_, err := f.WriteAt([]byte("b"), 0)
	must(t, err)
	must(t, m.Corrupt("/f", 1, []byte("Z")))
	wantText(t, m, "/f", "bZ"+want[2:])
	wantText(t, m.CrashClone(nothing), "/f", "aZ"+want[2:])
	if m.Corrupt("/f", 2*pageSize, []byte("x")) == nil || m.Corrupt("/f", -1, nil) == nil || m.Corrupt("/", 0, nil) == nil {
		t.Fatal("out of bounds")
	}
	wantErr(t, m.Corrupt("/none", 0, nil), fs.ErrNotExist)
}
