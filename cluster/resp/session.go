package resp

import (
	"errors"
	"log/slog"
	"strconv"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/option"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// The commands about the connection: who the client is and what it speaks.

// redisVersion is the version whose behaviour this is. Clients look at it.
const redisVersion = "7.0.15"

const (
	errWrongPass  wire.Error = "WRONGPASS invalid username-password pair or user is disabled."
	errNoPassword wire.Error = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
)

// loginDefault makes the connection what it is before anybody logs in.
func (c *conn) loginDefault() {
	c.user, c.authed = nil, c.srv.opts.Access == nil
	if a := c.srv.opts.Access; a != nil {
		c.user = a.Default(c.nc.RemoteAddr())
		c.authed = c.user != nil
	}
	c.r.SetUnauthenticated(!c.authed)
	c.s.SetUser(c.user)
}

// loggedIn makes the connection that of a user.
func (c *conn) loggedIn(u User) {
	c.user, c.authed = u, true
	c.r.SetUnauthenticated(false)
	c.s.SetUser(u)
	c.srv.clients.authenticated(c, true)
	c.publish()
}

// login checks a name and password. The name is nil where none was given.
func (c *conn) login(name, password []byte) error {
	a := c.srv.opts.Access
	if name == nil {
		if a == nil || a.Default(c.nc.RemoteAddr()) != nil {
			return errNoPassword
		}
		name = []byte(defaultUser)
	}
	if a == nil {
		if string(name) != defaultUser {
			c.srv.counters.loginFailures.Add(1)
			return errWrongPass
		}
		return nil
	}
	u, err := a.Login(c.nc.RemoteAddr(), name, password)
	if err != nil || u == nil {
		c.srv.counters.loginFailures.Add(1)
		c.srv.logLine(&c.srv.logged.logins, slog.LevelWarn, "login failed", "client", c.id, "addr", c.addr, "err", err)
		var e wire.Error
		if errors.As(err, &e) {
			return e
		}
		return errWrongPass
	}
	c.loggedIn(u)
	return nil
}

func (c *conn) userName() string {
	if c.user == nil {
		return defaultUser
	}
	return c.user.Name()
}

// publish shows the state of the connection to others.
func (c *conn) publish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.public.db, c.public.proto = c.s.DB, c.w.Proto()
	c.public.user, c.public.login = c.userName(), c.user
	c.public.multi = -1
	if c.tx.active {
		c.public.multi = len(c.tx.queue)
	}
}

func auth(c *conn, args [][]byte) error {
	name, password, err := option.ParseAuth(args)
	if err != nil {
		return err
	}
	if err := c.login(name, password); err != nil {
		return err
	}
	c.w.OK()
	return nil
}

func hello(c *conn, args [][]byte) error {
	h, err := option.ParseHello(args)
	if h.Auth {
		if err := c.login(h.User, h.Password); err != nil {
			return err
		}
	}
	if h.SetName { // holds even if an option behind it is wrong
		c.setName(h.Name)
	}
	switch {
	case err != nil:
		return err
	case !c.authed:
		return option.ErrHelloNoAuth
	}
	if h.Proto != 0 {
		c.w.SetProto(h.Proto)
	}
	c.publish()
	c.w.Map(7)
	for _, f := range [][2]string{{"server", "redis"}, {"version", redisVersion}} {
		c.w.BulkString(f[0])
		c.w.BulkString(f[1])
	}
	c.w.BulkString("proto")
	c.w.Int(int64(c.w.Proto()))
	c.w.BulkString("id")
	c.w.Int(c.id)
	for _, f := range [][2]string{{"mode", "standalone"}, {"role", "master"}} {
		c.w.BulkString(f[0])
		c.w.BulkString(f[1])
	}
	c.w.BulkString("modules")
	c.w.Array(0)
	return nil
}

// reset makes the connection like a new one.
func reset(c *conn, _ [][]byte) error {
	c.dropTransaction()
	c.s.DB = 0
	c.w.SetProto(wire.RESP2)
	c.off, c.skip, c.skipNext = false, false, false
	c.tracking = option.Tracking{}
	c.unmute()
	if c.authed { // who has not logged in gets no more time for it
		c.unauthSince.Store(c.srv.tick.Load())
	}
	c.loginDefault()
	c.srv.clients.authenticated(c, c.authed)
	c.setName(nil)
	c.publish()
	c.w.Simple("RESET")
	return nil
}

func quit(c *conn, _ [][]byte) error {
	c.last, c.polite = true, true
	c.w.OK()
	return nil
}

func whoami(c *conn, _ [][]byte) error {
	c.w.BulkString(c.userName())
	return nil
}

func ping(c *conn, args [][]byte) error {
	switch len(args) {
	case 1:
		c.w.Simple("PONG")
	case 2:
		c.w.Bulk(args[1])
	default:
		return wire.Error("ERR wrong number of arguments for 'ping' command")
	}
	return nil
}

func echo(c *conn, args [][]byte) error {
	c.w.Bulk(args[1])
	return nil
}

func selectDB(c *conn, args [][]byte) error {
	db, err := option.ParseDB(args[1], c.srv.opts.Databases)
	if err != nil {
		return err
	}
	c.s.DB = db
	c.publish()
	c.w.OK()
	return nil
}

func timeOf(c *conn, _ [][]byte) error {
	t := c.srv.now()
	c.w.Array(2)
	c.w.BulkString(strconv.FormatInt(t.Unix(), 10))
	c.w.BulkString(strconv.Itoa(t.Nanosecond() / 1000))
	return nil
}

// wait answers at once: a write is with all the replicas it has when it is answered,
// and more do not appear.
func wait(c *conn, args [][]byte) error {
	if _, err := option.ParseWait(args, c.s.Now); err != nil {
		return err
	}
	c.w.Int(0)
	return nil
}
