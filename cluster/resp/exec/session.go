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
	observe func(*Ran)

	// DB is the database of the commands to come, Now the time in milliseconds since
	// 1970. The owner sets both.
	DB  int
	Now int64

	// Ended, if it is not nil, becomes true when nobody waits for replies any more: what has
	// not run by then is given up, and a transaction in its middle.
	Ended *atomic.Bool

	// More says that another request has arrived behind the one that runs: reads wait for
	// it then, to be announced to the Store together. The owner sets it before Run.
	More bool

	// Memory is asked in place of Options.Memory for what a reply is made of, which stays
	// until the client has read it. NewSession sets it to that.
	Memory Memory

	user User

	ran   Ran   // the command that runs alone
	since int64 // when the command before ended, 0 if the next one does not begin there

	// The keys of the request that Admit looked at, or that runs.
	keys  []Key
	found []command.Key

	tx      Txn   // nil: the command runs alone
	base    int   // of the first key of the command among those of tx
	failure error // of a write in tx: the transaction is not to be committed
	inBlock bool

	group groupState
	reads laterReads
	body  func(Txn) error // runs the group: made once

	val, tmp []byte // buffers for values
	ends     []int
	charged  int // bytes taken from Memory for this command
	own      holding
	holds    *holding      // own, or that of all who share the transaction
	turn     chan struct{} // another session has run the group
}

// Ran is a command that was run and answered.
type Ran struct {
	Command *command.Command
	Args    [][]byte
	Keys    []Key
	Start   int64         // by Options.Elapsed, where it is set
	Took    time.Duration // likewise, without the wait for the commit of a group
	Err     error         // that the client was told
}

// NewSession returns a session that writes its replies to w, in database 0. Observe,
// if it is not nil, is told of each command of Run when it has been answered: what it is
// told is valid during the call.
func (x *Executor) NewSession(w *wire.Writer, observe func(*Ran)) *Session {
	s := &Session{x: x, w: w, observe: observe, Memory: x.opts.Memory, turn: make(chan struct{}, 1)}
	s.holds = &s.own
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
		if s.More || len(s.reads.reads) > 0 {
			s.later(c, e, args)
			return
		}
		s.alone(c, e, args)
	default:
		s.join(c, e, args)
	}
}

// Pause says that time has passed that is not of the next command: the connection has
// waited for its client.
func (s *Session) Pause() { s.since = 0 }

// alone runs one command, writes its reply and tells the observer.
func (s *Session) alone(c *command.Command, e *entry, args [][]byte) {
	r := &s.ran
	r.Command, r.Args, r.Keys = c, args, s.keys
	s.answer(r, e)
	if s.observe != nil {
		s.observe(r)
	}
}

// answer runs one command, writes its reply and notes how that went.
func (s *Session) answer(r *Ran, e *entry) {
	elapsed := s.x.opts.Elapsed
	if elapsed != nil {
		if s.since == 0 {
			s.since = elapsed()
		}
		r.Start = s.since
	}
	err := e.run(s, r.Args)
	if err != nil && err != errTooLarge {
		s.w.Error(s.told(r.Command, err))
	}
	if elapsed != nil {
		s.since = elapsed()
		r.Took = time.Duration(s.since - r.Start)
	}
	r.Err = err
	s.release()
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
	s.reads.clear()
	s.release()
}
