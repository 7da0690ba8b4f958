package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// call is one request and its answer.
type call struct {
	api   *API
	set   *settings // those of the time when it came
	r     *http.Request
	out   *writer
	rc    *http.ResponseController
	began time.Time
	route *route

	who       *access.Principal
	addr      netip.Addr
	preflight bool
	cut       bool // the answer is not whole, and the client has to see that
	charged   int64
	asked     time.Time     // when the body was asked for
	reading   time.Duration // how long it may take so far
	patience  time.Duration // how long sending may wait yet

	// What Observe is told.
	code          wire.Code
	bucket        string
	key           []byte
	keys          int
	reads, writes bool
	in            int64
}

// writer counts what goes out.
type writer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *writer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (c *call) pattern() string {
	if c.route == nil {
		return ""
	}
	return c.route.pattern
}

// end counts the call and gives back what it occupied.
func (c *call) end() {
	a, n := c.api, &c.api.counters
	a.inFlight.give(c.charged)
	c.charged = 0
	n.requests.Add(1)
	switch s := c.out.status; {
	case s >= 500:
		n.serverErrors.Add(1)
	case s >= 400:
		n.clientErrors.Add(1)
	}
	if c.out.status == http.StatusForbidden {
		n.denied.Add(1)
	}
	n.in.Add(uint64(c.in))
	n.out.Add(uint64(c.out.bytes))
	if a.o.Observe == nil {
		return
	}
	a.o.Observe(Observation{
		Time: c.began, Took: a.o.Clock().Sub(c.began), Method: c.r.Method, Route: c.pattern(), Status: c.out.status, Code: c.code,
		Bucket: c.bucket, Key: c.key[:min(len(c.key), 128)], Keys: c.keys, Reads: c.reads, Writes: c.writes,
		BytesIn: c.in, BytesOut: c.out.bytes, User: c.who.Name(), Addr: c.addr,
	})
}

// note keeps what Observe is to be told of a key.
func (c *call) note(bucket string, key []byte) {
	if c.keys == 0 {
		c.bucket, c.key = bucket, key
	}
	c.keys++
}

// may is where every right on a key is asked for.
func (c *call) may(verbs access.Verb, bucket string, key []byte) bool {
	return c.api.o.Access == nil || c.who.Allow(verbs, bucket, key)
}

// covers is may for all keys that begin with prefix.
func (c *call) covers(verbs access.Verb, bucket string, prefix []byte) access.Coverage {
	if c.api.o.Access == nil {
		return access.All
	}
	return c.who.Cover(verbs, bucket, prefix)
}

// need returns an error unless the client has a verb on the server as a whole.
func (c *call) need(verb access.Verb) error {
	if c.may(verb, "", nil) {
		return nil
	}
	return denied(verb, "").WithHint("an administrator can grant a role with " + verb.String())
}

// needKey returns an error unless the client may do all of verbs to a key.
func (c *call) needKey(verbs access.Verb, bucket string, key []byte) error {
	if c.may(verbs, bucket, key) {
		return nil
	}
	return denied(verbs, bucket)
}

func denied(verbs access.Verb, bucket string) *wire.Error {
	if bucket == "" {
		return wire.Errorf(wire.Forbidden, "this takes the right to %v", verbs)
	}
	return wire.Errorf(wire.Forbidden, "this takes the right to %v on these keys of bucket %.64q", verbs, bucket).
		WithHint("an administrator can grant a role; GET /v1/whoami tells as whom you are logged in")
}

// charge takes n bytes from the budget until the call ends.
func (c *call) charge(n int64) error {
	if !c.api.inFlight.take(n) {
		c.api.counters.overloaded.Add(1)
		e := wire.Errorf(wire.Overloaded, "the memory for requests in flight is used up").
			WithHint("try again; max-inflight-size is the limit")
		e.RetryAfter = time.Second
		return e
	}
	c.charged += n
	return nil
}

// release gives n charged bytes back before the call ends.
func (c *call) release(n int64) {
	c.charged -= n
	c.api.inFlight.give(n)
}

// maxReads is how many calls may read from the store at a time: enough to keep its disk
// busy, and few enough that what they read before it is charged stays within bounds.
const maxReads = 16

// turn waits until the call may read from the store. done is called before anything is
// sent.
func (c *call) turn() (done func(), err error) {
	select {
	case c.api.reads <- struct{}{}:
		return func() { <-c.api.reads }, nil
	case <-c.r.Context().Done():
		return nil, c.r.Context().Err()
	}
}

// query returns a parameter of the query, "" if it is not there. One that is there twice,
// or an unknown one, is an error: see checkQuery.
func (c *call) query(name string) string { return c.r.URL.Query().Get(name) }

// checkQuery returns an error if the query has other parameters than these, or one twice: a
// mistyped limit would otherwise be none.
func (c *call) checkQuery(names ...string) error {
	values, err := parseQuery(c.r.URL.RawQuery)
	if err != nil {
		return err
	}
next:
	for have, v := range values {
		if len(v) > 1 {
			return wire.Errorf(wire.BadRequest, "the parameter %.40q is there %d times", have, len(v))
		}
		for _, n := range names {
			if n == have {
				continue next
			}
		}
		return wire.Errorf(wire.BadRequest, "there is no parameter %.40q here", have).WithHint("GET /v1/openapi.json lists the parameters of each endpoint")
	}
	return nil
}

// header returns a header that may be there once, and not empty.
func (c *call) header(name string) (string, error) {
	values := c.r.Header.Values(name)
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", wire.Errorf(wire.BadRequest, "the header %s is there %d times", name, len(values))
	}
	if values[0] == "" {
		return "", wire.Errorf(wire.BadRequest, "the header %s is empty", name).WithHint("leave it out, or give it a value")
	}
	return values[0], nil
}

// number reads a parameter from 1 to most; def if it is not there.
func (c *call) number(name string, def, most int) (int, error) {
	text := c.query(name)
	if text == "" {
		return min(def, most), nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, wire.Errorf(wire.BadRequest, "%s=%.20q: from 1 to %d is possible", name, text, most)
	}
	return n, nil
}

// flag reads a parameter that is true or false.
func (c *call) flag(name string) (bool, error) {
	switch text := c.query(name); text {
	case "", "false", "0":
		return false, nil
	case "true", "1":
		return true, nil
	default:
		return false, wire.Errorf(wire.BadRequest, "%s=%.20q: true or false is possible", name, text)
	}
}

// reply sends JSON.
func (c *call) reply(status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.send(status, wire.JSON, append(b, '\n'))
}

// send sends an answer of known length.
func (c *call) send(status int, contentType string, b []byte) error {
	h := c.out.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	c.head(status)
	if c.r.Method == http.MethodHead {
		return nil
	}
	_ = c.push(b) // or the client has gone
	return nil
}

// empty answers 204.
func (c *call) empty() error {
	c.head(http.StatusNoContent)
	return nil
}

// fail answers with an error, or cuts the answer off if a part of it has been sent.
func (c *call) fail(err error) {
	if errors.Is(err, errGone) {
		c.cut = true
		return
	}
	e := c.explain(err)
	c.code = e.Code
	if c.out.status != 0 {
		c.cut = true
		return
	}
	h := c.out.Header()
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	if e.Code == wire.Unauthorized {
		h.Add("WWW-Authenticate", `Basic realm="ringwood", charset="UTF-8"`)
		h.Add("WWW-Authenticate", "Bearer")
	}
	_ = c.reply(e.Code.Status(), wire.Failure{Error: e})
}

// explain returns err as it goes to the client. What is no *wire.Error is logged: it may
// name files and keys.
func (c *call) explain(err error) *wire.Error {
	var e *wire.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &wire.Error{Code: wire.Timeout, Message: "the request was given up", Definite: !c.writes}
	}
	c.api.o.Logger.Error("http: a request failed", "method", c.r.Method, "route", c.pattern(), "user", c.who.Name(), "error", err.Error())
	return &wire.Error{Code: wire.Internal, Message: "the request failed; the reason is in the log of the server", Definite: !c.writes}
}
