package resp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

// Shutdown answers what was received: each request that reached the server has its
// reply, and what is acknowledged is in the store.
func TestShutdownAnswersWhatArrived(t *testing.T) {
	store := memstore.New(16)
	store.Commit = func() error { time.Sleep(5 * time.Millisecond); return nil }
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := New(store, Options{GroupCommands: 4, ShutdownGrace: 500 * time.Millisecond})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	const clients, requests = 5, 100
	var all []*resptest.Client
	for i := range clients {
		c := resptest.Dial(t, "tcp", l.Addr().String())
		c.Want("+PONG", "PING")
		var b []byte
		for n := range requests {
			b = resptest.Encode(b, "SET", fmt.Sprintf("%d:%d", i, n), "v")
		}
		c.Write(b)
		all = append(all, c)
	}
	if err := srv.Shutdown(short(t)); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-served; !errors.Is(err, ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	for i, c := range all {
		for n := range requests {
			if v, err := c.Read(); err != nil || v.Text != "OK" {
				t.Fatalf("client %d, request %d: %v %v", i, n, v, err)
			}
		}
		if _, err := c.Read(); !errors.Is(err, io.EOF) {
			t.Errorf("after the replies: %v", err)
		}
	}
	if n, _, _ := store.Len(0, 0); n != clients*requests {
		t.Errorf("%d keys", n)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it still accepts")
	}
	if err := srv.Serve(l); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

// A client that never reads does not hold a shutdown up beyond its context.
func TestShutdownEnds(t *testing.T) {
	store := memstore.New(16)
	srv, addr := start(t, store, Options{})
	resptest.Dial(t, "tcp", addr).Do("SET", "v", strings.Repeat("v", 8<<20))
	c := dial(t, addr)
	_, _ = io.WriteString(c, strings.Repeat("GET v\r\n", 20))
	time.Sleep(100 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestProtocolErrors(t *testing.T) {
	srv, addr := start(t, memstore.New(16), Options{})
	for _, c := range []struct{ send, want string }{
		{"*1\r\n+PING\r\n", "-ERR Protocol error: expected '$', got '+'\r\n"},
		{"*99999999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
		{"*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
		{"GET \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"},
		{"PING\r\n*1\r\n:1\r\n", "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n"},
		{"SET a 1\r\nINCR a\r\n*1\r\n:1\r\n", "+OK\r\n:2\r\n-ERR Protocol error: expected '$', got ':'\r\n"},
		{"POST / HTTP/1.1\r\nHost: x\r\n\r\n", ""},
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "-ERR wrong number of arguments for 'get' command\r\n"},
		{"PING\r\nQUIT\r\nPING\r\n", "+PONG\r\n+OK\r\n"},
		{strings.Repeat("x", 70000), "-ERR Protocol error: too big inline request\r\n"},
	} {
		nc := dial(t, addr)
		_, _ = io.WriteString(nc, c.send)
		if got := closed(t, nc); got != c.want {
			t.Errorf("%.40q: got %q, want %q", c.send, got, c.want)
		}
	}
	if n := srv.Metrics().ClosedProtocol; n != 9 {
		t.Errorf("%d protocol errors", n)
	}
}

func TestClientReply(t *testing.T) {
	_, c, _ := serve(t, Options{})
	c.Write([]byte("SET a 1\r\nCLIENT REPLY SKIP\r\nSET a 2\r\nGET a\r\nCLIENT REPLY OFF\r\nSET a 3\r\nCLIENT REPLY SKIP\r\nGET a\r\nNOSUCH\r\nCLIENT REPLY ON\r\nGET a\r\n"))
	var got []string
	for range 4 {
		got = append(got, c.Reply().String())
	}
	if want := `[+OK "2" +OK "3"]`; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestClientListAndKill(t *testing.T) {
	srv, addr := start(t, memstore.New(16), Options{})
	a, b := resptest.Dial(t, "tcp", addr), resptest.Dial(t, "tcp", addr)
	a.Want("+OK", "CLIENT SETNAME first")
	a.Want("+OK", "CLIENT SETINFO LIB-NAME tester")
	b.Want("+OK", "SELECT 3")
	b.Want("+OK", "MULTI")
	b.Want("+QUEUED", "GET a")
	list := a.Line("CLIENT LIST").Text
	lines := strings.Split(strings.TrimSuffix(list, "\n"), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], " name=first ") || !strings.Contains(lines[0], " cmd=client|list ") || !strings.Contains(lines[0], " lib-name=tester ") ||
		!strings.Contains(lines[1], " db=3 ") || !strings.Contains(lines[1], " multi=1 ") || !strings.Contains(lines[1], "addr="+b.Conn.LocalAddr().String()+" ") {
		t.Errorf("CLIENT LIST:\n%s", list)
	}
	id := a.Line("CLIENT ID").Text
	if got := a.Line("CLIENT LIST ID " + id + " 999").Text; strings.Count(got, "\n") != 1 {
		t.Errorf("CLIENT LIST ID: %s", got)
	}
	a.Want("1", "CLIENT KILL ADDR "+b.Conn.LocalAddr().String())
	closed(t, b.Conn)
	eventually(t, "it is gone", func() bool { return len(srv.Clients()) == 1 })
	a.Want("0", "CLIENT KILL ID "+id) // not oneself
	a.Want("1", "CLIENT KILL SKIPME no ID "+id)
	closed(t, a.Conn)
	if n := srv.Kill(func(ClientInfo) bool { return true }); n > 1 {
		t.Errorf("%d killed", n)
	}
}

// Neither the log nor the hook for slow commands has a secret or a value.
func TestNoSecrets(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	var slow []SlowCommand
	store := memstore.New(16)
	o := Options{
		Access: testAccess{}, SlowThreshold: 1,
		Logger: slog.New(slog.NewTextHandler(&lockedWriter{mu: &mu, w: &log}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Slow: func(s SlowCommand) {
			mu.Lock()
			defer mu.Unlock()
			slow = append(slow, s)
		},
	}
	_, addr := start(t, store, o)
	c := resptest.Dial(t, "tcp", addr)
	c.Line("AUTH all wrong-hush")
	c.Line("AUTH all secret")
	c.Line("HELLO 3 AUTH all hush")
	c.Line("SET key hush")
	c.Line("MULTI")
	c.Line("SET key2 hush")
	c.Line("EXEC")
	c.Write([]byte("*1\r\nhush\r\n"))
	closed(t, c.Conn)
	mu.Lock()
	defer mu.Unlock()
	text := log.String() + fmt.Sprintf("%+v", slow)
	if strings.Contains(text, "hush") || strings.Contains(text, "secret") {
		t.Errorf("a secret in\n%s", text)
	}
	if !strings.Contains(log.String(), "login failed") {
		t.Errorf("log:\n%s", log.String())
	}
	found := false
	for _, s := range slow {
		found = found || s.Command.Name == "set" && s.Key == "key" && s.Keys == 1 && s.Args == 3 && s.Bytes == 10 && s.User == "all"
	}
	if !found {
		t.Errorf("slow commands: %+v", slow)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// What clients send when they connect is answered.
func TestGreetings(t *testing.T) {
	_, c, _ := serve(t, Options{Version: "0.1", RunID: "abc", Info: func() []Section {
		return []Section{{"Server", []Field{{"extra", "1"}}}, {"Ringwood", []Field{{"levels", "7"}}}}
	}})
	if v := c.Line("HELLO 3"); v.Kind != '%' || len(v.List) != 14 {
		t.Errorf("HELLO: %s", v)
	}
	c.Want("+OK", "CLIENT SETINFO LIB-NAME go-redis")
	c.Want("+OK", "SET a b")
	info := c.Line("INFO").Text
	for _, want := range []string{"# Server\r\nredis_version:7.0.15\r\n", "loading:0\r\n", "role:master\r\n", "cluster_enabled:0\r\n", "db0:keys=1,", "extra:1\r\n", "run_id:abc\r\n", "# CPU\r\n", "# Ringwood\r\nlevels:7\r\n"} {
		if !strings.Contains(info, want) {
			t.Errorf("no %q in INFO:\n%s", want, info)
		}
	}
	// What tools for Redis take for the cost of the server.
	for _, name := range []string{"used_cpu_user", "used_cpu_sys", "used_memory_rss"} {
		_, rest, _ := strings.Cut(info, name+":")
		value, _, _ := strings.Cut(rest, "\r\n")
		if n, err := strconv.ParseFloat(value, 64); runtime.GOOS == "linux" && (err != nil || n < 0 || name == "used_memory_rss" && n < 1<<20) {
			t.Errorf("%s is %q: %v", name, value, err)
		}
	}
	if got := c.Line("INFO keyspace server").Text; strings.Contains(got, "# Stats") || !strings.Contains(got, "# Keyspace") {
		t.Errorf("INFO keyspace: %s", got)
	}
	if v := c.Line("COMMAND"); len(v.List) < 60 {
		t.Errorf("COMMAND: %d", len(v.List))
	}
	if v := c.Line("COMMAND DOCS"); len(v.List) < 60 {
		t.Errorf("COMMAND DOCS: %d", len(v.List))
	}
	if v := c.Line("COMMAND COUNT"); v.Kind != ':' {
		t.Errorf("COMMAND COUNT: %s", v)
	}
	if v := c.Line("CONFIG GET *"); len(v.List) != 2*len(params) {
		t.Errorf("CONFIG GET: %s", v)
	}
	if v := c.Line("CLIENT HELP"); len(v.List) < 10 {
		t.Errorf("CLIENT HELP: %s", v)
	}
	if v := c.Line("TIME"); len(v.List) != 2 {
		t.Errorf("TIME: %s", v)
	}
	c.Want("-ERR WATCH is not supported", "WATCH a")
	c.Want("-ERR DEBUG command not allowed", "DEBUG SLEEP 1")
	c.Want("-ERR SWAPDB is not supported", "SWAPDB 0 1")
}

// Every command of the table is either run, answered by the table or refused.
func TestEveryCommandIsRun(t *testing.T) {
	srv := New(memstore.New(16), Options{})
	defer func() { _ = srv.Close() }()
	for _, c := range srv.table.Commands() {
		byTable := c.Name == "command" || strings.HasPrefix(c.Name, "command|") || strings.HasSuffix(c.Name, "|help")
		if len(c.Subcommands) > 0 || c.Refused != "" || byTable {
			continue
		}
		if srv.exec.Runs(c) == (srv.run[c.ID] != nil) {
			t.Errorf("%s: in no list of handlers, or in both", c.Name)
		}
	}
}

// Keys expire by the clock that was handed in, and up to and including its moment.
func TestExpiry(t *testing.T) {
	var mu sync.Mutex
	now := time.UnixMilli(1_700_000_000_000)
	set := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	_, c, _ := serve(t, Options{Clock: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	c.Want("+OK", "SET a 1 PX 100")
	c.Want("100", "PTTL a")
	c.Want("0", "TTL a") // 100 ms are 0 s
	set(100 * time.Millisecond)
	c.Want(`"1"`, "GET a")
	c.Want("0", "PTTL a")
	set(time.Millisecond)
	c.Want("nil", "GET a")
	c.Want("-2", "PTTL a")
	c.Want("0", "DEL a")
	c.Want("1", "SETNX a 2")
	c.Want("-1", "TTL a")
	c.Want("1", "EXPIRE a 10")
	set(11 * time.Second)
	c.Want("1", "INCR a")
	c.Want("-1", "TTL a")
}
