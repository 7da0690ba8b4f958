package lsm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/skiplist"
)

// roomOrders are orders of n keys that split the index of a skiplist in different
// ways.
var roomOrders = map[string]func(n int) []int{
	"ascending":  func(n int) []int { return roomOrder(n, func(i int) int { return i }) },
	"descending": func(n int) []int { return roomOrder(n, func(i int) int { return n - i }) },
	"same":       func(n int) []int { return roomOrder(n, func(i int) int { return 0 }) },
	"random": func(n int) []int {
		return rand.New(rand.NewPCG(1, uint64(n))).Perm(n)
	},
	// From both ends to the middle, and from the middle to both ends.
	"inward": func(n int) []int {
		return roomOrder(n, func(i int) int { return (1-i%2*2)*i/2 + i%2*n })
	},
	"outward": func(n int) []int { return roomOrder(n, func(i int) int { return n + (1-i%2*2)*i }) },
	// Every insertion in the middle of the last block that was split.
	"halving": func(n int) []int {
		return roomOrder(n, func(i int) int { return int(roomReverse(uint32(i)) >> 1) })
	},
	// Runs upwards that begin one after the other in descending order, as long as a
	// block and one more or less.
	"runs of 7":  func(n int) []int { return roomRuns(n, 7) },
	"runs of 8":  func(n int) []int { return roomRuns(n, 8) },
	"runs of 15": func(n int) []int { return roomRuns(n, 15) },
	"runs of 16": func(n int) []int { return roomRuns(n, 16) },
	// Blocks filled in order first, and then hit at their beginning or middle.
	"full blocks, then between": func(n int) []int {
		return roomOrder(n, func(i int) int {
			if i < n/2 {
				return i * 16
			}
			return (i-n/2)*(n/2*16)/(n-n/2) + 1
		})
	},
	"full blocks, then each eight times": func(n int) []int {
		return roomOrder(n, func(i int) int {
			if i < n/2 {
				return i * 1024
			}
			j := i - n/2
			return j/8*15*1024 + j%8 + 1
		})
	},
}

func roomOrder(n int, f func(i int) int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func roomRuns(n, length int) []int {
	return roomOrder(n, func(i int) int { return (n-i/length)*length + i%length })
}

func roomReverse(x uint32) uint32 {
	var r uint32
	for range 32 {
		r, x = r<<1|x&1, x>>1
	}
	return r
}

// TestMemtableRoom holds room, and with it opOverhead and memtableSlack, against orders
// of keys that split as many blocks as they can: as long as room says that an operation
// fits, it does.
func TestMemtableRoom(t *testing.T) {
	Alone(t)
	for name, order := range roomOrders {
		for _, capacity := range []int{8 << 10, 64 << 10, 1 << 20} {
			for _, keyLen := range []int{4, 12} {
				t.Run(fmt.Sprintf("%s/%d/%d", name, capacity, keyLen), func(t *testing.T) {
					checkRoom(t, order(capacity/40), capacity, keyLen)
				})
			}
		}
	}
}

func checkRoom(t *testing.T, order []int, capacity, keyLen int) {
	m, err := newMemtable(capacity, nil, 1, new(arenas))
	if err != nil {
		t.Fatal(err)
	}
	defer m.free()
	// What is promised when a group comes is not asked again for each of its operations.
	for group := 1; group < 2000; group *= 3 {
		i := m.list.Len()
		for i < len(order) {
			need := group * (opOverhead + keyLen)
			if !m.fits(need) {
				break
			}
			for range group {
				if i == len(order) {
					break
				}
				key := fmt.Appendf(nil, "%0*x", keyLen, order[i])
				if !m.list.Add(key[len(key)-keyLen:], base.MakeTrailer(base.SeqNum(i+1), base.KindSet), nil) {
					t.Fatalf("operation %d of a group of %d does not fit, with %d of %d bytes used", i, group, m.arena.Size(), m.arena.Cap())
				}
				i++
			}
		}
	}
}

// TestMemtableRoomFullBlocks is one group that meets full blocks only: keys that came in
// order left them full, and each operation of the group goes into another one.
func TestMemtableRoomFullBlocks(t *testing.T) {
	Alone(t)
	for _, perBlock := range []int{1, 2, 3, 7, 8, 9, 16} {
		for _, blocks := range []int{1, 10, 100, 1000} {
			const keyLen, block = 12, 15
			fill := func(capacity int) *memtable {
				m, err := newMemtable(capacity, nil, 1, new(arenas))
				if err != nil {
					t.Fatal(err)
				}
				for i := range blocks * block {
					if !m.list.Add(fmt.Appendf(nil, "%012x", i*1024), base.MakeTrailer(base.SeqNum(i+1), base.KindSet), nil) {
						t.Fatal("the first part does not fit")
					}
				}
				return m
			}
			m := fill(blocks*block*1000 + 64<<10)
			used := m.arena.Size()
			m.free()
			n := blocks * perBlock
			need := n * (opOverhead + keyLen)
			// The smallest memtable that would take the group.
			m = fill(used + memtableSlack + need + min(need/opOverhead, blocks+1)*skiplist.SplitSize)
			if !m.fits(need) {
				t.Fatalf("%d blocks: room is %d", blocks, m.room())
			}
			for i := range n {
				k := i%blocks*block*1024 + 7*1024 + i/blocks + 1
				if !m.list.Add(fmt.Appendf(nil, "%012x", k), base.MakeTrailer(base.SeqNum(1e6+i), base.KindSet), nil) {
					t.Errorf("%d operations into each of %d full blocks: number %d of %d does not fit, used %d bytes each",
						perBlock, blocks, i, n, (m.arena.Size()-used)/max(i, 1))
					break
				}
			}
			m.free()
		}
	}
}
