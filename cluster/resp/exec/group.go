package exec

import (
	"errors"

	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// groupState is the commands of a pipeline that wait to run in one transaction.
type groupState struct {
	commands []grouped
	args     [][]byte // of all commands
	keys     []Key
	arena    []byte // values that were computed
	bytes    int    // of all arguments

	// A transaction runs commands[from:end] and comes as far as to.
	from, to, end int
	mark          wire.Mark // of their replies
	large         bool      // commands[to] is to run alone
	failed        int       // after an error: the transaction may do up to here

	// Where other sessions share the transaction, offset is the place of the first key.
	shared bool
	offset int
}

// grouped is a command of a group, its arguments and keys as bounds in the group's.
type grouped struct {
	entry         *entry
	args, argsEnd int
	keys, keysEnd int
	ran           Ran // its slices since it runs: those of the group move before that
}

const (
	// What a group keeps for the next one.
	keepArgs  = 1024
	firstRoom = 4 << 10
)

// errTooLarge is what a command in a group returns whose reply is too large to wait for
// the commit. It has written nothing, and runs alone afterwards.
var errTooLarge = errors.New("the reply is too large for a group")

// join puts a command into the group. The arguments are not copied: they stay as they
// are until the connection reads again.
func (s *Session) join(c *command.Command, e *entry, args [][]byte) {
	g := &s.group
	cmd := grouped{entry: e, args: len(g.args), keys: len(g.keys), ran: Ran{Command: c}}
	g.args = append(g.args, args...)
	g.keys = append(g.keys, s.keys...)
	for _, a := range args {
		g.bytes += len(a)
	}
	cmd.argsEnd, cmd.keysEnd = len(g.args), len(g.keys)
	g.commands = append(g.commands, cmd)
	o := &s.x.opts
	if len(g.commands) >= o.GroupCommands || g.bytes >= o.GroupBytes {
		s.Commit()
	}
}

// keep copies b to where it stays until the group is cleared.
func (g *groupState) keep(b []byte) []byte {
	if cap(g.arena)-len(g.arena) < len(b) {
		// What is in the old one stays alive by those who refer to it.
		g.arena = make([]byte, 0, max(2*cap(g.arena), len(b), firstRoom))
	}
	n := len(g.arena)
	g.arena = append(g.arena, b...)
	return g.arena[n:len(g.arena):len(g.arena)]
}

func (g *groupState) clear() {
	clear(g.commands)
	clear(g.args)
	clear(g.keys)
	g.commands, g.args, g.keys, g.arena = g.commands[:0], g.args[:0], g.keys[:0], g.arena[:0]
	g.bytes, g.from, g.to, g.end = 0, 0, 0, 0
	if cap(g.arena) > KeepBuffer {
		g.arena = nil
	}
	if cap(g.args) > keepArgs {
		g.args, g.keys = nil, nil
	}
}

// Commit runs the group, if there is one, and waits for its commit. It is called before
// the connection waits for anything, and before another command than those of Run
// writes a reply. It reports whether other connections that are ready have run meanwhile.
func (s *Session) Commit() (yielded bool) {
	s.readLater()
	g := &s.group
	if len(g.commands) == 0 {
		return false
	}
	if yielded = s.together(); yielded {
		s.finish()
	}
	for g.from < len(g.commands) {
		s.transact(len(g.commands))
		s.finish()
	}
	g.clear()
	return yielded
}

// transact runs the commands from g.from on, at most up to end, in one transaction, and
// says in g.to how far it came. finish follows.
func (s *Session) transact(end int) {
	g := &s.group
	s.begin(end)
	first := &g.commands[g.from]
	err := s.update(g.keys[first.keys:g.commands[end-1].keysEnd], s.body)
	switch {
	case err == nil:
		// g.to says how far it came.
	case end > g.from+1 && (errors.Is(err, s.failure) || isCrossSlot(err)):
		// Nothing is written. What is before the command that failed goes first, and then that
		// command alone: only those fail that have to.
		s.w.Cut(g.mark)
		s.w.Release()
		g.large = false
		s.transact(max(g.failed, g.from+1))
	default:
		s.fail(s.told(first.ran.Command, err))
	}
}

// begin makes ready for a transaction of the commands from g.from on, up to end.
func (s *Session) begin(end int) {
	g := &s.group
	g.mark = s.w.Hold()
	g.to, g.end = end, end
	g.failed = g.from + (end-g.from)/2
}

// fail answers the commands of a transaction with an error.
func (s *Session) fail(told wire.Error) {
	g := &s.group
	s.w.Cut(g.mark)
	g.to = max(g.to, g.from+1)
	g.large = false
	for i := g.from; i < g.to; i++ {
		c := &g.commands[i]
		c.ran.Args, c.ran.Keys, c.ran.Err = g.args[c.args:c.argsEnd], g.keys[c.keys:c.keysEnd], told
		s.w.Error(told)
	}
}

// finish lets the replies of a transaction go, tells the observer of its commands and goes
// on behind them.
func (s *Session) finish() {
	g := &s.group
	s.w.Release()
	s.Pause()
	if s.observe != nil {
		for i := g.from; i < g.to; i++ {
			s.observe(&g.commands[i].ran)
		}
	}
	g.from = g.to
	if g.large {
		g.large = false
		c := &g.commands[g.from]
		s.keys = append(s.keys[:0], g.keys[c.keys:c.keysEnd]...)
		s.alone(c.ran.Command, c.entry, g.args[c.args:c.argsEnd])
		g.from++
	}
}

// runGroup is the function of a transaction. It may run several times.
func (s *Session) runGroup(tx Txn) error {
	g := &s.group
	s.w.Cut(g.mark)
	s.Pause()
	if g.shared {
		s.tx = tx
	} else {
		s.restart(tx)
	}
	s.failure, g.large = nil, false
	held := s.w.Pending()
	first := g.from
	g.to = g.end
	for i := first; i < g.end; i++ {
		if s.ended() {
			if g.shared {
				g.to = i // the others are not concerned
				break
			}
			return errEnded
		}
		if i > first && (s.w.Pending()-held >= s.x.opts.GroupReplies || s.held() >= groupHeld) {
			g.to = i
			break
		}
		c := &g.commands[i]
		s.base = g.offset + c.keys - g.commands[first].keys
		c.ran.Args, c.ran.Keys = g.args[c.args:c.argsEnd], g.keys[c.keys:c.keysEnd]
		s.keys = append(s.keys[:0], c.ran.Keys...)
		s.answer(&c.ran, c.entry)
		if s.failure != nil {
			g.failed = i
			return s.failure
		}
		if c.ran.Err == errTooLarge {
			g.to, g.large = i, true
			break
		}
	}
	return nil
}

// CrossSlot is the code of the error of a Store that has no transactions over some
// keys.
const CrossSlot = "CROSSSLOT"

func isCrossSlot(err error) bool {
	var e wire.Error
	return errors.As(err, &e) && e.Code() == CrossSlot
}
