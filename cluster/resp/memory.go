package resp

import "sync/atomic"

// budget is a number of bytes that all connections share.
type budget struct {
	limit int64
	used  atomic.Int64
}

// Take reports whether n bytes were to be had, and takes them.
func (b *budget) Take(n int) bool {
	if b.used.Add(int64(n)) > b.limit {
		b.used.Add(int64(-n))
		return false
	}
	return true
}

// Give gives bytes back.
func (b *budget) Give(n int) { b.used.Add(int64(-n)) }

// share is what one connection has taken from a budget for one purpose.
type share struct {
	b     *budget
	taken int
}

// set makes the share n bytes, less a part that is free. It reports whether that was
// possible; a share always shrinks.
func (s *share) set(n, free int) bool {
	if n -= free; n < 0 {
		n = 0
	}
	switch more := n - s.taken; {
	case more > 0:
		if !s.b.Take(more) {
			return false
		}
	case more < 0:
		s.b.Give(-more)
	}
	s.taken = n
	return true
}
