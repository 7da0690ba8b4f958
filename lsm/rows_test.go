package lsm_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// A read that comes again is served by the row cache, and every way to change a key shows
// at once.
func TestRowCache(t *testing.T) {
	clock := time.Unix(1_000_000, 0)
	sys := vfs.NewMem()
	db := open(t, "/db", &lsm.Options{
		FS: sys, Executor: lsm.NewStepper(), Durability: lsm.None, RowCache: 1 << 20,
		Clock: func() time.Time { return clock }, BlobThreshold: 2000,
	})
	k := []byte("key")
	want := func(what, value string) {
		t.Helper()
		for range 3 {
			db.Prefetch([][]byte{[]byte("another"), k, nil})
			v, err := db.Get(k)
			if errors.Is(err, lsm.ErrNotFound) {
				v = []byte("absent")
			} else if err != nil {
				t.Fatal(err)
			}
			if string(v) != value {
				t.Fatalf("after %s: %.30q, want %.30q", what, v, value)
			}
		}
	}
	hits := func() int64 { return db.Metrics().RowHits }
	served := func(what string, yes bool) {
		t.Helper()
		before := hits()
		_, err := db.Get(k)
		must(t, err)
		if got := hits() > before; got != yes {
			t.Errorf("after %s: served by the row cache: %v", what, got)
		}
	}
	put := func(v string) { must(t, db.Put(k, []byte(v))) }

	want("nothing", "absent")
	put("one")
	want("a put", "one")
	served("three reads", true)
	put("two")
	served("a put of what is cached", true)
	want("a put of what is cached", "two")
	must(t, db.Delete(k))
	want("a delete", "absent")
	put("three")
	want("a put of what was deleted", "three")
	must(t, db.Flush())
	want("a flush", "three")
	must(t, db.DeleteRange([]byte("a"), []byte("z")))
	want("a delete of a range", "absent")
	put("four")
	want("a put behind it", "four")
	must(t, db.PutTTL(k, []byte("five"), time.Second))
	want("a put with a time to live", "five")
	served("it", false)
	clock = clock.Add(time.Second)
	want("its end", "absent")
	put("six")
	want("a put", "six")
	must(t, db.Excise([]byte("a"), []byte("z")))
	want("an excise", "absent")
	put("seven")
	want("a put", "seven")
	ingested := newTable(t, sys, k, "eight")
	must(t, db.Ingest([]string{ingested}))
	want("an ingest", "eight")

	large := string(make([]byte, 5000))
	put(large)
	want("a large value", large)
	served("a large value", false)
	must(t, db.Flush())
	want("it lies in a blob file", large)
	served("that", false)
	must(t, db.Update(func(tx *lsm.Txn) error { return tx.Put(k, []byte("nine")) }))
	want("a transaction", "nine")
	served("a transaction", true)
	s := db.NewSnapshot()
	put("ten")
	want("a put beside a snapshot", "ten")
	v, err := s.Get(k)
	s.Close()
	if err != nil || string(v) != "nine" {
		t.Errorf("the snapshot has %q, %v, want nine", v, err)
	}
	defer db.Prefetch([][]byte{k}) // of a closed store
	defer db.Close()
	if m := db.Metrics(); m.Memory.Rows <= 0 || m.Memory.Rows > 1<<20 || m.RowMisses == 0 {
		t.Errorf("metrics: %d bytes, %d misses", m.Memory.Rows, m.RowMisses)
	}
}

// newTable writes a table with one key beside the store.
func newTable(t *testing.T, sys vfs.FS, key []byte, value string) string {
	t.Helper()
	w, err := lsm.NewTableWriter("/ingested.sst", &lsm.Options{FS: sys})
	must(t, err)
	must(t, w.Put(key, []byte(value)))
	must(t, w.Finish())
	return "/ingested.sst"
}

// Whoever has read one key of a batch reads the other no older than that, by single
// reads, which the row cache serves.
func TestConcurrentRowsOfBatches(t *testing.T) {
	db, sys := openCrowd(t)
	c := newCrowd(t, crowdTime())
	const pairs = 16
	left := func(i int) []byte { return fmt.Appendf(nil, "left%d", i) }
	right := func(i int) []byte { return fmt.Appendf(nil, "right%d", i) }
	for w := range 2 {
		n := uint64(0)
		c.add(func(rng *rand.Rand) error {
			n++
			i := 2*rng.IntN(pairs/2) + w
			b := db.NewBatch()
			err := b.Put(left(i), encode(n))
			for j := range rng.IntN(2) * 500 { // what takes a while between the two
				err = errors.Join(err, b.Put(fmt.Appendf(nil, "middle%d", j), nil))
			}
			err = errors.Join(err, b.Put(right(i), encode(n)))
			switch rng.IntN(40) {
			case 0:
				err = errors.Join(err, b.DeleteRange([]byte("x"), []byte("y")))
			case 1:
				err = errors.Join(err, db.Excise([]byte("x"), []byte("y")))
			}
			return errors.Join(err, b.Commit(lsm.Durability(rng.IntN(3))))
		})
	}
	for range 3 {
		var seen [pairs][2]uint64
		get := func(key []byte) (uint64, error) {
			v, err := db.Get(key)
			if errors.Is(err, lsm.ErrNotFound) {
				return 0, nil
			}
			if err != nil {
				return 0, err
			}
			return binary.BigEndian.Uint64(v), nil
		}
		c.add(func(rng *rand.Rand) error {
			i := rng.IntN(pairs)
			l, err := get(left(i))
			r, err2 := get(right(i))
			if err = errors.Join(err, err2); err != nil {
				return err
			}
			if l < seen[i][0] || r < seen[i][1] || r < l {
				return fmt.Errorf("pair %d: %d and %d, after %d and %d", i, l, r, seen[i][0], seen[i][1])
			}
			seen[i] = [2]uint64{l, r}
			return nil
		})
	}
	c.addUpkeep(db, sys)
	c.wait.Wait()
	if m := db.Metrics(); m.RowHits < 100 {
		t.Errorf("the row cache served %d reads only", m.RowHits)
	}
}

// Between the state that a read takes and its look into the row cache there may be a
// rotation and a commit. What the read finds then is of the moment before, and no row.
func TestRowOfAnOlderState(t *testing.T) {
	db := open(t, "/db", &lsm.Options{FS: vfs.NewMem(), Executor: lsm.NewStepper(), RowCache: 1 << 20})
	k := []byte("key")
	must(t, db.Put(k, []byte("old")))
	_, err := db.Get(k) // turns the row cache on
	must(t, err)
	v, err := db.GetAcross(k, func() {
		must(t, db.Flush())
		must(t, db.Put(k, []byte("new")))
	})
	if err != nil || string(v) != "old" {
		t.Fatalf("%q, %v, want the value of the older state", v, err)
	}
	if v, err = db.Get(k); err != nil || string(v) != "new" {
		t.Errorf("%q, %v, want the one that was acknowledged", v, err)
	}
}

// The leader announces what it writes from the first read on, and while somebody reads.
func TestRowCacheOfUnreadStore(t *testing.T) {
	db := open(t, "/db", &lsm.Options{FS: vfs.NewMem(), Durability: lsm.None, RowCache: 1 << 20})
	k := []byte("key")
	for round := range 3 {
		must(t, db.Put(k, encode(uint64(round))))
		if db.RowsOn() {
			t.Fatalf("round %d: announced before a read", round)
		}
		for range 3 {
			v, err := db.Get(k)
			must(t, err)
			if binary.BigEndian.Uint64(v) != uint64(round) {
				t.Fatalf("round %d: %x", round, v)
			}
		}
		if !db.RowsOn() {
			t.Fatalf("round %d: not announced after a read", round)
		}
		b := db.NewBatch()
		for i := range 140_000 { // more than twice unusedKeys
			must(t, b.Put([]byte{byte(i)}, nil))
			if i%1000 == 999 {
				must(t, b.Commit(lsm.None))
				b.Reset()
			}
		}
	}
	if n := db.Metrics().RowHits; n != 3 {
		t.Errorf("%d reads were served, want the last of each round", n)
	}
}

// Reads that begin while a commit is under way, and are followed by no other, are served.
func TestRowCacheWantedInACommit(t *testing.T) {
	db := open(t, "/db", &lsm.Options{FS: vfs.NewMem(), Durability: lsm.None, RowCache: 1 << 20})
	k := []byte("key")
	must(t, db.Put(k, []byte("v")))
	get := func() error { _, err := db.Get(k); return err }
	must(t, db.Exclusive(get))
	for range 3 {
		must(t, get())
	}
	if n := db.Metrics().RowHits; n != 2 {
		t.Errorf("%d reads were served, want the last two", n)
	}
}

// BenchmarkRowCache is single reads of records of about 150 bytes, in random order: of so
// many that the row cache holds all of them, and of ten times as many as it holds. In each
// round every tenth call is a write.
func BenchmarkRowCache(b *testing.B) {
	for _, n := range []int{100_000, 2_000_000} {
		for _, size := range []int64{0, 32 << 20} {
			b.Run(fmt.Sprintf("records=%d/cache=%dMiB", n, size>>20), func(b *testing.B) {
				db, err := lsm.Open(b.TempDir(), &lsm.Options{Durability: lsm.None, RowCache: size})
				must(b, err)
				defer db.Close()
				name := func(k []byte, i int) []byte { return fmt.Appendf(k[:0], "%016x:%d", uint64(i)*0x9e3779b97f4a7c15, i) }
				value, k, buf := make([]byte, 130), []byte(nil), []byte(nil)
				for i := range n {
					must(b, db.Put(name(k, i), value))
				}
				rng := rand.New(rand.NewPCG(1, 1))
				call := func(i int) {
					k = name(k, rng.IntN(n))
					if i%10 == 0 {
						must(b, db.Put(k, value))
						return
					}
					buf, err = db.AppendGet(buf[:0], k)
					must(b, err)
				}
				for i := range 3 * n / 2 {
					call(i)
				}
				i := 0
				for b.Loop() {
					i++
					call(i)
				}
			})
		}
	}
}
