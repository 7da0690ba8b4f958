package resp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

// pipeline sends requests in one piece and returns the replies.
func pipeline(c *resptest.Client, lines ...string) (replies []string) {
	var b []byte
	for _, l := range lines {
		b = resptest.Encode(b, strings.Fields(l)...)
	}
	c.Write(b)
	for range lines {
		replies = append(replies, c.Reply().String())
	}
	return replies
}

// What a pipeline writes is one commit, and its reads see what is before them.
func TestPipelineSharesCommit(t *testing.T) {
	_, c, store := serve(t, Options{})
	got := pipeline(c, "SET a 1", "INCR a", "GET a", "SET b 2", "MGET a b", "APPEND a x", "STRLEN a", "EXISTS a b c")
	if want := []string{"+OK", "2", `"2"`, "+OK", `["2" "2"]`, "2", "2", "2"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// The kernel may have delivered the pipeline in pieces.
	if n := store.Commits(); n < 1 || n > 3 {
		t.Errorf("%d commits", n)
	}
}

// Where the commit fails, no command of the group is acknowledged.
func TestFailedCommit(t *testing.T) {
	store := memstore.New(16)
	var fail atomic.Bool
	store.Commit = func() error {
		if fail.Load() {
			return errors.New("disk on fire")
		}
		return nil
	}
	_, addr := start(t, store, Options{})
	c := resptest.Dial(t, "tcp", addr)
	c.Want("+OK", "SET a 1")
	fail.Store(true)
	for _, r := range pipeline(c, "SET a 2", "INCR a", "GET a", "DEL a") {
		if !strings.HasPrefix(r, "-ERR internal error") {
			t.Errorf("got %s", r)
		}
	}
	pipeline(c, "MULTI", "SET a 3", "SET b 3")
	if r := c.Line("EXEC").String(); !strings.HasPrefix(r, "-ERR internal error") {
		t.Errorf("EXEC: %s", r)
	}
	if r := c.Line("FLUSHALL").String(); !strings.HasPrefix(r, "-ERR internal error") {
		t.Errorf("FLUSHALL: %s", r)
	}
	fail.Store(false)
	c.Want(`"1"`, "GET a")
	c.Want("nil", "GET b")
	c.Want("2", "INCR a")
}

// Replies of a group do not leave before its commit, however large they are.
func TestRepliesAwaitCommit(t *testing.T) {
	store := memstore.New(16)
	gate := make(chan struct{})
	var closed atomic.Bool
	store.Commit = func() error {
		if closed.Load() {
			<-gate
		}
		return nil
	}
	_, addr := start(t, store, Options{})
	c, other := resptest.Dial(t, "tcp", addr), resptest.Dial(t, "tcp", addr)
	large := strings.Repeat("v", 100_000)
	c.Do("SET", "large", large)
	closed.Store(true)
	c.Write(resptest.Encode(resptest.Encode(nil, "SET", "a", "1"), "GET", "large"))
	got := make(chan string, 2)
	go func() {
		for range 2 {
			v, _ := c.Read()
			got <- v.String()
		}
	}()
	select {
	case r := <-got:
		t.Errorf("answered before the commit: %.40s", r)
	case <-time.After(200 * time.Millisecond):
	}
	other.Want("nil", "GET a") // not committed, so not seen
	closed.Store(false)
	close(gate)
	if a, b := <-got, <-got; a != "+OK" || b != fmt.Sprintf("%q", large) {
		t.Errorf("got %s and %.40s", a, b)
	}
	other.Want(`"1"`, "GET a")
}

// A write and then a read of another key, pipelined by two clients against each other:
// in any order of single commands, one of them at least sees the write of the other.
func TestPipelinesAreNotReordered(t *testing.T) {
	_, addr := start(t, memstore.New(16), Options{})
	a, b := resptest.Dial(t, "tcp", addr), resptest.Dial(t, "tcp", addr)
	for i := range 2000 {
		value := fmt.Sprint(i)
		a.Send("SET", "x", value)
		a.Reply()
		var wg sync.WaitGroup
		wg.Add(2)
		var sawA, sawB string
		next := fmt.Sprint("n", i)
		go func() {
			defer wg.Done()
			sawA = pipeline(a, "SET x "+next, "GET y")[1]
		}()
		go func() {
			defer wg.Done()
			sawB = pipeline(b, "SET y "+next, "GET x")[1]
		}()
		wg.Wait()
		if q := `"` + next + `"`; sawA != q && sawB != q {
			t.Fatalf("round %d: both reads came before both writes: %s, %s", i, sawA, sawB)
		}
	}
}

// Many clients change the same keys, alone, in pipelines and in transactions: nothing
// is lost, and nobody waits for ever.
func TestAtomicUnderContention(t *testing.T) {
	_, addr := start(t, memstore.New(16), Options{})
	const clients, rounds = 8, 150
	var wg sync.WaitGroup
	for i := range clients {
		c := resptest.Dial(t, "tcp", addr)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := range rounds {
				switch (n + i) % 3 {
				case 0:
					pipeline(c, "INCR a", "INCR b", "INCR c")
				case 1:
					pipeline(c, "INCR c", "INCR b", "INCR a")
				case 2:
					pipeline(c, "MULTI", "INCR b", "INCR a", "INCR c", "EXEC")
				}
			}
		}()
	}
	wg.Wait()
	c := resptest.Dial(t, "tcp", addr)
	want := fmt.Sprintf("[%q %[1]q %[1]q]", fmt.Sprint(clients*rounds))
	c.Want(want, "MGET a b c")
}

// MSET and MGET, transactions and MGET: nobody sees a half.
func TestNoTornReads(t *testing.T) {
	store := &meddler{Store: memstore.New(16)}
	_, addr := start(t, store, Options{})
	w, r := resptest.Dial(t, "tcp", addr), resptest.Dial(t, "tcp", addr)
	pipeline(w, "MSET a 0 b 0")
	meddle := func() { pipeline(w, "MSET a 1 b 1") }
	store.meddle.Store(&meddle)
	if v := r.Line("MGET a x b"); v.List[0].Text != v.List[2].Text {
		t.Fatalf("torn: %s", v)
	}
	store.meddle.Store(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 1500 {
			if i%2 == 0 {
				pipeline(w, fmt.Sprintf("MSET a %d b %[1]d", i))
			} else {
				pipeline(w, "MULTI", fmt.Sprintf("SET a %d", i), fmt.Sprintf("SET b %d", i), "EXEC")
			}
		}
	}()
	mget := "MGET a" + strings.Repeat(" x", 200) + " b" // there is time between a and b
	for {
		if v := r.Line(mget); v.List[0].Text != v.List[201].Text {
			t.Fatalf("torn: %s", v)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// meddler is a store that does something when it is asked for x outside of transactions.
type meddler struct {
	*memstore.Store
	meddle atomic.Pointer[func()]
}

func (m *meddler) Get(dst []byte, k exec.Key, now int64) ([]byte, exec.Info, error) {
	if f := m.meddle.Load(); f != nil && string(k.Name) == "x" {
		(*f)()
	}
	return m.Store.Get(dst, k, now)
}

// A group ends at its limits and not before.
func TestGroupLimits(t *testing.T) {
	tests := []struct {
		name    string
		o       Options
		line    string
		n       int
		commits int64
	}{
		{"commands, at the limit", Options{GroupCommands: 4}, "SET a 1\r\n", 4, 1},
		{"commands, one more", Options{GroupCommands: 4}, "SET a 1\r\n", 5, 2},
		{"bytes, at the limit", Options{GroupBytes: 15}, "SET a 1\r\n", 3, 1},
		{"bytes, one more", Options{GroupBytes: 15}, "SET a 1\r\n", 4, 2},
		{"a command about the database", Options{}, "SET a 1\r\nDBSIZE\r\n", 3, 3},
		{"a command of the connection", Options{}, "SET a 1\r\nPING\r\n", 3, 3},
		{"reads", Options{}, "SET a 1\r\nGET b\r\nMGET c d\r\n", 3, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := memstore.New(16)
			srv := New(store, tt.o)
			defer func() { _ = srv.Close() }()
			c := newConn(srv, &loopback{in: []byte(strings.Repeat(tt.line, tt.n))})
			for {
				args, err := c.r.Next()
				if err != nil {
					break
				}
				c.request(args)
				if !c.r.Ready() {
					c.flush()
				}
			}
			c.s.Close()
			if got := store.Commits(); got != tt.commits {
				t.Errorf("%d commits, want %d", got, tt.commits)
			}
		})
	}
}

// A store may run a transaction several times, and the client does not notice.
func TestRunAgain(t *testing.T) {
	store := memstore.New(16)
	store.Again = true
	_, addr := start(t, store, Options{})
	c := resptest.Dial(t, "tcp", addr)
	got := fmt.Sprint(pipeline(c, "INCR a", "INCR a", "APPEND a x", "GET a", "SELECT 1", "INCR a", "SELECT 0",
		"MULTI", "INCR b", "SELECT 1", "INCR a", "SELECT 0", "GET b", "EXEC", "GET b"))
	if want := `[1 2 2 "2x" +OK 1 +OK +OK +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED [1 +OK 2 +OK "1"] "1"]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// A value that is too large to be held runs alone, each time.
	large := strings.Repeat("v", 50_000)
	c.Do("SET", "large", large)
	got = fmt.Sprint(pipeline(c, "INCR n", "GET large", "INCR n", "GET large", "GETRANGE large 0 40000", "GET n"))
	if want := fmt.Sprintf("[1 %q 2 %q %q %q]", large, large, large[:40001], "2"); got != want {
		t.Errorf("got %.100s", got)
	}
}

// Values that commands compute are not overwritten by those that follow.
func TestComputedValues(t *testing.T) {
	_, c, _ := serve(t, Options{})
	large := strings.Repeat("v", 2000)
	pipeline(c, "SET a 1", "SET b 20", "SET c 300", "SET large "+large, "SET other "+strings.ToUpper(large))
	got := fmt.Sprint(pipeline(c, "APPEND a x", "INCR b", "APPEND c yy", "RENAME a d", "COPY b e", "INCRBYFLOAT b 1.5", "MGET a b c d e"))
	if want := `[2 21 5 +OK 1 "22.5" [nil "22.5" "300yy" "1x" "21"]]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	pipeline(c, "APPEND large 1", "APPEND other 2", "RENAME large z", "SETRANGE other 0 x")
	if v := c.Line("MGET z other"); v.List[0].Text != large+"1" || v.List[1].Text != "x"+strings.ToUpper(large[1:])+"2" {
		t.Errorf("got %.50s", v)
	}
}

// A write that the store refuses fails its command, which has done nothing, and no
// other.
func TestFailedWrite(t *testing.T) {
	store := memstore.New(16)
	store.Write = func(k exec.Key) error {
		if string(k.Name) == "bad" {
			return errors.New("no")
		}
		return nil
	}
	_, addr := start(t, store, Options{})
	c := resptest.Dial(t, "tcp", addr)
	const failed = "-ERR internal error, the server's log has more"
	got := fmt.Sprint(pipeline(c, "SET a 1", "MSET b 2 bad 3", "INCR a", "SET bad 1", "MGET a b bad"))
	if want := "[+OK " + failed + " 2 " + failed + ` ["2" nil nil]]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = fmt.Sprint(pipeline(c, "MULTI", "SET a 5", "SET bad 1", "EXEC", "GET a"))
	if want := "[+OK +QUEUED +QUEUED " + failed + ` "2"]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = fmt.Sprint(pipeline(c, "MULTI", "SET a 5", "DBSIZE", "SET bad 1", "EXEC", "GET a"))
	if want := "[+OK +QUEUED +QUEUED +QUEUED [+OK 1 " + failed + `] "5"]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A command that fails makes those before it run once more, and not each of them again
// and again.
func TestFailedWriteIsCheap(t *testing.T) {
	store := memstore.New(16)
	var writes atomic.Int64
	store.Write = func(k exec.Key) error {
		writes.Add(1)
		if string(k.Name) == "bad" {
			return errors.New("no")
		}
		return nil
	}
	_, addr := start(t, store, Options{})
	c := resptest.Dial(t, "tcp", addr)
	lines := append(slices.Repeat([]string{"INCR a"}, 100), "SET bad 1")
	replies := pipeline(c, append(lines, lines...)...)
	if got := strings.Join(slices.Compact(append(replies[99:103:103], replies[200:]...)), " "); got != "100 -ERR internal error, the server's log has more 101 102 200 -ERR internal error, the server's log has more" {
		t.Errorf("got %s", got)
	}
	if n := writes.Load(); n > 1000 {
		t.Errorf("%d writes of 202 commands", n)
	}
}

// What a client has sent is given up when its connection is ended: otherwise one EXEC
// would hold its keys, and the end of the server, for as long as it likes.
func TestEndedConnection(t *testing.T) {
	store := memstore.New(16)
	var writes atomic.Int64
	store.Write = func(exec.Key) error {
		writes.Add(1)
		time.Sleep(time.Millisecond)
		return nil
	}
	srv, addr := start(t, store, Options{GroupCommands: 2000})
	block := append(append([]string{"MULTI"}, slices.Repeat([]string{"SET k v"}, 2000)...), "EXEC")
	send := func(lines []string) {
		var b []byte
		for _, l := range lines {
			b = resptest.Encode(b, strings.Fields(l)...)
		}
		writes.Store(0)
		resptest.Dial(t, "tcp", addr).Write(b)
		eventually(t, "it runs", func() bool { return writes.Load() > 10 })
	}
	ended := func(what string, end func()) {
		begin := time.Now()
		end()
		eventually(t, "it is gone", func() bool { return srv.Metrics().Clients == 0 })
		if took := time.Since(begin); took > time.Second {
			t.Errorf("%s: %v", what, took)
		}
	}
	kill := func() { srv.Kill(func(ClientInfo) bool { return true }) }
	send(block)
	ended("EXEC", kill)
	send(block[1:2001])
	ended("pipeline", kill)
	send(block)
	ended("Close", func() { _ = srv.Close() })
	if n := store.Commits(); n > 5 { // the pipeline may have come in pieces
		t.Errorf("%d commits", n)
	}
}
