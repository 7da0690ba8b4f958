package replica

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

var update = flag.Bool("update", false, "write the bytes of a store into testdata")

// The bytes of a store: what is on disk today is read by all programs to come.
func TestGolden(t *testing.T) {
	o := small(vfs.NewMem())
	o.Cluster, o.Node, o.Create.HashKey = ID{1}, ID{2}, HashKey{3}
	r := open(t, o)
	b := bucket(t, r, FirstBucket)
	other, err := r.CreateBucket("other", BucketConfig{LastWriterWins: true, Durability: lsm.OS, MaxSiblings: -1, OnLimit: vclock.Keep})
	must(t, err)
	gone, err := r.CreateBucket("gone", BucketConfig{})
	must(t, err)
	must(t, r.DropBucket(gone))
	must(t, r.Share(start))
	must(t, r.WriteMeta("name", []byte("named")))
	must(t, r.Put(start, b, []byte("value"), Write{Value: []byte("v"), Type: 5}))
	must(t, r.Put(start, b, []byte("expiring"), Write{Value: []byte("v"), Expiry: start + 1000}))
	must(t, r.Put(start, b, []byte("siblings"), Write{Value: []byte("v")}))
	must(t, r.Put(start, b, []byte("siblings"), Write{Value: []byte("w"), Context: &vclock.Context{}}))
	put(t, r, other, "deleted", "v")
	_, err = r.Delete(start, other, []byte("deleted"), nil)
	must(t, err)
	var got strings.Builder
	it, err := r.db.NewIter(nil)
	must(t, err)
	for it.First(); it.Valid(); it.Next() {
		fmt.Fprintf(&got, "%x %x\n", it.Key(), it.Value())
	}
	must(t, it.Close())
	if *update {
		must(t, os.WriteFile("testdata/store.txt", []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile("testdata/store.txt")
	must(t, err)
	if got.String() != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Fatalf("the format has changed; now:\n%s", &got)
	}
}
