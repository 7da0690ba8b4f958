package exec

import (
	"errors"
	"runtime"
	"sync"

	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// queue is the sessions whose groups are about to run in one transaction. The first one
// to come leads: it lets every connection run that is ready, and then runs the groups of
// all who came meanwhile. They share a commit, and the locks and the system calls of it.
//
// Nobody waits for company: where no other connection has anything to do, the leader
// goes on at once and is alone. While it works, the next one to come leads others, so
// that several transactions may be under way.
type queue struct {
	mu      sync.Mutex
	waiting *crew // nil: nobody
	free    []*crew
}

// freeCrews is how many are kept for the next transactions.
const freeCrews = 8

// crew is sessions that share a transaction, the leader first.
type crew struct {
	sessions []*Session
	commands int   // of all groups
	bytes    int   // of their arguments
	keys     []Key // of all groups
	holds    holding
	body     func(Txn) error // made once
}

func newCrew() *crew {
	c := &crew{}
	c.body = c.runGroups
	return c
}

// enter puts s behind those who wait, or in front of new ones: then it leads. A
// transaction is no larger than the group of one session may be.
func (q *queue) enter(s *Session) (c *crew, leads bool) {
	g, o := &s.group, &s.x.opts
	q.mu.Lock()
	defer q.mu.Unlock()
	c = q.waiting
	if c == nil || c.commands+len(g.commands) > o.GroupCommands || c.bytes+g.bytes > o.GroupBytes {
		if n := len(q.free); n > 0 {
			c, q.free = q.free[n-1], q.free[:n-1]
		} else {
			c = newCrew()
		}
		q.waiting, leads = c, true
	}
	c.sessions = append(c.sessions, s)
	c.commands += len(g.commands)
	c.bytes += g.bytes
	return c, leads
}

// leave ends the waiting for c: who comes now joins others.
func (q *queue) leave(c *crew) {
	q.mu.Lock()
	if q.waiting == c {
		q.waiting = nil
	}
	q.mu.Unlock()
}

// keep takes back a crew whose transaction is over.
func (q *queue) keep(c *crew) {
	q.mu.Lock()
	if len(q.free) < freeCrews {
		q.free = append(q.free, c)
	}
	q.mu.Unlock()
}

// together runs as much of the group as may run in one transaction with those of other
// sessions, and reports whether there were any: g.to says how far that came, perhaps
// nowhere. Those who are ready have run when it returns.
func (s *Session) together() bool {
	q := &s.x.queue
	c, leads := q.enter(s)
	if !leads {
		<-s.turn
		return true
	}
	runtime.Gosched()
	q.leave(c)
	company := len(c.sessions) > 1
	if company {
		c.run(s)
	}
	for _, o := range c.sessions[1:] {
		o.turn <- struct{}{}
	}
	c.clear()
	q.keep(c)
	return company
}

func (c *crew) clear() {
	clear(c.sessions)
	clear(c.keys)
	c.sessions, c.keys = c.sessions[:0], c.keys[:0]
	c.commands, c.bytes = 0, 0
	if cap(c.keys) > keepArgs {
		c.keys = nil
	}
}

// run runs the groups of all sessions in one transaction. After an error of one of them
// nothing has happened, and each runs by itself: only those fail that have to.
func (c *crew) run(lead *Session) {
	now := lead.Now
	for _, s := range c.sessions {
		now = max(now, s.Now)
	}
	for _, s := range c.sessions {
		g := &s.group
		g.shared, g.offset = true, len(c.keys)
		c.keys = append(c.keys, g.keys...)
		s.Now, s.failure, s.holds = now, nil, &c.holds
		s.begin(len(g.commands))
	}
	err := lead.update(c.keys, c.body)
	var told wire.Error
	if err != nil && !c.failed(err) {
		told = lead.told(lead.group.commands[0].ran.Command, err)
	}
	for _, s := range c.sessions {
		g := &s.group
		s.tx, s.holds = nil, &s.own
		g.shared, g.offset = false, 0
		switch {
		case err == nil:
		case told != "" && g.to > g.from:
			s.fail(told)
		default:
			s.w.Cut(g.mark)
			g.to, g.large = g.from, false
		}
	}
}

// failed reports whether an error says that nothing happened: it is of a command, or the
// Store has no transaction over all keys.
func (c *crew) failed(err error) bool {
	for _, s := range c.sessions {
		if s.failure != nil && errors.Is(err, s.failure) {
			return true
		}
	}
	return isCrossSlot(err)
}

// runGroups is the function of the transaction.
func (c *crew) runGroups(tx Txn) error {
	c.holds.restart()
	for i, s := range c.sessions {
		if i > 0 && c.sessions[0].held() >= groupHeld {
			s.w.Cut(s.group.mark)
			s.group.to = s.group.from // by itself
			continue
		}
		if err := s.runGroup(tx); err != nil {
			return err
		}
	}
	return nil
}
