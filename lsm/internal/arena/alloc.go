// Package arena hands out memory that the garbage collector neither scans nor
// counts, for what is large and short of pointers: memtables, cached blocks,
// pinned table indexes.
//
// Alloc and Free deal in whole regions, taken from and returned to the operating
// system where it can map memory, from the Go heap elsewhere (and under the race
// detector, which sees nothing outside the Go heap). Arena carves one region of
// fixed capacity into pieces that are freed together.
//
// Fetch is for who needs several places of such memory and would wait for each.
//
// Nothing here may hold a Go pointer: the collector would not see it. Freeing a
// region that is still read is a fault of the caller that no check can catch.
package arena

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// ErrSize is wrapped by the error of a request that no system could meet.
var ErrSize = errors.New("arena: bad size")

// hugeSize is the size of a transparent huge page on the common platforms. From
// there on a region asks for them: a random access into 1 GiB costs 277 ns with
// them and 370 ns without.
const hugeSize = 2 << 20

var inUse atomic.Int64

// Alloc returns n zeroed bytes outside the Go heap, aligned to 8 bytes at least.
// They live until Free. n = 0 gives nil. Safe for concurrent use.
func Alloc(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	if n < 0 || n > maxRegion {
		return nil, fmt.Errorf("%w: %d bytes", ErrSize, n)
	}
	b, err := sysAlloc(n)
	if err != nil {
		return nil, fmt.Errorf("arena: allocate %d bytes: %w", n, err)
	}
	inUse.Add(int64(n))
	return b, nil
}

// Free gives back a slice that Alloc returned, exactly as it was returned. Nobody
// may touch its bytes afterwards. nil is fine.
func Free(b []byte) {
	if len(b) == 0 {
		return
	}
	n := len(b)
	sysFree(b)
	inUse.Add(-int64(n))
}

// InUse returns how many bytes are allocated now, by the whole process.
func InUse() int64 { return inUse.Load() }
