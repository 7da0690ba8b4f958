package resp

import (
	"strings"

	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/option"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// transaction is what MULTI keeps until EXEC.
type transaction struct {
	active bool
	dirty  bool // a command was refused: EXEC is going to be
	queue  []queuedCommand
	block  exec.Block
	bytes  int
	db     int // that the next command is about: SELECT is kept as well
}

type queuedCommand struct {
	command *command.Command
	args    [][]byte
}

// Memory of a command that is kept, beside its arguments.
const (
	queuedOverhead = 128
	argOverhead    = 64
)

const (
	errNestedMulti wire.Error = "ERR MULTI calls can not be nested"
	errNoMultiExec wire.Error = "ERR EXEC without MULTI"
	errNoMultiDisc wire.Error = "ERR DISCARD without MULTI"
	errExecAbort   wire.Error = "EXECABORT Transaction discarded because of previous errors."
	errTooManyKept wire.Error = "ERR the transaction is too large"
	errNoLonger    wire.Error = "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: "
)

// errAborted is the error of an EXEC that is refused itself.
func errAborted(err error) wire.Error {
	return wire.Error("EXECABORT Transaction discarded because of: " + strings.TrimPrefix(err.Error(), "ERR "))
}

func isExec(args [][]byte) bool { return ascii.EqualFold(args[0], "exec") }

func multi(c *conn, _ [][]byte) error {
	if c.tx.active {
		return errNestedMulti
	}
	c.tx = transaction{active: true, db: c.s.DB}
	c.publish()
	c.w.OK()
	return nil
}

// keep puts a command, which may run, aside until EXEC.
func (c *conn) keep(cmd *command.Command, args [][]byte) {
	size := queuedOverhead + argOverhead*len(args)
	for _, a := range args {
		size += len(a)
	}
	var err error
	switch {
	case c.tx.bytes+size > c.srv.opts.MaxTransaction:
		err = errTooManyKept
	case !c.queued.set(c.tx.bytes+size, free):
		err = exec.ErrMemory
	}
	if err != nil {
		c.reject(args, err)
		return
	}
	args = wire.Clone(args)
	c.tx.bytes += size
	c.tx.queue = append(c.tx.queue, queuedCommand{cmd, args})
	// Once more, for keys that are not in the buffer of the connection.
	_ = c.admit(cmd, args)
	c.tx.block.Add(c.s, cmd, splits[cmd.Name])
	if cmd.Name == "select" {
		if db, err := option.ParseDB(args[1], c.srv.opts.Databases); err == nil {
			c.tx.db = db
		}
	}
	c.publish()
	c.w.Simple("QUEUED")
}

// dropTransaction forgets what MULTI keeps.
func (c *conn) dropTransaction() {
	if c.tx.active {
		c.tx = transaction{}
		c.queued.set(0, 0)
		c.publish()
	}
}

func discard(c *conn, _ [][]byte) error {
	if !c.tx.active {
		return errNoMultiDisc
	}
	c.dropTransaction()
	c.w.OK()
	return nil
}

// execute is EXEC. Its commands are checked again: permissions may have changed.
func execute(c *conn, _ [][]byte) error {
	if !c.tx.active {
		return errNoMultiExec
	}
	tx := c.tx
	defer c.queued.set(0, 0)
	c.tx = transaction{}
	c.publish()
	if tx.dirty {
		return errExecAbort
	}
	return c.s.RunBlock(&tx.block, func(i int) {
		q := &tx.queue[i]
		if err := c.admit(q.command, q.args); err != nil {
			c.srv.counters.rejectedCommands.Add(1)
			c.w.Error(noLonger(err))
			return
		}
		c.do(q.command, q.args)
	})
}

// splits are the commands that run between transactions, like those about whole
// databases: a login takes its time, in which no key should wait for it.
var splits = map[string]bool{"auth": true, "hello": true}

// noLonger is the error of a command in EXEC that is not permitted any more.
func noLonger(err error) wire.Error {
	switch {
	case err == exec.ErrNoKeyPermission:
		return errNoLonger + "no permission to touch the specified keys"
	case strings.HasPrefix(err.Error(), "NOPERM"):
		return errNoLonger + "no permission to execute the command or subcommand"
	}
	return wire.Error(err.Error())
}

func unwatch(c *conn, _ [][]byte) error {
	c.w.OK()
	return nil
}
