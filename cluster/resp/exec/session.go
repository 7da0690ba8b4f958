package exec

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// Session runs the commands of one connection. It belongs to one goroutine.
type Session struct {
	x       *Executor
	w       *wire.Writer
	observe func(Ran)

	// DB is the database of the commands to come, Now the time in milliseconds since
	// 1970. The owner sets both.
	DB  int
	Now int64

	// Ended, if it is not nil, becomes true when nobody waits for replies any more: what has
	// not run by then is given up, and a transaction in its middle.
	Ended *atomic.Bool

	// Memory is asked in place of Options.Memory for what a reply is made of, which stays
	// until the client has read it. NewSession sets it to that.
	Memory Memory

	user User

	// The keys of the request that Admit looked at, or that runs.
	keys  []Key
	found []command.Key

	tx      Txn   // nil: the command runs alone
	base    int   // of the first key of the command among those of tx
	failure error // of a write in tx: the transaction is not to be committed
	inBlock bool

	group groupState
	body  func(Txn) error // runs the group: made once

	val, tmp []byte // buffers for values
	ends     []int
	charged  int // bytes taken from Memory for this command
	holds    holding
}

// Ran is a command that was run and answered.
type Ran struct {
	Command *command.Command
	Args    [][]byte
	Keys    []Key
	Start   time.Time     // where Options.Clock is set
	Took    time.Duration // likewise, without the wait for the commit of a group
	Err     error         // that the client was told
}

// NewSession returns a session that writes its replies to w, in database 0. Observe,
// if it is not nil, is told of each command of Run when it has been answered: slices
// are valid during the call.
func (x *Executor) NewSession(w *wire.Writer, observe func(Ran)) *Session {
	s := &Session{x: x, w: w, observe: observe, Memory: x.opts.Memory}
	s.body = s.runGroup
	return s
}

// Run runs a command that Admit has let pass and for which Runs is true, or puts it into
// the group, which Commit runs. It causes one reply. The bytes of the arguments stay as
// they are until Commit; the slices need not.
func (s *Session) Run(c *command.Command, args [][]byte) {
	e := &s.x.entries[c.ID]
	switch {
	case s.inBlock:
		s.alone(c, e, args)
	case e.scope != scopeKeys:
		s.Commit()
		s.keys = s.keys[:0] // those of the group
		s.alone(c, e, args)
	case len(s.group.commands) == 0 && !e.writes && len(s.keys) < 2:
		s.alone(c, e, args)
	default:
		s.join(c, e, args)
	}
}

// alone runs one command, writes its reply and tells the observer.
func (s *Session) alone(c *command.Command, e *entry, args [][]byte) {
	r := s.answer(c, e, args)
	if s.observe != nil {
		s.observe(r)
	}
}

// answer runs one command and writes its reply.
func (s *Session) answer(c *command.Command, e *entry, args [][]byte) Ran {
	r := Ran{Command: c, Args: args, Keys: s.keys}
	clock := s.x.opts.Clock
	if clock != nil {
		r.Start = clock()
	}
	err := e.run(s, args)
	if err != nil && err != errTooLarge {
		s.w.Error(s.told(c, err))
	}
	if clock != nil {
		r.Took = clock().Sub(r.Start)
	}
	r.Err = err
	s.release()
	return r
}

// told is what a client is told of an error.
func (s *Session) told(c *command.Command, err error) wire.Error {
	if e, ok := err.(wire.Error); ok {
		return e
	}
	var e wire.Error
	if errors.As(err, &e) {
		return e
	}
	if s.x.opts.Report != nil {
		s.x.opts.Report(c, err)
	}
	return errInternal
}

// release gives back what a large value took.
func (s *Session) release() {
	s.releaseValue()
	if cap(s.val) > KeepBuffer {
		s.val = nil
	}
	if cap(s.tmp) > KeepBuffer {
		s.tmp = nil
	}
	if cap(s.found) > KeepBuffer/64 || cap(s.keys) > KeepBuffer/64 {
		s.found, s.keys = nil, nil
	}
	if cap(s.ends) > KeepBuffer/8 {
		s.ends = nil
	}
}

// releaseValue gives back what a value took that was charged.
func (s *Session) releaseValue() {
	if s.charged > 0 {
		s.Memory.Give(s.charged)
		s.charged = 0
		s.val = nil
	}
}

// charge asks for the memory of a buffer of n bytes.
func (s *Session) charge(n int) error {
	if n <= KeepBuffer {
		return nil
	}
	return s.take(n)
}

// take asks for n bytes more for this command.
func (s *Session) take(n int) error {
	if s.Memory == nil {
		return nil
	}
	if !s.Memory.Take(n) {
		return ErrMemory
	}
	s.charged += n
	return nil
}

// errEnded is the reply to what is given up: nobody reads it.
const errEnded wire.Error = "ERR the connection has ended"

func (s *Session) ended() bool { return s.Ended != nil && s.Ended.Load() }

// Close gives up what the session has: a group is dropped, not run.
func (s *Session) Close() {
	s.group.clear()
	s.release()
}
