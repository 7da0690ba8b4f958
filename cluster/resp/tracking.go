package resp

import (
	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/option"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// Clients that have a cache of their own ask the server to track the keys that they read,
// and to tell them when one changes: some cannot do without. A server may forget
// a key whenever it likes if it says that the key has changed, and this one remembers
// none: behind the reply of a command it invalidates the keys that were read. So a cache
// is never wrong, and never of use.

// maxRead is how much memory for invalidations stays with a connection.
const maxRead = 256

// track runs a command whose keys the client wants to be told of.
func (c *conn) track(cmd *command.Command, args [][]byte) {
	// Not in a group: the message follows this reply.
	c.s.Run(cmd, args)
	c.s.Commit()
	for _, k := range cmd.AppendKeys(nil, args) {
		c.read = append(c.read, args[k.Pos])
	}
}

// tracks reports whether the keys of a command are tracked.
func (c *conn) tracks(cmd *command.Command) bool {
	return cmd.Flags&command.ReadOnly != 0 && c.tracking.Tracks()
}

// invalidate goes behind the reply of each request of a client that tracks.
func (c *conn) invalidate(cmd *command.Command) {
	caching := cmd != nil && cmd.Parent != nil && cmd.Parent.Name == "client"
	if !caching && !c.tx.active {
		c.tracking.Caching = false
	}
	if len(c.read) == 0 {
		return
	}
	// Without RESP3 there are no messages, and without a reply nothing to forget.
	if c.w.Proto() == wire.RESP3 && !c.muted {
		c.s.Commit()
		c.w.Push(2)
		c.w.BulkString("invalidate")
		c.w.Array(len(c.read))
		for _, k := range c.read {
			c.w.Bulk(k)
		}
	}
	clear(c.read)
	if c.read = c.read[:0]; cap(c.read) > maxRead {
		c.read = nil
	}
}

func clientTracking(c *conn, args [][]byte) (err error) {
	if c.tracking, err = option.ParseTracking(args, c.tracking); err != nil {
		return err
	}
	c.w.OK()
	return nil
}

func clientCaching(c *conn, args [][]byte) error {
	if err := option.ParseCaching(args, c.tracking); err != nil {
		return err
	}
	c.tracking.Caching = true
	c.w.OK()
	return nil
}

// redirection is 0 where a client is told of invalidations itself.
func (c *conn) redirection() int64 {
	if c.tracking.On {
		return 0
	}
	return -1
}

func clientGetRedir(c *conn, _ [][]byte) error {
	c.w.Int(c.redirection())
	return nil
}

func clientTrackingInfo(c *conn, _ [][]byte) error {
	flags := []string{"off"}
	if t := c.tracking; t.On {
		flags[0] = "on"
		for _, f := range []struct {
			set  bool
			name string
		}{
			{t.OptIn, "optin"}, {t.OptIn && t.Caching, "caching-yes"},
			{t.OptOut, "optout"}, {t.OptOut && t.Caching, "caching-no"}, {t.NoLoop, "noloop"},
		} {
			if f.set {
				flags = append(flags, f.name)
			}
		}
	}
	c.w.Map(3)
	c.w.BulkString("flags")
	c.w.Set(len(flags))
	for _, f := range flags {
		c.w.BulkString(f)
	}
	c.w.BulkString("redirect")
	c.w.Int(c.redirection())
	c.w.BulkString("prefixes")
	c.w.Array(0)
	return nil
}
