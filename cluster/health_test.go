package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func codes(reasons []Reason) string {
	var all []string
	for _, r := range reasons {
		all = append(all, r.Code)
	}
	return strings.Join(all, " ")
}

// While a store is opened, HTTP says so and how far it has come, and that the node is
// alive; nobody is served before it is.
func TestOpening(t *testing.T) {
	mem := vfs.NewMem()
	o := onLoopback(t, mem)
	o.Memory, o.Bucket.Durability = 64<<20, lsm.None
	n := start(t, o)
	b, err := n.replica.Bucket(replica.FirstBucket)
	must(t, err)
	for i := range 60 {
		must(t, n.replica.Put(n.wall(), b, fmt.Append(nil, i), replica.Write{Value: make([]byte, 100_000)}))
	}
	must(t, n.replica.Sync())

	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := free.Addr().String()
	must(t, free.Close())
	fault := vfs.NewFault(mem.CrashClone(vfs.CrashOptions{}))
	o.FS, o.HTTP.Addr = fault, addr
	blocked, unblock := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	var progress []Progress
	o.Progress = func(p Progress) {
		progress = append(progress, p)
		if len(progress) == 3 && held.CompareAndSwap(false, true) {
			close(blocked)
			<-unblock
		}
	}
	type result struct {
		n   *Node
		err error
	}
	opened := make(chan result)
	go func() {
		n, err := Open(context.Background(), o)
		opened <- result{n, err}
	}()
	<-blocked
	if status, body := fetch(t, http.DefaultClient, "http://"+addr+"/healthz"); status != 200 || !strings.Contains(body, "true") {
		t.Error(status, body)
	}
	for path, code := range map[string]string{"/readyz": `"code":"recovering"`, "/v1/buckets/available/keys/a": `"code":"starting"`} {
		status, body := fetch(t, http.DefaultClient, "http://"+addr+path)
		if status != 503 || !strings.Contains(body, code) || !strings.Contains(body, "MiB of its log are replayed") {
			t.Error(status, body)
		}
	}
	close(unblock)
	r := <-opened
	must(t, r.err)
	if got := codes(r.n.Ready()); got != ReasonStarting {
		t.Error(got)
	}
	serve(t, r.n)
	if status, body := fetch(t, http.DefaultClient, "http://"+addr+"/v1/x"); status != 200 || !strings.Contains(body, `"ready":null`) {
		t.Error(status, body)
	}
	last := progress[len(progress)-1]
	if last.Done > last.Total || last.Total < 6_000_000 || last.Elapsed <= 0 {
		t.Errorf("%+v", last)
	}
	c := dial(t, r.n)
	eventually(t, "counted", func() bool { return c.Line("DBSIZE").String() == "60" })
}

// After a failed sync the node serves reads, refuses writes, and says so.
func TestReadOnly(t *testing.T) {
	fault := vfs.NewFault(vfs.NewMem())
	o := onLoopback(t, fault)
	o.Bucket.Durability = lsm.Sync
	n := start(t, o)
	c := dial(t, n)
	c.Want("+OK", "SET a 1")
	if got := codes(n.Ready()) + codes(n.Live()); got != "" {
		t.Fatal(got)
	}
	fault.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync {
			return errors.New("broken disk")
		}
		return nil
	})
	for range 2 {
		if got := c.Line("SET a 2").String(); !strings.HasPrefix(got, "-MISCONF the store takes no writes") {
			t.Error(got)
		}
	}
	fault.SetHook(nil)
	c.Want(`"1"`, "GET a")
	if r := n.Ready(); codes(r) != ReasonReadOnly || !strings.Contains(r[0].Text, "broken disk") || codes(n.Live()) != "" {
		t.Errorf("%+v", r)
	}
	if m := n.Metrics(); m.StoreFailures < 2 || m.Engine.ReadOnlyReason == "" {
		t.Errorf("%+v", m.StoreFailures)
	}
	if err := n.Shutdown(short(t)); err == nil {
		t.Error("a store that could not be synced was closed without an error")
	}
}

// A full disk is said, and over when there is room, though nobody writes meanwhile.
func TestFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	clock := &testClock{}
	clock.ms.Store(1_800_000_000_000)
	o := onLoopback(t, mem)
	o.Clock = clock.now
	n := start(t, o)
	c := dial(t, n)
	c.Want("+OK", "SET before v")
	mem.SetCapacity(mem.Used())
	value := strings.Repeat("v", 100_000)
	got := ""
	for i := 0; i < 1000 && !strings.HasPrefix(got, "-"); i++ {
		got = c.Do("SET", fmt.Sprint("k", i), value).String()
	}
	if !strings.HasPrefix(got, "-MISCONF the disk is full") || codes(n.Ready()) != ReasonNoSpace || codes(n.Live()) != "" {
		t.Fatalf("%s; ready: %+v", got, n.Ready())
	}
	c.Want(`"v"`, "GET before")
	mem.SetCapacity(0)
	eventually(t, "ready again", func() bool {
		clock.ms.Add(1000)
		return codes(n.Ready()) == ""
	})
	eventually(t, "writing goes on", func() bool { return c.Do("SET", "k", "v").String() == "+OK" })
}

// A clock that is set back does not keep a node from being ready once there is room.
func TestClockSetBackWhileFull(t *testing.T) {
	clock := &testClock{}
	clock.ms.Store(1_800_000_000_000)
	o := onLoopback(t, vfs.NewMem())
	o.Clock = clock.now
	n := start(t, o)
	n.full(lsm.ErrNoSpace)
	if codes(n.Ready()) != ReasonNoSpace {
		t.Fatal(n.Ready())
	}
	dial(t, n).Want("+OK", "SET k v")
	clock.ms.Add(-time.Hour.Milliseconds())
	if codes(n.Ready()) != "" {
		t.Fatal(n.Ready())
	}
	if ahead := n.Metrics().ClockAhead; ahead < time.Hour || ahead > time.Hour+time.Minute {
		t.Fatal(ahead)
	}
}

// Upkeep that is stuck is no life; a clock that somebody sets is no reason.
func TestStalled(t *testing.T) {
	clock := &testClock{}
	clock.ms.Store(1_800_000_000_000)
	o := onLoopback(t, vfs.NewMem())
	o.Clock = clock.now
	n := start(t, o)
	clock.ms.Add(time.Hour.Milliseconds())
	if r := n.Live(); len(r) > 0 {
		t.Error(r)
	}
	n.cancel()
	time.Sleep(3 * roundPause) // no round is under way
	n.beat.Store(int64(-2 * stallAfter))
	if codes(n.Live()) != ReasonStalled {
		t.Error(n.Live())
	}
}

// A record that makes no sense fails the requests that meet it, is counted and logged,
// and found by upkeep though nobody asks for it.
func TestDamage(t *testing.T) {
	clock, log := &testClock{}, &lockedBuffer{}
	clock.ms.Store(1_800_000_000_000)
	o := onLoopback(t, vfs.NewMem())
	o.Clock, o.Logger = clock.now, slog.New(slog.NewTextHandler(log, nil))
	n := start(t, o)
	c := dial(t, n)
	c.Want("+OK", "SET damaged v")
	c.Want("+OK", "SET sound v")
	it, err := n.replica.Engine().NewIter(nil)
	must(t, err)
	var at []byte
	for it.First(); it.Valid(); it.Next() {
		if bytes.HasSuffix(it.Key(), []byte("damaged")) {
			at = bytes.Clone(it.Key())
		}
	}
	must(t, it.Close())
	must(t, n.replica.Engine().Put(at, []byte("nonsense")))
	for _, line := range []string{"GET damaged", "SET damaged w", "STRLEN damaged"} {
		if got := c.Line(line).String(); got != "-ERR internal error, the server's log has more" {
			t.Errorf("%s: %s", line, got)
		}
	}
	c.Want(`"v"`, "GET sound")
	if m := n.Metrics(); m.Damaged < 3 || codes(m.Ready) != "" {
		t.Errorf("%d damaged, %v", m.Damaged, m.Ready)
	}
	clock.ms.Add(verifyAgain.Milliseconds() + 1000)
	eventually(t, "found", func() bool { return n.Metrics().Upkeep.Walks > 0 })
	if u := n.Metrics().Upkeep; u.Bad != 1 {
		t.Errorf("%+v", u)
	}
	for _, want := range []string{"command failed", "a record is damaged", `key \"damaged\"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, log.String())
		}
	}
}
