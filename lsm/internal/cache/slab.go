package cache

import (
	"sync/atomic"
	"unsafe"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
)

const (
	slabSize      = 256 << 10
	smallSlabSize = 64 << 10
	slabOverhead  = 192 // of a slab on the Go heap, its place in the directory included
	slotBits      = 9   // more than the slots that the smallest class has in a slab
	minSlot       = 512
)

// slot.state.
const (
	pinMask = 1<<24 - 1
	hitOne  = 1 << 24
	hitMask = 3 << 24 // hits since the CLOCK hand passed, at most 3
	linked  = 1 << 30
)

// slot is a slot's bookkeeping. id, block and n do not change while it is linked.
type slot struct {
	id, block uint64
	state     atomic.Uint32
	n         uint32 // bytes in use
	next      uint32 // linked: ref of the next in the bucket; free: index + 1 of the next free
	_         uint32
}

const slotSize = int(unsafe.Sizeof(slot{}))

// slab is a region cut into slots: the bookkeeping at its beginning, the data from
// its end backwards, so that slots of a page's size are page-aligned.
type slab struct {
	cache     *Cache
	mem       []byte
	condemned atomic.Bool // its memory is given back once no slot is in use
	num       uint32
	size      int32  // of a slot's data
	class     int32  // -1: none
	nslots    uint32 // written when no slot is in use
	used      uint32 // slots that are not free
	freeList  uint32 // index + 1; 0 = empty
}

// classSizes returns the slot sizes for slabs of the given size: two for each doubling,
// four from 4 KiB on. The largest fills a slab.
func classSizes(slab int) []int32 {
	var sizes []int32
	for size := minSlot; ; size *= 2 {
		steps := 2
		if size >= 4096 {
			steps = 4
		}
		for i := 0; i < steps; i++ {
			s := size + size*i/steps
			if s+slotSize >= slab {
				return append(sizes, int32(slab-slotSize))
			}
			sizes = append(sizes, int32(s))
		}
	}
}

// class is the slots of one size.
type class struct {
	slabs   []*slab
	partial []*slab // those that have free slots
	hand    struct {
		slab int
		slot uint32
	}
	// Since the last look at another class's slab:
	evicted, scanned, hit int
}

func (s *slab) slot(i uint32) *slot {
	return (*slot)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s.mem)), uintptr(i)*uintptr(slotSize)))
}

func (s *slab) data(i uint32) []byte {
	end := len(s.mem) - int(i)*int(s.size)
	return s.mem[end-int(s.size) : end]
}

// at returns where data begins.
func (s *slab) at(i uint32) unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(unsafe.SliceData(s.mem)), uintptr(len(s.mem))-uintptr(i+1)*uintptr(s.size))
}

func (s *slab) ref(i uint32) uint32 { return s.num<<slotBits | i }

// format cuts a slab that has no slot in use.
func (s *slab) format(class int, size int32) {
	s.class, s.size = int32(class), size
	s.nslots = uint32(len(s.mem) / (int(size) + slotSize))
	s.used, s.freeList = 0, 0
	for i := s.nslots; i > 0; i-- {
		s.push(i - 1)
	}
}

func (s *slab) push(i uint32) {
	sl := s.slot(i)
	sl.state.Store(0)
	sl.next = s.freeList
	s.freeList = i + 1
}

// pop takes a free slot, pinned once.
func (s *slab) pop() uint32 {
	i := s.freeList - 1
	sl := s.slot(i)
	s.freeList = sl.next
	s.used++
	sl.state.Store(1)
	return i
}

// weigh returns how many of the slots are pinned, and how many were hit since they
// were weighed last or the hand passed.
func (s *slab) weigh() (pinned, hit int) {
	for i := uint32(0); i < s.nslots; i++ {
		st := s.slot(i).state.Load()
		if st&pinMask != 0 {
			pinned++
		}
		if st&hitMask != 0 {
			hit++
		}
	}
	return pinned, hit
}

// cool forgets a part of the hits.
func (s *slab) cool() {
	for i := uint32(0); i < s.nslots; i++ {
		sl := s.slot(i)
		if sl.state.Load()&hitMask != 0 {
			sl.state.Add(^uint32(hitOne - 1))
		}
	}
}

// newSlab takes memory from the system, if the capacity has room for it.
func (c *Cache) newSlab() *slab {
	if c.nslabs >= c.maxSlabs {
		return nil
	}
	mem, err := arena.Alloc(c.slab)
	if err != nil {
		return nil // as if the capacity were used up
	}
	s := &slab{cache: c, mem: mem, class: -1}
	dir := *c.dir.Load()
	if n := len(c.numbers); n > 0 {
		s.num, c.numbers = c.numbers[n-1], c.numbers[:n-1]
	} else {
		s.num = uint32(c.nslabs + 1)
		if int(s.num) == len(dir) {
			grown := make([]atomic.Pointer[slab], 2*len(dir))
			for i := range dir {
				grown[i].Store(dir[i].Load())
			}
			c.dir.Store(&grown)
			dir = grown
		}
	}
	dir[s.num].Store(s)
	c.nslabs++
	return s
}

// drop gives a slab's memory back. No slot is in use, and no class has it.
func (c *Cache) drop(s *slab) {
	(*c.dir.Load())[s.num].Store(nil)
	c.numbers = append(c.numbers, s.num)
	c.nslabs--
	arena.Free(s.mem)
	s.mem = nil
}

// eachSlab calls f for every slab, blank and condemned ones included.
func (c *Cache) eachSlab(f func(s *slab)) {
	dir := *c.dir.Load()
	for i := range dir {
		if s := dir[i].Load(); s != nil {
			f(s)
		}
	}
}
