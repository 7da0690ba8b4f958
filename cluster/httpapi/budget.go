package httpapi

import "sync/atomic"

// budget is the bytes that all calls together may occupy.
type budget struct {
	limit, used atomic.Int64
}

// take reports whether n more bytes fit, and counts them.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.limit.Load() {
		return true
	}
	b.used.Add(-n)
	return false
}

func (b *budget) give(n int64) { b.used.Add(-n) }
