package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/cluster/client"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// serve starts a server that answers a path with a status and a body, and other paths as a
// node of one empty bucket does. Real nodes are in the tests of kvbench.
func serve(t *testing.T, answers map[string]any) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		switch {
		case !ok && r.URL.Path == "/v1/buckets/b":
			answer = map[string]any{"name": "b", "durability": "os", "keys": 0}
		case !ok && r.URL.Path == "/v1/status":
			answer = wire.Status{Version: "1.2", Node: "n"}
		}
		status := http.StatusOK
		switch a := answer.(type) {
		case func(w http.ResponseWriter, r *http.Request):
			a(w, r)
			return
		case wire.Code:
			status, answer = http.StatusTeapot, wire.Failure{Error: &wire.Error{Code: a, Message: "no"}}
		}
		w.Header().Set("Content-Type", wire.JSON)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/b"
}

func connect(t *testing.T, url string, r engine.Remote) (engine.Server, error) {
	t.Helper()
	r.Name, r.URL = "t", url
	e, err := Kind(r).Open(engine.Config{Connections: 2})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = e.Close() })
	return e.(engine.Server), nil
}

// What a node does not tell is unknown, and no reason not to measure.
func TestUntold(t *testing.T) {
	for _, code := range []wire.Code{wire.Forbidden, wire.NotAvailable} {
		s, err := connect(t, serve(t, map[string]any{"/v1/status": code}), engine.Remote{})
		if err != nil {
			t.Fatal(err)
		}
		if id := s.Identity(); id.Name != "ringwood" || id.Version != "" || id.Run != "" || id.Settings != "durability os" || id.Database != "b" {
			t.Errorf("%+v", id)
		}
		if u, err := s.Usage(); err != nil || u.CPU() != nil || u.Resident != nil {
			t.Errorf("%+v, %v", u, err)
		}
		if _, err := s.Settle(context.Background()); !errors.Is(err, engine.ErrUntold) {
			t.Error(err)
		}
		if _, err := s.NewIter(nil, nil); err == nil {
			t.Error("an iterator")
		}
	}
	s, err := connect(t, serve(t, map[string]any{"/v1/buckets/b": map[string]any{"name": "b"}}), engine.Remote{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Keys(); err == nil || !strings.Contains(err.Error(), "does not tell how many keys") {
		t.Error(err)
	}
}

// A node that works on is waited for.
func TestSettle(t *testing.T) {
	looks := 0
	s, err := connect(t, serve(t, map[string]any{"/v1/status": func(w http.ResponseWriter, _ *http.Request) {
		running := 1
		if looks++; looks > 3 { // the first is of connecting
			running = 0
		}
		fmt.Fprintf(w, `{"metrics": {"ringwood_lsm_compactions_running": %d, "process_cpu_seconds_total": 1.5, "process_resident_memory_bytes": 4096}}`, running)
	}}), engine.Remote{})
	if err != nil {
		t.Fatal(err)
	}
	if rested, err := s.Settle(context.Background()); err != nil || looks != 3+restTimes || rested <= 0 {
		t.Errorf("%v, %v, %d looks", rested, err, looks)
	}
	if u, err := s.Usage(); err != nil || *u.CPU() != 1500*time.Millisecond || *u.Resident != 4096 {
		t.Errorf("%+v, %v", u, err)
	}
	if text := s.Stats().Text; !strings.Contains(text, "process_cpu_seconds_total 1.5\n") {
		t.Error(text)
	}
}

// Nothing is repeated, and no failure is taken for an answer.
func TestFailures(t *testing.T) {
	asked := 0
	overloaded := func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(wire.Failure{Error: &wire.Error{Code: wire.Overloaded, Message: "no"}})
	}
	s, err := connect(t, serve(t, map[string]any{
		"/v1/buckets/b/keys/k": overloaded, "/v1/buckets/b/batch": overloaded, "/v1/buckets/b/empty": overloaded,
		"/v1/buckets/b/keys/gone": wire.NotFound, "/v1/buckets/b/keys/odd": wire.NoBucket,
		"/v1/buckets/b/keys/slow": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	}), engine.Remote{Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	batch := s.NewBatch()
	if err := batch.Commit(); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
	calls := map[string]func() error{
		"get":    func() error { _, err := s.AppendGet(nil, []byte("k")); return err },
		"put":    func() error { return s.Put([]byte("k"), nil) },
		"delete": func() error { return s.Delete([]byte("k")) },
		"batch": func() error {
			return errors.Join(batch.Put([]byte("a"), nil), batch.Delete([]byte("b")), batch.Commit())
		},
		"clear": s.Clear,
	}
	for name, call := range calls {
		asked = 0
		if err := call(); !errors.Is(err, wire.Overloaded) || asked != 1 {
			t.Errorf("%s: %v, asked %d times", name, err, asked)
		}
	}
	if v, err := s.AppendGet([]byte("x"), []byte("gone")); err != engine.ErrNotFound || string(v) != "x" {
		t.Errorf("%q, %v; the error must be ErrNotFound itself", v, err)
	}
	if _, err := s.AppendGet(nil, []byte("odd")); !errors.Is(err, client.ErrNoBucket) {
		t.Error(err)
	}
	if _, err := s.AppendGet(nil, []byte("slow")); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// What cannot be reached, or has no such bucket, is said at once, without the password.
func TestNoNode(t *testing.T) {
	for url, want := range map[string]string{
		serve(t, map[string]any{"/v1/buckets/b": wire.NoBucket}):     "there is no bucket b: kvctl buckets create b makes it",
		serve(t, map[string]any{"/v1/buckets/b": wire.Unauthorized}): "unauthorized",
		serve(t, map[string]any{"/v1/buckets/b": "a text"}):          "makes no sense",
		serve(t, map[string]any{"/v1/status": wire.Overloaded}):      "overloaded",
		"http://127.0.0.1:1/b": "connect to http://127.0.0.1:1/b",
	} {
		_, err := connect(t, url, engine.Remote{Password: "opensesame"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "opensesame") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
