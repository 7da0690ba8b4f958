package arena

import (
	"fmt"
	"math"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

const (
	maxInt    = math.MaxInt
	maxRegion = maxInt &^ 4095
)

// MaxCapacity is the largest capacity of an Arena: offsets are 32 bits, and a
// region's length is an int.
const MaxCapacity = (1<<32-1)*(bits.UintSize/64) + (1<<31-1)*(1-bits.UintSize/64)

// firstOffset keeps offset 0 free, so that it can stand for nil.
const firstOffset = 8

// Arena is a bump allocator of fixed capacity. Pieces are named by their offset,
// which is never 0, and are freed together.
//
// One goroutine allocates at a time; Size, Cap and the bytes of pieces that were
// handed over may be read by others meanwhile.
type Arena struct {
	base unsafe.Pointer
	mem  []byte
	used atomic.Uint64
}

// New makes an arena of capacity bytes, 64 to MaxCapacity.
func New(capacity int) (*Arena, error) {
	if capacity < 64 || uint64(capacity) > MaxCapacity {
		return nil, fmt.Errorf("%w: arena capacity %d", ErrSize, capacity)
	}
	mem, err := Alloc(capacity)
	if err != nil {
		return nil, err
	}
	a := &Arena{mem: mem, base: unsafe.Pointer(unsafe.SliceData(mem))}
	a.used.Store(firstOffset)
	return a, nil
}

// Alloc takes size bytes, which may hold anything, at a multiple of align, a power of two up to 4096
// (alignment beyond 8 holds for the offset; for the address where memory is mapped). ok is
// false, and nothing is taken, when the arena has no room.
func (a *Arena) Alloc(size, align uint32) (off uint32, ok bool) {
	mask := uint64(align) - 1
	start := (a.used.Load() + mask) &^ mask
	end := start + uint64(size)
	if align == 0 || end > uint64(len(a.mem)) {
		return 0, false
	}
	a.used.Store(end)
	return uint32(start), true
}

// Reset takes all pieces back. Nothing that Alloc returned may be touched afterwards.
func (a *Arena) Reset() { a.used.Store(firstOffset) }

// Bytes returns the whole region. Offsets that Alloc returned index it.
func (a *Arena) Bytes() []byte { return a.mem }

// Base returns the address of offset 0, nil after Free.
func (a *Arena) Base() unsafe.Pointer { return a.base }

// Size returns the bytes used, alignment gaps included.
func (a *Arena) Size() int { return int(a.used.Load()) }

// Cap returns the capacity.
func (a *Arena) Cap() int { return len(a.mem) }

// Free returns the memory. Nothing that Alloc returned may be touched afterwards;
// the arena has no room any more. Freeing twice is fine.
func (a *Arena) Free() {
	Free(a.mem)
	a.mem, a.base = nil, nil
	a.used.Store(0)
}
