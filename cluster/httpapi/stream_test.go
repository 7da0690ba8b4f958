package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// A value comes out of JSON as it went in, whether it was written as a whole or piece by
// piece, whatever stands where a piece ends.
func TestLargeValuesInJSON(t *testing.T) {
	s := newServer(t, nil)
	values := map[string]string{}
	for i, unit := range []string{"a", "<", "\"", "\\", "\x00", "ü", "€", "\u2028", "😀", "\xff", "\"siblings\":[]", "\"value\":\"\""} {
		for _, n := range []int{15<<10 - 1, 15<<10 + 1, 35_000} {
			values[fmt.Sprintf("%d/%d \"value\":\"\" \"siblings\":[]", i, n)] = ("x" + strings.Repeat(unit, n/len(unit)+1))[:n]
		}
	}
	want := func(what, key string, got wire.Value) {
		t.Helper()
		if b, err := got.Bytes(); err != nil || string(b) != values[key] {
			t.Errorf("%s of %s: %d bytes of %d, %v", what, key, len(b), len(values[key]), err)
		}
	}
	var keysOf []string
	for key, value := range values {
		s.do("PUT", keys+escape(key), value).is(204)
		var e wire.Entry
		s.do("GET", keys+escape(key), "", "Accept: application/json").is(200).json(&e)
		want("GET", key, e.Siblings[0].Value)
		keysOf = append(keysOf, key)
	}
	var in wire.MultiGet
	for _, key := range keysOf {
		in.Keys = append(in.Keys, wire.KeyOf([]byte(key)))
	}
	body, err := json.Marshal(in)
	must(t, err)
	var out wire.MultiGetResult
	s.do("POST", "/v1/buckets/available/multi-get", string(body)).is(200).json(&out)
	for i, e := range out.Entries {
		want("multi-get", keysOf[i], e.Siblings[0].Value)
	}
	seen := 0
	for cursor := ""; ; {
		lines := bufio.NewScanner(strings.NewReader(s.do("GET", "/v1/buckets/available/keys?values=true&limit=7&cursor="+cursor, "").is(200).text))
		lines.Buffer(nil, 8<<20)
		for lines.Scan() {
			var l wire.ScanLine
			must(t, json.Unmarshal(lines.Bytes(), &l))
			if l.Next != nil {
				cursor = *l.Next
				break
			}
			k, err := l.Key.Bytes()
			must(t, err)
			want("scan", string(k), l.Value)
			seen++
		}
		if cursor == "" {
			break
		}
	}
	if seen != len(values) {
		t.Errorf("the scan shows %d of %d", seen, len(values))
	}
	// Several siblings, one of them large.
	s.siblings("two", "small", strings.Repeat("<", 100_000))
	var e wire.Entry
	s.do("GET", keys+"two", "").is(300).json(&e)
	if b, _ := e.Siblings[0].Value.Bytes(); len(b) != 100_000 || *e.Siblings[1].ValueText != "small" || e.ETag == "" || e.Context == "" {
		t.Errorf("%d bytes, %+v", len(b), e.Siblings[1])
	}
	if n := s.api.Metrics().InFlight; n != 0 {
		t.Errorf("%d bytes stay charged", n)
	}
}

// A value that JSON makes six times as long costs no more than another one.
func TestLargeValuesAreCheap(t *testing.T) {
	s := newServer(t, func(_ *server, o *httpapi.Options) { o.Settings.Limits.InFlight = 600_000 })
	s.do("PUT", keys+"k", strings.Repeat("<", 200_000)).is(204)
	if n := len(s.do("GET", keys+"k", "", "Accept: application/json").is(200).text); n < 1_200_000 {
		t.Errorf("%d bytes", n)
	}
	if n := len(s.do("POST", "/v1/buckets/available/multi-get", `{"keys":[{"key":"k"},{"key":"k"}]}`).is(200).text); n < 2_400_000 {
		t.Errorf("%d bytes", n)
	}
	if n := len(s.do("GET", "/v1/buckets/available/keys?values=true", "").is(200).text); n < 1_200_000 {
		t.Errorf("%d bytes", n)
	}
	if m := s.api.Metrics(); m.Overloaded != 0 || m.InFlight != 0 {
		t.Errorf("%+v", m)
	}
}

// waiting is a store whose reads last as long as somebody wants.
type waiting struct {
	httpapi.Store
	now, most atomic.Int64
	end       chan struct{}
}

func (w *waiting) enter() {
	n := w.now.Add(1)
	for most := w.most.Load(); n > most && !w.most.CompareAndSwap(most, n); most = w.most.Load() {
	}
	<-w.end
	w.now.Add(-1)
}

func (w *waiting) Read(ctx context.Context, bucket string, key []byte) (httpapi.Record, error) {
	w.enter()
	return w.Store.Read(ctx, bucket, key)
}

func (w *waiting) Scan(ctx context.Context, bucket string, s httpapi.Scan, visit func(httpapi.Item) bool) (string, error) {
	w.enter()
	return w.Store.Scan(ctx, bucket, s, visit)
}

// What is read before it is charged is bounded: few read at a time, and who has gone does
// not wait for it.
func TestReadsTakeTurns(t *testing.T) {
	w := &waiting{end: make(chan struct{})}
	s := newServer(t, func(_ *server, o *httpapi.Options) { w.Store, o.Store = o.Store, w })
	ctx, gone := context.WithCancel(t.Context())
	var wg, left sync.WaitGroup
	ask := func(wg *sync.WaitGroup, ctx context.Context, method, path, body string, want int) {
		wg.Go(func() {
			got := &recorder{header: make(http.Header)}
			if s.handler.ServeHTTP(got, request(method, path, body).WithContext(ctx)); got.status != want {
				t.Errorf("%s %s: %d %s", method, path, got.status, got.text.String())
			}
		})
	}
	for range 10 {
		ask(&wg, t.Context(), "GET", keys+"k", "", 404)
		ask(&wg, t.Context(), "GET", "/v1/buckets/available/keys", "", 200)
		ask(&wg, t.Context(), "POST", "/v1/buckets/available/multi-get", `{"keys":[{"key":"k"}]}`, 200)
	}
	waitFor(t, func() bool { return w.now.Load() == 16 })
	ask(&left, ctx, "GET", keys+"k", "", 408)
	gone()
	left.Wait()
	close(w.end)
	wg.Wait()
	if n := w.most.Load(); n != 16 {
		t.Errorf("%d read at a time", n)
	}
}
