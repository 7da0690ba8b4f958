package resp

import (
	"log/slog"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// handler runs a command that is not about keys. It writes one reply, or returns an
// error and has written nothing.
type handler func(c *conn, args [][]byte) error

// handlers returns the handlers by the ID of their command.
func handlers(t *command.Table) []handler {
	run := make([]handler, len(t.Commands()))
	for name, h := range map[string]handler{
		"ping": ping, "echo": echo, "select": selectDB, "time": timeOf, "wait": wait,
		"quit": quit, "reset": reset, "auth": auth, "hello": hello, "acl|whoami": whoami,
		"multi": multi, "exec": execute, "discard": discard, "unwatch": unwatch,
		"client|getname": clientGetName, "client|setname": clientSetName, "client|id": clientID,
		"client|setinfo": clientSetInfo, "client|info": clientInfo, "client|list": clientList,
		"client|kill": clientKill, "client|reply": clientReply, "client|unblock": clientUnblock,
		"client|getredir": clientGetRedir, "client|trackinginfo": clientTrackingInfo,
		"client|tracking": clientTracking, "client|caching": clientCaching,
		"client|no-evict": clientOnOff, "client|no-touch": clientOnOff, "client|unpause": clientUnpause,
		"info": info, "config|get": configGet, "config|set": configSet, "config|resetstat": configResetStat,
	} {
		run[t.Find(name).ID] = h
	}
	return run
}

// immediate are the commands that MULTI does not keep.
var immediate = map[string]bool{"exec": true, "discard": true, "multi": true, "quit": true, "reset": true}

// request answers one request.
func (c *conn) request(args [][]byte) {
	if c.fresh {
		c.fresh = false
		c.s.Pause()
		c.s.Now = c.srv.now().UnixMilli()
	}
	if c.tracking.Tracks() {
		c.s.Commit() // what is read now is answered at once
	}
	cmd, err := c.resolve.Resolve(c.srv.table, args)
	if err != nil && command.IsHTTP(args) {
		// A browser that somebody made speak to us: no answer that it could read.
		c.count(&c.srv.counters.closedProtocol, "speaks HTTP")
		c.last = true
		return
	}
	if err == nil {
		c.command.Store(cmd)
		err = c.permit(cmd, args)
	}
	switch {
	case err != nil:
		c.reject(args, err)
	case c.tx.active && !immediate[cmd.Name]:
		c.keep(cmd, args)
	default:
		c.do(cmd, args)
	}
	if c.tracking.On {
		c.invalidate(cmd)
	}
	if c.off || c.skip || c.skipNext || c.muted {
		c.nextReply()
	}
}

const errNoMulti wire.Error = "ERR Command not allowed inside a transaction"

// permit is what a command has to pass before it runs or is kept.
func (c *conn) permit(cmd *command.Command, args [][]byte) error {
	switch {
	case !c.authed && cmd.Flags&command.NoAuth == 0:
		c.srv.counters.denied.Add(1)
		return wire.ErrNoAuth
	case cmd.Refused != "":
		return cmd.ErrRefused()
	case c.tx.active && cmd.Flags&command.NoMulti != 0:
		return errNoMulti
	}
	return c.admit(cmd, args)
}

// admit checks the permissions of the user. Without a login there are only commands
// that need none.
func (c *conn) admit(cmd *command.Command, args [][]byte) error {
	db := c.s.DB
	if c.tx.active {
		c.s.DB = c.tx.db
	}
	err := c.s.Admit(cmd, args)
	c.s.DB = db
	if err != nil && err != exec.ErrKeyTooLong {
		c.srv.counters.denied.Add(1)
	}
	return err
}

// reject answers a request that is neither run nor kept. A transaction fails by it.
func (c *conn) reject(args [][]byte, err error) {
	c.s.Commit()
	c.srv.counters.rejectedCommands.Add(1)
	c.tx.dirty = c.tx.active
	if isExec(args) {
		c.dropTransaction()
		c.w.Error(errAborted(err))
		return
	}
	c.w.Error(c.told(err))
}

// told is what the client is told of an error.
func (c *conn) told(err error) wire.Error {
	if e, ok := err.(wire.Error); ok {
		return e
	}
	c.srv.logLine(&c.srv.logged.failures, slog.LevelError, "request failed", "client", c.id, "err", err)
	return "ERR internal error, the server's log has more"
}

// do runs a command, or puts it into the group of the session.
func (c *conn) do(cmd *command.Command, args [][]byte) {
	if c.srv.exec.Runs(cmd) {
		if c.tracks(cmd) {
			c.track(cmd, args)
			return
		}
		c.s.Run(cmd, args)
		return
	}
	c.s.Commit()
	r := &exec.Ran{Command: cmd, Args: args}
	if c.srv.opts.Slow == nil {
		r.Err = c.call(cmd, args)
	} else {
		r.Start = c.srv.elapsed()
		r.Err = c.call(cmd, args)
		r.Took = time.Duration(c.srv.elapsed() - r.Start)
		c.s.Pause()
	}
	c.ran(r)
}

// call runs a command of the server.
func (c *conn) call(cmd *command.Command, args [][]byte) error {
	h := c.srv.run[cmd.ID]
	if h == nil {
		c.srv.table.Reply(c.w, cmd, args)
		return nil
	}
	err := h(c, args)
	if err != nil {
		c.w.Error(c.told(err))
	}
	return err
}

// ran counts a command that was answered, and tells of a slow one.
func (c *conn) ran(r *exec.Ran) {
	n := &c.srv.counters.perCommand[r.Command.ID]
	n.calls.Add(1)
	if r.Err != nil {
		n.failed.Add(1)
	}
	if c.srv.opts.Slow == nil {
		return // nothing was measured
	}
	c.srv.counters.latencies.note(&c.took, kindOf(r.Command), r.Took)
	if r.Command.Flags&command.SkipSlowlog != 0 || !c.authed {
		return // strangers would fill the log: a password takes its time, wrong or right
	}
	if slower := c.srv.config.slower.Load(); slower >= 0 && int64(r.Took) >= slower {
		c.slow(r)
	}
}

// maxSlowKey is what a SlowCommand has of a key.
const maxSlowKey = 128

func (c *conn) slow(r *exec.Ran) {
	c.srv.counters.slow.Add(1)
	s := SlowCommand{
		Time: c.srv.opts.Clock().Add(-time.Duration(c.srv.elapsed() - r.Start)), Took: r.Took, Command: r.Command, Args: len(r.Args), Keys: len(r.Keys),
		ClientID: c.id, Addr: c.addr, User: c.userName(),
	}
	for _, a := range r.Args {
		s.Bytes += len(a)
	}
	if len(r.Keys) > 0 {
		s.DB, s.Key = r.Keys[0].DB, string(r.Keys[0].Name[:min(len(r.Keys[0].Name), maxSlowKey)])
	}
	c.srv.opts.Slow(s)
}
