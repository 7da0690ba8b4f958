package resp

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
)

// budget is a number of bytes that all connections share.
type budget struct {
	limit   int64
	used    atomic.Int64
	refused atomic.Bool // somebody did not get what he asked for, since relieve looked
}

var _ exec.Memory = (*budget)(nil)

// Take reports whether n bytes were to be had, and takes them.
func (b *budget) Take(n int) bool { return b.take(n, b.limit) }

func (b *budget) take(n int, limit int64) bool {
	if b.used.Add(int64(n)) > limit {
		b.used.Add(int64(-n))
		b.refused.Store(true)
		return false
	}
	return true
}

// Give gives bytes back.
func (b *budget) Give(n int) { b.used.Add(int64(-n)) }

// A few connections that hold much must not take everything from the many that need
// little: the last quarter of a budget is for those who hold no more than a 64th of it.
const (
	reservedPart = 4
	littlePart   = 64
)

// little is what a connection may hold to be let into the last quarter.
func (b *budget) little() int64 { return b.limit / littlePart }

// account is what one connection has taken from a budget for as long as its client
// pleases: for what has arrived, what it keeps, and what is not read yet. It is safe for
// concurrent use.
type account struct {
	b     *budget
	taken atomic.Int64
}

var _ exec.Memory = (*account)(nil)

// Take implements exec.Memory.
func (a *account) Take(n int) bool {
	limit := a.b.limit
	if a.taken.Load()+int64(n) > a.b.little() {
		limit -= limit / reservedPart
	}
	if !a.b.take(n, limit) {
		return false
	}
	a.taken.Add(int64(n))
	return true
}

// Give implements exec.Memory.
func (a *account) Give(n int) {
	a.taken.Add(int64(-n))
	a.b.Give(n)
}

// pace is what a client has to take or to send in a second while others are refused
// memory that it holds.
const pace = writeChunk

// relieve ends connections after somebody was refused memory: of those that hold more than
// a little and wait for a slow client, the ones with the most, until half of the budget is
// free: the part that is kept for others, and as much again. now is the tick.
func (s *Server) relieve(now int64) {
	if !s.memory.refused.Swap(false) {
		return
	}
	type holder struct {
		c    *conn
		held int64
	}
	var slow []holder
	s.clients.each(func(c *conn) {
		if held := c.account.taken.Load(); held > s.memory.little() && c.lags(now) {
			slow = append(slow, holder{c, held})
		}
	})
	slices.SortFunc(slow, func(a, b holder) int { return cmp.Compare(b.held, a.held) })
	used := s.memory.used.Load()
	for _, h := range slow {
		if used <= s.memory.limit/2 {
			return
		}
		h.c.end(&s.counters.closedMemory, "holds memory that others need, and is slow")
		used -= h.held
	}
}

// lags reports whether the client makes the connection wait: for its replies to be read,
// for the rest of a request, or for what follows in a transaction.
func (c *conn) lags(now int64) bool {
	p, since := c.moment.get()
	patience := time.Second
	switch p {
	case phaseBusy:
		return false
	case phaseRequest:
		patience += time.Duration(c.held.Load()/pace) * time.Second
	}
	return now-since > patience.Milliseconds()
}

// share is what one connection has taken from its account for one purpose.
type share struct {
	a     *account
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
		if !s.a.Take(more) {
			return false
		}
	case more < 0:
		s.a.Give(-more)
	}
	s.taken = n
	return true
}
