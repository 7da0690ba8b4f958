package lsm_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// underTombstones makes a store of many tables that all have range tombstones, which a
// snapshot keeps: one over everything, or else one over every eighth key. Of a walk the
// even keys are left.
func underTombstones(t testing.TB, keys int, wide bool) (*lsm.DB, *countingFS) {
	fs := &countingFS{FS: vfs.NewMem()}
	o := &lsm.Options{FS: fs, Memory: 32 << 20, MaxOpenFiles: 16, Durability: lsm.None, Executor: lsm.NewStepper()}
	if _, ok := t.(*testing.B); ok {
		o.MaxOpenFiles = 4000
	}
	db, err := lsm.OpenShaped("/db", o, lsm.Shape{Memtable: 256 << 10, Table: 4 << 10, BaseLevel: 64 << 10, Fanout: 8, Sealed: 2})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	for i := 0; i < keys; i++ {
		must(t, db.Put(key(i), val(i, 40)))
	}
	snap := db.NewSnapshot()
	t.Cleanup(func() { _ = snap.Close() })
	if wide {
		must(t, db.DeleteRange(key(0), nil))
		for i := 0; i < keys; i += 2 {
			must(t, db.Put(key(i), val(i, 40)))
		}
	} else {
		for i := 1; i < keys; i += 2 {
			if i%8 == 1 {
				must(t, db.DeleteRange(key(i), key(i+1)))
			} else {
				must(t, db.Delete(key(i)))
			}
		}
	}
	must(t, db.Compact(context.Background(), nil, nil))
	return db, fs
}

// TestIteratorUnderTombstones: range tombstones in every table do not make an iterator open
// more than the tables that it comes to.
func TestIteratorUnderTombstones(t *testing.T) {
	const keys = 8000
	for _, wide := range []bool{true, false} {
		db, fs := underTombstones(t, keys, wide)
		tables := int64(0)
		for _, n := range lsm.Levels(db) {
			tables += int64(n)
		}
		if tables < 100 {
			t.Fatalf("%d tables only", tables)
		}
		opened := func(what string, most int64, do func(it *lsm.Iterator)) {
			t.Helper()
			before := fs.opened.Load()
			it, err := db.NewIter(nil)
			must(t, err)
			do(it)
			must(t, it.Close())
			if n := fs.opened.Load() - before; n > most {
				t.Errorf("%s opened %d tables of %d", what, n, tables)
			}
		}
		at := func(it *lsm.Iterator, i int) {
			t.Helper()
			if !it.Valid() || string(it.Key()) != string(key(i)) {
				t.Fatalf("at %q, not %q: %v", it.Key(), key(i), it.Err())
			}
		}
		opened("a short scan", 4, func(it *lsm.Iterator) {
			it.First()
			for i := range 5 {
				at(it, 2*i)
				it.Next()
			}
		})
		opened("a seek", 4, func(it *lsm.Iterator) {
			it.SeekGE(key(keys/2 + 1))
			at(it, keys/2+2)
		})
		opened("a scan", tables+16, func(it *lsm.Iterator) {
			i := 0
			for it.First(); it.Valid(); it.Next() {
				at(it, i)
				i += 2
			}
			if i != keys {
				t.Errorf("%d keys forwards", i)
			}
		})
		opened("a scan backwards", tables+16, func(it *lsm.Iterator) {
			i := keys
			for it.Last(); it.Valid(); it.Prev() {
				i -= 2
				at(it, i)
			}
			if i != 0 {
				t.Errorf("%d keys fewer backwards", i)
			}
		})
	}
}

// BenchmarkNextUnderTombstones is a step of a walk over tables that all have range
// tombstones, and an iterator that goes to the first key only.
func BenchmarkNextUnderTombstones(b *testing.B) {
	for _, wide := range []bool{true, false} {
		for _, keys := range []int{400, 4000, 40000} {
			db, _ := underTombstones(b, keys, wide)
			tables := 0
			for _, n := range lsm.Levels(db) {
				tables += n
			}
			b.Run(fmt.Sprintf("wide=%v/tables=%d/Next", wide, tables), func(b *testing.B) {
				it, err := db.NewIter(nil)
				must(b, err)
				defer it.Close()
				for b.Loop() {
					if !it.Next() && !it.First() {
						b.Fatal(it.Err())
					}
				}
			})
			b.Run(fmt.Sprintf("wide=%v/tables=%d/First", wide, tables), func(b *testing.B) {
				for b.Loop() {
					it, err := db.NewIter(nil)
					must(b, err)
					it.First()
					must(b, it.Close())
				}
			})
		}
	}
}
