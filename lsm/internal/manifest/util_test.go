package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustCorrupt asserts a corruption error that names a file.
func mustCorrupt(t testing.TB, err error) *base.CorruptionError {
	t.Helper()
	var c *base.CorruptionError
	if !errors.As(err, &c) || !errors.Is(err, base.ErrCorruption) || c.File == "" {
		t.Fatalf("not a corruption error: %v", err)
	}
	return c
}

// table returns a plain table.
func table(num base.FileNum, smallest, largest string, seqs ...base.SeqNum) *FileMeta {
	f := &FileMeta{
		Num: num, File: num, UID: uint64(num) * 977, Size: 1000 + int64(num), Entries: 10,
		Smallest: []byte(smallest), Largest: []byte(largest), SmallestSeq: 1, LargestSeq: base.SeqNum(num),
	}
	if len(seqs) == 2 {
		f.SmallestSeq, f.LargestSeq = seqs[0], seqs[1]
	}
	return f
}

// exclusive makes the upper bound of f exclusive.
func exclusive(f *FileMeta) *FileMeta {
	f.LargestExclusive = true
	return f
}

// levels returns what a version consists of, for comparisons.
func describe(v *Version) string {
	var b bytes.Buffer
	for l, files := range v.Levels {
		for _, f := range files {
			fmt.Fprintf(&b, "L%d %x\n", l, f.encode(nil))
		}
	}
	return b.String()
}

// describeState is describe with the numbers that must survive.
func describeState(s *State) string {
	return fmt.Sprintf("minlog %d lastseq %d ends %v\n%s", s.MinLog, s.LastSeq, s.LogEnds, describe(s.Version))
}

// randomEdit returns an edit that fits st.
func randomEdit(r *rand.Rand, st *State, num func() base.FileNum) *Edit {
	e := &Edit{LastSeq: st.LastSeq + base.SeqNum(r.IntN(100))}
	v := st.Version
	var uses []BlobUse // of the blob files that are there, and of new ones
	for _, b := range v.Blobs {
		uses = append(uses, BlobUse{b.Num, 1 + b.Values/2, 1 + b.Bytes/2})
	}
	for range r.IntN(3) {
		m := &BlobMeta{Num: num(), UID: r.Uint64(), Size: 5000, Values: 10, Bytes: 4000}
		e.AddedBlobs = append(e.AddedBlobs, m)
		uses = append(uses, BlobUse{m.Num, m.Values, m.Bytes})
	}
	some := func() (out []BlobUse) {
		for _, u := range uses {
			if r.IntN(3) == 0 {
				out = append(out, u)
			}
		}
		return out
	}
	for range r.IntN(3) {
		n := num()
		k := fmt.Sprintf("%04d", r.IntN(1000))
		f := table(n, k, k+"z", e.LastSeq/2, e.LastSeq)
		f.Blobs = some()
		e.Added = append(e.Added, NewFile{0, f})
	}
	if len(v.Levels[0]) > 4 {
		for _, f := range v.Levels[0] {
			e.Deleted = append(e.Deleted, DeletedFile{0, f.Num})
		}
		for _, f := range v.Levels[6] {
			e.Deleted = append(e.Deleted, DeletedFile{6, f.Num})
		}
		for i := range 1 + r.IntN(6) {
			f := table(num(), fmt.Sprintf("%02d", i), fmt.Sprintf("%02d", i+1), 0, 0)
			f.Blobs = some()
			e.Added = append(e.Added, NewFile{6, exclusive(f)})
		}
	}
	if r.IntN(3) == 0 {
		n := num()
		e.LogEnd = append(e.LogEnd, LogEnd{n, int64(r.IntN(1000) + 1)})
		if r.IntN(3) == 0 {
			e.MinLog = n
		}
	}
	return e
}

// read returns the content of a file.
func read(t testing.TB, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	must(t, err)
	defer f.Close()
	n, err := f.Size()
	must(t, err)
	b := make([]byte, n)
	if n > 0 {
		_, err = f.ReadAt(b, 0)
		must(t, err)
	}
	return b
}

// write replaces a file.
func write(t testing.TB, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.Create(name)
	must(t, err)
	if len(b) > 0 {
		_, err = f.WriteAt(b, 0)
		must(t, err)
	}
	must(t, f.Sync())
	must(t, f.Close())
	must(t, fs.SyncDir(filepath.Dir(name)))
}

// list returns the names in dir of one kind.
func list(t testing.TB, fs vfs.FS, dir string, kind FileKind) []string {
	t.Helper()
	names, err := fs.List(dir)
	must(t, err)
	return slices.DeleteFunc(names, func(n string) bool {
		k, _, ok := ParseName(n)
		return !ok || k != kind
	})
}
