package cache

import (
	"math/rand"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
)

// TestConcurrent lets several goroutines read through the cache, while one changes its
// capacity and evicts tables, and then closes it under them.
func TestConcurrent(t *testing.T) {
	before := arena.InUse()
	c := New(2 << 20)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := 0; g < 4; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewSource(int64(g)))
			var kept []Handle
			for {
				select {
				case <-stop:
					for _, h := range kept {
						h.Release()
					}
					return
				default:
				}
				id, off := uint64(r.Intn(5)), uint64(r.Intn(400))
				n := 16 + int(off*97%6000)
				h, ok := c.Get(id, off)
				if !ok {
					if h, ok = put(c, id, off, n); !ok {
						continue
					}
				}
				if err := stamped(h.Bytes(), id, off); err != nil || len(h.Bytes()) != n {
					t.Error(err, len(h.Bytes()), n)
					return
				}
				if r.Intn(10) == 0 {
					kept = append(kept, h)
					if len(kept) > 10 {
						kept[0].Release()
						kept = kept[1:]
					}
					continue
				}
				h.Release()
			}
		}()
	}
	r := rand.New(rand.NewSource(99))
	for i := 0; i < 300; i++ {
		switch r.Intn(3) {
		case 0:
			c.EvictIDs(uint64(r.Intn(5)))
		case 1:
			c.SetCapacity(int64(r.Intn(4 << 20)))
		default:
			c.Stats()
		}
		time.Sleep(time.Millisecond)
	}
	c.Close()
	time.Sleep(10 * time.Millisecond)
	close(stop)
	wg.Wait()
	if arena.InUse() != before {
		t.Fatalf("%d bytes left", arena.InUse()-before)
	}
	if st := c.Stats(); st.Used != 0 || st.Pinned != 0 {
		t.Fatalf("%+v", st)
	}
}
