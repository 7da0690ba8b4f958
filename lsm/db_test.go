package lsm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func key(i int) []byte { return fmt.Appendf(nil, "key%013d", i) }

func val(i, n int) []byte {
	v := bytes.Repeat([]byte{byte('a' + i%26)}, n)
	return append(v, fmt.Sprint(i)...)
}

func open(t testing.TB, dir string, o *lsm.Options) *lsm.DB {
	t.Helper()
	db, err := lsm.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestManyKeys writes enough to flush and compact several times, with overwrites and
// deletes, and checks every answer, before and after reopening.
func TestManyKeys(t *testing.T) {
	dir := t.TempDir()
	o := &lsm.Options{Memory: 8 << 20, Durability: lsm.None}
	db := open(t, dir, o)
	n := 60000
	if testing.Short() {
		n = 20000
	}
	want := func(i int) []byte {
		switch {
		case i%7 == 0:
			return nil
		case i%3 == 0:
			return val(i+1, 90)
		}
		return val(i, 100)
	}
	for i := range n {
		j := i * 7919 % n
		must(t, db.Put(key(j), val(j, 100)))
	}
	for i := 0; i < n; i += 3 {
		must(t, db.Put(key(i), val(i+1, 90)))
	}
	for i := 0; i < n; i += 7 {
		must(t, db.Delete(key(i)))
	}
	check := func(db *lsm.DB) {
		t.Helper()
		for i := range n {
			v, err := db.Get(key(i))
			w := want(i)
			if w == nil && !errors.Is(err, lsm.ErrNotFound) || w != nil && (err != nil || !bytes.Equal(v, w)) {
				t.Fatalf("key %d: %q, %v; want %q", i, v, err, w)
			}
		}
		it, err := db.NewIter(nil)
		must(t, err)
		defer it.Close()
		i := 0
		for k, v := range it.All() {
			for want(i) == nil {
				i++
			}
			if !bytes.Equal(k, key(i)) || !bytes.Equal(v, want(i)) {
				t.Fatalf("iterator at %q, want %q", k, key(i))
			}
			i++
		}
		must(t, it.Err())
		for i = n - 1; want(i) == nil; i-- {
		}
		for it.Last(); it.Valid(); it.Prev() {
			if !bytes.Equal(it.Key(), key(i)) || !bytes.Equal(it.Value(), want(i)) {
				t.Fatalf("backwards at %q, want %q", it.Key(), key(i))
			}
			for i--; i >= 0 && want(i) == nil; i-- {
			}
		}
		must(t, it.Err())
		if i != -1 {
			t.Fatalf("backwards ended at %d", i)
		}
	}
	check(db)
	must(t, db.WaitIdle(context.Background()))
	t.Logf("\n%s", db.Metrics())
	check(db)
	must(t, db.Verify(context.Background()))
	must(t, db.Close())
	db = open(t, dir, o)
	check(db)
	must(t, db.Compact(context.Background(), nil, nil))
	check(db)
	t.Logf("\n%s", db.Metrics())
}

// TestMissesAskFilters looks for keys that are not there between keys that are all in
// the last level: its filters answer, and hardly a block is read.
func TestMissesAskFilters(t *testing.T) {
	o := &lsm.Options{FS: vfs.NewMem(), Executor: lsm.NewStepper(), Seed: 1, Durability: lsm.None}
	db, err := lsm.OpenShaped("/db", o, lsm.Shape{Memory: 1 << 20, Memtable: 32 << 10})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	const n = 2000
	for i := range n {
		j := i * 7919 % n // so that no table can be moved down as it is
		must(t, db.Put(key(2*j), val(j, 100)))
	}
	must(t, db.Compact(context.Background(), nil, nil))
	levels := lsm.Levels(db)
	if last := levels[len(levels)-1]; last == 0 || slices.Max(levels[:len(levels)-1]) > 0 {
		t.Fatalf("tables by level: %d", levels)
	}
	before := db.Metrics()
	for i := range n - 1 {
		if _, err := db.Get(key(2*i + 1)); !errors.Is(err, lsm.ErrNotFound) {
			t.Fatal(err)
		}
	}
	after := db.Metrics()
	said := after.FilterNegatives - before.FilterNegatives
	looked := after.CacheHits + after.CacheMisses - before.CacheHits - before.CacheMisses
	if said < n*9/10 || looked > n/10 {
		t.Errorf("of %d misses the filters answered %d, and %d blocks were looked at", n-1, said, looked)
	}
}
