package resp

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

// closed waits for the server to end a connection, and returns what it sent before.
func closed(tb testing.TB, c net.Conn) string {
	tb.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	b, err := io.ReadAll(c)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		tb.Errorf("the server does not close the connection; it sent %.100q", b)
	}
	return string(b)
}

func dial(tb testing.TB, addr string) net.Conn {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func TestMaxClients(t *testing.T) {
	srv, addr := start(t, memstore.New(16), Options{MaxClients: 3})
	for range 3 {
		resptest.Dial(t, "tcp", addr).Want("+PONG", "PING")
	}
	c := dial(t, addr)
	if got := closed(t, c); got != "-ERR max number of clients reached\r\n" {
		t.Errorf("got %q", got)
	}
	if m := srv.Metrics(); m.RejectedClients != 1 || m.Clients != 3 {
		t.Errorf("%+v", m)
	}
}

// CONFIG SET lets nobody in for whom there is no file.
func TestMostClients(t *testing.T) {
	srv, addr := start(t, memstore.New(16), Options{MaxClients: 3, MostClients: 4, MaxClientsPerAddr: 10})
	c := resptest.Dial(t, "tcp", addr)
	const refused = "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not able to handle the specified number of clients, try with 4"
	c.Want(refused, "CONFIG SET maxclients 5")
	c.Want(refused, "CONFIG SET timeout 7 MAXCLIENTS 100000")
	c.Want(`["maxclients" "3" "timeout" "0"]`, "CONFIG GET maxclients timeout")
	c.Want("-ERR Unknown option or number of arguments for CONFIG SET - 'nothing'", "CONFIG SET maxclients 5 nothing 1")
	c.Want("+OK", "CONFIG SET maxclients 4")
	for range 3 {
		resptest.Dial(t, "tcp", addr).Want("+PONG", "PING")
	}
	if got := closed(t, dial(t, addr)); got != "-ERR max number of clients reached\r\n" || srv.Metrics().Clients != 4 {
		t.Errorf("got %q", got)
	}
}

func TestMaxClientsPerAddr(t *testing.T) {
	srv, addr := start(t, memstore.New(16), Options{MaxClientsPerAddr: 2})
	a := resptest.Dial(t, "tcp", addr)
	a.Want("+PONG", "PING")
	resptest.Dial(t, "tcp", addr).Want("+PONG", "PING")
	if got := closed(t, dial(t, addr)); !strings.Contains(got, "of this address") {
		t.Errorf("got %q", got)
	}
	_ = a.Conn.Close()
	eventually(t, "a place is free", func() bool { return srv.Metrics().Clients == 1 })
	resptest.Dial(t, "tcp", addr).Want("+PONG", "PING")
}

// Whoever has an address of IPv6 has the whole /64.
func TestOneAddress(t *testing.T) {
	for _, x := range []struct {
		a, b string
		same bool
	}{
		{"10.0.0.1:1", "10.0.0.1:2", true},
		{"10.0.0.1:1", "10.0.0.2:1", false},
		{"10.0.0.1:1", "[::ffff:10.0.0.1]:1", true},
		{"[2001:db8::1]:1", "[2001:db8::ffff:ffff:ffff:ffff]:2", true},
		{"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"[fe80::1%lo]:1", "[fe80::2%lo]:1", true},
	} {
		var hosts [2]string
		for i, text := range []string{x.a, x.b} {
			hosts[i] = hostOf(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(text)))
		}
		if same := hosts[0] == hosts[1]; same != x.same || hosts[0] == "" {
			t.Errorf("%s and %s count as %q", x.a, x.b, hosts)
		}
	}
	if h := hostOf(&net.UnixAddr{Name: "socket", Net: "unix"}); h != "" {
		t.Errorf("a socket without addresses counts as %q", h)
	}
}

func TestUnauthenticatedLimits(t *testing.T) {
	o := Options{Access: testAccess{}, MaxUnauthenticated: 2, AuthTimeout: time.Second}
	srv, addr := start(t, memstore.New(16), o)
	a := resptest.Dial(t, "tcp", addr)
	a.Want("-NOAUTH Authentication required.", "GET a")
	b := resptest.Dial(t, "tcp", addr)
	b.Want("-NOAUTH Authentication required.", "GET a")
	if got := closed(t, dial(t, addr)); !strings.Contains(got, "not logged in") {
		t.Errorf("got %q", got)
	}
	a.Want("+OK", "AUTH all secret")
	resptest.Dial(t, "tcp", addr).Want("-NOAUTH Authentication required.", "GET a") // the place of a
	if got := closed(t, b.Conn); got != "" {
		t.Errorf("got %q", got)
	}
	a.Want("nil", "GET a") // logged in, so it may stay
	if m := srv.Metrics(); m.ClosedAuth == 0 || m.RejectedUnauth != 1 {
		t.Errorf("%+v", m)
	}
}

func TestIdleTimeout(t *testing.T) {
	srv, addr := start(t, memstore.New(16), Options{IdleTimeout: 300 * time.Millisecond})
	idle, busy := dial(t, addr), resptest.Dial(t, "tcp", addr)
	for begin := time.Now(); time.Since(begin) < time.Second; {
		busy.Want("+PONG", "PING")
		time.Sleep(20 * time.Millisecond)
	}
	closed(t, idle)
	if m := srv.Metrics(); m.ClosedIdle != 1 {
		t.Errorf("%+v", m)
	}
	busy.Want("+OK", "CONFIG SET timeout 0")
	time.Sleep(600 * time.Millisecond)
	busy.Want("+PONG", "PING")
}

// A request that trickles in is cut, however it is cut into pieces.
func TestRequestTimeout(t *testing.T) {
	srv, addr := start(t, memstore.New(16), Options{RequestTimeout: 300 * time.Millisecond})
	c := dial(t, addr)
	_, _ = io.WriteString(c, "*2\r\n$3\r\nGET\r\n$1000\r\n")
	begin := time.Now()
	go func() {
		for range 300 {
			if _, err := io.WriteString(c, "x"); err != nil {
				return
			}
			time.Sleep(30 * time.Millisecond)
		}
	}()
	closed(t, c)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("cut off after %v", took)
	}
	if m := srv.Metrics(); m.ClosedRequest != 1 {
		t.Errorf("%+v", m)
	}
}

// A client that asks for much and reads nothing is cut off, and costs little before.
func TestOutputNobodyReads(t *testing.T) {
	store := memstore.New(16)
	srv, addr := start(t, store, Options{WriteTimeout: 500 * time.Millisecond})
	resptest.Dial(t, "tcp", addr).Do("SET", "v", strings.Repeat("v", 1<<20))
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := dial(t, addr)
	go func() {
		for range 1000 {
			if _, err := io.WriteString(c, "GET v\r\n"); err != nil {
				return
			}
		}
	}()
	eventually(t, "it is cut off", func() bool { return srv.Metrics().ClosedWrite == 1 })
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("%d bytes more", grown)
	}
	eventually(t, "its memory is given back", func() bool { return srv.Metrics().Memory == 0 })
}

// EXEC and KEYS cannot be answered in parts: too much of that ends the connection.
func TestMaxOutput(t *testing.T) {
	srv, c, _ := serve(t, Options{MaxOutput: 1 << 20})
	c.Do("SET", "v", strings.Repeat("v", 100_000))
	c.Want("+OK", "MULTI")
	for range 50 {
		c.Want("+QUEUED", "GET v")
	}
	c.Send("EXEC")
	closed(t, c.Conn)
	eventually(t, "it is counted, and the memory free", func() bool {
		m := srv.Metrics()
		return m.ClosedOutput == 1 && m.Memory == 0
	})
}

func TestMaxMemory(t *testing.T) {
	srv, addr := start(t, memstore.New(16), Options{MaxMemory: 4 << 20})
	resptest.Dial(t, "tcp", addr).Want("+OK", "SET small 1")
	// A request that does not fit.
	c := dial(t, addr)
	_, _ = fmt.Fprintf(c, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n", 16<<20)
	go func() { _, _ = c.Write(bytes.Repeat([]byte("x"), 16<<20)) }()
	if got := closed(t, c); got != "" && !strings.HasPrefix(got, "-OOM") {
		t.Errorf("got %q", got)
	}
	// Announcing takes nothing.
	for range 20 {
		_, _ = fmt.Fprintf(dial(t, addr), "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\nxxx", 64<<20)
	}
	o := resptest.Dial(t, "tcp", addr)
	o.Want(`"1"`, "GET small")
	// A value that grows beyond it.
	if got := o.Line("SETRANGE big 6000000 x").String(); !strings.HasPrefix(got, "-OOM") {
		t.Errorf("got %s", got)
	}
	o.Want("+OK", "MULTI")
	oom := false
	for range 400 { // each small enough not to be charged while it arrives
		if v := o.Do("SET", "k", strings.Repeat("v", 20_000)); strings.HasPrefix(v.Text, "OOM") {
			oom = true
			break
		}
	}
	if !oom {
		t.Error("MULTI keeps more than the memory that there is")
	}
	o.Want("-EXECABORT Transaction discarded because of previous errors.", "EXEC")
	eventually(t, "the memory is given back", func() bool { m := srv.Metrics(); return m.Memory == 0 && m.ClosedMemory == 1 })
}

func TestSizes(t *testing.T) {
	_, c, _ := serve(t, Options{MaxKey: 10, MaxValue: 100, MaxTransaction: 2000})
	c.Want("+OK", "SET 1234567890 v")
	c.Want("-ERR key is too long", "SET 12345678901 v")
	c.Want("-ERR key is too long", "GET 12345678901")
	c.Want("+OK", "SET v "+strings.Repeat("v", 100))
	c.Want("-ERR string exceeds maximum allowed size (proto-max-bulk-len)", "APPEND v x")
	c.Want("100", "SETRANGE v 99 x")
	c.Want("-ERR string exceeds maximum allowed size (proto-max-bulk-len)", "SETRANGE v 100 x")
	c.Want("+OK", "MULTI")
	for range 5 {
		c.Want("+QUEUED", "SET a 1")
	}
	var last string
	for range 10 {
		if last = c.Line("SET a 1").String(); last != "+QUEUED" {
			break
		}
	}
	if last != "-ERR the transaction is too large" {
		t.Errorf("got %s", last)
	}
	c.Want("-EXECABORT Transaction discarded because of previous errors.", "EXEC")
	c.Send("SET", "v", strings.Repeat("v", 101))
	if got := closed(t, c.Conn); got != "-ERR Protocol error: invalid bulk length\r\n" {
		t.Errorf("got %q", got)
	}
}

// Connections that send nothing, or one byte now and then, do not hold others up.
func TestManyIdle(t *testing.T) {
	_, addr := start(t, memstore.New(16), Options{})
	const n = 1000
	for i := range n {
		c := dial(t, addr)
		if i%2 == 0 {
			_, _ = io.WriteString(c, "*3\r\n$3\r\nSE")
		}
	}
	c := resptest.Dial(t, "tcp", addr)
	begin := time.Now()
	for range 200 {
		c.Want("+OK", "SET a b")
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("200 requests beside %d connections took %v", n, took)
	}
}

// A client that does not log in has no more time by beginning anew.
func TestResetGivesNoTime(t *testing.T) {
	srv, addr := start(t, memstore.New(16), Options{Access: testAccess{}, AuthTimeout: 150 * time.Millisecond})
	c := dial(t, addr)
	begin := time.Now()
	for time.Since(begin) < 3*time.Second {
		if _, err := io.WriteString(c, "RESET\r\n"); err != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if took := time.Since(begin); took > 2*time.Second || srv.Metrics().ClosedAuth != 1 {
		t.Errorf("%v, %+v", took, srv.Metrics())
	}
}

// What a transaction reads and computes is charged until its end: small requests for much
// memory, in a pipeline, in MULTI, and for many keys at once.
func TestTransactionMemory(t *testing.T) {
	store := memstore.New(16)
	srv, addr := start(t, store, Options{MaxMemory: 4 << 20})
	c := resptest.Dial(t, "tcp", addr)
	var lines, names []string
	for i := range 20 {
		lines = append(lines, fmt.Sprintf("SETRANGE k%d 999999 x", i))
		names = append(names, fmt.Sprintf("k%d", i))
	}
	// Each of them fits, and a group is committed before it holds too much.
	before := store.Commits()
	for i, r := range pipeline(c, lines...) {
		if r != "1000000" {
			t.Fatalf("%s: %s", lines[i], r)
		}
	}
	if n := store.Commits() - before; n < 10 {
		t.Errorf("20 MB were written in %d commits", n)
	}
	// All of them in one transaction do not fit, whether they are written or only read.
	const oom = "-OOM command not allowed when used memory > 'maxmemory'."
	c.Want("+OK", "MULTI")
	for _, l := range lines {
		c.Want("+QUEUED", strings.Replace(l, "k", "m", 1))
	}
	if got := c.Line("EXEC").String(); !strings.Contains(got, oom) {
		t.Errorf("EXEC: %.200s", got)
	}
	all := strings.Join(names, " ")
	c.Want("20", "EXISTS "+all) // lets go of each
	c.Want("20", "TOUCH "+all)
	c.Want(oom, "DEL "+all)
	c.Want("1", "EXISTS k0") // none of them went
	c.Want(oom, "MSET "+strings.ReplaceAll(all+" ", " ", " v "))
	c.Want("1000000", "STRLEN k0")
	many := make([]string, 20_000)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	c.Want(oom, "EXISTS "+strings.Join(many, " "))
	c.Want("0", "EXISTS "+strings.Join(many[:2000], " "))
	// What is no longer needed does not count.
	c.Want("+OK", "MULTI")
	for range 20 {
		c.Want("+QUEUED", "SETRANGE new 500000 x")
	}
	c.Line("EXEC")
	c.Want("500001", "STRLEN new")
	if m := srv.Metrics(); m.Memory != 0 {
		t.Errorf("%d bytes are charged for ever", m.Memory)
	}
}

// The names that SCAN has found wait for a client that takes its time.
func TestScanMemory(t *testing.T) {
	store := memstore.New(16)
	srv, addr := start(t, store, Options{MaxMemory: 1 << 20})
	c := resptest.Dial(t, "tcp", addr)
	for i := range 40 {
		c.Want("+OK", fmt.Sprintf("SET %d%s v", i, strings.Repeat("k", 60_000)))
	}
	if got := c.Line("SCAN 0 COUNT 1000").String(); !strings.HasPrefix(got, "-OOM") {
		t.Errorf("got %.100s", got)
	}
	if got := c.Line("SCAN 0 COUNT 5").String(); !strings.HasPrefix(got, "[") {
		t.Errorf("got %.100s", got)
	}
	if m := srv.Metrics(); m.Memory != 0 {
		t.Errorf("%d bytes are charged for ever", m.Memory)
	}
}

// LCS needs more than its strings.
func TestLCSMemory(t *testing.T) {
	_, c, _ := serve(t, Options{MaxMemory: 3 << 20})
	c.Want("+OK", "SET a x")
	c.Want("1000000", "SETRANGE b 999999 x")
	c.Want("-OOM command not allowed when used memory > 'maxmemory'.", "LCS a b LEN")
	c.Want("100000", "SETRANGE c 99999 x")
	c.Want("1", "LCS a c LEN")
}

// What a connection keeps while it does nothing is small, whatever it has sent before.
func TestIdleMemory(t *testing.T) {
	srv, addr := start(t, memstore.New(16), Options{})
	const n = 4
	var clients []*resptest.Client
	for range n {
		c := resptest.Dial(t, "tcp", addr)
		c.Want("+PONG", "PING")
		clients = append(clients, c)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	name := strings.Repeat("n", 300_000)
	many := resptest.Encode(nil, append([]string{"EXISTS"}, strings.Fields(strings.Repeat("k ", 20_000))...)...)
	for _, c := range clients {
		if got := c.Do("CLIENT", "SETNAME", name).String(); got != "-ERR Client names cannot be longer than 1024 bytes." {
			t.Errorf("SETNAME: %.100s", got)
		}
		if got := c.Do("HELLO", "2", "SETNAME", name).String(); got != "-ERR Client names cannot be longer than 1024 bytes." {
			t.Errorf("HELLO: %.100s", got)
		}
		if got := c.Do("EXPIRE", "k", "1", name).String(); len(got) > 5000 {
			t.Errorf("an error of %d bytes", len(got))
		}
		c.Write(many)
		c.Reply()
		c.Want("+OK", "CLIENT SETNAME "+name[:1024])
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / n; each > 200<<10 {
		t.Errorf("%d bytes for each connection", each)
	}
	if m := srv.Metrics(); m.Memory != 0 {
		t.Errorf("%d bytes are charged for ever", m.Memory)
	}
}

// slowStore takes its time for a read, and counts how many there are at once.
type slowStore struct {
	*memstore.Store
	now, most atomic.Int64
}

func (s *slowStore) read() func() {
	n := s.now.Add(1)
	for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
	}
	time.Sleep(2 * time.Millisecond)
	return func() { s.now.Add(-1) }
}

func (s *slowStore) Get(dst []byte, k exec.Key, now int64) ([]byte, exec.Info, error) {
	defer s.read()()
	return s.Store.Get(dst, k, now)
}

func (s *slowStore) Stat(k exec.Key, now int64) (exec.Info, error) {
	defer s.read()()
	return s.Store.Stat(k, now)
}

func (s *slowStore) Scan(db int, cursor uint64, count int, now int64, visit func([]byte) error) (uint64, error) {
	defer s.read()()
	return s.Store.Scan(db, cursor, count, now, visit)
}

func (s *slowStore) RandomKey(dst []byte, db int, now int64) ([]byte, bool, error) {
	defer s.read()()
	return s.Store.RandomKey(dst, db, now)
}

// However many clients ask for large values at once, only as many are read before they
// are charged as there is memory for.
func TestReadsAtOnce(t *testing.T) {
	store := &slowStore{Store: memstore.New(16)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := New(store, Options{MaxMemory: 6 << 20, MaxValue: 1 << 20})
	defer srv.Close()
	go srv.Serve(l)
	var clients []*resptest.Client
	for range 40 {
		clients = append(clients, resptest.Dial(t, "tcp", l.Addr().String()))
	}
	for _, lines := range []string{"STRLEN k\r\nGET k\r\nSTRLEN k\r\n", "SCAN 0\r\nKEYS *\r\nRANDOMKEY\r\n"} {
		store.most.Store(0)
		for _, c := range clients {
			c.Write([]byte(lines))
		}
		for _, c := range clients {
			for range 3 {
				c.Reply()
			}
		}
		if n := store.most.Load(); n > 6 || n < 2 {
			t.Errorf("%q: %d reads at once", lines, n)
		}
	}
}
