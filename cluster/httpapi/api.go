package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// API is the handler of everything under /v1/. It is safe for concurrent use.
type API struct {
	o        Options
	set      atomic.Pointer[settings]
	mux      *http.ServeMux
	inFlight budget
	reads    chan struct{} // a place for each call that reads from the store
	sessions *sessions
	upkeep   sync.Mutex // one checkpoint, flush or compaction at a time
	counters counters
}

// New returns an API. The error says which option does not fit.
func New(o Options) (*API, error) {
	if o.Store == nil {
		return nil, errors.New("httpapi: there is no Store")
	}
	if a := o.Access; a != nil && (a.Door == nil || a.Policy == nil) {
		return nil, errors.New("httpapi: Access without Door or Policy")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s, err := newSessions()
	if err != nil {
		return nil, err
	}
	a := &API{o: o, sessions: s, mux: http.NewServeMux(), reads: make(chan struct{}, maxReads)}
	if err := a.Apply(o.Settings); err != nil {
		return nil, err
	}
	a.mux.Handle("/", &methods{})
	byPattern := make(map[string]*methods)
	for i := range routes {
		r := &routes[i]
		m := byPattern[r.pattern]
		if m == nil {
			m = &methods{pattern: r.pattern, routes: make(map[string]*route)}
			byPattern[r.pattern] = m
			a.mux.Handle(r.pattern, m)
		}
		m.routes[r.method] = r
		m.allow = append(m.allow, r.method)
	}
	return a, nil
}

// Apply replaces the settings for the requests that come from now on. The error says
// which one is impossible; the old ones stay then.
func (a *API) Apply(s Settings) error {
	c, err := s.compile()
	if err != nil {
		return err
	}
	a.inFlight.limit.Store(c.InFlight)
	a.set.Store(c)
	return nil
}

// Metrics are counters since the API was made, and gauges.
type Metrics struct {
	Requests      uint64
	ClientErrors  uint64 // answers 400 to 499
	ServerErrors  uint64 // answers 500 to 599
	LoginFailures uint64
	Denied        uint64 // answers 403
	Overloaded    uint64 // refused for want of memory
	Panics        uint64
	BytesIn       uint64 // bodies
	BytesOut      uint64
	InFlight      int64 // bytes charged now
}

type counters struct {
	requests, clientErrors, serverErrors, loginFailures, denied, overloaded, panics, in, out atomic.Uint64
}

// Metrics returns the counters. They are not of one moment.
func (a *API) Metrics() Metrics {
	c := &a.counters
	return Metrics{
		Requests: c.requests.Load(), ClientErrors: c.clientErrors.Load(), ServerErrors: c.serverErrors.Load(),
		LoginFailures: c.loginFailures.Load(), Denied: c.denied.Load(), Overloaded: c.overloaded.Load(), Panics: c.panics.Load(),
		BytesIn: c.in.Load(), BytesOut: c.out.Load(), InFlight: a.inFlight.used.Load(),
	}
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, func(c *call) {
		if err := checkPath(r.URL.EscapedPath()); err != nil {
			c.fail(err)
			return
		}
		a.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callKey{}, c)))
	})
}

// Guard returns next behind all that protects the API: Host, Origin, login, and the
// verb, of the server as a whole; 0 asks for no login. It is for what is served beside
// the API: metrics, profiles, a page.
func (a *API) Guard(verb access.Verb, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.serve(w, r, func(c *call) {
			c.route = &route{pattern: r.URL.Path}
			if verb != 0 {
				if err := c.login(); err != nil {
					c.fail(err)
					return
				}
				if err := c.need(verb); err != nil {
					c.fail(err)
					return
				}
			}
			next.ServeHTTP(c.out, r)
		})
	})
}

// serve does what every request needs, and fn in between.
func (a *API) serve(w http.ResponseWriter, r *http.Request, fn func(c *call)) {
	c := &call{api: a, set: a.set.Load(), r: r, began: a.o.Clock(), rc: http.NewResponseController(w)}
	c.out, c.patience = &writer{ResponseWriter: w}, c.set.WriteTime
	defer func() {
		p := recover()
		if p != nil && p != http.ErrAbortHandler {
			a.counters.panics.Add(1)
			// The stack has no values of the request, but for pointers.
			a.o.Logger.Error("http: panic", "method", r.Method, "route", c.pattern(), "panic", p, "stack", string(debug.Stack()))
			c.fail(&wire.Error{Code: wire.Internal, Message: "the server made a mistake, which is in its log"})
		}
		c.end()
		if p == http.ErrAbortHandler || c.cut {
			panic(http.ErrAbortHandler) // the client must not take what it has for the whole
		}
	}()
	protect(w.Header())
	if err := c.guard(); err != nil {
		c.fail(err)
		return
	}
	if c.preflight {
		w.WriteHeader(http.StatusNoContent)
		c.out.status = http.StatusNoContent
		return
	}
	fn(c)
}

type callKey struct{}

// methods is all that there is under one pattern.
type methods struct {
	pattern string
	routes  map[string]*route
	allow   []string
}

func (m *methods) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(callKey{}).(*call)
	if !ok {
		return // only the API has this mux
	}
	c.r = r
	if m.pattern == "" {
		c.fail(wire.Errorf(wire.NoSuch, "there is no endpoint %.100q", r.URL.Path).WithHint("GET /v1/openapi.json lists all endpoints"))
		return
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	rt := m.routes[method]
	if rt == nil {
		allow := strings.Join(m.allow, ", ")
		c.out.Header().Set("Allow", allow)
		c.fail(wire.Errorf(wire.MethodNotAllowed, "%.20q is not possible here", r.Method).WithHint("possible are " + allow))
		return
	}
	c.route = rt
	if err := c.handle(rt); err != nil {
		c.fail(err)
	}
}

// handle logs in, checks what can be checked before the handler, and runs it.
func (c *call) handle(rt *route) error {
	if !rt.public {
		if err := c.login(); err != nil {
			return err
		}
	}
	if rt.verb != 0 {
		if err := c.need(rt.verb); err != nil {
			return err
		}
	}
	return rt.handle(c)
}

// checkPath refuses what the mux, or a proxy, would change into another path.
func checkPath(escaped string) error {
	for rest := escaped; rest != ""; {
		rest = rest[1:] // the slash
		segment := rest
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			segment, rest = rest[:i], rest[i:]
			if segment == "" {
				return wire.Errorf(wire.BadRequest, "the path has an empty segment").WithHint("write a slash that belongs to the key as %2F")
			}
		} else {
			rest = ""
		}
		if segment == "." || segment == ".." {
			return wire.Errorf(wire.BadRequest, "the path has the segment %q", segment).WithHint("write a dot that belongs to the key as %2E; curl needs --path-as-is")
		}
	}
	return nil
}
