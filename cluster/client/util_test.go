package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/client"
	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/internal/httpnode"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// node is a real server, with a place between it and the network for faults.
type node struct {
	*httptest.Server
	api   *httpapi.API
	r     *replica.Replica
	fault atomic.Pointer[func(w http.ResponseWriter, r *http.Request, next http.Handler)]
	asked atomic.Int64 // requests that came
}

func (n *node) meddle(f func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	n.fault.Store(&f)
}

func newNode(t testing.TB) *node {
	t.Helper()
	r, err := replica.Open("data", time.Now().UnixMilli(), &replica.Options{
		Engine: lsm.Options{FS: vfs.NewMem(), Memory: 8 << 20},
		Create: replica.Creation{Partitions: 16, Bucket: replica.BucketConfig{Durability: lsm.OS}},
	})
	must(t, err)
	ring, err := vclock.NewKeyring([]byte(strings.Repeat("k", vclock.MinTokenKey)))
	must(t, err)
	store, err := httpnode.New(r, httpnode.Options{Keyring: ring})
	must(t, err)
	api, err := httpapi.New(httpapi.Options{Store: store, Upkeep: store})
	must(t, err)
	n := &node{api: api, r: r}
	n.meddle(func(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) })
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.asked.Add(1)
		(*n.fault.Load())(w, r, api)
	}))
	t.Cleanup(func() {
		n.Server.Close()
		must(t, r.Close())
	})
	return n
}

func newClient(t testing.TB, o client.Options, nodes ...*node) *client.Client {
	t.Helper()
	for _, n := range nodes {
		o.Addresses = append(o.Addresses, n.URL)
	}
	if o.Backoff == 0 {
		o.Backoff = time.Millisecond
	}
	c, err := client.New(o)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

var background = context.Background()

func wantIs(t testing.TB, err error, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("the error is %v, want %v", err, target)
	}
}

// drop ends the connection without an answer.
func drop(http.ResponseWriter) { panic(http.ErrAbortHandler) }

// lost is an answer that nobody gets: what was done is done.
type lost struct{ header http.Header }

func (l *lost) Header() http.Header         { return l.header }
func (l *lost) Write(b []byte) (int, error) { return len(b), nil }
func (l *lost) WriteHeader(int)             {}
