package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// Client talks to a cluster. See the package comment.
type Client struct {
	o      Options
	bases  []string
	at     atomic.Uint32 // the address that answered last
	http   *http.Client
	closed atomic.Bool
}

// New returns a client. It connects when there is something to ask. The error is
// ErrInvalid.
func New(o Options) (*Client, error) {
	bases, err := o.normal()
	if err != nil {
		return nil, err
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true) // HTTP/2 takes half as long again for a request: see BenchmarkTLS
	t := &http.Transport{
		Protocols:           &protocols,
		DialContext:         dialer().DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxConnsPerHost:     o.MaxConnections,
		MaxIdleConnsPerHost: o.MaxConnections,
		// Less than that of the server: a connection that it closes while a write goes out
		// makes that indeterminate.
		IdleConnTimeout:        60 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if o.TLS != nil {
		t.TLSClientConfig = o.TLS.Clone()
		t.TLSClientConfig.NextProtos = []string{"http/1.1"} // the caller's may let the server choose
	}
	return &Client{o: o, bases: bases, http: &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close closes connections that are not in use; those in use close when their request is
// done. Requests that begin later answer ErrClosed.
func (c *Client) Close() error {
	c.closed.Store(true)
	c.http.CloseIdleConnections()
	return nil
}

// request is one request, however often it is sent.
type request struct {
	op     string // for errors
	method string
	path   string // escaped, with the query
	header http.Header
	body   []byte
	write  bool // it changes something
}

func (r *request) set(name, value string) {
	if r.header == nil {
		r.header = make(http.Header)
	}
	r.header.Set(name, value)
}

// sync asks for the most durable write.
func (r *request) sync() { r.set(wire.HeaderDurability, "sync") }

// identify gives a write an id, if it has none.
func (r *request) identify() {
	if r.header.Get(wire.HeaderRequestID) == "" {
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails
		r.set(wire.HeaderRequestID, hex.EncodeToString(id[:]))
	}
}

// answer is one, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// idLife is how long a write that has perhaps happened is repeated: the server forgets
// its id some time after.
var idLife = wire.RequestIDLife / 2

// do sends r until it is answered or there is no point in it any more. An answer with a
// status of 400 and more is an error, and returned beside it.
func (c *Client) do(ctx context.Context, r *request) (*answer, error) {
	named, began := r.header.Get(wire.HeaderRequestID) != "", time.Now()
	at := c.at.Load()
	perhaps := false // an attempt may have changed something
	for attempt := 1; ; attempt++ {
		base := c.bases[int(at)%len(c.bases)]
		fail := func(err error, a *answer) (*answer, error) {
			return a, &Error{Op: r.op, Address: base, Attempts: attempt, Err: err, Indeterminate: r.write && perhaps}
		}
		if c.closed.Load() {
			return fail(ErrClosed, nil)
		}
		a, begun, err := c.attempt(ctx, base, r)
		var pause time.Duration
		same := false // the next attempt has to go to the same node
		switch {
		case err == nil && a.status < 400:
			c.at.Store(at)
			return a, nil
		case err == nil:
			var e *wire.Error
			e, pause = a.failure()
			err = e
			if e == nil {
				err = fmt.Errorf("%w: status %d, which no node of Ringwood sends", ErrAnswer, a.status)
			}
			perhaps = perhaps || e == nil || !e.Definite
			again := e == nil || mayPass(e.Code)
			same = r.write && perhaps
			if !again || same && !named {
				return fail(err, a)
			}
		default:
			perhaps = perhaps || begun
			same = r.write && perhaps
			if ctx.Err() != nil || same && !named || errors.Is(err, ErrAnswer) && !r.write {
				return fail(err, nil)
			}
		}
		if attempt > c.o.Retries || same && time.Since(began) > idLife {
			return fail(err, a)
		}
		if !same {
			at++
		}
		if ended := c.sleep(ctx, attempt, pause); ended != nil {
			return fail(fmt.Errorf("%w, after: %w", ended, err), a)
		}
	}
}

// mayPass says whether the same request may succeed soon.
func mayPass(c wire.Code) bool {
	switch c {
	case wire.Overloaded, wire.Starting, wire.Closing, wire.TooManyLogins, wire.Indeterminate:
		return true
	}
	return false
}

// sleep waits before the next attempt: longer each time, and at least pause.
func (c *Client) sleep(ctx context.Context, attempt int, pause time.Duration) error {
	d := c.o.Backoff << min(attempt-1, 16)
	if d <= 0 || d > maxBackoff {
		d = maxBackoff
	}
	d = max(d/2+mrand.N(d), min(pause, 10*time.Second))
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempt sends r once. begun says that the server may have seen it.
func (c *Client) attempt(ctx context.Context, base string, r *request) (_ *answer, begun bool, err error) {
	if c.o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.o.Timeout)
		defer cancel()
	}
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, r.method, base+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, false, err
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	switch {
	case c.o.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	case c.o.User != "" || c.o.Password != "":
		req.SetBasicAuth(c.o.User, c.o.Password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, connected.Load(), err
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, c.o.MaxAnswer+1))
	switch {
	case err != nil:
		return nil, true, err
	case int64(len(a.body)) > c.o.MaxAnswer:
		return nil, true, fmt.Errorf("%w: it is longer than %d bytes", ErrAnswer, c.o.MaxAnswer)
	}
	return a, true, nil
}

// failure returns the error that an answer is, nil if it is none of the API, and how long
// the server wants the client to wait.
func (a *answer) failure() (*wire.Error, time.Duration) {
	var f wire.Failure
	if json.Unmarshal(a.body, &f) != nil || f.Error == nil || f.Error.Code == "" {
		return nil, 0
	}
	if s, err := strconv.Atoi(a.header.Get("Retry-After")); err == nil && s > 0 {
		f.Error.RetryAfter = time.Duration(min(s, 3600)) * time.Second
	}
	return f.Error, f.Error.RetryAfter
}

// decode reads the JSON of an answer to r.
func (a *answer) decode(r *request, v any) error {
	if err := json.Unmarshal(a.body, v); err != nil {
		return r.senseless("%w", err)
	}
	return nil
}

// senseless is the error for an answer that no node gives to r: who has perhaps done
// something else has perhaps written.
func (r *request) senseless(format string, args ...any) error {
	return &Error{Op: r.op, Attempts: 1, Err: fmt.Errorf("%w: %w", ErrAnswer, fmt.Errorf(format, args...)), Indeterminate: r.write}
}

// call sends JSON and reads JSON. in may be nil; without out, there is nothing in the
// answer.
func (c *Client) call(ctx context.Context, r *request, in, out any) error {
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return &Error{Op: r.op, Err: fmt.Errorf("%w: %w", ErrInvalid, err)}
		}
		r.body = b
		r.set("Content-Type", wire.JSON)
	}
	a, err := c.do(ctx, r)
	switch {
	case err != nil:
		return err
	case a.status >= 300, out == nil && a.status != http.StatusNoContent:
		return r.senseless("status %d", a.status)
	case out != nil:
		return a.decode(r, out)
	}
	return nil
}
