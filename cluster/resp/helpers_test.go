package resp

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

// start serves a store on a port of its own until the end of the test.
func start(tb testing.TB, store exec.Store, o Options) (*Server, string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	srv := New(store, o)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	tb.Cleanup(func() {
		_ = srv.Close()
		if err := <-done; !errors.Is(err, ErrClosed) {
			tb.Errorf("Serve: %v", err)
		}
	})
	return srv, l.Addr().String()
}

// serve is start with a client.
func serve(tb testing.TB, o Options) (*Server, *resptest.Client, *memstore.Store) {
	tb.Helper()
	store := memstore.New(16)
	srv, addr := start(tb, store, o)
	return srv, resptest.Dial(tb, "tcp", addr), store
}

// eventually waits for a condition.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	tb.Fatalf("not within 5 s: %s", what)
}

// short is a context for things that are to be done soon.
func short(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	tb.Cleanup(cancel)
	return ctx
}
