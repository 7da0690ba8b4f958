package lsm_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Long walks over large tables, which are decoded ahead, show what was written: in both
// directions, turning and jumping now and then, while compactions replace the tables.
func TestLongWalks(t *testing.T) {
	keys := 60_000
	if lsm.RaceEnabled {
		keys = 15_000
	}
	db, err := lsm.OpenShaped("/db", &lsm.Options{FS: vfs.NewMem(), Durability: lsm.None},
		lsm.Shape{Memory: 8 << 20, Memtable: 512 << 10, Table: 1 << 20, BaseLevel: 2 << 20, Fanout: 4})
	must(t, err)
	defer db.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	model := make(map[string]string)
	name := func() string { return fmt.Sprintf("key%06d", rng.IntN(keys)) }
	write := func(n int) {
		b := db.NewBatch()
		for range n {
			k := name()
			if rng.IntN(10) == 0 {
				b.Delete([]byte(k))
				delete(model, k)
				continue
			}
			v := fmt.Sprintf("%0*d", 40+rng.IntN(120), rng.Uint64())
			b.Put([]byte(k), []byte(v))
			model[k] = v
		}
		must(t, b.Commit(lsm.None))
	}
	for range keys / 500 {
		write(1000)
	}
	for range 3 {
		sorted := make([]string, 0, len(model))
		for k := range model {
			sorted = append(sorted, k)
		}
		slices.Sort(sorted)
		it, err := db.NewIter(nil)
		must(t, err)
		want := make(map[string]string, len(model))
		for k, v := range model {
			want[k] = v
		}
		at, step := 0, 1
		it.First()
		for moves := 0; moves < 3*keys; moves++ {
			in := at >= 0 && at < len(sorted)
			if it.Valid() != in || in && (string(it.Key()) != sorted[at] || string(it.Value()) != want[sorted[at]]) {
				t.Fatalf("at %d of %d: valid %v, %q = %q, %v", at, len(sorted), it.Valid(), it.Key(), it.Value(), it.Err())
			}
			if moves%4096 == 0 {
				write(500) // the walk does not see it
			}
			switch {
			case !in || rng.IntN(9000) == 0:
				k := []byte(name())
				at, _ = slices.BinarySearchFunc(sorted, k, func(s string, k []byte) int { return bytes.Compare([]byte(s), k) })
				step = 1 - 2*rng.IntN(2)
				it.SeekGE(k)
				continue
			case rng.IntN(9000) == 0:
				step = -step
			}
			at += step
			if step > 0 {
				it.Next()
			} else {
				it.Prev()
			}
		}
		must(t, it.Close())
	}
}
