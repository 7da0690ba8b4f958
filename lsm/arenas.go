package lsm

import (
	"sync"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
)

// arenas has the memory of memtables. That of a memtable that was flushed is kept for the next
// one: the system clears each page of new memory, in the midst of commits, which was a
// twentieth of what overwriting 100,000 keys took. One is kept, and only beside a single other: two
// memtables count against the budget always.
type arenas struct {
	total atomic.Int64 // bytes, the one that is kept included

	mu    sync.Mutex
	keep  int // the capacity of what is kept; 0 keeps nothing
	spare *arena.Arena
}

// take returns an arena of capacity bytes.
func (s *arenas) take(capacity int) (*arena.Arena, error) {
	s.mu.Lock()
	a := s.spare
	if a == nil || a.Cap() != capacity {
		s.mu.Unlock()
		a, err := arena.New(capacity)
		if err == nil {
			s.total.Add(int64(a.Cap()))
		}
		return a, err
	}
	s.spare = nil
	s.mu.Unlock()
	a.Reset()
	return a, nil
}

// more returns how many bytes more there are after take: none, if it has what was kept.
func (s *arenas) more(capacity int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spare != nil && s.spare.Cap() == capacity {
		return 0
	}
	return int64(capacity)
}

// spoil is for tests: it overwrites memory that nobody may read any more.
var spoil = func(*arena.Arena) {}

// give takes back an arena that nobody reads any more.
func (s *arenas) give(a *arena.Arena) {
	spoil(a)
	s.mu.Lock()
	if s.spare == nil && a.Cap() == s.keep && s.total.Load() <= int64(2*s.keep) {
		s.spare, a = a, nil
	}
	s.mu.Unlock()
	s.free(a)
}

// close frees what is kept, and has nothing kept any more.
func (s *arenas) close() {
	s.mu.Lock()
	a := s.spare
	s.spare, s.keep = nil, 0
	s.mu.Unlock()
	s.free(a)
}

func (s *arenas) free(a *arena.Arena) {
	if a != nil {
		s.total.Add(-int64(a.Cap()))
		a.Free()
	}
}
