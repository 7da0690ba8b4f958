package skiplist

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// TestReadersDuringWriter lets readers check, while one writer adds, that they see
// all records that were added before they began, whole, and in order.
func TestReadersDuringWriter(t *testing.T) {
	for _, mode := range []string{"random", "ascending", "descending", "equal prefixes"} {
		t.Run(mode, func(t *testing.T) {
			n := 20000
			if testing.Short() {
				n = 3000
			}
			l := newList(t, n*128+1<<16, "")
			keys := make([][]byte, n)
			for i := range keys {
				var x uint64
				switch mode {
				case "random":
					x = uint64(i+1) * 0x9e3779b97f4a7c15
				case "descending":
					x = uint64(n - i)
				default:
					x = uint64(i)
				}
				keys[i] = binary.BigEndian.AppendUint64(nil, x)
				if mode == "equal prefixes" {
					keys[i] = append(make([]byte, 8), keys[i]...)
					binary.BigEndian.PutUint64(keys[i][8:], uint64(i+1)*0x9e3779b97f4a7c15)
				}
			}
			var done atomic.Int64 // keys[:done] have been added
			var wg sync.WaitGroup
			for g := 0; g < 2; g++ {
				wg.Add(1)
				go func() {
					defer wg.Done()
					if err := readAlong(l, keys, &done, rand.New(rand.NewSource(int64(g)))); err != nil {
						t.Error(err)
					}
				}()
			}
			for i, k := range keys {
				if !l.Add(k, base.MakeTrailer(base.SeqNum(i+1), base.KindSet), k) {
					t.Error("full")
					done.Store(int64(n))
					break
				}
				done.Store(int64(i + 1))
			}
			wg.Wait()
		})
	}
}

func readAlong(l *List, keys [][]byte, done *atomic.Int64, r *rand.Rand) error {
	var it Iter
	l.Init(&it)
	for {
		n := int(done.Load())
		if n == len(keys) {
			return nil
		}
		if n == 0 {
			continue
		}
		i := r.Intn(n)
		if r.Intn(2) == 0 {
			i = n - 1 - r.Intn(min(n, 8))
		}
		v, tr, ok := l.Get(keys[i], base.SeqNumMax)
		if !ok || !bytes.Equal(v, keys[i]) || tr.Seq() != base.SeqNum(i+1) {
			return fmt.Errorf("key %d of %d: %v %x", i, n, ok, v)
		}
		if _, _, ok := l.Get(append(keys[i][:len(keys[i]):len(keys[i])], 0), base.SeqNumMax); ok {
			return fmt.Errorf("found a key that is not there")
		}
		if kv := it.SeekGE(keys[i]); kv == nil || !bytes.Equal(kv.Key, keys[i]) {
			return fmt.Errorf("SeekGE of key %d of %d", i, n)
		}
		if kv := it.SeekLT(keys[i]); kv != nil && bytes.Compare(kv.Key, keys[i]) >= 0 {
			return fmt.Errorf("SeekLT of key %d of %d went too far", i, n)
		}
		if r.Intn(200) != 0 {
			continue
		}
		if err := countBoth(&it, n); err != nil {
			return err
		}
	}
}

// countBoth walks forward and back: in order, whole, and at least n records.
func countBoth(it *Iter, n int) error {
	for _, back := range []bool{false, true} {
		got, last := 0, []byte(nil)
		kv := it.First()
		if back {
			kv = it.Last()
		}
		for kv != nil {
			if got > 0 && (bytes.Compare(kv.Key, last) > 0) == back {
				return fmt.Errorf("out of order: %x after %x", kv.Key, last)
			}
			if !bytes.Equal(kv.Key, kv.Value) {
				return fmt.Errorf("key %x has value %x", kv.Key, kv.Value)
			}
			last = kv.Key
			got++
			if back {
				kv = it.Prev()
			} else {
				kv = it.Next()
			}
		}
		if got < n {
			return fmt.Errorf("walk (back: %v) saw %d records of %d", back, got, n)
		}
	}
	return nil
}
