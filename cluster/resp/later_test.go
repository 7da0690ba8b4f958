package resp

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

// announced is a store that notes which keys it was told of together.
type announced struct {
	exec.Store
	mu    sync.Mutex
	hints []string
}

func (s *announced) Prefetch(keys []exec.Key) {
	var names []string
	for _, k := range keys {
		names = append(names, fmt.Sprintf("%d:%s", k.DB, k.Name))
	}
	s.mu.Lock()
	s.hints = append(s.hints, strings.Join(names, " "))
	s.mu.Unlock()
}

// Reads of a pipeline wait for those behind them, and for nothing else: each reply is
// that of its place.
func TestReadsTogether(t *testing.T) {
	store := &announced{Store: memstore.New(16)}
	_, addr := start(t, store, Options{})
	c := resptest.Dial(t, "tcp", addr)
	got := pipeline(c, "GET a", "GET b", "SET a 1", "GET a", "STRLEN a", "PING", "GET a", "TTL a", "NOPE", "GET a", "GETRANGE a x 1",
		"SELECT 1", "GET a", "SET a 22", "SELECT 0", "GET a", "EXISTS a", "MGET a b", "MULTI", "GET a", "EXEC", "GET a")
	want := []string{"nil", "nil", "+OK", `"1"`, "1", "+PONG", `"1"`, "-1", "-ERR unknown command 'NOPE', with args beginning with: ", `"1"`,
		"-ERR value is not an integer or out of range", "+OK", "nil", "+OK", "+OK", `"1"`, "1", `["1" nil]`, "+OK", "+QUEUED", `["1"]`, `"1"`}
	for i := range want {
		if strings.TrimSpace(got[i]) != strings.TrimSpace(want[i]) {
			t.Errorf("reply %d: %s, want %s", i, got[i], want[i])
		}
	}
	var lines, wants []string
	for i := range 200 {
		lines = append(lines, fmt.Sprintf("SET k%d %d", i, i))
	}
	pipeline(c, lines...)
	lines = lines[:0]
	for i := range 200 {
		lines, wants = append(lines, fmt.Sprintf("GET k%d", i)), append(wants, fmt.Sprintf("%q", fmt.Sprint(i)))
	}
	store.mu.Lock()
	store.hints = nil
	store.mu.Unlock()
	if got := pipeline(c, lines...); fmt.Sprint(got) != fmt.Sprint(wants) {
		t.Errorf("got %v", got)
	}
	store.mu.Lock()
	defer store.mu.Unlock()
	var told []string
	for _, h := range store.hints {
		told = append(told, strings.Fields(h)...)
		if n := len(strings.Fields(h)); n < 4 || n > 64 {
			t.Errorf("%d keys were announced together", n)
		}
	}
	// The kernel may have delivered the pipeline in pieces, the last ones too small.
	if len(told) < 150 || told[0] != "0:k0" {
		t.Errorf("announced: %v", store.hints)
	}
}
