package sstable

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/block"
)

// find against sort.Search, over sizes around the borders of the levels, with
// runs of separators whose prefixes tie.
func TestIndexFind(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, n := range []int{1, 2, 15, 16, 17, 127, 128, 129, 144, 160, 2047, 2048, 2049, 2063, 2064, 2065, 40_000} {
		for _, spread := range []uint64{3, 300, 1 << 62} {
			var keys [][]byte
			common := []byte("table/")[:rng.IntN(7)]
			for range n {
				k := binary.BigEndian.AppendUint64(slices.Clone(common), rng.Uint64N(spread))
				k = k[:len(k)-rng.IntN(3)]
				for range rng.IntN(4) {
					k = append(k, byte(rng.IntN(3)))
				}
				keys = append(keys, k)
			}
			slices.SortFunc(keys, bytes.Compare)
			checkIndex(t, rng, keys)
		}
	}
}

func checkIndex(t *testing.T, rng *rand.Rand, keys [][]byte) {
	t.Helper()
	var b block.Builder
	for _, k := range keys {
		b.Add(k, 0, []byte{100})
	}
	enc := b.Finish()
	s, err := measureIndex(enc, uint64(len(keys))*100)
	if err != nil {
		t.Fatal(err)
	}
	x, err := buildIndex(enc, s, make([]byte, s.bytes()), uint64(len(keys))*100)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) > topLen && x.ups == 0 {
		t.Fatal("no levels")
	}
	for range 400 {
		i := rng.IntN(len(keys))
		k := slices.Clone(keys[i])
		if !bytes.Equal(x.key(i), k) || x.offsets[i] != uint64(i)*100 {
			t.Fatalf("separator %d is %q at %d", i, x.key(i), x.offsets[i])
		}
		switch rng.IntN(5) {
		case 0:
			k = append(k, 0)
		case 1:
			k[rng.IntN(len(k))]++
		case 2:
			k = k[:rng.IntN(len(k))]
		case 3:
			k[rng.IntN(len(k))]--
		}
		want := sort.Search(len(keys), func(i int) bool { return bytes.Compare(keys[i], k) >= 0 })
		if got := x.find(k); got != want {
			t.Fatalf("%d separators, key %q: block %d, want %d", len(keys), k, got, want)
		}
	}
}
