package resp

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

// Who holds a little gets all of the budget, who holds a byte more three quarters.
func TestAccount(t *testing.T) {
	b := &budget{limit: 6400}
	little, large := &account{b: b}, &account{b: b}
	if !large.Take(4800) || large.Take(1) || b.used.Load() != 4800 {
		t.Fatalf("%d bytes are taken of three quarters", b.used.Load())
	}
	if little.Take(101) {
		t.Error("one byte more than a 64th is let into the last quarter")
	}
	if !little.Take(99) || !little.Take(1) || little.Take(1) {
		t.Error("a 64th is not let into the last quarter, or more than that")
	}
	for b.used.Load() < 6400 {
		if !(&account{b: b}).Take(100) {
			t.Fatalf("%d bytes cannot be taken whole", b.limit)
		}
	}
	if (&account{b: b}).Take(1) {
		t.Error("one byte more than the budget")
	}
	large.Give(4800)
	if large.taken.Load() != 0 || b.used.Load() != 1600 {
		t.Errorf("%d and %d", large.taken.Load(), b.used.Load())
	}
}

// Clients that read nothing have the budget for themselves no longer than a second, and
// never what others need for small requests.
func TestSlowReadersGiveWay(t *testing.T) {
	srv, addr := start(t, memstore.New(16), Options{MaxMemory: 16 << 20, MaxValue: 2 << 20})
	small, big, slow := resptest.Dial(t, "tcp", addr), resptest.Dial(t, "tcp", addr), resptest.Dial(t, "tcp", addr)
	if got := big.Do("SET", "v", strings.Repeat("v", 2<<20)).String(); got != "+OK" {
		t.Fatal(got)
	}
	// Of them, one keeps much as well, and goes on.
	slow.Want("+OK", "MULTI")
	if got := slow.Do("SET", "w", strings.Repeat("w", 1<<20)).String(); got != "+QUEUED" {
		t.Fatal(got)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
				slow.Want("+QUEUED", "PING")
			}
		}
	}()
	for range 10 {
		c := dial(t, addr)
		go func() { _, _ = io.WriteString(c, strings.Repeat("GET v\r\n", 20)) }()
	}
	eventually(t, "the budget is used up for large requests", func() bool { return srv.Metrics().Memory > 10<<20 })
	value := strings.Repeat("s", 200<<10)
	for range 20 {
		if got := small.Do("SET", "s", value).String(); got != "+OK" {
			t.Fatalf("a small request: %s", got)
		}
		if got := small.Do("GET", "s").Text; got != value {
			t.Fatalf("a small request: %.100s", got)
		}
	}
	eventually(t, "slow readers give way", func() bool { return len(big.Do("GET", "v").Text) == 2<<20 })
	if n := srv.Metrics().ClosedMemory; n == 0 {
		t.Error("nobody was closed for it")
	}
	close(stop)
	<-stopped
	slow.Want("+OK", "DISCARD")
}
