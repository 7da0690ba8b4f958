package cluster

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/client"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	rexec "github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

var (
	killCycles = flag.Int("kill.cycles", 2, "how often TestKill kills a server of each durability")
	powerCuts  = flag.Int("power.cuts", 30, "how many power cuts TestPowerLoss looks at, of each durability")
)

// The clients of these tests write ascending numbers, each to keys of its own, in every
// way that RESP has: what is found afterwards must lie between the last number that was
// acknowledged and the last one that was sent.
const writers = 4

// journal is what clients know.
type journal struct {
	mu    sync.Mutex
	acked map[string]int // by key
	sent  map[string]int
}

func newJournal() *journal { return &journal{acked: map[string]int{}, sent: map[string]int{}} }

func (j *journal) note(m map[string]int, n int, keys ...string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, k := range keys {
		m[k] = n
	}
}

// write writes until the connection breaks, or until stop is closed.
func (j *journal) write(addr string, writer int, stop <-chan struct{}) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	key := func(kind string) string { return fmt.Sprint(kind, writer) }
	// Each of the two is acknowledged before the other is sent: the second must not sync
	// for the first.
	plain := []string{key("set"), key("expiring"), key("many-a"), key("many-b")}
	together := []string{key("tx-a"), "1:" + key("tx-b")}
	ask := func(n int, keys []string, requests ...[]string) error {
		var b []byte
		for _, args := range requests {
			b = resptest.Encode(b, args...)
		}
		j.note(j.sent, n, keys...)
		if _, err := conn.Write(b); err != nil {
			return err
		}
		for _, args := range requests {
			v, err := resptest.ReadValue(r)
			if err != nil {
				return err
			}
			if v.Kind == '-' {
				return fmt.Errorf("answer to %q: %s", args, v)
			}
		}
		j.note(j.acked, n, keys...)
		return nil
	}
	for n := j.last(key("set")) + 1; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		number := strconv.Itoa(n)
		err := ask(n, plain,
			[]string{"SET", key("set"), number},
			[]string{"PSETEX", key("expiring"), "100000000", number},
			[]string{"MSET", key("many-a"), number, key("many-b"), number})
		if err == nil {
			err = ask(n, together, []string{"MULTI"}, []string{"SET", key("tx-a"), number}, []string{"SELECT", "1"},
				[]string{"SET", key("tx-b"), number}, []string{"SELECT", "0"}, []string{"EXEC"})
		}
		if err != nil {
			return err
		}
	}
}

func (j *journal) last(key string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.sent[key]
}

// check compares what a node has with what the clients know. What was acknowledged has
// to be there if lasting is set; keys that were written together have the same number.
func check(n *Node, acked, sent map[string]int, lasting bool) error {
	got := map[string]int{}
	for k := range sent {
		db, name := 0, k
		if rest, ok := strings.CutPrefix(k, "1:"); ok {
			db, name = 1, rest
		}
		v, info, err := n.store.Get(nil, rexec.Key{DB: db, Name: []byte(name)}, n.wall())
		if err != nil {
			return err
		}
		if info.Exists {
			if got[k], err = strconv.Atoi(string(v)); err != nil {
				return err
			}
		}
		if got[k] > sent[k] || lasting && got[k] < acked[k] {
			return fmt.Errorf("%s is %d; %d was acknowledged, %d sent", k, got[k], acked[k], sent[k])
		}
	}
	for w := range writers {
		if a, b := got[fmt.Sprint("many-a", w)], got[fmt.Sprint("many-b", w)]; a != b {
			return fmt.Errorf("MSET of writer %d is torn: %d and %d", w, a, b)
		}
		if a, b := got[fmt.Sprint("tx-a", w)], got[fmt.Sprint("1:tx-b", w)]; a != b {
			return fmt.Errorf("EXEC of writer %d is torn: %d and %d", w, a, b)
		}
	}
	return nil
}

const (
	childDir        = "RINGWOOD_NODE_CHILD_DIR"
	childDurability = "RINGWOOD_NODE_CHILD_DURABILITY"
)

// TestKilledNode is the process that TestKill kills.
func TestKilledNode(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("only as a child of TestKill")
	}
	o := onLoopback(t, nil)
	o.Dir = dir
	d, err := strconv.Atoi(os.Getenv(childDurability))
	must(t, err)
	o.Bucket.Durability = lsm.Durability(d)
	n, err := Open(context.Background(), o)
	must(t, err)
	fmt.Println("addr", n.RESPAddr())
	must(t, n.Serve())
}

// A server that is killed at any moment has kept what it had acknowledged.
func TestKill(t *testing.T) {
	for _, d := range []lsm.Durability{lsm.Sync, lsm.OS} {
		t.Run(d.String(), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(d)))
			j := newJournal()
			for range *killCycles {
				killOnce(t, dir, d, j, time.Duration(50+rng.IntN(200))*time.Millisecond)
			}
			total := 0
			for _, n := range j.acked {
				total += n
			}
			if total == 0 {
				t.Error("nothing was acknowledged")
			}
			t.Logf("%d writes acknowledged", total)
		})
	}
}

func killOnce(t *testing.T, dir string, d lsm.Durability, j *journal, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledNode$")
	cmd.Env = append(os.Environ(), childDir+"="+dir, childDurability+"="+strconv.Itoa(int(d)))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	addr := ""
	for addr == "" && lines.Scan() {
		addr, _ = strings.CutPrefix(lines.Text(), "addr ")
	}
	if addr == "" {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("the server did not start: %s", lines.Text())
	}
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		wg.Go(func() { errs[w] = j.write(addr, w, nil) })
	}
	time.Sleep(after)
	must(t, cmd.Process.Kill())
	wg.Wait()
	_ = cmd.Wait()
	for _, err := range errs {
		if err != nil && strings.HasPrefix(err.Error(), "answer") {
			t.Error(err)
		}
	}
	o := onLoopback(t, nil)
	o.Dir, o.Bucket.Durability = dir, d
	n, err := Open(short(t), o)
	must(t, err)
	if err := check(n, j.acked, j.sent, true); err != nil {
		t.Errorf("after the kill: %v", err)
	}
	must(t, n.Verify(t.Context()))
	must(t, n.Close())
}

// crashed is a disk after a power cut, and what the clients knew then.
type crashed struct {
	fs          *vfs.Mem
	acked, sent map[string]int
}

// A power cut at any operation of the disk leaves what was acknowledged at Sync, and at
// any durability a store that can be opened, in which transactions are whole.
func TestPowerLoss(t *testing.T) {
	for _, d := range []lsm.Durability{lsm.Sync, lsm.OS} {
		t.Run(d.String(), func(t *testing.T) {
			cuts := playPowerLoss(t, d)
			for i, c := range cuts {
				o := onLoopback(t, c.fs)
				o.RESP, o.HTTP = Listen{}, Listen{}
				n, err := Open(short(t), o)
				if err == nil {
					err = check(n, c.acked, c.sent, d == lsm.Sync)
					_ = n.Close()
				}
				if err != nil {
					t.Fatalf("cut %d: %v", i, err)
				}
			}
			total := 0
			for _, n := range cuts[len(cuts)-1].acked {
				total += n
			}
			t.Logf("%d power cuts, %d writes acknowledged before the last", len(cuts), total)
			if total == 0 {
				t.Error("nothing was acknowledged")
			}
		})
	}
}

// playPowerLoss lets clients write, and returns what power cuts would leave.
func playPowerLoss(t *testing.T, d lsm.Durability) (cuts []crashed) {
	mem := vfs.NewMem()
	fault := vfs.NewFault(mem)
	o := onLoopback(t, fault)
	o.Bucket.Durability = d
	n := start(t, o)
	j := newJournal()
	rng := rand.New(rand.NewPCG(uint64(d), 4))
	var mu sync.Mutex // one cut at a time
	ops := 0
	full := make(chan struct{})
	fault.SetHook(func(op vfs.Op) error {
		if !op.Kind.Changes() {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if ops++; ops%11 != 0 || len(cuts) >= *powerCuts {
			return nil
		}
		// What was acknowledged before the cut, and what was sent before or meanwhile.
		j.mu.Lock()
		acked := maps.Clone(j.acked)
		j.mu.Unlock()
		fs := mem.CrashClone(vfs.CrashOptions{Survive: float64(rng.IntN(3)) / 2, Torn: true, Rand: rng})
		j.mu.Lock()
		sent := maps.Clone(j.sent)
		j.mu.Unlock()
		cuts = append(cuts, crashed{fs, acked, sent})
		if len(cuts) == *powerCuts {
			close(full)
		}
		return nil
	})
	stopped := make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			if err := j.write(n.RESPAddr().String(), w, stopped); err != nil {
				t.Error(err)
			}
		})
	}
	select {
	case <-full:
	case <-time.After(30 * time.Second):
		t.Error("too few operations of the disk")
	}
	close(stopped)
	wg.Wait()
	fault.SetHook(nil)
	mu.Lock()
	defer mu.Unlock()
	return cuts
}

// A stop in order loses nothing, whatever the bucket promises, and answers what it has
// read: every write is acknowledged and there, or neither.
func TestShutdownLosesNothing(t *testing.T) {
	mem := vfs.NewMem()
	o := onLoopback(t, mem)
	o.Bucket.Durability = lsm.None
	n := start(t, o)
	j := newJournal()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() { _ = j.write(n.RESPAddr().String(), w, nil) })
	}
	time.Sleep(100 * time.Millisecond)
	stop(t, n)
	wg.Wait()
	o.FS = mem.CrashClone(vfs.CrashOptions{}) // right after the end
	n, err := Open(short(t), o)
	must(t, err)
	defer func() { must(t, n.Close()) }()
	if err := check(n, j.acked, j.sent, true); err != nil {
		t.Error(err)
	}
	if m := n.Metrics(); !m.Opened.Clean || len(j.acked) == 0 {
		t.Errorf("%+v, %d acknowledged", m.Opened, len(j.acked))
	}
}

// The same over HTTP: stopped in order or at once, what was acknowledged is there.
func TestShutdownLosesNothingOverHTTP(t *testing.T) {
	for _, atOnce := range []bool{false, true} {
		o := withAPI(t)
		o.Bucket.Durability = lsm.None
		n := start(t, o)
		var acked [writers]int
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				c, err := client.New(client.Options{Addresses: []string{n.HTTPAddr().String()}, Retries: -1})
				must(t, err)
				defer func() { _ = c.Close() }()
				b, key := c.Bucket(replica.FirstBucket), []byte(fmt.Sprint("writer", w))
				for i := 1; ; i++ {
					if _, err := b.Put(t.Context(), key, []byte(fmt.Sprint(i))); err != nil {
						return
					}
					acked[w] = i
					for _, err := range b.Scan(t.Context(), client.ScanOptions{Values: true}) {
						if err != nil {
							return
						}
					}
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		if atOnce {
			must(t, n.Close())
		} else {
			stop(t, n)
		}
		wg.Wait()
		o.FS = o.FS.(*vfs.Mem).CrashClone(vfs.CrashOptions{})
		n, err := Open(short(t), o)
		must(t, err)
		b, err := n.replica.Bucket(replica.FirstBucket)
		must(t, err)
		for w, want := range acked {
			it, _, err := n.replica.Get(n.wall(), b, []byte(fmt.Sprint("writer", w)), nil)
			must(t, err)
			// One more may have been applied whose answer did not come.
			if got, _ := strconv.Atoi(string(it.Value)); want == 0 || got != want && got != want+1 {
				t.Errorf("writer %d has %d, %d was acknowledged", w, got, want)
			}
		}
		if !n.Metrics().Opened.Clean {
			t.Error("the store was not closed in order")
		}
		must(t, n.Close())
	}
}

// A client that does not read is cut off when the time is over, and the store is closed
// in order all the same.
func TestShutdownInTime(t *testing.T) {
	mem := vfs.NewMem()
	o := onLoopback(t, mem)
	n := start(t, o)
	c := dial(t, n)
	c.Want("+OK", "SET big "+strings.Repeat("v", 1<<20))
	go func() {
		for range 100 {
			if _, err := c.Conn.Write([]byte("GET big\r\n")); err != nil {
				return
			}
		}
	}()
	time.Sleep(100 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := n.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	o.FS = mem.CrashClone(vfs.CrashOptions{})
	n = start(t, o)
	if !n.Metrics().Opened.Clean {
		t.Error("the store was not closed in order")
	}
}
