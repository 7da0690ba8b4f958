package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

func TestLimits(t *testing.T) {
	s := newServer(t, func(_ *server, o *httpapi.Options) {
		o.Settings.Limits = httpapi.Limits{Key: 10, Value: 20, Body: 200, Keys: 3, ScanKeys: 5}
	})
	s.do("PUT", keys+strings.Repeat("k", 10), "v").is(204)
	s.do("PUT", keys+strings.Repeat("k", 11), "v").is(413, wire.TooLarge)
	s.do("GET", keys+strings.Repeat("k", 11), "").is(413, wire.TooLarge)
	s.do("PUT", keys+"k", strings.Repeat("v", 20)).is(204)
	s.do("PUT", keys+"k", strings.Repeat("v", 21)).is(413, wire.TooLarge)
	unknown := request("PUT", keys+"k", strings.Repeat("v", 21))
	unknown.ContentLength = -1 // chunked
	s.send(unknown).is(413, wire.TooLarge)
	fits := request("PUT", keys+"k", strings.Repeat("v", 20))
	fits.ContentLength = -1
	s.send(fits).is(204)
	op := func(key, value string) string { return `{"op":"put","key":"` + key + `","value":"` + value + `"}` }
	post := func(ops ...string) *response {
		return s.do("POST", "/v1/buckets/available/batch", `{"operations":[`+strings.Join(ops, ",")+`]}`)
	}
	post(op(strings.Repeat("k", 10), strings.Repeat("v", 20))).is(200)
	post(op(strings.Repeat("k", 11), "")).is(413)
	post(op("k", strings.Repeat("v", 21))).is(413)
	post(op("a", ""), op("b", ""), op("c", "")).is(200)
	post(op("a", ""), op("b", ""), op("c", ""), op("d", "")).is(413)
	pad := func(n int) string {
		body := `{"operations":[` + op("a", "") + `]}`
		return body + strings.Repeat(" ", n-len(body))
	}
	s.do("POST", "/v1/buckets/available/batch", pad(200)).is(200)
	s.do("POST", "/v1/buckets/available/batch", pad(201)).is(413, wire.TooLarge)
	s.do("GET", "/v1/buckets/available/keys?limit=5", "").is(200)
	s.do("GET", "/v1/buckets/available/keys?limit=6", "").is(400)
	s.do("PATCH", "/v1/buckets/available", `{"max_value":5}`).is(200)
	s.do("PUT", keys+"k", "12345").is(204)
	s.do("PUT", keys+"k", "123456").is(413, wire.TooLarge)
}

// A little JSON cannot become much memory.
func TestJSONOfManyParts(t *testing.T) {
	s := newServer(t, func(_ *server, o *httpapi.Options) { o.Settings.Limits.Keys = 10 })
	for _, body := range []string{
		`{"operations":[` + strings.Repeat("{},", 300_000) + `{}]}`,
		`{"operations":[` + strings.Repeat("null,", 300_000) + `null]}`,
		`{"operations":` + strings.Repeat("[", 300_000) + strings.Repeat("]", 300_000) + `}`,
	} {
		s.do("POST", "/v1/buckets/available/batch", body).is(413, wire.TooLarge)
	}
	// In a text they are only a text.
	s.do("POST", "/v1/buckets/available/batch", `{"operations":[{"op":"put","key":"k","value":"`+strings.Repeat(`{,[\"`, 10_000)+`"}]}`).is(200)
}

// What requests occupy together is bounded, and given back.
func TestInFlight(t *testing.T) {
	s := newServer(t, func(_ *server, o *httpapi.Options) { o.Settings.Limits.InFlight = 100_000 })
	s.do("PUT", keys+"k", strings.Repeat("v", 50_000)).is(204)
	s.do("PUT", keys+"k", strings.Repeat("v", 300_000)).is(503, wire.Overloaded)
	if e := s.do("PUT", keys+"k", strings.Repeat("v", 300_000)).is(503); e.Header.Get("Retry-After") == "" || !e.failure().Definite {
		t.Errorf("%v %s", e.Header, e.text)
	}
	s.do("GET", keys+"k", "").is(200)
	if got := s.api.Metrics(); got.InFlight != 0 || got.Overloaded != 2 {
		t.Errorf("%+v", got)
	}
	// A claim alone occupies nothing: a body that says it is long, and does not come.
	var slow []*io.PipeWriter
	var wg sync.WaitGroup
	for range 20 {
		r, w := io.Pipe()
		slow = append(slow, w)
		req := request("PUT", keys+"slow", "x")
		req.Body, req.ContentLength = r, 90_000
		wg.Add(1)
		go func() {
			defer wg.Done()
			got := &recorder{header: make(http.Header)}
			if s.handler.ServeHTTP(got, req); got.status != 400 {
				t.Errorf("a body that does not come: %d %s", got.status, got.text.String())
			}
		}()
	}
	waitFor(t, func() bool { return s.api.Metrics().InFlight > 50_000 })
	s.do("PUT", keys+"other", "x").is(204)
	for _, w := range slow {
		w.CloseWithError(errors.New("gone"))
	}
	wg.Wait()
	s.do("GET", keys+"slow", "").is(404)
	if got := s.api.Metrics(); got.InFlight != 0 {
		t.Errorf("%d bytes are charged when nothing is under way", got.InFlight)
	}
}

// A batch is in memory several times while it is decoded and done, and its parts take more
// than their text: that is charged before anything is decoded.
func TestBatchInFlight(t *testing.T) {
	set := func(s *server, limit int) {
		must(t, s.api.Apply(httpapi.Settings{Limits: httpapi.Limits{InFlight: int64(limit)}}))
	}
	s := newServer(t, nil)
	post := func(body string) *response { return s.do("POST", "/v1/buckets/available/batch", body) }
	body := `{"operations":[{"op":"put","key":"k","value":"` + strings.Repeat("v", 1<<17-100) + `"}]}`
	const buffer, parts = 1 << 17, 5
	need := buffer + len(body)*5/2 + parts*384
	set(s, need)
	post(body).is(200)
	set(s, need-1)
	post(body).is(503, wire.Overloaded)
	small := `{"operations":[{"op":"delete","key":"k"}` + strings.Repeat(`,{"op":"delete","key":"k"}`, 99) + `]}`
	set(s, 1000*100)
	post(small).is(503, wire.Overloaded)
	if got := s.api.Metrics().InFlight; got != 0 {
		t.Errorf("%d bytes are charged for ever", got)
	}
}

// A write reads what it replaces: that is charged too, and let go of with the write.
func TestWrittenOverInFlight(t *testing.T) {
	const size = 100_000
	s := newServer(t, nil)
	for _, k := range []string{"a", "b", "c"} {
		s.do("PUT", keys+k, strings.Repeat("v", size)).is(204)
	}
	context := s.do("GET", keys+"a", "").is(200).context()
	limit := func(n int64) { must(t, s.api.Apply(httpapi.Settings{Limits: httpapi.Limits{InFlight: n}})) }
	limit(size)
	for _, r := range []*response{
		s.do("PUT", keys+"a", "small"), s.do("DELETE", keys+"a", ""), s.do("PUT", keys+"a", "small", context),
	} {
		if e := r.is(503, wire.Overloaded).failure(); !e.Definite {
			t.Errorf("%+v", e)
		}
	}
	limit(size + 2000)
	s.do("GET", keys+"a", "").is(200)
	s.do("PUT", keys+"a", "small").is(204)
	// Each in its turn, and what was replaced is let go of before the next.
	batch := `{"operations":[{"op":"delete","key":"b"},{"op":"delete","key":"c"}]}`
	if got := s.do("POST", "/v1/buckets/available/batch", batch).is(200).text; !strings.Contains(got, `"failed":2`) {
		t.Error(got)
	}
	limit(size + 10_000)
	if got := s.do("POST", "/v1/buckets/available/batch", batch).is(200).text; !strings.Contains(got, `"failed":0`) {
		t.Error(got)
	}
	if got := s.api.Metrics().InFlight; got != 0 {
		t.Errorf("%d bytes are charged for ever", got)
	}
}

// listen serves s on a real socket.
func (s *server) listen() string { return listen(s.t, &http.Server{Handler: s.api}) }

func listen(t testing.TB, srv *http.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return c
}

// Those who send slowly are cut off, and cost the others nothing.
func TestSlowClients(t *testing.T) {
	s := newServer(t, func(_ *server, o *httpapi.Options) {
		o.Settings.Limits = httpapi.Limits{ReadTime: 300 * time.Millisecond, WriteTime: 300 * time.Millisecond}
	})
	addr := s.listen()
	s.do("PUT", keys+"big", strings.Repeat("v", 16<<20)).is(204)
	ended := func(name string, c net.Conn, most time.Duration) string {
		began := time.Now()
		b, err := io.ReadAll(c)
		if took := time.Since(began); took > most {
			t.Errorf("%s: it took %v until the connection ended (%v)", name, took, err)
		}
		return string(b)
	}
	body := dial(t, addr)
	fmt.Fprintf(body, "PUT %sslow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\nxx", keys)
	deaf := dial(t, addr)
	must(t, deaf.(*net.TCPConn).SetReadBuffer(64<<10))
	fmt.Fprintf(deaf, "GET %sbig HTTP/1.1\r\nHost: localhost\r\n\r\n", keys)
	if got := ended("body", body, 5*time.Second); !strings.Contains(got, "408") {
		t.Errorf("a body that does not come: %q", got)
	}
	time.Sleep(700 * time.Millisecond) // it takes nothing meanwhile
	if n := len(ended("deaf", deaf, 5*time.Second)); n >= 16<<20 {
		t.Errorf("a client that takes nothing gets %d bytes", n)
	}
	s.do("GET", keys+"slow", "").is(404)
	for range 100 {
		if s.api.Metrics().InFlight == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d bytes are charged when everybody has gone", s.api.Metrics().InFlight)
}

// A body that crawls, but not too slowly, is taken.
func TestBodiesGetTimeAsTheyCome(t *testing.T) {
	s := newServer(t, func(_ *server, o *httpapi.Options) { o.Settings.Limits.ReadTime = 600 * time.Millisecond })
	c := dial(t, s.listen())
	const step = 64 << 10
	fmt.Fprintf(c, "PUT %sslow HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", keys, 3*step)
	for i := range 3 {
		if i > 0 {
			time.Sleep(500 * time.Millisecond)
		}
		_, err := c.Write(make([]byte, step))
		must(t, err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	if res.StatusCode != 204 {
		t.Errorf("status %d", res.StatusCode)
	}
}

func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it does not come about")
}

// After Shutdown has begun, what is under way is answered.
func TestShutdown(t *testing.T) {
	s := newServer(t, nil)
	srv := &http.Server{Handler: s.api}
	c := dial(t, listen(t, srv))
	fmt.Fprintf(c, "PUT %sk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nx", keys)
	waitFor(t, func() bool { return s.api.Metrics().InFlight > 0 }) // the request is being read
	ended := make(chan error, 1)
	go func() { ended <- srv.Shutdown(context.Background()) }()
	_, err := c.Write([]byte("y"))
	must(t, err)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	if res.StatusCode != 204 {
		t.Errorf("status %d", res.StatusCode)
	}
	must(t, <-ended)
	s.do("GET", keys+"k", "").value("xy")
}

// Maintenance takes its time, however short those for requests and answers are.
func TestLongMaintenance(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	s := newServer(t, func(s *server, o *httpapi.Options) {
		o.Settings.Limits = httpapi.Limits{ReadTime: 50 * time.Millisecond, WriteTime: 50 * time.Millisecond}
		o.Upkeep = &slowUpkeep{o.Upkeep, begun, end}
	})
	c := dial(t, s.listen())
	fmt.Fprintf(c, "POST /v1/admin/compact HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
	<-begun
	time.Sleep(300 * time.Millisecond)
	close(end)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	if res.StatusCode != 204 {
		t.Errorf("status %d", res.StatusCode)
	}
}

// An answer that cannot be finished is cut off, and does not look like a whole one.
func TestCutAnswers(t *testing.T) {
	s := newServer(t, nil)
	addr := s.listen()
	var body strings.Builder
	body.WriteString(`{"keys":[`)
	for i := range 4 {
		s.do("PUT", fmt.Sprint(keys, i), strings.Repeat("v", 100_000)).is(204)
		fmt.Fprintf(&body, `{"key":"%d"},`, i)
	}
	s.do("PUT", keys+"big", strings.Repeat("v", 3_000_000)).is(204)
	body.WriteString(`{"key":"big"}]}`)
	multiGet := func() (string, error) {
		c := dial(t, addr)
		fmt.Fprintf(c, "POST /v1/buckets/available/multi-get HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", body.Len(), body.String())
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		must(t, err)
		b, err := io.ReadAll(res.Body)
		return string(b), err
	}
	if got, err := multiGet(); err != nil || len(got) < 3_400_000 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// Too little for the large one: that has an error, and the answer is whole.
	must(t, s.api.Apply(httpapi.Settings{Limits: httpapi.Limits{InFlight: 1_500_000}}))
	if got, err := multiGet(); err != nil || !strings.HasSuffix(got, "]}\n") || !strings.Contains(got, `"overloaded"`) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// A handler that panics in the middle.
	page := s.api.Guard(0, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, 100_000))
		panic("a bug")
	}))
	c := dial(t, listen(t, &http.Server{Handler: page}))
	fmt.Fprintf(c, "GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	if b, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("%d bytes, and the answer looks whole", len(b))
	}
}
