package resp

import (
	"sync/atomic"
	"time"
)

// round is how often the supervisor looks at the connections: how late a timeout may
// fire.
const round = 100 * time.Millisecond

// heldPerSecond is what RequestTimeout grows by a second for.
const heldPerSecond = 64 << 10

// phase is what a connection is doing.
type phase uint8

const (
	phaseBusy    phase = iota // runs requests
	phaseIdle                 // waits for a request
	phaseRequest              // waits for the rest of one
	phaseWrite                // waits for the client to read
)

// moment is a phase and the tick when it began, in one word.
type moment struct{ v atomic.Int64 }

func (m *moment) set(p phase, tick int64) { m.v.Store(tick<<2 | int64(p)) }

func (m *moment) get() (p phase, tick int64) {
	v := m.v.Load()
	return phase(v & 3), v >> 2
}

// supervise closes connections that take too long, or too much, until the server is
// closed.
func (s *Server) supervise() {
	defer s.wg.Done()
	t := time.NewTicker(round)
	defer t.Stop()
	for {
		select {
		case <-s.closed:
			return
		case <-t.C:
		}
		s.now()
		now := s.tick.Load()
		var all []overdue
		s.clients.walk(func(c *conn) {
			if o := s.check(c, now); o.why != "" {
				all = append(all, o)
			}
		})
		for _, o := range all {
			o.c.end(o.counter, o.why)
		}
		s.relieve(now)
	}
}

// overdue is a connection that is to be closed.
type overdue struct {
	c       *conn
	counter *atomic.Uint64
	why     string
}

// check reports whether a connection has been in its phase for too long. The list of
// connections is locked.
func (s *Server) check(c *conn, now int64) overdue {
	p, since := c.moment.get()
	past := func(since int64, limit time.Duration) bool {
		return limit > 0 && now-since > limit.Milliseconds()
	}
	n := &s.counters
	switch {
	case c.counted && p != phaseBusy && past(c.unauthSince.Load(), s.opts.AuthTimeout):
		return overdue{c, &n.closedAuth, "did not log in in time"}
	case p == phaseIdle && past(since, time.Duration(s.config.timeout.Load())*time.Millisecond):
		return overdue{c, &n.closedIdle, "idle"}
	case p == phaseRequest && past(since, s.requestTimeout(c)):
		return overdue{c, &n.closedRequest, "request took too long to arrive"}
	case p == phaseWrite && past(since, s.opts.WriteTimeout):
		return overdue{c, &n.closedWrite, "does not read its replies"}
	}
	return overdue{}
}

// requestTimeout is that of the request that a connection is receiving.
func (s *Server) requestTimeout(c *conn) time.Duration {
	if s.opts.RequestTimeout == 0 {
		return 0
	}
	return s.opts.RequestTimeout + time.Duration(c.held.Load()/heldPerSecond)*time.Second
}
