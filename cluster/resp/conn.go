package resp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/option"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// conn is a connection of a client. What is not marked as shared belongs to its
// goroutine.
type conn struct {
	srv *Server
	nc  net.Conn
	r   *wire.Reader
	w   *wire.Writer
	s   *exec.Session

	id          int64  // set once, by the registry
	place       int    // guarded by the registry
	host        string // what the client counts as for the limit of each address
	addr, laddr string
	created     time.Time

	resolve command.Resolver

	user   User // nil where there is no Access, or before logging in
	authed bool
	tx     transaction
	fresh  bool // something was read since the time was
	last   bool // the connection ends after the replies that there are
	polite bool // and waits for the client to have read them

	// CLIENT REPLY: off, skip the next command, skip this one, and what the writer does.
	off, skipNext, skip, muted bool

	took latencyRun // what is to be published when the replies go

	tracking option.Tracking
	read     [][]byte // keys to be invalidated behind the reply

	account account // of the budget, with its shares

	input  share // requests that have arrived in part
	output share // replies that are held
	queued share // commands that MULTI keeps

	partial int64 // the tick when the first byte of the request was read, 0 between requests

	// Shared with the supervisor and with other connections.

	counted     bool // as not logged in; guarded by the registry
	moment      moment
	held        atomic.Int64 // bytes of the request that is arriving
	unauthSince atomic.Int64
	command     atomic.Pointer[command.Command]
	killed      atomic.Bool

	mu     sync.Mutex // guards public
	public public
}

// public is what other connections may know.
type public struct {
	name, libName, libVer string
	user                  string
	login                 User
	db                    int
	proto                 wire.Proto
	multi                 int // commands that MULTI keeps, -1 outside
}

// free is the part of a connection's memory that is not charged to the budget.
const free = 64 << 10

// writeChunk is what a client has to read within WriteTimeout.
const writeChunk = 256 << 10

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		srv: s, nc: nc, host: hostOf(nc.RemoteAddr()),
		addr: addrText(nc.RemoteAddr()), laddr: addrText(nc.LocalAddr()), created: s.now(),
		account: account{b: &s.memory},
		public:  public{multi: -1, proto: wire.RESP2, user: defaultUser},
	}
	c.input.a, c.output.a, c.queued.a = &c.account, &c.account, &c.account
	c.r = wire.NewReader(source{c}, wire.Limits{MaxArgs: s.opts.MaxArgs, MaxBulk: s.opts.MaxValue, MaxRequest: s.opts.MaxRequest})
	c.w = wire.NewWriter(sink{c})
	c.w.SetLimit(free, c.holding)
	c.s = s.exec.NewSession(c.w, c.ran)
	c.s.Memory = &c.account
	c.s.Ended = &c.killed
	c.unauthSince.Store(s.tick.Load())
	c.moment.set(phaseIdle, s.tick.Load())
	c.loginDefault()
	c.counted = !c.authed
	c.public.user, c.public.login = c.userName(), c.user
	return c
}

func addrText(a net.Addr) string {
	if u, ok := a.(*net.UnixAddr); ok {
		return u.Name + ":0"
	}
	return a.String()
}

// serve is the life of a connection.
func (c *conn) serve() {
	defer c.close()
	if err := c.handshake(); err != nil {
		c.count(&c.srv.counters.closedProtocol, "TLS: "+err.Error())
		return
	}
	for {
		args, err := c.r.Next()
		if err != nil {
			c.failed(err)
			return
		}
		c.partial = 0
		c.s.More = c.r.Ready()
		c.request(args)
		if c.last || c.w.Err() != nil {
			break
		}
		if !c.s.More && !c.flush() {
			break
		}
		if c.killed.Load() {
			return
		}
	}
	c.flush()
	if errors.Is(c.w.Err(), wire.ErrOutputLimit) {
		c.count(&c.srv.counters.closedOutput, "too many replies wait to be read")
	}
}

// handshake does that of TLS, within the time for logging in.
func (c *conn) handshake() error {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if d := c.srv.opts.AuthTimeout; d > 0 {
		ctx, cancel = context.WithTimeout(ctx, d)
	}
	defer cancel()
	return t.HandshakeContext(ctx)
}

// flush commits what is open and lets the replies go. Connections that are ready run
// first: then the replies of all of them are written in a row, and a client whose thread
// sleeps is woken once and not once for each, which is the dearest part of a write.
func (c *conn) flush() bool {
	yielded := c.s.Commit()
	c.srv.counters.latencies.publish(&c.took)
	if !yielded && c.w.Pending() > 0 {
		runtime.Gosched()
	}
	err := c.w.Flush()
	if c.output.taken > 0 {
		c.output.set(0, 0)
	}
	return err == nil
}

// failed ends a connection that cannot be read on.
func (c *conn) failed(err error) {
	c.s.Commit() // its replies come before the error
	var e wire.Error
	switch {
	case errors.As(err, &e):
		if e == exec.ErrMemory {
			c.count(&c.srv.counters.closedMemory, "its request is too large for the memory that is left")
		} else {
			c.count(&c.srv.counters.closedProtocol, string(e))
		}
		c.w.Error(e)
		c.polite = true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
	default:
		c.polite = c.srv.isClosing()
	}
	c.flush()
}

// close ends the connection and gives back what it has.
func (c *conn) close() {
	c.s.Close()
	c.srv.counters.latencies.publish(&c.took)
	if c.polite && !c.killed.Load() {
		c.linger()
	}
	_ = c.nc.Close()
	c.dropTransaction()
	c.input.set(0, 0)
	c.output.set(0, 0)
	c.srv.clients.remove(c)
}

// linger lets the client read what was written last: closing a socket that has
// something unread would take it away.
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.moment.set(phaseBusy, 0)
	_ = c.nc.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.CopyN(io.Discard, c.nc, lingerBytes)
}

const (
	lingerTime  = 200 * time.Millisecond
	lingerBytes = 1 << 20
)

// end closes the connection from another goroutine.
func (c *conn) end(n *atomic.Uint64, why string) {
	if c.killed.Swap(true) {
		return
	}
	c.count(n, why)
	c.cut()
}

// cut closes the socket, without the farewell of TLS, which may block.
func (c *conn) cut() {
	if t, ok := c.nc.(*tls.Conn); ok {
		_ = t.NetConn().Close()
		return
	}
	_ = c.nc.Close()
}

// kill is end for CLIENT KILL.
func (c *conn) kill() { c.end(&c.srv.counters.closedKill, "killed") }

// count notes why a connection ends.
func (c *conn) count(n *atomic.Uint64, why string) {
	n.Add(1)
	c.srv.logLine(&c.srv.logged.ends, slog.LevelInfo, "connection closed", "client", c.id, "addr", c.addr, "reason", why)
}

// source is the connection as the Reader sees it.
type source struct{ c *conn }

func (s source) Read(p []byte) (int, error) {
	c := s.c
	held := c.r.Held()
	if (held > free || c.input.taken > 0) && !c.input.set(held+len(p), free) {
		return 0, exec.ErrMemory
	}
	tick := c.srv.tick.Load()
	if !c.r.Partial() {
		c.moment.set(phaseIdle, tick)
	} else {
		if c.partial == 0 {
			c.partial = tick
		}
		c.held.Store(int64(held))
		c.moment.set(phaseRequest, c.partial)
	}
	n, err := c.nc.Read(p)
	c.moment.set(phaseBusy, tick)
	c.srv.counters.in.Add(uint64(n))
	c.fresh = true
	return n, err
}

// sink is the connection as the Writer sees it.
type sink struct{ c *conn }

func (s sink) Write(p []byte) (n int, err error) {
	c := s.c
	for n < len(p) && err == nil {
		c.moment.set(phaseWrite, c.srv.tick.Load())
		var m int
		m, err = c.nc.Write(p[n:min(len(p), n+writeChunk)])
		n += m
	}
	c.moment.set(phaseBusy, c.srv.tick.Load())
	c.s.Pause()
	c.srv.counters.out.Add(uint64(n))
	return n, err
}

// holding is asked when many replies wait that cannot be written yet.
func (c *conn) holding(pending int) error {
	// The Writer asks again when they have doubled.
	if pending > c.srv.opts.MaxOutput || !c.output.set(2*pending, free) {
		return wire.ErrOutputLimit
	}
	return nil
}
