package lsm_test

import (
	"context"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
)

// TestAllocations holds the hot paths to what they may allocate.
func TestAllocations(t *testing.T) {
	if lsm.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	db := open(t, t.TempDir(), &lsm.Options{Durability: lsm.None})
	const n = 20000
	for i := range n {
		must(t, db.Put(key(i), val(i, 100)))
	}
	must(t, db.Flush())
	must(t, db.Compact(context.Background(), nil, nil))
	for i := range 100 {
		must(t, db.Put(key(i), val(i, 100)))
	}
	var buf []byte
	i := 0
	get := func(lo, hi int) func() {
		return func() {
			i++
			var err error
			if buf, err = db.AppendGet(buf[:0], key1(lo+i*7919%(hi-lo))); err != nil {
				t.Fatal(err)
			}
		}
	}
	absent := []byte("absent")
	batch := db.NewBatch()
	v := val(1, 100)
	done := make(chan error, 1)
	committed := func(_ uint64, err error) { done <- err }
	for _, c := range []struct {
		name string
		max  float64
		run  func()
	}{
		{"AppendGet from the memtable", 0, get(0, 100)},
		{"AppendGet from a cached block", 0, get(100, 2000)},
		{"AppendGet from all blocks", 0, get(100, n)},
		{"AppendGet of an absent key", 0, func() { _, _ = db.AppendGet(buf[:0], absent) }},
		{"Has", 0, func() { _, _ = db.Has(absent) }},
		{"Put", 1, func() { must(t, db.Put(absent[:3], v)) }},
		{"Delete", 1, func() { must(t, db.Delete(absent[:3])) }},
		{"reused batch", 1, func() {
			batch.Reset()
			must(t, batch.Put(absent[:3], v))
			must(t, batch.Commit(lsm.OS))
		}},
		{"reused batch without waiting", 1, func() {
			batch.Reset()
			must(t, batch.Put(absent[:3], v))
			batch.CommitAsync(lsm.OS, committed)
			must(t, <-done)
		}},
		{"seek and ten steps", 1, func() {
			it, err := db.NewIter(nil)
			must(t, err)
			it.SeekGE(key1(500))
			for range 10 {
				it.Next()
			}
			must(t, it.Close())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 3000 {
				c.run()
			}
			if got := testing.AllocsPerRun(2000, c.run); got > c.max {
				t.Errorf("%v allocations, at most %v are allowed", got, c.max)
			}
		})
	}
}

var keyBuf [16]byte

// key1 is key without an allocation; the result lives until the next call.
func key1(i int) []byte {
	copy(keyBuf[:], "key")
	for p := 15; p >= 3; p-- {
		keyBuf[p] = byte('0' + i%10)
		i /= 10
	}
	return keyBuf[:]
}
