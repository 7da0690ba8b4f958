package skiplist

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// A list is the same with and without Warm, whatever keys it is told and whatever follows.
func TestWarm(t *testing.T) {
	for _, common := range []string{"", "key"} {
		a, err := arena.New(8 << 20)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Free()
		l := New(a, []byte(common))
		rng := rand.New(rand.NewPCG(3, 4))
		key := func() []byte {
			switch rng.IntN(8) {
			case 0:
				return nil
			case 1:
				return bytes.Repeat([]byte{255}, rng.IntN(12))
			}
			return fmt.Appendf(nil, "key%d", rng.IntN(3000))
		}
		var want [][]byte
		for seq := 1; len(want) < 20_000; {
			var keys [][]byte
			for range 1 + rng.IntN(WarmGroup+1) {
				keys = append(keys, key())
			}
			l.Warm(keys)
			for _, k := range keys {
				if rng.IntN(4) == 0 {
					k = key() // another one than was told
				}
				if !l.Add(k, base.MakeTrailer(base.SeqNum(seq), base.KindSet), nil) {
					t.Fatal("no room")
				}
				want = append(want, k)
				seq++
			}
		}
		slices.SortFunc(want, bytes.Compare)
		var it Iter
		l.Init(&it)
		n := 0
		for kv := it.First(); kv != nil; kv = it.Next() {
			if n >= len(want) || !bytes.Equal(kv.Key, want[n]) {
				t.Fatalf("record %d is %q", n, kv.Key)
			}
			n++
		}
		if n != len(want) {
			t.Errorf("%d records of %d", n, len(want))
		}
	}
	var none List
	none.Warm([][]byte{{1}, {2}})
}
