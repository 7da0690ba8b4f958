package cluster

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/internal/respaccess"
)

// limitListener bounds the connections of HTTP: in all, from one address, and those on
// which somebody has still to log in, which have Timeouts.Login for that. One too many is
// closed without a word, before it costs memory or a handshake.
type limitListener struct {
	net.Listener
	limits *Limits
	login  time.Duration       // 0: no limit
	open   func(net.Addr) bool // who comes from there need not log in

	mu       sync.Mutex
	most     int
	byAddr   map[netip.Prefix]int
	now      int
	waiting  int // of them, have to log in
	accepted uint64
	rejected uint64
}

func newLimitListener(l net.Listener, limits *Limits, login time.Duration, open func(net.Addr) bool) *limitListener {
	return &limitListener{Listener: l, limits: limits, login: max(login, 0), open: open, most: limits.Connections, byAddr: make(map[netip.Prefix]int)}
}

// Accept implements net.Listener.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn := &limitedConn{Conn: c, l: l, from: network(c.RemoteAddr()), waits: !l.open(c.RemoteAddr())}
		if !l.take(conn) {
			_ = c.Close()
			continue
		}
		if conn.waits && l.login > 0 {
			conn.until = time.Now().Add(l.login)
			_ = c.SetReadDeadline(conn.until)
		}
		return conn, nil
	}
}

// network is what counts as one address: of IPv6, a /64, of which whoever has one address
// has all.
func network(a net.Addr) netip.Prefix {
	ip := respaccess.AddrOf(a).WithZone("")
	p, _ := ip.Prefix(min(ip.BitLen(), 64))
	return p
}

// limit changes how many connections there may be in all.
func (l *limitListener) limit(most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most = most
}

func (l *limitListener) take(c *limitedConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now >= l.most || l.byAddr[c.from] >= l.limits.PerAddress || c.waits && l.waiting >= l.limits.Unauthenticated {
		l.rejected++
		return false
	}
	l.accepted++
	l.now++
	l.byAddr[c.from]++
	if c.waits {
		l.waiting++
	}
	return true
}

func (l *limitListener) give(c *limitedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now--
	if l.byAddr[c.from]--; l.byAddr[c.from] == 0 {
		delete(l.byAddr, c.from)
	}
}

func (l *limitListener) loggedIn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
}

func (l *limitListener) metrics() ConnectionMetrics {
	l.mu.Lock()
	defer l.mu.Unlock()
	return ConnectionMetrics{Open: l.now, Unauthenticated: l.waiting, Accepted: l.accepted, Rejected: l.rejected}
}

// connContext lets the API say when somebody has logged in on c.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if l, ok := c.(*limitedConn); ok {
		return httpapi.OnLogin(ctx, l.known)
	}
	return ctx
}

// limitedConn is a connection that is counted.
type limitedConn struct {
	net.Conn
	l    *limitListener
	from netip.Prefix
	once sync.Once

	mu    sync.Mutex
	waits bool      // for somebody to log in
	until time.Time // as long as it waits; zero for ever
	read  time.Time // the deadline that the server has set
}

// known says that somebody has logged in on it, or that it does not count any more.
func (c *limitedConn) known() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.waits {
		return
	}
	c.waits = false
	_ = c.Conn.SetReadDeadline(c.read)
	c.l.loggedIn()
}

// SetReadDeadline implements net.Conn. The time for the login is over when it is over.
func (c *limitedConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = t
	if c.waits && !c.until.IsZero() && (t.IsZero() || t.After(c.until)) {
		t = c.until
	}
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *limitedConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.Conn.SetWriteDeadline(t)
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.once.Do(func() {
		c.known()
		c.l.give(c)
	})
	return c.Conn.Close()
}
