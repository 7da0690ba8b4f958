package resp

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

// A slow command is told apart from those around it, though the clock is read once
// between two commands; and no time is its own in which the client sent nothing.
func TestSlowAmongOthers(t *testing.T) {
	const long = 30 * time.Millisecond
	store := memstore.New(16)
	store.Write = func(k exec.Key) error {
		if string(k.Name) == "slow" {
			time.Sleep(long)
		}
		return nil
	}
	store.Commit = func() error {
		time.Sleep(long)
		return nil
	}
	var mu sync.Mutex
	var slow []string
	_, addr := start(t, store, Options{GroupCommands: 3, SlowThreshold: long / 2, Slow: func(s SlowCommand) {
		mu.Lock()
		defer mu.Unlock()
		if s.Took >= 3*long/2 || time.Since(s.Time) < s.Took {
			t.Errorf("%s took %v since %v", s.Command.Name, s.Took, s.Time)
		}
		slow = append(slow, s.Command.Name+" "+s.Key)
	}})
	c := resptest.Dial(t, "tcp", addr)
	for range 2 {
		pipeline(c, "GET a", "SET a 1", "GET b", "SET slow 1", "INCR a", "PING", "SET a 1", "SET b 1", "INCR a", "GET a", "GET b")
		time.Sleep(long)
		pipeline(c, "GET a", "GET b", "ECHO x", "GET a")
		time.Sleep(long)
	}
	// Nothing is written between these.
	c.Write([]byte("CLIENT REPLY OFF\r\nGET a\r\n"))
	time.Sleep(long)
	c.Write([]byte("GET a\r\n"))
	c.Want("+OK", "CLIENT REPLY ON")
	pipeline(c, "MULTI", "SET a 1", "APPEND slow 1", "GET a", "EXEC", "GET a")
	mu.Lock()
	defer mu.Unlock()
	if got := fmt.Sprint(slow); got != "[set slow set slow append slow]" {
		t.Errorf("slow were %s", got)
	}
}
