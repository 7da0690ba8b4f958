package cache

import (
	"fmt"
	"sync"
	"testing"
)

func benchCache(blocks int) *Cache {
	c := New(64 << 20)
	for i := 0; i < blocks; i++ {
		h, ok := put(c, 1, uint64(i)*4096, 4096)
		if !ok {
			panic("no room")
		}
		h.Release()
	}
	return c
}

func BenchmarkHit(b *testing.B) {
	for _, blocks := range []int{100, 15000} {
		for _, g := range []int{1, 2} {
			b.Run(fmt.Sprintf("blocks=%d/goroutines=%d", blocks, g), func(b *testing.B) {
				c := benchCache(blocks)
				defer c.Close()
				b.ReportAllocs()
				b.ResetTimer()
				var wg sync.WaitGroup
				for j := 0; j < g; j++ {
					wg.Add(1)
					go func() {
						defer wg.Done()
						x := uint64(j + 1)
						for i := 0; i < b.N/g; i++ {
							x = x*6364136223846793005 + 1442695040888963407
							h, ok := c.Get(1, x>>33%uint64(blocks)*4096)
							if !ok {
								panic("miss")
							}
							h.Release()
						}
					}()
				}
				wg.Wait()
			})
		}
	}
}

func BenchmarkMissInsert(b *testing.B) {
	c := benchCache(15000)
	defer c.Close()
	for i := 0; i < 15000; i++ { // the second turn: evictions from now on
		h, _ := put(c, 2, uint64(i)*4096, 4096)
		h.Release()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if _, ok := c.Get(3, uint64(i)*4096); ok {
			b.Fatal("hit")
		}
		h, ok := c.Reserve(4096)
		if !ok {
			b.Fatal("no room")
		}
		h.Bytes()[0] = 1
		c.Publish(h, 3, uint64(i)*4096)
		h.Release()
	}
}

func BenchmarkEvictIDs(b *testing.B) {
	c := benchCache(15000)
	defer c.Close()
	for i := 0; i < b.N; i++ {
		c.EvictIDs(7)
	}
}
