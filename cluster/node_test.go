package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/resp"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// What was written over RESP is there after a stop in order, in its databases, and the
// node is the same one.
func TestNode(t *testing.T) {
	o := onLoopback(t, nil)
	n := start(t, o)
	c := dial(t, n)
	c.Want("+OK", "SET a 1")
	c.Want("+OK", "SELECT 3")
	c.Want("+OK", "SET a 3 EX 1000")
	c.Want("2", "INCRBY b 2")
	c.Want("1", "MOVE b 15")
	cluster, node := n.Identity()
	if m := n.Metrics(); !m.Opened.Created || len(m.Buckets) != 3 || m.Buckets[0].Database != 0 || m.Buckets[2].Name != "db3" || m.Buckets[2].Expiring != 1 {
		t.Errorf("%+v", m.Buckets)
	}
	info := c.Do("INFO").Text
	if !regexp.MustCompile(`run_id:[0-9a-f]{40}\r\n`).MatchString(info) {
		t.Errorf("INFO has no run_id:\n%s", info)
	}
	for _, want := range []string{"ringwood_node_id:" + node, "databases:available,db1,db2,", "durabilities:" + strings.ToLower(o.Bucket.Durability.String()) + ",", "db3:keys=1,expires=1,", "ready:yes", "tcp_port:" + fmt.Sprint(n.RESPAddr().(*net.TCPAddr).Port)} {
		if !strings.Contains(info, want) {
			t.Errorf("INFO has no %s:\n%s", want, info)
		}
	}
	stop(t, n)
	wantClosed(t, c)
	if err := n.Serve(); err != nil {
		t.Error(err)
	}

	n = start(t, o)
	c = dial(t, n)
	c.Want(`"1"`, "GET a")
	c.Want("+OK", "SELECT 3")
	c.Want(`"3"`, "GET a")
	c.Want("nil", "GET b")
	c.Want("+OK", "SELECT 15")
	c.Want(`"2"`, "GET b")
	c.Want("+OK", "FLUSHALL")
	c.Want("0", "DBSIZE")
	if c2, n2 := n.Identity(); c2 != cluster || n2 != node {
		t.Error("another node")
	}
	if m := n.Metrics(); m.Opened.Created || !m.Opened.Clean {
		t.Errorf("%+v", m.Opened)
	}
	if _, err := Open(short(t), o); !errors.Is(err, lsm.ErrLocked) || !strings.Contains(err.Error(), "another process has the store open") {
		t.Error(err)
	}
}

// The map of databases is that of the store, whatever a later version would choose.
func TestDatabasesStay(t *testing.T) {
	mem := vfs.NewMem()
	n := start(t, onLoopback(t, mem))
	if d := n.Databases(); len(d) != 16 || d[0] != replica.FirstBucket || d[1] != "db1" {
		t.Fatal(d)
	}
	b, found, err := n.replica.ReadMeta(metaDatabases)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	b = []byte(strings.Replace(string(b), "\x03db7", "\x03old", 1))
	must(t, n.replica.WriteMeta(metaDatabases, b))
	keys, _, err := n.replica.ReadMeta(metaTokenKeys)
	must(t, err)
	stop(t, n)
	n = start(t, onLoopback(t, mem))
	if d := n.Databases(); d[7] != "old" {
		t.Fatal(d)
	}
	again, _, err := n.replica.ReadMeta(metaTokenKeys)
	if err != nil || !slices.Equal(again, keys) || len(keys) < 32 {
		t.Fatal("another key of tokens", err)
	}
	must(t, n.replica.WriteMeta(metaDatabases, []byte("nonsense")))
	stop(t, n)
	if _, err := Open(short(t), onLoopback(t, mem)); err == nil || !strings.Contains(err.Error(), "not a list of databases") {
		t.Fatal(err)
	}
}

// What cannot be right is refused with what to do.
func TestOptions(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = taken.Close() }()
	for _, c := range []struct {
		what   string
		change func(*Options)
		is     error
		text   string
	}{
		{"no directory", func(o *Options) { o.Dir = "" }, ErrOptions, "name the directory"},
		{"no handler", func(o *Options) { o.Handler = nil }, ErrOptions, "Handler is nil"},
		{"an address without a port", func(o *Options) { o.RESP.Addr = "localhost" }, ErrOptions, "HOST:PORT"},
		{"a negative limit", func(o *Options) { o.Limits.Key = -1 }, ErrOptions, "Limits.Key"},
		{"a limit beyond", func(o *Options) { o.Limits.Value = maxValue + 1 }, ErrOptions, "Limits.Value"},
		{"requests that hold no value", func(o *Options) { o.Limits.Request = 1 << 20 }, ErrOptions, "Limits.Request"},
		{"a certificate without a key", func(o *Options) { o.HTTP.TLS.Cert = "c" }, ErrOptions, "its key"},
		{"an address that is taken", func(o *Options) { o.HTTP.Addr = taken.Addr().String() }, nil, "cannot be listened on"},
		{"a key that is not there", func(o *Options) { o.RESP.TLS = TLS{Cert: "none", Key: "none"} }, fs.ErrNotExist, "TLS of RESP"},
		{"other machines", func(o *Options) { o.RESP.Addr = "0.0.0.0:0" }, ErrUnsafe, "no TLS: give it a certificate"},
		{"other machines, HTTP", func(o *Options) { o.HTTP.Addr = ":0" }, ErrUnsafe, "HTTP address :0"},
		{"bad partitions", func(o *Options) { o.Partitions = 3 }, replica.ErrInvalid, "power of two"},
	} {
		o := onLoopback(t, vfs.NewMem())
		c.change(&o)
		n, err := Open(short(t), o)
		if err == nil {
			_ = n.Close()
		}
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	for addr, want := range map[string]bool{
		"127.0.0.1:1": true, "127.1.2.3:1": true, "[::1]:1": true, "localhost:1": true, "LOCALHOST:1": true, "[::ffff:127.0.0.1]:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "example.com:1": false, "localhost.evil.example:1": false, "127.0.0.1": false,
	} {
		if LoopbackAddr(addr) != want {
			t.Errorf("%s is on loopback: %v", addr, !want)
		}
	}
}

// A node without addresses is a store to be embedded.
func TestWithoutListeners(t *testing.T) {
	n, err := Open(short(t), Options{Dir: "data", FS: vfs.NewMem(), Memory: 8 << 20, Partitions: 4})
	must(t, err)
	if n.RESPAddr() != nil || n.HTTPAddr() != nil {
		t.Error("it listens")
	}
	if r := n.Ready(); len(r) != 1 || r[0].Code != ReasonStarting {
		t.Error(r)
	}
	served := make(chan error)
	go func() { served <- n.Serve() }()
	eventually(t, "ready", func() bool { return len(n.Ready()) == 0 })
	if err := n.Serve(); err == nil {
		t.Error("Serve twice")
	}
	b, err := n.Replica().Bucket(replica.FirstBucket)
	must(t, err)
	must(t, n.Replica().Put(n.wall(), b, []byte("k"), replica.Write{Value: []byte("v")}))
	must(t, n.Close())
	must(t, n.Close())
	must(t, <-served)
	if r := n.Ready(); len(r) != 1 || r[0].Code != ReasonStopping {
		t.Error(r)
	}
}

// testClock is set by the test.
type testClock struct{ ms atomic.Int64 }

func (c *testClock) now() time.Time { return time.UnixMilli(c.ms.Load()) }

// Upkeep drops what has expired, deletes what a flush has left, and counts again after
// an unclean end.
func TestUpkeep(t *testing.T) {
	mem := vfs.NewMem()
	clock := &testClock{}
	clock.ms.Store(1_800_000_000_000)
	o := onLoopback(t, mem)
	o.Clock = clock.now
	n := start(t, o)
	c := dial(t, n)
	for i := range 100 {
		c.Want("+OK", fmt.Sprintf("SET k%d v PX %d", i, 10_000+i))
	}
	c.Want("+OK", "SET stays v")
	bucket, err := n.replica.Bucket(replica.FirstBucket)
	must(t, err)
	clock.ms.Add(5000)
	time.Sleep(300 * time.Millisecond)
	if s := bucket.Stats(); s.Keys != 101 || s.Expiring != 100 {
		t.Errorf("%+v", s)
	}
	clock.ms.Add(6000)
	eventually(t, "expired keys are gone", func() bool { return bucket.Stats() == replica.BucketStats{Keys: 1, Bytes: 6, Exact: true} })
	if n.Metrics().Replica.Swept != 100 {
		t.Errorf("%+v", n.Metrics().Replica)
	}
	for range 50 { // as a test suite does
		c.Want("+OK", "SET a 1")
		c.Want("+OK", "FLUSHALL")
	}
	eventually(t, "the flushed buckets are deleted", func() bool { return n.replica.Stats().Drops == 0 })
	c.Want("+OK", "SET a 1")

	o = onLoopback(t, mem.CrashClone(vfs.CrashOptions{Survive: 1}))
	o.Clock = clock.now
	crashed := start(t, o)
	if m := crashed.Metrics(); m.Opened.Clean || m.Opened.Replayed == 0 {
		t.Errorf("%+v", m.Opened)
	}
	eventually(t, "recounted", func() bool { return !crashed.replica.Stats().Recounting })
	dial(t, crashed).Want("1", "DBSIZE")
	// A walk over all records is due in an hour, and finds nothing.
	clock.ms.Add(verifyAgain.Milliseconds() + 1000)
	eventually(t, "verified", func() bool { return crashed.Metrics().Upkeep.Walks > 0 })
	if u := crashed.Metrics().Upkeep; u.Verified < 1 || u.Bad != 0 || u.LastWalk.IsZero() || u.Errors != 0 {
		t.Errorf("%+v", u)
	}
}

// Slow requests are remembered, the latest first, without what is secret.
func TestSlowLog(t *testing.T) {
	o := onLoopback(t, vfs.NewMem())
	o.SlowThreshold, o.SlowEntries = time.Nanosecond, 3
	n := start(t, o)
	c := dial(t, n)
	for i := range 5 {
		c.Want("+OK", fmt.Sprintf("SET key%d canary", i))
	}
	c.Want("+OK", "SELECT 2")
	c.Want("+OK", "SET last canary")
	eventually(t, "all are noted", func() bool { return n.Metrics().SlowRequests == 7 })
	got := n.SlowLog(10)
	if len(got) != 3 || got[0].Key != "last" || got[0].Bucket != "db2" || got[1].Command != "select" || got[2].Key != "key4" || got[2].Bucket != "available" {
		t.Fatalf("%+v", got)
	}
	if got[0].ID <= got[1].ID || got[0].Args != 3 || got[0].Keys != 1 || got[0].Protocol != "resp" || got[0].Client == "" || got[0].Took <= 0 {
		t.Fatalf("%+v", got[0])
	}
	if strings.Contains(fmt.Sprintf("%+v", got), "canary") {
		t.Error("a value is in the slow log")
	}
	n.NoteSlow(Slow{Protocol: "http", Key: strings.Repeat("x", 1000), Command: strings.Repeat("X", 1000)})
	if s := n.SlowLog(1); len(s) != 1 || len(s[0].Key) != maxSlowKey || len(s[0].Command) != maxSlowKey || s[0].Protocol != "http" {
		t.Errorf("%+v", s)
	}
	n.ResetSlowLog()
	if len(n.SlowLog(10)) != 0 || n.Metrics().SlowRequests != 8 {
		t.Error("not forgotten")
	}
	n.slow.add(Slow{Key: "new"})
	if s := n.SlowLog(10); len(s) != 1 || s[0].Key != "new" || s[0].ID != 9 {
		t.Errorf("%+v", s)
	}
	// A negative threshold remembers nothing.
	o = onLoopback(t, vfs.NewMem())
	o.SlowThreshold = -1
	n = start(t, o)
	dial(t, n).Want("+PONG", "PING")
	if len(n.SlowLog(1)) != 0 {
		t.Error("PING is slow")
	}
}

// Who has not logged in cannot push what an operator is looking for out of the slow log:
// a check of a password is slow.
func TestSlowLogins(t *testing.T) {
	o := withAPI(t)
	o.SlowThreshold = time.Nanosecond
	n := start(t, o)
	token := someone(t, n)
	c := dial(t, n)
	for _, line := range []string{"AUTH root wrong-password", "GET k", "HELLO 3 AUTH root wrong-password"} {
		if got := c.Line(line); got.Kind != '-' {
			t.Errorf("%s: %s", line, got)
		}
	}
	h := dialHTTP(t, n, nil)
	for _, login := range []string{"", "rwt_wrong"} {
		if got := h.get("/v1/whoami", login); got != 401 {
			t.Error(got)
		}
	}
	if got := h.get("/v1/whoami", token); got != 200 {
		t.Error(got)
	}
	eventually(t, "who has logged in is noted", func() bool { return len(n.SlowLog(10)) > 0 })
	if all := n.SlowLog(10); len(all) != 1 || all[0].User != "root" {
		t.Errorf("%+v", all)
	}
}

// What is read again comes from the row cache of the engine, whatever memory it has.
func TestRowCache(t *testing.T) {
	for _, memory := range []int64{0, 8 << 20} {
		o := onLoopback(t, vfs.NewMem())
		o.Memory = memory
		n := start(t, o)
		c := dial(t, n)
		c.Want("+OK", "SET k v")
		for range 4 {
			c.Want(`"v"`, "GET k")
		}
		if hits := n.Metrics().Engine.RowHits; hits < 2 {
			t.Errorf("memory %d: %d of 4 reads came from it", memory, hits)
		}
	}
}

func TestHotKeys(t *testing.T) {
	n := start(t, onLoopback(t, vfs.NewMem()))
	c := dial(t, n)
	for i := range 300 {
		var b []byte
		for range 20 {
			b = append(b, "GET hot\r\nSET warm v\r\n"...)
		}
		c.Write(append(b, fmt.Sprintf("GET cold%d\r\n", i)...))
		for range 41 {
			c.Reply()
		}
	}
	top := n.HotKeys(2)
	slices.SortFunc(top, func(a, b HotKey) int { return strings.Compare(a.Key, b.Key) })
	if len(top) != 2 || top[0].Key != "hot" || top[1].Key != "warm" || top[0].Bucket != "available" {
		t.Fatalf("%+v", top)
	}
	if top[0].Uses < 2000 || top[0].Uses > 18_000 || top[0].Writes != 0 || top[1].Writes < top[1].Uses/2 {
		t.Errorf("6000 uses of each: %+v", top)
	}
}

// A checkpoint is a node of its own, its users included.
func TestCheckpoint(t *testing.T) {
	o := onLoopback(t, nil)
	n := start(t, o)
	c := dial(t, n)
	c.Want("+OK", "SET a 1")
	for _, name := range []string{"", "../x", "a/b", ".", "..", ".hidden", "a\x00"} {
		if _, err := n.Checkpoint(name); err == nil {
			t.Errorf("%q is the name of a checkpoint", name)
		}
	}
	path, err := n.Checkpoint("monday")
	must(t, err)
	if _, err := n.Checkpoint("monday"); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	c.Want("+OK", "SET a 2")
	o2 := o
	o2.Dir = path
	copied := start(t, o2)
	dial(t, copied).Want(`"1"`, "GET a")
	if copied.Metrics().Opened.NewActor == "" {
		t.Error("the copy writes in the name of the original")
	}
	must(t, n.Flush())
	must(t, n.Sync())
	must(t, n.Compact(t.Context()))
	must(t, n.Verify(t.Context()))
	c.Want(`"2"`, "GET a")
}

// Connections of HTTP are counted, in all and from one address.
func TestHTTPLimits(t *testing.T) {
	o := onLoopback(t, vfs.NewMem())
	o.Limits.PerAddress = 3
	n := start(t, o)
	var open []net.Conn
	for range 5 {
		c, err := net.Dial("tcp", n.HTTPAddr().String())
		must(t, err)
		open = append(open, c)
	}
	eventually(t, "two are refused", func() bool { return n.Metrics().HTTP == ConnectionMetrics{Open: 3, Accepted: 3, Rejected: 2} })
	for _, c := range open {
		_ = c.Close()
	}
	eventually(t, "they are gone", func() bool { return n.Metrics().HTTP.Open == 0 })
	status, body := fetch(t, http.DefaultClient, "http://"+n.HTTPAddr().String()+"/v1/x")
	if status != 200 || !strings.Contains(body, `"/v1/x"`) {
		t.Error(status, body)
	}
}

// The limits are those of the options: at the limit it works, one past it there is an
// error.
func TestLimits(t *testing.T) {
	o := onLoopback(t, vfs.NewMem())
	o.Limits.Value, o.Limits.Key, o.Limits.Connections = 1000, 100, 3
	n := start(t, o)
	c := dial(t, n)
	word := func(n int) string { return strings.Repeat("x", n) }
	c.Want("+OK", "SET k "+word(1000))
	c.Want("1000", "STRLEN k")
	c.Want("-ERR string exceeds maximum allowed size (proto-max-bulk-len)", "APPEND k x")
	c.Want("+OK", "SET "+word(100)+" v")
	c.Want("-ERR key is too long", "SET "+word(101)+" v")
	if got := c.Do("SET", "k", word(1001)).String(); got != "-ERR Protocol error: invalid bulk length" {
		t.Error(got)
	}
	eventually(t, "the connection is gone", func() bool { return len(n.Clients()) == 0 })
	for range 3 {
		dial(t, n).Want("+PONG", "PING")
	}
	if v, err := dial(t, n).Read(); err != nil || v.String() != "-ERR max number of clients reached" {
		t.Error(v, err)
	}
}

func TestTune(t *testing.T) {
	n := start(t, onLoopback(t, vfs.NewMem()))
	c := dial(t, n)
	c.Want("+OK", "CONFIG SET slowlog-log-slower-than -1")
	c.Want("+PONG", "PING")
	must(t, n.Tune(Tuning{Connections: 1, SlowThreshold: time.Nanosecond}))
	c.Want("+PONG", "PING")
	if v, err := dial(t, n).Read(); err != nil || v.String() != "-ERR max number of clients reached" {
		t.Error(v, err)
	}
	eventually(t, "PING is slow", func() bool { return len(n.SlowLog(10)) == 1 })
	must(t, n.Tune(Tuning{SlowThreshold: -1, Idle: time.Hour}))
	c.Want("+PONG", "PING")
	c.Want(`["slowlog-log-slower-than" "-1"]`, "CONFIG GET slowlog-log-slower-than")
	c.Want(`["timeout" "3600"]`, "CONFIG GET timeout")
	dial(t, n).Want("+PONG", "PING")
	if len(n.SlowLog(10)) != 1 {
		t.Error(n.SlowLog(10))
	}
	if err := n.Tune(Tuning{Connections: -1}); !errors.Is(err, ErrOptions) {
		t.Error(err)
	}
}

func TestClients(t *testing.T) {
	n := start(t, onLoopback(t, vfs.NewMem()))
	a, b := dial(t, n), dial(t, n)
	a.Want("+OK", "CLIENT SETNAME a")
	b.Want("+OK", "CLIENT SETNAME b")
	if len(n.Clients()) != 2 {
		t.Error(n.Clients())
	}
	if killed := n.KillClients(func(c resp.ClientInfo) bool { return c.Name == "a" }); killed != 1 {
		t.Error(killed)
	}
	wantClosed(t, a)
	b.Want("+PONG", "PING")
}
