package httpapi

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var noDeadline time.Time

// Server returns a server for the API, and for h, which may be nil, with what is not
// under /v1/. It has the limits of now: a header that does not end, a client that says
// nothing and a body that crawls are cut off. The caller sets TLSConfig if there is to
// be TLS, calls Serve or ServeTLS with a listener from Listener, and Shutdown.
//
// The API must not be behind an http.ServeMux, which redirects /v1/…/keys/a//b to another
// key.
func (a *API) Server(h http.Handler) *http.Server {
	set := a.set.Load()
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if h != nil && !strings.HasPrefix(r.URL.Path, "/v1/") {
				h.ServeHTTP(w, r)
				return
			}
			a.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: set.HeaderTime,
		ReadTimeout:       set.ReadTime, // moved on by each call that reads a body
		WriteTimeout:      set.ReadTime + set.WriteTime,
		IdleTimeout:       set.IdleTime,
		// The library allows 4096 bytes more than it is told.
		MaxHeaderBytes: max(set.Header-4096, 1),
		TLSConfig:      &tls.Config{MinVersion: tls.VersionTLS13},
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: 100, MaxReceiveBufferPerStream: 1 << 20, MaxReceiveBufferPerConnection: 4 << 20},
		// What it says is about connections that end in the middle: nothing for a person.
		ErrorLog: slog.NewLogLogger(a.o.Logger.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if t, ok := c.(*tls.Conn); ok {
				c = t.NetConn()
			}
			if l, ok := c.(*limitedConn); ok {
				if a.o.Access == nil {
					l.known()
				}
				return context.WithValue(ctx, connKey{}, l)
			}
			return ctx
		},
	}
}

type connKey struct{}

// Listener returns l with the limits on connections: in all, from one address (of IPv6,
// from one /64), and of those that have not logged in yet. One too many is closed at
// once, before it costs memory or a handshake.
func (a *API) Listener(l net.Listener) net.Listener { return &limitedListener{l, a} }

type limitedListener struct {
	net.Listener
	api *API
}

func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if conn := l.api.conns.admit(c, l.api.set.Load()); conn != nil {
			return conn, nil
		}
		l.api.counters.rejected.Add(1)
		_ = c.Close()
	}
}

// connTable counts connections.
type connTable struct {
	mu      sync.Mutex
	all     int
	unknown int // have not logged in
	from    map[netip.Prefix]int
}

func (t *connTable) count() (all, unknown int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all, t.unknown
}

// admit counts a connection, or returns nil if there are too many.
func (t *connTable) admit(c net.Conn, set *settings) *limitedConn {
	from := network(c.RemoteAddr())
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all >= set.Connections || t.unknown >= set.ConnectionsNoAuth || t.from[from] >= set.ConnectionsPerIP {
		return nil
	}
	if t.from == nil {
		t.from = make(map[netip.Prefix]int)
	}
	t.all++
	t.unknown++
	t.from[from]++
	return &limitedConn{Conn: c, table: t, from: from}
}

func network(a net.Addr) netip.Prefix {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := ap.Addr().Unmap().WithZone(""), 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	return p
}

// limitedConn is a connection that is counted.
type limitedConn struct {
	net.Conn
	table     *connTable
	from      netip.Prefix
	knownOnce atomic.Bool
	closeOnce atomic.Bool
}

// known says that somebody has logged in on it.
func (c *limitedConn) known() {
	if c.knownOnce.Swap(true) {
		return
	}
	c.table.mu.Lock()
	c.table.unknown--
	c.table.mu.Unlock()
}

func (c *limitedConn) Close() error {
	if !c.closeOnce.Swap(true) {
		c.known()
		t := c.table
		t.mu.Lock()
		t.all--
		if t.from[c.from]--; t.from[c.from] == 0 {
			delete(t.from, c.from)
		}
		t.mu.Unlock()
	}
	return c.Conn.Close()
}
