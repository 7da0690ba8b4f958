package resp

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/engine/resp/resptest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// connect opens the server of a URL, which may have a password, and closes it with the test.
func connect(t *testing.T, text string, r engine.Remote, connections, pipeline int) (engine.Server, error) {
	t.Helper()
	u, err := url.Parse(text)
	must(t, err)
	if password, ok := u.User.Password(); ok {
		r.Password, u.User = password, url.User(u.User.Username())
	}
	r.Name, r.URL = "t", u.String()
	e, err := Kind(r).Open(engine.Config{Connections: connections, Pipeline: pipeline})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { must(t, e.Close()) })
	return e.(engine.Server), nil
}

func mustConnect(t *testing.T, rest string, connections, pipeline int) engine.Server {
	t.Helper()
	s, err := connect(t, rest, engine.Remote{}, connections, pipeline)
	must(t, err)
	return s
}

// each runs a test on the small server, and on Redis where it is installed, with and
// without a pipeline.
func each(t *testing.T, test func(t *testing.T, addr string, pipeline int)) {
	for _, pipeline := range []int{1, 8} {
		t.Run(fmt.Sprintf("server=small/pipeline=%d", pipeline), func(t *testing.T) {
			test(t, new(resptest.Server).Start(t).Addr, pipeline)
		})
		t.Run(fmt.Sprintf("server=redis/pipeline=%d", pipeline), func(t *testing.T) {
			test(t, resptest.StartRedis(t), pipeline)
		})
	}
}

// It does what the harness relies on.
func TestOperations(t *testing.T) {
	each(t, func(t *testing.T, addr string, pipeline int) {
		e := mustConnect(t, "resp://"+addr+"/3", 2, pipeline)
		key, value := []byte("k\r\n\x00ey"), []byte("value")
		if v, err := e.AppendGet([]byte("x"), key); err != engine.ErrNotFound || string(v) != "x" {
			t.Fatalf("absent: %q, %v; the error must be ErrNotFound itself", v, err)
		}
		must(t, e.Put(key, value))
		value[0] = 'X' // arguments are not kept
		if v, err := e.AppendGet([]byte("x"), key); err != nil || string(v) != "xvalue" {
			t.Fatalf("%q, %v", v, err)
		}
		must(t, e.Put(key, nil))
		if v, err := e.AppendGet(nil, key); err != nil || len(v) != 0 {
			t.Fatalf("empty value: %q, %v", v, err)
		}
		large := bytes.Repeat([]byte("large\r\n"), 500_000)
		must(t, e.Put(key, large))
		if v, err := e.AppendGet(nil, key); err != nil || !bytes.Equal(v, large) {
			t.Fatalf("large value: %d bytes, %v", len(v), err)
		}
		must(t, e.Delete(key))
		must(t, e.Delete([]byte("never there")))
		if _, err := e.AppendGet(nil, key); err != engine.ErrNotFound {
			t.Fatal(err)
		}
		b := e.NewBatch()
		must(t, b.Commit())
		for round := range 3 { // a batch is used many times
			for i := range 10 {
				must(t, b.Put(fmt.Appendf(nil, "b%d%d", round, i), []byte("v")))
			}
			if round > 0 {
				must(t, b.Delete(fmt.Appendf(nil, "b%d5", round)))
			}
			must(t, b.Commit())
		}
		must(t, b.Close())
		if n, err := e.Keys(); err != nil || n != 28 {
			t.Fatalf("%d keys after the batches, want 28: %v", n, err)
		}
		if v, err := e.AppendGet(nil, []byte("b07")); err != nil || string(v) != "v" {
			t.Fatalf("%q, %v", v, err)
		}
		if _, err := e.NewIter(nil, nil); err == nil || !strings.Contains(err.Error(), "no order") {
			t.Errorf("an iterator: %v", err)
		}
		must(t, e.Sync())
		other := mustConnect(t, "resp://"+addr, 1, 1)
		if n, err := other.Keys(); err != nil || n != 0 {
			t.Errorf("%d keys in another database: %v", n, err)
		}
		must(t, e.Clear())
		if n, err := e.Keys(); err != nil || n != 0 {
			t.Errorf("%d keys in an empty one: %v", n, err)
		}
		if id := e.Identity(); id.Name != "redis" || !strings.HasPrefix(id.Version, "7.") || !strings.Contains(id.Settings, "appendfsync 'everysec'") || id.Run == "" {
			t.Errorf("%+v", id)
		}
		u, err := e.Usage()
		if err != nil || u.CPU() == nil || u.Resident == nil || *u.Resident < 1<<20 {
			t.Errorf("%+v, %v", u, err)
		}
		if text := e.Stats().Text; !strings.Contains(text, "redis_version:7.") || strings.Contains(text, "\r") {
			t.Errorf("%q", text)
		}
		if rested, err := e.Settle(context.Background()); err != nil || rested < restTimes*restTick {
			t.Errorf("%v, %v", rested, err)
		}
	})
}

// Many callers share few connections, and each gets its own replies.
func TestConcurrent(t *testing.T) {
	each(t, func(t *testing.T, addr string, pipeline int) {
		e := mustConnect(t, "resp://"+addr, 3, pipeline)
		var wg sync.WaitGroup
		for g := range 3*pipeline + 5 { // more than there are places: they get more connections
			wg.Go(func() {
				var got []byte
				for i := range 300 {
					key, value := fmt.Appendf(nil, "%d-%d", g, i%20), bytes.Repeat(fmt.Appendf(nil, "%d-%d ", g, i), i%50)
					err := e.Put(key, value)
					if err == nil {
						got, err = e.AppendGet(got[:0], key)
					}
					if err == nil && !bytes.Equal(got, value) {
						err = fmt.Errorf("%q, want %q", got, value)
					}
					if err == nil && i%7 == 0 {
						err = e.Delete(key)
					}
					if err != nil {
						t.Errorf("%d: %v", g, err)
						return
					}
				}
			})
		}
		wg.Wait()
		must(t, e.Check())
		if n := len(e.(*store).links.links()); n > 3+3*pipeline+5 {
			t.Errorf("%d connections", n)
		}
	})
}

// A server that answers wrongly is caught, by the call or by Check at the latest, and soon.
func TestPlantedFailures(t *testing.T) {
	for name, planted := range map[string]struct {
		name   string // of the command …
		n      int    // … that is answered wrongly the n-th time,
		always bool   // and each time after
		reply  string
		want   string
	}{
		"reply lost":              {"GET", 50, false, "", "silent for|reply to GET is|reply to SET is"},
		"reply lost, more follow": {"GET", 5, false, "", "silent for|reply to GET is|reply to SET is"},
		"reply twice":             {"GET", 50, false, "$1\r\nv\r\n$1\r\nv\r\n", "lost, or came twice|nobody asked for|reply to SET is"},
		"error":                   {"GET", 50, true, "-OOM command not allowed\r\n", "answered to GET: OOM command"},
		"error to a write":        {"SET", 50, false, "-MISCONF disk\r\n", "answered to SET: MISCONF"},
		"not OK":                  {"SET", 50, false, "+QUEUED\r\n", "reply to SET is \"+QUEUED\""},
		"nothing for a write":     {"SET", 50, false, "$-1\r\n", "reply to SET is \"nothing\""},
		"number for a value":      {"GET", 50, false, ":7\r\n", "reply to GET is \":7\""},
		"endless":                 {"GET", 50, false, "$99999999999\r\n", "at most"},
		"cut":                     {"GET", 50, false, "$10\r\nabc", "silent for|does not end there"},
		"garbage":                 {"GET", 50, false, "HTTP/1.1 400\r\n", "begins with the byte 'H'"},
		"silent":                  {"SET", 50, true, "", "silent for|reply to GET is|reply to SET is"},
	} {
		for _, pipeline := range []int{1, 8} {
			t.Run(fmt.Sprintf("%s/pipeline=%d", name, pipeline), func(t *testing.T) {
				t.Parallel()
				s := (&resptest.Server{Hook: resptest.Nth(planted.name, planted.n, planted.always, planted.reply)}).Start(t)
				e, err := connect(t, "resp://"+s.Addr, engine.Remote{Timeout: 150 * time.Millisecond}, 2, pipeline)
				must(t, err)
				start := time.Now()
				err = use(e, 2*pipeline)
				found := false
				for _, want := range strings.Split(planted.want, "|") {
					found = found || err != nil && strings.Contains(err.Error(), want)
				}
				if !found {
					t.Errorf("%v, want %q", err, planted.want)
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("found after %v", took)
				}
			})
		}
	}
}

// use writes and reads with a number of callers, and returns the first error, or that of
// Check.
func use(e engine.Server, callers int) error {
	var first atomic.Pointer[error]
	var wg sync.WaitGroup
	for g := range callers {
		wg.Go(func() {
			for i := 0; i < 100 && first.Load() == nil; i++ {
				key := fmt.Appendf(nil, "%d-%d", g, i)
				err := e.Put(key, []byte("v"))
				if err == nil {
					_, err = e.AppendGet(nil, key)
				}
				if err != nil {
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := first.Load(); err != nil {
		return *err
	}
	return e.Check()
}

// A connection that breaks is no reason to try again: all calls on it fail, and later ones
// too.
func TestBrokenConnection(t *testing.T) {
	for _, pipeline := range []int{1, 8} {
		s := new(resptest.Server).Start(t)
		e := mustConnect(t, "resp://"+s.Addr, 1, pipeline)
		must(t, e.Put([]byte("k"), []byte("v")))
		s.Hangup()
		for range 2 {
			if _, err := e.AppendGet(nil, []byte("k")); err == nil || errors.Is(err, engine.ErrNotFound) {
				t.Errorf("pipeline %d: %v", pipeline, err)
			}
		}
		if n := s.Count("GET"); n > 0 {
			t.Errorf("pipeline %d: tried %d times", pipeline, n)
		}
		if e.Check() == nil {
			t.Error("a broken connection is in step")
		}
	}
}

// An idle connection stays, however long nobody calls.
func TestIdle(t *testing.T) {
	for _, pipeline := range []int{1, 8} {
		s := new(resptest.Server).Start(t)
		e, err := connect(t, "resp://"+s.Addr, engine.Remote{Timeout: 20 * time.Millisecond}, 1, pipeline)
		must(t, err)
		for range 3 {
			time.Sleep(70 * time.Millisecond)
			must(t, e.Put([]byte("k"), []byte("v")))
		}
	}
}

// An error of the server is not the end of the connection.
func TestReplyError(t *testing.T) {
	s := (&resptest.Server{Hook: resptest.Nth("SET", 1, false, "-ERR no\r\n")}).Start(t)
	e := mustConnect(t, "resp://"+s.Addr, 1, 1)
	var refused *ReplyError
	if err := e.Put(nil, nil); !errors.As(err, &refused) || refused.Command != "SET" || refused.Text != "ERR no" {
		t.Errorf("%v", err)
	}
	must(t, e.Put(nil, nil))
	for name, hook := range map[string]func(string, []string) (string, bool){
		"MSET": resptest.Nth("MSET", 1, false, "-ERR no\r\n"), "EXEC": resptest.Nth("DEL", 1, false, "-ERR no\r\n"),
	} {
		s := (&resptest.Server{Hook: hook}).Start(t)
		b := mustConnect(t, "resp://"+s.Addr, 1, 1).NewBatch()
		must(t, b.Put([]byte("k"), []byte("v")))
		if name == "EXEC" {
			must(t, b.Delete([]byte("k")))
		}
		if err := b.Commit(); !errors.As(err, &refused) || refused.Command != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLogin(t *testing.T) {
	s := (&resptest.Server{User: "bench", Password: "se cret"}).Start(t)
	e := mustConnect(t, "resp://bench:se%20cret@"+s.Addr+"/2", 1, 1)
	must(t, e.Put([]byte("k"), []byte("v")))
	if len(s.Keys("2")) != 1 {
		t.Error("the key is not in database 2")
	}
	if strings.Contains(e.Identity().Address, "cret") {
		t.Errorf("the address %s has the password", e.Identity().Address)
	}
	// A server that repeats what it was given.
	odd := (&resptest.Server{Hook: func(name string, args []string) (string, bool) {
		return fmt.Sprintf("-ERR unknown command 'AUTH', with args beginning with: %q\r\n", args), name == "AUTH"
	}}).Start(t)
	for rest, want := range map[string]string{
		"resp://bench:wrong@" + s.Addr:       "WRONGPASS",
		"resp://" + s.Addr:                   "NOAUTH",
		"resp://bench:topsecret@" + odd.Addr: "'AUTH', with args",
	} {
		_, err := connect(t, rest, engine.Remote{}, 1, 1)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "topsecret") || strings.Contains(err.Error(), ":wrong") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// What can't be reached, or is no server of this kind, is said at once.
func TestNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	gone := l.Addr().String()
	must(t, l.Close())
	if _, err := connect(t, "resp://"+gone, engine.Remote{}, 1, 1); err == nil || !strings.Contains(err.Error(), "connect to resp://"+gone) {
		t.Errorf("%v", err)
	}
	s := (&resptest.Server{Info: "redis_version:7.0.0\r\nloading:1\r\n"}).Start(t)
	if _, err := connect(t, "resp://"+s.Addr, engine.Remote{}, 1, 1); err == nil || !strings.Contains(err.Error(), "loading its data") {
		t.Errorf("%v", err)
	}
	if _, err := connect(t, "resps://"+s.Addr, engine.Remote{Timeout: 300 * time.Millisecond}, 1, 1); err == nil {
		t.Error("TLS with a server that has none")
	}
}

// A server that tells little is measured nevertheless, and what it does not tell is unknown.
func TestUntold(t *testing.T) {
	for _, s := range []*resptest.Server{
		{Info: "redis_version:7.0.0\r\nringwood_version:1.2\r\nused_memory_rss:x\r\nused_cpu_user:1e300\r\nused_cpu_sys:NaN\r\n"},
		{Hook: resptest.Nth("INFO", 1, true, "-NOPERM no\r\n")},
	} {
		s.Start(t)
		e := mustConnect(t, "resp://"+s.Addr, 1, 1)
		if id := e.Identity(); s.Hook == nil && (id.Name != "ringwood" || id.Version != "1.2" || id.Settings != "") || s.Hook != nil && id.Name != "unknown server" {
			t.Errorf("%+v", id)
		}
		if u, err := e.Usage(); err != nil || u.CPU() != nil || u.Resident != nil {
			t.Errorf("%+v, %v", u, err)
		}
		if _, err := e.Settle(context.Background()); !errors.Is(err, engine.ErrUntold) {
			t.Errorf("%v", err)
		}
	}
}

// A node of Ringwood says which bucket its database is: others reach that by HTTP.
func TestRingwood(t *testing.T) {
	s := (&resptest.Server{Info: "redis_version:7.0.0\r\nringwood_version:1.2\r\nrun_id:x\r\nringwood_node_id:n\r\n" +
		"databases:available,db1,db2\r\ndurabilities:sync,os,sync\r\nengine_memory_budget:268435456\r\n"}).Start(t)
	for path, want := range map[string]engine.Identity{
		"":   {Run: "n", Database: "available", Settings: "durability sync, memory 256 MiB"},
		"/1": {Run: "n", Database: "db1", Settings: "durability os, memory 256 MiB"},
		"/9": {Run: "x", Database: "9", Settings: "memory 256 MiB"},
	} {
		want.Address, want.Name, want.Version = "resp://"+s.Addr+path, "ringwood", "1.2"
		if id := mustConnect(t, "resp://"+s.Addr+path, 1, 1).Identity(); id != want {
			t.Errorf("%+v, want %+v", id, want)
		}
	}
}

// A server that works on is waited for.
func TestSettle(t *testing.T) {
	var asked atomic.Int64
	busy := int64(6)
	s := (&resptest.Server{Hook: func(name string, _ []string) (string, bool) {
		if name != "INFO" {
			return "", false
		}
		cpu := float64(min(asked.Add(1), busy)) // a whole second in each tick
		text := fmt.Sprintf("redis_version:7.0.0\r\nused_cpu_user:%f\r\nused_cpu_sys:0\r\n", cpu)
		return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text), true
	}}).Start(t)
	e := mustConnect(t, "resp://"+s.Addr, 1, 1)
	start := time.Now()
	rested, err := e.Settle(context.Background())
	if took := time.Since(start) - rested; err != nil || took < 3*restTick || took > 20*restTick {
		t.Errorf("settled in %v, %v", took, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Settle(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestTLS(t *testing.T) {
	certificate, roots := newCertificate(t)
	s := (&resptest.Server{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}}).Start(t)
	for _, pipeline := range []int{1, 8} {
		e, err := connect(t, "resps://"+s.Addr, engine.Remote{Roots: roots, Timeout: 100 * time.Millisecond}, 2, pipeline)
		must(t, err)
		time.Sleep(250 * time.Millisecond) // idle for longer than the timeout
		must(t, use(e, 4))
	}
	if _, err := connect(t, "resps://"+s.Addr, engine.Remote{}, 1, 1); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
}

// newCertificate makes one for 127.0.0.1, and what to trust.
func newCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	c, err := x509.ParseCertificate(der)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(c)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func BenchmarkGet(b *testing.B) {
	for _, pipeline := range []int{1, 16} {
		b.Run(fmt.Sprintf("pipeline=%d", pipeline), func(b *testing.B) {
			e, err := Kind(engine.Remote{Name: "t", URL: "resp://" + resptest.StartRedis(b)}).Open(engine.Config{Connections: 1, Pipeline: pipeline})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			if err := e.Put([]byte("key"), bytes.Repeat([]byte("v"), 100)); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			var left atomic.Int64
			left.Store(int64(b.N))
			for range pipeline {
				wg.Go(func() {
					var v []byte
					for left.Add(-1) >= 0 {
						var err error
						if v, err = e.AppendGet(v[:0], []byte("key")); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
