package httpapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// slowLine is a connection with deadlines, on which each piece takes its time.
type slowLine struct {
	pause         time.Duration
	pieces        int // to be read yet
	written       int
	status        int
	header        http.Header
	reads, writes time.Time // deadlines
}

var _ http.ResponseWriter = (*slowLine)(nil)

func (l *slowLine) SetReadDeadline(t time.Time) error  { l.reads = t; return nil }
func (l *slowLine) SetWriteDeadline(t time.Time) error { l.writes = t; return nil }

// wait reports whether a piece comes through before a deadline.
func (l *slowLine) wait(deadline time.Time) bool {
	time.Sleep(l.pause)
	return deadline.IsZero() || !time.Now().After(deadline)
}

func (l *slowLine) Read(b []byte) (int, error) {
	if l.pieces == 0 {
		return 0, io.EOF
	}
	if len(b) > 64<<10 {
		b = b[:64<<10]
	}
	if !l.wait(l.reads) {
		return 0, os.ErrDeadlineExceeded
	}
	l.pieces--
	return len(b), nil
}

func (l *slowLine) Close() error        { return nil }
func (l *slowLine) Header() http.Header { return l.header }

func (l *slowLine) WriteHeader(status int) {
	if time.Now().After(l.writes) {
		status = -1
	}
	l.status = status
}

func (l *slowLine) Write(b []byte) (int, error) {
	if !l.wait(l.writes) {
		return 0, os.ErrDeadlineExceeded
	}
	l.written += len(b)
	return len(b), nil
}

// oneValue is a store with one value under each key, which takes all writes.
type oneValue struct {
	httpapi.Store
	value []byte
}

func (s oneValue) Read(context.Context, string, []byte) (httpapi.Record, error) {
	return httpapi.Record{Values: []httpapi.Value{{Data: s.value}}, Context: "c", Tag: "t"}, nil
}

func (s oneValue) Write(_ context.Context, _ string, w httpapi.Write) (httpapi.Written, error) {
	return httpapi.Written{Results: make([]httpapi.Result, len(w.Operations))}, nil
}

// serve lets a request take its time. What the server has set before is a minute.
func (l *slowLine) serve(t *testing.T, r *http.Request, limits httpapi.Limits) {
	api, err := httpapi.New(httpapi.Options{Store: oneValue{value: make([]byte, 1<<20)}, Settings: httpapi.Settings{Limits: limits}})
	must(t, err)
	l.header, l.writes = make(http.Header), time.Now().Add(time.Minute)
	api.ServeHTTP(l, r)
	if n := api.Metrics().InFlight; n != 0 {
		t.Errorf("%d bytes stay charged", n)
	}
}

// Whoever takes a little now and then does not keep an answer for ever; whoever takes
// 64 KiB in a second has all the time.
func TestAnswersAreTakenInTime(t *testing.T) {
	for _, c := range []struct {
		pause time.Duration
		whole bool
	}{{time.Second, true}, {3 * time.Second, false}} {
		synctest.Test(t, func(t *testing.T) {
			l := &slowLine{pause: c.pause}
			l.serve(t, request("GET", keys+"k", ""), httpapi.Limits{WriteTime: 10 * time.Second})
			if (l.written == 1<<20) != c.whole || l.written == 0 {
				t.Errorf("64 KiB in %v: %d bytes were sent", c.pause, l.written)
			}
		})
	}
}

// Likewise for bodies, and the answer to one that took long can be sent.
func TestBodiesComeInTime(t *testing.T) {
	for _, c := range []struct {
		pause  time.Duration
		status int
	}{{2 * time.Second, 204}, {5 * time.Second, 408}} {
		synctest.Test(t, func(t *testing.T) {
			l := &slowLine{pause: c.pause, pieces: 200}
			r := request("PUT", keys+"k", "x")
			r.Body, r.ContentLength = l, -1
			l.serve(t, r, httpapi.Limits{ReadTime: 250 * time.Second, WriteTime: 10 * time.Second})
			if l.status != c.status {
				t.Errorf("64 KiB in %v: status %d, want %d", c.pause, l.status, c.status)
			}
		})
	}
}

// OnLogin tells of logins, and of nothing else.
func TestOnLogin(t *testing.T) {
	s := newServer(t, withUsers)
	bare := newServer(t, nil)
	for _, c := range []struct {
		s       *server
		path    string
		headers []string
		want    bool
	}{
		{s, "/v1/whoami", nil, false}, {s, "/v1/whoami", []string{"Authorization: Bearer x"}, false},
		{s, "/v1/openapi.json", nil, false}, {s, "/v1/openapi.json", []string{"user: reader"}, false},
		{s, "/v1/whoami", []string{"user: reader", "Host: evil.org"}, false},
		{s, "/v1/whoami", []string{"user: reader"}, true}, {bare, "/v1/whoami", nil, true},
	} {
		known := false
		r := request("GET", c.path, "", c.headers...)
		c.s.send(r.WithContext(httpapi.OnLogin(r.Context(), func() { known = true })))
		if known != c.want {
			t.Errorf("%s with %v: %v", c.path, c.headers, known)
		}
	}
}

// Durability is asked for by name, and reaches the store.
func TestDurability(t *testing.T) {
	s := newServer(t, nil)
	for _, d := range []string{"sync", "os", "none"} {
		s.do("PUT", keys+"k", "v", "Ringwood-Durability: "+d).is(204)
		s.do("DELETE", keys+"k", "", "Ringwood-Durability: "+d).is(204)
		s.do("POST", keys+"k", `{"increment":1}`, "Ringwood-Durability: "+d).is(200)
		s.do("POST", "/v1/buckets/available/batch", `{"operations":[{"op":"delete","key":"k"}]}`, "Ringwood-Durability: "+d).is(200)
	}
	for _, method := range []string{"PUT", "DELETE", "POST"} {
		body := map[string]string{"PUT": "v", "POST": `{"increment":1}`}[method]
		s.do(method, keys+"bad", body, "Ringwood-Durability: Sync").is(400, wire.BadRequest)
		s.do(method, keys+"bad", body, "Ringwood-Durability: sync", "Ringwood-Durability: sync").is(400, wire.BadRequest)
	}
	s.do("POST", "/v1/buckets/available/batch", `{"operations":[{"op":"delete","key":"k"}]}`, "Ringwood-Durability: x").is(400, wire.BadRequest)
	s.do("GET", keys+"bad", "").is(404)
	s.do("PUT", keys+"k", "v", "Ringwood-Request-Id: one").is(204)
	s.do("PUT", keys+"k", "v", "Ringwood-Request-Id: one", "Ringwood-Durability: sync").is(422, wire.RequestIDReused)
	if _, err := s.node.Write(t.Context(), "available", httpapi.Write{Durability: "?"}); !errors.Is(err, wire.BadRequest) {
		t.Error(err)
	}
}
