package access

import (
	"context"
	"slices"
	"sync"
)

// budget hands out memory and places to those who hash, first come, first served, so
// that a large request is not passed by small ones forever. Safe for concurrent use.
type budget struct {
	mu     sync.Mutex
	memory int64 // bytes that are free
	places int   // runs that may start
	queue  []*waiter
	most   int // length of the queue
}

type waiter struct {
	bytes int64
	ready chan struct{} // closed when the bytes and the place are taken
}

// acquire waits until bytes and a place are free and takes them. The errors are ErrBusy,
// at once, if too many wait already, and that of ctx.
func (b *budget) acquire(ctx context.Context, bytes int64) error {
	b.mu.Lock()
	if len(b.queue) == 0 && b.places > 0 && b.memory >= bytes {
		b.places--
		b.memory -= bytes
		b.mu.Unlock()
		return nil
	}
	if len(b.queue) >= b.most {
		b.mu.Unlock()
		return ErrBusy
	}
	w := &waiter{bytes, make(chan struct{})}
	b.queue = append(b.queue, w)
	b.mu.Unlock()

	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.queue, w); i >= 0 {
		b.queue = slices.Delete(b.queue, i, i+1)
		b.wake() // those behind may fit where w did not
	} else { // it was granted meanwhile
		b.give(bytes)
	}
	return ctx.Err()
}

// release gives back what acquire has taken.
func (b *budget) release(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.give(bytes)
}

func (b *budget) give(bytes int64) {
	b.places++
	b.memory += bytes
	b.wake()
}

func (b *budget) wake() {
	for len(b.queue) > 0 && b.places > 0 && b.memory >= b.queue[0].bytes {
		b.places--
		b.memory -= b.queue[0].bytes
		close(b.queue[0].ready)
		b.queue = slices.Delete(b.queue, 0, 1)
	}
}
