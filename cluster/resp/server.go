package resp

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/socket"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// ErrClosed is what Serve returns after Shutdown or Close.
var ErrClosed = errors.New("resp: the server is closed")

// Server serves Redis clients. Its methods are safe for concurrent use.
type Server struct {
	opts    Options
	store   exec.Store
	table   *command.Table
	exec    *exec.Executor
	run     []handler // the commands that exec does not run, by ID
	config  config
	memory  budget
	clients registry
	poller  *socket.Poller // nil where there is none: the connections go without
	started time.Time
	born    time.Time // by the clock of the process, which nobody sets

	counters counters
	base     statBase
	logged   struct{ failures, logins, ends lines }

	// tick is the time in milliseconds that the supervisor writes down at each of its
	// rounds: precise enough for timeouts, and cheap to read.
	tick atomic.Int64

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	closing   bool
	deadline  time.Time     // of reading, while closing
	closed    chan struct{} // ends the supervisor
	ended     bool          // closed is closed
	wg        sync.WaitGroup

	closePoller sync.Once
}

// Values that are read at a time take no more than MaxMemory together, before they are
// charged to it. Fewer than minReads would have clients wait for each other's disk reads.
const (
	minReads = 4
	maxReads = 64
)

// New returns a server of a store. It serves nothing yet, and has one goroutine, which
// Shutdown or Close ends.
func New(store exec.Store, o Options) *Server {
	o.setDefaults()
	s := &Server{
		opts: o, store: store, table: command.New(),
		memory:  budget{limit: o.MaxMemory},
		started: o.Clock(), born: time.Now(),
		listeners: make(map[net.Listener]struct{}),
		closed:    make(chan struct{}),
	}
	var elapsed func() int64
	if o.Slow != nil {
		elapsed = s.elapsed
	}
	s.exec = exec.New(s.table, store, exec.Options{
		Databases: o.Databases, MaxKey: o.MaxKey, MaxValue: o.MaxValue,
		GroupCommands: o.GroupCommands, GroupBytes: o.GroupBytes,
		Memory: &s.memory, Reads: int(min(maxReads, max(minReads, o.MaxMemory/int64(o.MaxValue)))), Elapsed: elapsed, Report: s.report,
	})
	s.run = handlers(s.table)
	s.counters.perCommand = make([]commandCounters, len(s.table.Commands()))
	s.clients.init(o.MaxClientsPerAddr, o.MaxUnauthenticated)
	s.config.init(&s.opts)
	s.now()
	var err error
	if s.poller, err = socket.NewPoller(); err != nil {
		s.poller = nil
		o.Logger.Warn("connections are served the slower way", "err", err)
	}
	s.wg.Add(1)
	go s.supervise()
	return s
}

// report logs an error of the store that the client is not told.
func (s *Server) report(c *command.Command, err error) {
	name := ""
	if c != nil {
		name = c.Name
	}
	s.logLine(&s.logged.failures, slog.LevelError, "command failed", "command", name, "err", err)
}

// now reads the clock and updates tick.
func (s *Server) now() time.Time {
	t := s.opts.Clock()
	s.tick.Store(t.UnixMilli())
	return t
}

// elapsed is the time since the server was made, in nanoseconds and more than 0. It costs
// half of what time.Now does.
func (s *Server) elapsed() int64 { return int64(time.Since(s.born)) + 1 }

// Serve accepts connections of l until it fails or the server is closed; then l is
// closed and the error is ErrClosed. A listener may speak TLS.
func (s *Server) Serve(l net.Listener) error {
	defer func() { _ = l.Close() }()
	if !s.addListener(l) {
		return ErrClosed
	}
	defer s.removeListener(l)
	pause := time.Duration(0)
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			s.accept(nc)
			continue
		}
		if s.isClosing() {
			return ErrClosed
		}
		// Out of file descriptors, most likely: the connections that there are go on.
		var ne net.Error
		if errors.Is(err, net.ErrClosed) || !errors.As(err, &ne) {
			return err
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.opts.Logger.Warn("accept failed", "err", err, "retry", pause)
		select {
		case <-s.closed:
			return ErrClosed
		case <-time.After(pause):
		}
	}
}

func (s *Server) addListener(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) removeListener(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// accept begins to serve a connection, or refuses it.
func (s *Server) accept(nc net.Conn) {
	if s.poller != nil {
		nc = s.poller.Adopt(nc)
	}
	c := newConn(s, nc)
	if refusal := s.admit(c); refusal != "" {
		s.refuse(nc, refusal)
		return
	}
	s.counters.accepted.Add(1)
	go func() {
		defer s.wg.Done()
		c.serve()
	}()
}

// admit enters a connection into the list. The reason why not is for the client.
func (s *Server) admit(c *conn) (refusal wire.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return errShuttingDown
	}
	switch s.clients.add(c, int(s.config.maxClients.Load())) {
	case tooMany:
		s.counters.rejectedClients.Add(1)
		return errMaxClients
	case tooManyOfAddr:
		s.counters.rejectedAddr.Add(1)
		return errMaxAddr
	case tooManyUnauth:
		s.counters.rejectedUnauth.Add(1)
		return errMaxUnauth
	}
	s.wg.Add(1)
	return ""
}

const (
	errShuttingDown wire.Error = "ERR the server is shutting down"
	errMaxClients   wire.Error = "ERR max number of clients reached"
	errMaxAddr      wire.Error = "ERR max number of clients of this address reached"
	errMaxUnauth    wire.Error = "ERR max number of clients that have not logged in reached"
)

// refuse says why and closes. To a TLS client that would take a handshake.
func (s *Server) refuse(nc net.Conn, e wire.Error) {
	if _, ok := nc.(*tls.Conn); !ok {
		_ = nc.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = nc.Write(wire.AppendError(nil, e))
	}
	_ = nc.Close()
}

// Shutdown stops accepting, answers what has arrived and what still arrives within
// ShutdownGrace, and closes the connections. When ctx ends before that is done, the
// rest is cut off as by Close, and the error is that of ctx: it should end, because a
// client that does not read is waited for.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop(time.Now().Add(s.opts.ShutdownGrace))
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		if s.poller != nil {
			s.closePoller.Do(func() { _ = s.poller.Close() })
		}
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.clients.each(func(c *conn) {
			c.killed.Store(true)
			c.cut()
		})
		<-done
		return ctx.Err()
	}
}

// Close ends the server at once: a command that runs is finished and not answered, a
// transaction in its middle is given up.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Shutdown(ctx)
	return nil
}

// stop closes the listeners and makes the connections stop reading at the deadline.
func (s *Server) stop(deadline time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing, s.deadline = true, deadline
	if !s.ended {
		s.ended = true
		close(s.closed)
	}
	for l := range s.listeners {
		_ = l.Close()
	}
	s.clients.each(func(c *conn) { _ = c.nc.SetReadDeadline(deadline) })
}

// Kill closes the connections for which a function is true and returns their number:
// when a user is taken away, for example.
func (s *Server) Kill(match func(ClientInfo) bool) int {
	n := 0
	for _, c := range s.clients.sorted() {
		if match(c.info()) {
			c.kill()
			n++
		}
	}
	return n
}

// Clients describes the connections, by their number.
func (s *Server) Clients() []ClientInfo {
	var all []ClientInfo
	for _, c := range s.clients.sorted() {
		all = append(all, c.info())
	}
	return all
}
