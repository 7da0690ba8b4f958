package lsm

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// TestManyTablesLeaveLargeCache drops hundreds of tables at once beside a full cache: nobody
// waits for as many looks at every block in it, neither for DB.mu nor in Close.
func TestManyTablesLeaveLargeCache(t *testing.T) {
	const tables = 300
	// Another process may hold things up; not each time.
	for try := 1; ; try++ {
		look, drop, closing := dropTables(t, tables)
		t.Logf("a look at every block takes %v; longest wait for DB.mu %v, Close %v", look, drop, closing)
		if enough := tables / 2 * look; drop < enough && closing < enough {
			return
		}
		if try == 3 {
			t.Fatalf("with %d tables dropped at once somebody waited for DB.mu for %v, and for Close of as many %v", tables, drop, closing)
		}
	}
}

// dropTables returns the time of one look at every block, the longest wait for DB.mu while n
// tables are dropped at once, and the time that Close takes with n tables.
func dropTables(t *testing.T, n int) (look, drop, closing time.Duration) {
	db, err := Open("/db", &Options{FS: vfs.NewMem(), Durability: None})
	mustDo(t, err)
	defer db.Close()
	ingest := func() {
		var names []string
		for i := range n {
			name := fmt.Sprintf("/t%06d.sst", i)
			w, err := NewTableWriter(name, &Options{FS: db.fs})
			mustDo(t, err)
			mustDo(t, w.Put(fmt.Appendf(nil, "%06d", i), nil))
			mustDo(t, w.Finish())
			names = append(names, name)
		}
		mustDo(t, db.Ingest(names))
		for _, name := range names {
			mustDo(t, db.fs.Remove(name))
		}
	}
	ingest()
	for i := range uint64(200_000) {
		h, ok := db.cache.Reserve(500)
		if !ok {
			t.Fatal("no room in the cache")
		}
		db.cache.Publish(h, 1<<60, i)
		h.Release()
	}
	begun := time.Now()
	db.cache.EvictIDs(1<<60 + 1)
	look = time.Since(begun)
	mustDo(t, db.DeleteRange(nil, nil))
	mustDo(t, db.Flush())
	_, err = db.Has([]byte("k")) // opens the table with the tombstone
	mustDo(t, err)
	done := make(chan error)
	go func() { done <- db.Compact(context.Background(), nil, nil) }() // in one edit
	for compacted := false; !compacted; {
		select {
		case err := <-done:
			mustDo(t, err)
			compacted = true
		case <-time.After(50 * time.Microsecond):
		}
		begun := time.Now()
		db.mu.Lock()
		drop = max(drop, time.Since(begun))
		db.mu.Unlock()
	}
	mustDo(t, db.WaitIdle(t.Context()))
	ingest()
	begun = time.Now()
	mustDo(t, db.Close())
	return look, drop, time.Since(begun)
}
