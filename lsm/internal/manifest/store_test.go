package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

const testDir = "/a/store"

// fill appends n random edits and returns the states after each, the current one
// first.
func fill(t testing.TB, s *Store, r *rand.Rand, n int) []string {
	t.Helper()
	st := s.State()
	states := []string{describeState(&st)}
	for range n {
		must(t, s.Append(randomEdit(r, &st, s.NewNum)))
		st = s.State()
		states = append(states, describeState(&st))
	}
	return states
}

func TestCreateLoadAppend(t *testing.T) {
	fs := vfs.NewMem()
	if _, _, err := Load(fs, testDir); !errors.Is(err, ErrNoStore) {
		t.Fatal(err)
	}
	s, err := Create(fs, testDir)
	must(t, err)
	r := rand.New(rand.NewPCG(1, 1))
	last := ""
	for run := range 10 {
		states := fill(t, s, r, 20)
		if last != "" && states[0] != last {
			t.Fatalf("run %d begins with another state", run)
		}
		last = states[len(states)-1]
		next := s.NewNum()
		must(t, s.Close(run%2 == 0))
		must(t, s.Close(true))
		if err := s.Append(&Edit{}); !errors.Is(err, base.ErrClosed) {
			t.Fatal(err)
		}
		if m := list(t, fs, testDir, FileManifest); len(m) != 1 {
			t.Fatalf("manifests %v", m)
		}
		var st State
		s, st, err = Load(fs, testDir)
		must(t, err)
		if describeState(&st) != last || st.Closed != (run%2 == 0) || st.Dropped != 0 {
			t.Fatalf("run %d: loaded another state; %+v", run, st)
		}
		// A number that was given out and written nowhere may come again, one in an edit
		// or on disk never.
		if n := s.NewNum(); n < next-1 {
			t.Fatalf("number %d after %d", n, next)
		}
		ro, err := LoadReadOnly(fs, testDir)
		must(t, err)
		if describeState(&ro) != last {
			t.Fatal("read-only: another state")
		}
	}
}

func TestNumbersOnDiskAreNotReused(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Create(fs, testDir)
	must(t, err)
	must(t, s.Close(true))
	write(t, fs, testDir+"/000777.sst", nil)
	write(t, fs, testDir+"/000888.not-ours", nil)
	s, st, err := Load(fs, testDir)
	must(t, err)
	if n := s.NewNum(); n != 778 || st.NextFile != 778 {
		t.Fatal(n, st.NextFile)
	}
}

func TestAppendRefuses(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Create(fs, testDir)
	must(t, err)
	must(t, s.Append(&Edit{MinLog: s.NewNum(), Added: []NewFile{{1, table(s.NewNum(), "a", "b")}}}))
	before := read(t, fs, Path(testDir, FileManifest, 1))
	for i, e := range []*Edit{
		{MinLog: 1},
		{Added: []NewFile{{1, table(99, "x", "y")}}},
		{LogEnd: []LogEnd{{99, 5}}},
		{LogEnd: []LogEnd{{1, 0}}},
		{Deleted: []DeletedFile{{1, 99}}},
		{Added: []NewFile{{1, table(s.NewNum(), "a", "b")}}},
	} {
		if err := s.Append(e); err == nil || s.Err() != nil {
			t.Errorf("edit %d: %v, %v", i, err, s.Err())
		}
	}
	if !bytes.Equal(before, read(t, fs, Path(testDir, FileManifest, 1))) {
		t.Error("a refused edit was written")
	}
	must(t, s.Append(&Edit{NextFile: 100, Added: []NewFile{{2, table(99, "x", "y")}}}))
	if n := s.NewNum(); n != 100 {
		t.Error(n)
	}
	if st := s.State(); st.LastSeq != 99 {
		t.Errorf("last sequence number %d", st.LastSeq)
	}
}

func TestLogEnds(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Create(fs, testDir)
	must(t, err)
	must(t, s.Append(&Edit{NextFile: 20, MinLog: 5, LogEnd: []LogEnd{{7, 70}, {5, 50}, {4, 40}}}))
	must(t, s.Append(&Edit{LogEnd: []LogEnd{{5, 55}, {9, 90}}}))
	must(t, s.Append(&Edit{MinLog: 7}))
	must(t, s.Close(false))
	_, st, err := Load(fs, testDir)
	must(t, err)
	if fmt.Sprint(st.LogEnds) != "[{7 70} {9 90}]" || st.MinLog != 7 {
		t.Fatal(st.LogEnds, st.MinLog)
	}
	if end, ok := st.LogEnd(9); !ok || end != 90 {
		t.Fatal(end, ok)
	}
	if _, ok := st.LogEnd(8); ok {
		t.Fatal("log 8 has an end")
	}
}

func TestRollOver(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Create(fs, testDir)
	must(t, err)
	s.mu.roll = 1000
	r := rand.New(rand.NewPCG(3, 3))
	states := fill(t, s, r, 50)
	st := s.State()
	if st.Manifest == firstManifest || s.mu.roll != rollSize {
		t.Fatalf("manifest %d, next roll at %d", st.Manifest, s.mu.roll)
	}
	must(t, s.Roll())
	now := s.State()
	if m := list(t, fs, testDir, FileManifest); len(m) != 1 || now.Manifest <= st.Manifest {
		t.Fatal(m, now.Manifest)
	}
	_, loaded, err := Load(fs, testDir)
	must(t, err)
	if describeState(&loaded) != states[len(states)-1] {
		t.Fatal("another state")
	}
}

func TestCreateFrom(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Create(fs, testDir)
	must(t, err)
	fill(t, s, rand.New(rand.NewPCG(4, 4)), 30)
	st := s.State()
	c, err := CreateFrom(fs, "/copy", st)
	must(t, err)
	must(t, c.Close(true))
	_, got, err := Load(fs.CrashClone(vfs.CrashOptions{}), "/copy")
	must(t, err)
	if describeState(&got) != describeState(&st) || !got.Closed {
		t.Fatal("another state")
	}
}

// A missing or foreign CURRENT never opens as an empty store.
func TestWithoutCurrent(t *testing.T) {
	make1 := func(edits int) *vfs.Mem {
		fs := vfs.NewMem()
		s, err := Create(fs, testDir)
		must(t, err)
		for range edits {
			must(t, s.Append(&Edit{LastSeq: 5}))
		}
		must(t, fs.Remove(Path(testDir, FileCurrent, 0)))
		return fs
	}
	if _, _, err := Load(make1(0), testDir); !errors.Is(err, ErrNoStore) {
		t.Errorf("interrupted creation: %v", err)
	}
	fs := make1(0)
	write(t, fs, testDir+"/notes.txt", []byte("x"))
	write(t, fs, testDir+"/CURRENT.tmp", []byte("half"))
	write(t, fs, testDir+"/LOCK", nil)
	write(t, fs, Path(testDir, FileManifest, 1), []byte("ha"))
	if _, _, err := Load(fs, testDir); !errors.Is(err, ErrNoStore) {
		t.Errorf("interrupted creation: %v", err)
	}
	for name, fs := range map[string]*vfs.Mem{"edits": make1(1), "log": make1(0), "table": make1(0), "manifest": make1(0)} {
		switch name {
		case "log":
			write(t, fs, testDir+"/000002.log", nil)
		case "table":
			write(t, fs, testDir+"/000002.sst", nil)
		case "manifest":
			write(t, fs, testDir+"/MANIFEST-000002", nil)
		}
		_, _, err := Load(fs, testDir)
		if c := mustCorrupt(t, err); c.File != Path(testDir, FileCurrent, 0) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestManifestMissing(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Create(fs, testDir)
	must(t, err)
	must(t, s.Close(true))
	name := Path(testDir, FileManifest, 1)
	whole := read(t, fs, name)
	must(t, fs.Remove(name))
	_, _, err = Load(fs, testDir)
	if c := mustCorrupt(t, err); c.File != name {
		t.Error(err)
	}
	// Another store's file in its place, and a log.
	for _, b := range [][]byte{nil, bytes.Repeat(whole, 2), whole[:len(whole)-1]} {
		write(t, fs, name, b)
		_, _, err = Load(fs, testDir)
		mustCorrupt(t, err)
	}
}

// Older copies of CURRENT or of the manifest are noticed.
func TestOlderCopies(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Create(fs, testDir)
	must(t, err)
	current := read(t, fs, Path(testDir, FileCurrent, 0))
	manifest := read(t, fs, Path(testDir, FileManifest, 1))
	must(t, s.Append(&Edit{LastSeq: 10}))
	must(t, s.Close(true))
	name := Path(testDir, FileManifest, 1)
	newer := read(t, fs, name)
	write(t, fs, name, manifest)
	_, _, err = Load(fs, testDir)
	mustCorrupt(t, err)
	write(t, fs, name, newer)
	s, _, err = Load(fs, testDir)
	must(t, err)
	must(t, s.Append(&Edit{LastSeq: 20})) // a new manifest
	write(t, fs, Path(testDir, FileCurrent, 0), current)
	_, _, err = Load(fs, testDir)
	mustCorrupt(t, err)
}

// Each bit of a closed store is needed; so is each of an open one but for the
// last mark.
func TestStoreBitFlips(t *testing.T) {
	for _, clean := range []bool{true, false} {
		fs := vfs.NewMem()
		s, err := Create(fs, testDir)
		must(t, err)
		states := fill(t, s, rand.New(rand.NewPCG(5, 5)), 6)
		markAt := int64(0)
		if !clean {
			markAt = s.mu.w.Synced()
		}
		must(t, s.Close(clean))
		want := states[len(states)-1]
		for _, name := range []string{Path(testDir, FileCurrent, 0), Path(testDir, FileManifest, 1)} {
			whole := read(t, fs, name)
			for bit := range 8 * len(whole) {
				flip := whole[bit/8] ^ 1<<(bit%8)
				must(t, fs.Corrupt(name, int64(bit/8), []byte{flip}))
				_, st, err := Load(fs, testDir)
				if !clean && int64(bit/8) >= markAt && name == Path(testDir, FileManifest, 1) {
					if err != nil || describeState(&st) != want {
						t.Fatalf("bit %d of the last mark flipped: %v", bit, err)
					}
				} else {
					mustCorrupt(t, err)
				}
				must(t, fs.Corrupt(name, int64(bit/8), whole[bit/8:bit/8+1]))
			}
			if clean {
				for n := range whole {
					write(t, fs, name, whole[:n])
					_, _, err := Load(fs, testDir)
					mustCorrupt(t, err)
				}
				write(t, fs, name, append(bytes.Clone(whole), 'x'))
				_, _, err := Load(fs, testDir)
				mustCorrupt(t, err)
				write(t, fs, name, whole)
			}
		}
	}
}

// Frames that check out, with content that does not, are damage with an offset.
func TestBadEdits(t *testing.T) {
	for _, b := range [][]byte{{0xff}, (&Edit{Deleted: []DeletedFile{{1, 5}}}).Encode(nil), (&Edit{MinLog: 9, LogEnd: []LogEnd{{77, 1}}}).Encode(nil)} {
		fs := vfs.NewMem()
		s, err := Create(fs, testDir)
		must(t, err)
		at := s.mu.w.Size()
		must(t, s.mu.w.Append(b))
		must(t, s.mu.w.Sync())
		_, _, err = Load(fs, testDir)
		if c := mustCorrupt(t, err); c.Offset != at {
			t.Errorf("%v, want offset %d", err, at)
		}
	}
	fs := vfs.NewMem()
	s, err := Create(fs, testDir)
	must(t, err)
	must(t, s.mu.w.Append(appendInt(nil, 63, 1)))
	must(t, s.mu.w.Sync())
	if _, _, err = Load(fs, testDir); !errors.Is(err, ErrNewerFormat) || errors.Is(err, base.ErrCorruption) {
		t.Error(err)
	}
}

// Readers beside a writer always see one state.
func TestReadOnlyBesideWriter(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Create(fs, testDir)
	must(t, err)
	done := make(chan error)
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if _, err := LoadReadOnly(fs, testDir); err != nil {
				done <- err
				return
			}
		}
	}()
	r := rand.New(rand.NewPCG(6, 6))
	for i := range 300 {
		st := s.State()
		must(t, s.Append(randomEdit(r, &st, s.NewNum)))
		if i%10 == 0 {
			must(t, s.Roll())
		}
	}
	close(stop)
	must(t, <-done)
}

func BenchmarkAppend(b *testing.B) {
	s, err := Create(vfs.NewMem(), testDir)
	must(b, err)
	for b.Loop() {
		must(b, s.Append(&Edit{LastSeq: 1}))
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{100, 10000} {
		b.Run(fmt.Sprint("files=", n), func(b *testing.B) {
			fs := vfs.NewMem()
			v := benchVersion(b, n)
			_, err := CreateFrom(fs, testDir, State{Version: v, NextFile: base.FileNum(n + 1)})
			must(b, err)
			for b.Loop() {
				_, _, err := Load(fs, testDir)
				must(b, err)
			}
		})
	}
}
