package cache

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
)

// stamp fills b so that it says which block it is; stamped checks it.
func stamp(b []byte, id, off uint64) {
	for i := range b {
		b[i] = byte(id*31 + off*7 + uint64(len(b)))
	}
	if len(b) >= 16 {
		binary.LittleEndian.PutUint64(b, id)
		binary.LittleEndian.PutUint64(b[8:], off)
	}
}

func stamped(b []byte, id, off uint64) error {
	want := make([]byte, len(b))
	stamp(want, id, off)
	if string(want) != string(b) {
		return fmt.Errorf("block (%d, %d) has the bytes of another", id, off)
	}
	return nil
}

func put(c *Cache, id, off uint64, n int) (Handle, bool) {
	h, ok := c.Reserve(n)
	if ok {
		stamp(h.Bytes(), id, off)
		c.Publish(h, id, off)
	}
	return h, ok
}

// consistent checks the invariants that the package comment lists, on a cache at rest.
func consistent(t *testing.T, c *Cache) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	inMap := map[uint32]bool{}
	for i := range c.shards {
		for _, ref := range c.shards[i].buckets {
			for ref != 0 {
				s, idx := c.at(ref)
				if s == nil || s.slot(idx).state.Load()&linked == 0 || inMap[ref] {
					t.Fatalf("ref %x in the map is not a linked slot", ref)
				}
				inMap[ref] = true
				ref = s.slot(idx).next
			}
		}
	}
	slabs := 0
	c.eachSlab(func(s *slab) {
		slabs++
		free, inUse := map[uint32]bool{}, uint32(0)
		if s.class >= 0 {
			for f := s.freeList; f != 0; f = s.slot(f - 1).next {
				free[f-1] = true
			}
			cl := &c.classes[s.class]
			partial := 0
			for _, p := range cl.partial {
				if p == s {
					partial++
				}
			}
			if (len(free) > 0) != (partial == 1) || partial > 1 {
				t.Fatalf("slab with %d free slots is %d times in the partial list", len(free), partial)
			}
		}
		for i := uint32(0); s.class >= 0 && i < s.nslots; i++ {
			st := s.slot(i).state.Load()
			if (st&linked != 0) != inMap[s.ref(i)] {
				t.Fatal("linked slot is not in the map")
			}
			if (st&(linked|pinMask) == 0) != free[i] {
				t.Fatalf("slot state %x, free %v", st, free[i])
			}
			if !free[i] {
				inUse++
			}
		}
		if s.class >= 0 && inUse != s.used {
			t.Fatalf("%d slots in use, counted %d", inUse, s.used)
		}
	})
	if slabs != c.nslabs {
		t.Fatalf("%d slabs, counted %d", slabs, c.nslabs)
	}
	if c.used() > c.capacity {
		t.Fatalf("%d bytes used of %d", c.used(), c.capacity)
	}
}

func TestPublishAndGet(t *testing.T) {
	c := New(8 << 20)
	defer c.Close()
	if _, ok := c.Get(1, 2); ok {
		t.Fatal("hit in an empty cache")
	}
	h, ok := put(c, 1, 2, 4096)
	if !ok || !h.Valid() || len(h.Bytes()) != 4096 || cap(h.Bytes()) != 4096 {
		t.Fatal("no room")
	}
	g, ok := c.Get(1, 2)
	if !ok || stamped(g.Bytes(), 1, 2) != nil {
		t.Fatal("not found")
	}
	if st := c.Stats(); st.Hits != 1 || st.Misses != 1 || st.Inserted != 1 || st.Pinned != 4096 || st.Used > st.Capacity {
		t.Fatalf("%+v", st)
	}
	// The second of two publishers keeps its bytes until it is done with them.
	d, _ := put(c, 1, 2, 4096)
	d.Bytes()[20] = 99
	if c.Stats().Inserted != 1 {
		t.Fatal("inserted twice")
	}
	d.Release()
	g.Release()
	h.Release()
	consistent(t, c)
	var zero Handle
	zero.Release()
	c.Publish(zero, 1, 2)
	if zero.Valid() || zero.Bytes() != nil {
		t.Fatal("zero Handle")
	}
}

func TestReserveSizes(t *testing.T) {
	for _, capacity := range []int64{-1, 0, 1000, 70000, 1 << 20, 8 << 20} {
		c := New(capacity)
		for _, n := range []int{-1, 0, 1, 511, 512, 513, 4095, 4096, 4097, 60000, 200000, slabSize - slotSize, slabSize - slotSize + 1, 1 << 30} {
			h, ok := c.Reserve(n)
			want := n > 0 && n <= c.slab-slotSize && c.maxSlabs > 0
			if ok != want {
				t.Fatalf("capacity %d, n %d: %v", capacity, n, ok)
			}
			if ok && len(h.Bytes()) != n {
				t.Fatal("wrong length")
			}
			h.Release()
			consistent(t, c)
		}
		c.Close()
	}
}

// TestModel runs random operations against a map of what was published. The cache may
// forget, but what it has must be right, and what is pinned must stay.
func TestModel(t *testing.T) {
	for seed := int64(0); seed < 6; seed++ {
		before := arena.InUse()
		r := rand.New(rand.NewSource(seed))
		c := New([]int64{300 << 10, 1 << 20, 6 << 20}[seed%3])
		type key struct{ id, off uint64 }
		type pin struct {
			key
			h Handle
		}
		var pins []pin
		dead := map[uint64]bool{}
		sizeOf := func(k key) int { // differs by key, drifts with id
			return 1 + int(k.off*2654435761%uint64(500+1500*(k.id%9)))
		}
		for i := 0; i < 20000; i++ {
			k := key{uint64(r.Intn(10)) + uint64(i/4000)*10, uint64(r.Intn(200))}
			switch op := r.Intn(100); {
			case op < 85 && !dead[k.id]:
				h, ok := c.Get(k.id, k.off)
				if !ok {
					if h, ok = put(c, k.id, k.off, sizeOf(k)); !ok {
						continue
					}
				}
				if len(pins) < 30 && r.Intn(10) == 0 {
					pins = append(pins, pin{k, h})
					continue
				}
				if len(h.Bytes()) != sizeOf(k) {
					t.Fatal("wrong size")
				}
				if err := stamped(h.Bytes(), k.id, k.off); err != nil {
					t.Fatal(err)
				}
				h.Release()
			case op < 95 && len(pins) > 0:
				j := r.Intn(len(pins))
				if err := stamped(pins[j].h.Bytes(), pins[j].id, pins[j].off); err != nil {
					t.Fatal(err)
				}
				pins[j].h.Release()
				pins[j] = pins[len(pins)-1]
				pins = pins[:len(pins)-1]
			case op == 95 && r.Intn(20) == 0:
				c.EvictIDs(k.id)
				dead[k.id] = true
				for off := uint64(0); off < 200; off++ {
					if _, ok := c.Get(k.id, off); ok {
						t.Fatal("a block of an evicted table")
					}
				}
			case op == 96 && r.Intn(10) == 0:
				c.SetCapacity(int64(r.Intn(8 << 20)))
			}
			if i%500 == 0 && len(pins) == 0 {
				consistent(t, c)
			}
		}
		for _, p := range pins {
			if err := stamped(p.h.Bytes(), p.id, p.off); err != nil {
				t.Fatal(err)
			}
			p.h.Release()
		}
		consistent(t, c)
		if got := arena.InUse() - before; got > c.Stats().Used {
			t.Fatalf("%d bytes allocated, %d said to be used", got, c.Stats().Used)
		}
		c.Close()
		if arena.InUse() != before {
			t.Fatalf("seed %d: %d bytes left after Close", seed, arena.InUse()-before)
		}
	}
}

func TestShrinkGivesMemoryBack(t *testing.T) {
	before := arena.InUse()
	c := New(16 << 20)
	for i := uint64(0); i < 8000; i++ {
		h, ok := put(c, 1, i, 4096)
		if !ok {
			t.Fatal("no room")
		}
		h.Release()
	}
	if used := arena.InUse() - before; used < 15<<20 || used > 16<<20 {
		t.Fatalf("full: %d", used)
	}
	h, ok := c.Get(1, 7999)
	if !ok {
		t.Fatal("the last block has gone")
	}
	c.SetCapacity(4 << 20)
	if used := arena.InUse() - before; used > 4<<20 || used < 3<<20 {
		t.Fatalf("shrunk: %d", used)
	}
	consistent(t, c)
	c.SetCapacity(0)
	if used := arena.InUse() - before; used != slabSize {
		t.Fatalf("off: %d", used)
	}
	if _, ok := c.Get(1, 7999); ok {
		t.Fatal("hit in a cache that is off")
	}
	if _, ok := c.Reserve(100); ok {
		t.Fatal("room in a cache that is off")
	}
	if err := stamped(h.Bytes(), 1, 7999); err != nil {
		t.Fatal(err)
	}
	h.Release()
	if arena.InUse() != before {
		t.Fatal("the pinned slab stayed")
	}
	c.SetCapacity(1 << 20)
	if h, ok = put(c, 1, 1, 100); !ok {
		t.Fatal("no room after turning it on again")
	}
	h.Release()
	consistent(t, c)
	c.Close()
	if arena.InUse() != before {
		t.Fatal("leak")
	}
}

func TestCloseWithPins(t *testing.T) {
	before := arena.InUse()
	c := New(8 << 20)
	published, _ := put(c, 1, 1, 4000)
	private, _ := c.Reserve(4000)
	other, _ := put(c, 2, 1, 50000)
	again, ok := c.Get(1, 1)
	if !ok {
		t.Fatal("miss")
	}
	c.Close()
	c.Close()
	c.SetCapacity(8 << 20)
	c.Publish(private, 1, 2)
	for _, k := range []uint64{1, 2} {
		if _, ok := c.Get(1, k); ok {
			t.Fatal("hit after Close")
		}
	}
	if _, ok := c.Reserve(10); ok {
		t.Fatal("room after Close")
	}
	if err := stamped(again.Bytes(), 1, 1); err != nil {
		t.Fatal(err)
	}
	for _, h := range []Handle{published, private, other} {
		h.Release()
	}
	if arena.InUse() != before+slabSize {
		t.Fatal("memory with a pin has gone, or memory without is there")
	}
	again.Release()
	if arena.InUse() != before {
		t.Fatal("leak")
	}
}

// TestAllPinned fills the cache with pins: Reserve then says no, whatever the size,
// and says yes again when one is released.
func TestAllPinned(t *testing.T) {
	c := New(1 << 20)
	defer c.Close()
	var hs []Handle
	for i := uint64(0); ; i++ {
		h, ok := put(c, 1, i, 4096)
		if !ok {
			break
		}
		hs = append(hs, h)
	}
	if len(hs) < 200 {
		t.Fatalf("room for %d blocks", len(hs))
	}
	if _, ok := c.Reserve(8192); ok {
		t.Fatal("room for another class though all is pinned")
	}
	hs[0].Release()
	h, ok := put(c, 2, 0, 4096)
	if !ok {
		t.Fatal("no room after a release")
	}
	hs[0] = h
	for _, h := range hs {
		h.Release()
	}
	if h, ok = c.Reserve(8192); !ok {
		t.Fatal("the other class starves")
	}
	h.Release()
	consistent(t, c)
}

// TestSizesChange goes from one block size to another. The new one must get
// nearly all memory, though some blocks of the old one stay pinned.
func TestSizesChange(t *testing.T) {
	c := New(16 << 20)
	defer c.Close()
	fetch := func(id, off uint64, n int) bool {
		h, hit := c.Get(id, off)
		if !hit {
			h, _ = put(c, id, off, n)
		}
		h.Release()
		return hit
	}
	for round := 0; round < 3; round++ {
		for i := uint64(0); i < 3500; i++ {
			fetch(1, i, 4096)
		}
	}
	for i := uint64(0); i < 3; i++ {
		h, _ := c.Get(1, i*1000)
		defer h.Release()
	}
	const blocks = 14 << 20 / 8192
	var hits int
	for round := 0; round < 12; round++ {
		hits = 0
		for i := uint64(0); i < blocks; i++ {
			if fetch(2, i, 8192) {
				hits++
			}
		}
	}
	if hits < blocks*8/10 {
		t.Fatalf("%d hits of %d: the old size keeps the memory", hits, blocks)
	}
}

// TestScan reads two and a half times the cache once: a hot set must survive it.
func TestScan(t *testing.T) {
	c := New(8 << 20)
	defer c.Close()
	fetch := func(id, off uint64) bool {
		h, hit := c.Get(id, off)
		if !hit {
			h, _ = put(c, id, off, 4096)
		}
		h.Release()
		return hit
	}
	for round := 0; round < 5; round++ {
		for i := uint64(0); i < 500; i++ {
			fetch(1, i)
		}
	}
	for i := uint64(0); i < 5000; i++ {
		fetch(2, i)
	}
	hits := 0
	for i := uint64(0); i < 500; i++ {
		if fetch(1, i) {
			hits++
		}
	}
	if hits < 450 {
		t.Fatalf("the scan pushed the hot set out: %d of 500 are left", hits)
	}
}

func TestHitDoesNotAllocate(t *testing.T) {
	c := New(8 << 20)
	defer c.Close()
	h, _ := put(c, 1, 1, 4096)
	h.Release()
	if n := testing.AllocsPerRun(1000, func() {
		h, ok := c.Get(1, 1)
		if !ok || len(h.Bytes()) != 4096 {
			t.Fatal("miss")
		}
		h.Release()
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// A full cache admits what comes back soon, and nothing else; room admits everything.
func TestAdmit(t *testing.T) {
	c := New(4 << 20)
	defer c.Close()
	offs := uint64(0)
	for ; !c.full.Load(); offs++ {
		if !c.Admit(1, offs, 4096) {
			t.Fatalf("block %d of a cache with room was not admitted", offs)
		}
		h, ok := put(c, 1, offs, 4096)
		if !ok {
			t.Fatal("no slot")
		}
		h.Release()
	}
	admitted := 0
	for off := uint64(1 << 20); off < 1<<20+10_000; off++ { // each once
		if c.Admit(2, off, 4096) {
			admitted++
		}
	}
	if admitted > 200 { // one in 256 by chance
		t.Errorf("%d of 10000 blocks that did not come back were admitted", admitted)
	}
	missed := 0
	for off := uint64(2 << 20); off < 2<<20+1000; off++ {
		c.Admit(3, off, 4096)
		c.Admit(3, off+1<<30, 4096)
		if !c.Admit(3, off, 4096) {
			missed++
		}
	}
	if missed > 50 {
		t.Errorf("%d of 1000 blocks that came back were not admitted", missed)
	}
	c.EvictIDs(1)
	for n := c.slab - slotSize; n <= c.slab; n++ {
		h, ok := c.Reserve(n)
		h.Release()
		if got := c.Admit(4, 0, n); got != ok {
			t.Errorf("%d bytes are admitted: %v, have a place: %v", n, got, ok)
		}
	}
	if !c.Admit(4, 0, 4096) {
		t.Error("not admitted though blocks were dropped")
	}
}

// Close of a DB drops every table, after the cache: a closed cache is not looked through.
func TestEvictIDsAfterClose(t *testing.T) {
	c := New(4 << 20)
	if h, ok := put(c, 1, 1, 4<<10); ok {
		h.Release()
	}
	c.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	done := make(chan struct{})
	go func() {
		c.EvictIDs(1, 2)
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("EvictIDs waits for the lock of a closed cache")
	}
}
