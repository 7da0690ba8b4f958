package lsm_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
)

// store opens a store for an example.
func store() (db *lsm.DB, dir string, done func()) {
	dir, err := os.MkdirTemp("", "ringwood")
	if err != nil {
		log.Fatal(err)
	}
	db, err = lsm.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	return db, dir, func() {
		if err := db.Close(); err != nil {
			log.Fatal(err)
		}
		os.RemoveAll(dir)
	}
}

// A batch is applied whole or not at all, and says how durable it is to be.
func ExampleBatch() {
	db, _, done := store()
	defer done()

	b := db.NewBatch()
	b.Put([]byte("a"), []byte("1"))
	b.Put([]byte("b"), []byte("2"))
	b.Delete([]byte("a"))
	if err := b.Commit(lsm.Sync); err != nil { // an error of Put comes here too
		log.Fatal(err)
	}
	vs, err := db.MultiGet([][]byte{[]byte("a"), []byte("b")})
	fmt.Printf("%q %v\n", vs, err)
	// Output: ["" "2"] <nil>
}

// Many writers commit without waiting; the callback comes when the commit is durable.
func ExampleBatch_CommitAsync() {
	db, _, done := store()
	defer done()

	acked := make(chan error)
	b := db.NewBatch()
	b.Put([]byte("k"), []byte("v"))
	b.CommitAsync(lsm.Sync, func(seq uint64, err error) { acked <- err })
	fmt.Println(<-acked)
	// Output: <nil>
}

// AppendGet reuses the caller's memory.
func ExampleDB_AppendGet() {
	db, _, done := store()
	defer done()
	if err := db.Put([]byte("k"), []byte("v")); err != nil {
		log.Fatal(err)
	}

	var buf []byte
	for range 3 {
		var err error
		if buf, err = db.AppendGet(buf[:0], []byte("k")); err != nil {
			log.Fatal(err)
		}
	}
	_, err := db.AppendGet(buf[:0], []byte("absent"))
	fmt.Println(string(buf), errors.Is(err, lsm.ErrNotFound))
	// Output: v true
}

// Update runs the function again when another commit changed what it had read.
func ExampleDB_Update() {
	db, _, done := store()
	defer done()

	err := db.Update(func(tx *lsm.Txn) error {
		n := 0
		v, err := tx.Get([]byte("counter"))
		if err == nil {
			fmt.Sscan(string(v), &n)
		} else if !errors.Is(err, lsm.ErrNotFound) {
			return err
		}
		return tx.Put([]byte("counter"), fmt.Append(nil, n+1))
	})
	v, _ := db.Get([]byte("counter"))
	fmt.Println(string(v), err)
	// Output: 1 <nil>
}

// A snapshot goes on seeing its moment.
func ExampleDB_NewSnapshot() {
	db, _, done := store()
	defer done()
	if err := db.Put([]byte("k"), []byte("old")); err != nil {
		log.Fatal(err)
	}

	s := db.NewSnapshot()
	defer s.Close()
	if err := db.Put([]byte("k"), []byte("new")); err != nil {
		log.Fatal(err)
	}
	then, _ := s.Get([]byte("k"))
	now, _ := db.Get([]byte("k"))
	fmt.Println(string(then), string(now))
	// Output: old new
}

// An iterator walks in both directions within its bounds.
func ExampleIterator() {
	db, _, done := store()
	defer done()
	for _, k := range []string{"a", "b", "c", "d"} {
		if err := db.Put([]byte(k), nil); err != nil {
			log.Fatal(err)
		}
	}

	it, err := db.NewIter(&lsm.IterOptions{Lower: []byte("b"), Upper: []byte("d")})
	if err != nil {
		log.Fatal(err)
	}
	defer it.Close()
	for it.Last(); it.Valid(); it.Prev() {
		fmt.Printf("%s ", it.Key())
	}
	fmt.Println(it.Err())
	// Output: c b <nil>
}

// A value with a time to live is not found once it has expired.
func ExampleDB_PutTTL() {
	db, _, done := store()
	defer done()
	if err := db.PutTTL([]byte("session"), []byte("x"), time.Hour); err != nil {
		log.Fatal(err)
	}
	ok, err := db.Has([]byte("session"))
	fmt.Println(ok, err)
	// Output: true <nil>
}

// A checkpoint is a second store that shares the tables' disk space.
func ExampleDB_Checkpoint() {
	db, dir, done := store()
	defer done()
	if err := db.Put([]byte("k"), []byte("v")); err != nil {
		log.Fatal(err)
	}

	backup := filepath.Join(dir, "backup")
	if err := db.Checkpoint(backup); err != nil {
		log.Fatal(err)
	}
	copied, err := lsm.Open(backup, &lsm.Options{ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer copied.Close()
	v, err := copied.Get([]byte("k"))
	fmt.Println(string(v), err)
	// Output: v <nil>
}

// Sorted data is loaded fastest as whole tables.
func ExampleDB_Ingest() {
	db, dir, done := store()
	defer done()

	path := filepath.Join(dir, "bulk")
	w, err := lsm.NewTableWriter(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	for i := range 1000 {
		if err := w.Put(fmt.Appendf(nil, "%06d", i), []byte("v")); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		log.Fatal(err)
	}
	if err := db.Ingest([]string{path}); err != nil {
		log.Fatal(err)
	}
	ok, err := db.Has([]byte("000999"))
	fmt.Println(ok, err)
	// Output: true <nil>
}

// Compact gives back the space of what was deleted.
func ExampleDB_Compact() {
	db, _, done := store()
	defer done()
	if err := db.DeleteRange([]byte("2024"), []byte("2025")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(db.Compact(context.Background(), nil, nil))
	// Output: <nil>
}

// The engine runs without goroutines of its own when it is handed an Executor.
func ExampleStepper() {
	dir, err := os.MkdirTemp("", "ringwood")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	steps := lsm.NewStepper()
	db, err := lsm.Open(dir, &lsm.Options{Executor: steps, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}

	b := db.NewBatch()
	b.Put([]byte("k"), []byte("v"))
	b.CommitAsync(lsm.OS, func(seq uint64, err error) { fmt.Println("committed", seq, err) })
	fmt.Println("not yet")
	steps.Run()
	fmt.Println("closed", db.Close())
	// Output:
	// not yet
	// committed 1 <nil>
	// closed <nil>
}
