package lsm_test

import (
	"bytes"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Open tells how far the replay of the logs has come.
func TestReplayIsShown(t *testing.T) {
	mem := vfs.NewMem()
	db, err := lsm.Open("db", &lsm.Options{FS: mem, Memory: 64 << 20, Executor: lsm.NewStepper(), BlobThreshold: -1})
	must(t, err)
	value := bytes.Repeat([]byte("v"), 10_000)
	for i := range 500 {
		b := db.NewBatch()
		must(t, b.Put([]byte{byte(i >> 8), byte(i)}, value))
		must(t, b.Commit(lsm.OS))
	}
	var shown []lsm.Event
	crashed, err := lsm.Open("db", &lsm.Options{FS: mem.CrashClone(vfs.CrashOptions{Survive: 1}), Memory: 64 << 20, Events: func(e lsm.Event) {
		if e.Kind == lsm.EventReplaying {
			shown = append(shown, e)
		}
	}})
	must(t, err)
	must(t, crashed.Close())
	must(t, db.Close())
	if len(shown) < 3 {
		t.Fatalf("%d events only", len(shown))
	}
	for i, e := range shown {
		if e.Bytes > e.Total || e.Total < 5_000_000 || i > 0 && e.Bytes < shown[i-1].Bytes+1<<20 {
			t.Fatalf("event %d: %d of %d", i, e.Bytes, e.Total)
		}
	}
}
