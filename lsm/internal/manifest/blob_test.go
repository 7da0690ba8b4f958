package manifest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

func blobTable(n base.FileNum, key string, uses ...BlobUse) *FileMeta {
	f := table(n, key, key)
	f.Blobs = uses
	return f
}

// A blob file is there as long as a table refers to it, with what the tables need of it.
func TestBlobsFollowTables(t *testing.T) {
	blob := func(n base.FileNum) *BlobMeta {
		return &BlobMeta{Num: n, UID: uint64(n) + 70, Size: 1000, Values: 10, Bytes: 900}
	}
	v := &Version{}
	apply := func(e *Edit) {
		t.Helper()
		n, err := Apply(v, e)
		must(t, err)
		must(t, n.Check())
		v = n
	}
	apply(&Edit{AddedBlobs: []*BlobMeta{blob(2), blob(4), blob(9)}, Added: []NewFile{
		{1, blobTable(1, "a", BlobUse{2, 4, 400})}, {1, blobTable(3, "b", BlobUse{2, 5, 450}, BlobUse{4, 10, 900})}}})
	if len(v.Blobs) != 2 { // nobody refers to 9
		t.Fatalf("%d blob files", len(v.Blobs))
	}
	if b := v.Blob(2); b.Live != 850 || b.Garbage() != 50 || b.Tables != 2 {
		t.Errorf("%+v", b)
	}
	before := v
	// A move, and a rewrite that needs less.
	apply(&Edit{Deleted: []DeletedFile{{1, 1}, {1, 3}}, Added: []NewFile{{2, v.Levels[1][0]}, {1, blobTable(5, "b", BlobUse{2, 1, 90})}}})
	if len(v.Blobs) != 1 || v.Blob(4) != nil || v.Blob(2).Live != 490 || v.Blob(2).Tables != 2 {
		t.Errorf("%+v", v.Blobs)
	}
	// Of tables those below L0 are counted by themselves.
	apply(&Edit{Added: []NewFile{{0, blobTable(6, "b", BlobUse{2, 1, 90})}}})
	if b := v.Blob(2); b.Tables != 3 || b.Deep != 2 || b.Garbage() != 320 {
		t.Errorf("%+v", b)
	}
	apply(&Edit{Deleted: []DeletedFile{{0, 6}, {1, 5}}, Added: []NewFile{{1, v.Levels[0][0]}}})
	if b := v.Blob(2); b.Tables != 2 || b.Deep != 2 || b.Garbage() != 410 {
		t.Errorf("%+v", b)
	}
	if before.Blob(2).Live != 850 || before.Blob(4).Tables != 1 {
		t.Error("the version before has changed")
	}
	apply(&Edit{Deleted: []DeletedFile{{2, 1}, {1, 6}}})
	if len(v.Blobs) != 0 {
		t.Errorf("%+v", v.Blobs)
	}
	for want, e := range map[string]*Edit{
		"which is not there": {Added: []NewFile{{1, blobTable(1, "a", BlobUse{4, 4, 400})}}},
		"there twice":        {AddedBlobs: []*BlobMeta{blob(2), blob(2)}, Added: []NewFile{{1, blobTable(1, "a", BlobUse{2, 4, 400})}}},
		"use 1 of":           {AddedBlobs: []*BlobMeta{blob(2)}, Added: []NewFile{{1, blobTable(1, "a", BlobUse{2, 4, 400}, BlobUse{2, 4, 400})}}},
	} {
		if _, err := Apply(v, e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// What edits lead to one by one is what the tables say when they are counted at once.
func TestBlobsCountedEitherWay(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	seen := 0
	for range 60 {
		st := State{Version: &Version{}, NextFile: 1}
		num := func() base.FileNum { st.NextFile++; return st.NextFile - 1 }
		var all []*BlobMeta
		for range 20 {
			e := randomEdit(r, &st, num)
			e.NextFile = st.NextFile
			e.MinLog, e.LogEnd = 0, nil
			next, err := st.after(e)
			must(t, err)
			all = append(all, e.AddedBlobs...)
			st = next
			v, err := NewVersion(st.Version.Levels, all...)
			must(t, err)
			if got, want := fmt.Sprint(st.Version.Blobs), fmt.Sprint(v.Blobs); got != want {
				t.Fatalf("%v by edits, %v at once", got, want)
			}
			seen += len(v.Blobs)
		}
	}
	if seen == 0 {
		t.Error("no blob files")
	}
}
