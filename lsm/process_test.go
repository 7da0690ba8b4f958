package lsm_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
)

var killCycles = flag.Int("kill.cycles", 20, "how often TestKill kills a process that writes")

const (
	childDir  = "RINGWOOD_TEST_CHILD_DIR"
	childSeed = "RINGWOOD_TEST_CHILD_SEED"
)

// randomOptions are other ones at each start.
func randomOptions(rng *rand.Rand) (*lsm.Options, lsm.Shape) {
	o := &lsm.Options{
		Memory:                8 << 20 << rng.IntN(3),
		RowCache:              int64(rng.IntN(2)) << 20,
		BlockSize:             1 << (10 + rng.IntN(5)),
		FilterBitsPerKey:      []int{0, -1, 5, 16}[rng.IntN(4)],
		CompactionConcurrency: 1 + rng.IntN(3),
		MaxOpenFiles:          16 << rng.IntN(4),
		BlobThreshold:         []int{-1, 0, 32, 60}[rng.IntN(4)],
	}
	for range rng.IntN(4) {
		o.Compression = append(o.Compression, lsm.Compression(rng.IntN(2)))
	}
	memtable := int64(32<<10) << rng.IntN(6)
	return o, lsm.Shape{Memtable: memtable, Sealed: 1 + rng.IntN(3), Table: memtable / 4, BaseLevel: memtable * 2, Fanout: 2 + rng.IntN(8), BlobFile: memtable}
}

// TestKill kills a process that writes with several goroutines, at a random moment,
// again and again, and looks each time for what it had reported as committed. While it
// writes, this process opens the store read-only. It says nothing about power cuts:
// what a killed process has written stays in the page cache.
func TestKill(t *testing.T) {
	cycles := *killCycles
	if testing.Short() {
		cycles = min(cycles, 5)
	}
	dir := filepath.Join(t.TempDir(), "store")
	k := &killer{t: t, dir: dir, rng: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))}
	start := time.Now()
	for k.cycle = range cycles {
		k.once()
		if t.Failed() {
			return
		}
	}
	t.Logf("%d processes killed in %v, %d commits reported, %d read-only opens, %d checkpoints",
		cycles, time.Since(start).Round(time.Millisecond), k.reported, k.readOnly, k.checkpoints)
}

// killer is the parent.
type killer struct {
	t     *testing.T
	dir   string
	rng   *rand.Rand
	cycle int

	mu    sync.Mutex
	acks  []ack
	ready bool
	dirs  []string // of checkpoints that are finished

	reported, readOnly, checkpoints int
}

func (k *killer) once() {
	t := k.t
	k.acks, k.ready, k.dirs = nil, false, nil
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$")
	cmd.Env = append(os.Environ(), childDir+"="+k.dir, fmt.Sprintf("%s=%d", childSeed, k.rng.Uint64()))
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			k.line(lines.Text())
		}
	}()
	deadline := time.Now().Add(10*time.Millisecond + time.Duration(k.rng.IntN(250))*time.Millisecond)
	for k.rng.IntN(5) > 0 && time.Now().Before(deadline) {
		k.readOnlyOpen()
	}
	time.Sleep(time.Until(deadline))
	must(t, cmd.Process.Kill())
	<-read
	_ = cmd.Wait()
	k.reported += len(k.acks)
	k.recover()
}

func (k *killer) line(s string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var a ack
	var dir string
	if n, _ := fmt.Sscanf(s, "A %d %d %d %d", &a.writer, &a.n, &a.durability, &a.seq); n == 4 {
		k.acks = append(k.acks, a)
	} else if n, _ := fmt.Sscanf(s, "C %s", &dir); n == 1 {
		k.dirs = append(k.dirs, dir)
	} else if s == "ready" {
		k.ready = true
	} else if s != "PASS" {
		k.t.Errorf("cycle %d: the process says %q", k.cycle, s)
	}
}

// known returns what was reported so far.
func (k *killer) known() (acks []ack, ready bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]ack(nil), k.acks...), k.ready
}

// readOnlyOpen looks at the store while the child writes.
func (k *killer) readOnlyOpen() {
	acks, ready := k.known()
	db, err := lsm.Open(k.dir, &lsm.Options{ReadOnly: true, Memory: 16 << 20})
	if errors.Is(err, fs.ErrNotExist) && !ready && k.cycle == 0 {
		return
	}
	if err != nil {
		k.t.Errorf("cycle %d: read-only open: %v", k.cycle, err)
		return
	}
	defer db.Close()
	k.readOnly++
	k.judge("read-only open", db, acks)
	if err := db.Put([]byte("x"), nil); !errors.Is(err, lsm.ErrReadOnly) {
		k.t.Errorf("write to a read-only store: %v", err)
	}
}

// recover opens the store after the kill.
func (k *killer) recover() {
	o, shape := randomOptions(k.rng)
	db, err := lsm.OpenShaped(k.dir, o, shape)
	if err != nil {
		k.t.Errorf("cycle %d: open after the kill: %v", k.cycle, err)
		return
	}
	k.judge("after the kill", db, k.acks)
	if err := db.Verify(k.t.Context()); err != nil {
		k.t.Errorf("cycle %d: verify: %v", k.cycle, err)
	}
	for _, dir := range k.dirs {
		k.checkpoints++
		c, err := lsm.Open(dir, &lsm.Options{Memory: 8 << 20})
		if err != nil {
			k.t.Errorf("cycle %d: checkpoint: %v", k.cycle, err)
			continue
		}
		k.judge("checkpoint", c, nil)
		must(k.t, c.Close())
	}
	must(k.t, db.Close())
	must(k.t, os.RemoveAll(k.dir+"-checkpoints"))
}

// judge reports what is wrong with the store.
func (k *killer) judge(when string, db *lsm.DB, acks []ack) {
	if err := judge(db, acks, lsm.OS); err != nil {
		k.t.Errorf("cycle %d, %s: %v", k.cycle, when, err)
	}
}

// TestKilledProcess is the process that TestKill kills.
func TestKilledProcess(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("only as a child of TestKill")
	}
	var seed uint64
	fmt.Sscan(os.Getenv(childSeed), &seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	o, shape := randomOptions(rng)
	db, err := lsm.OpenShaped(dir, o, shape)
	if err != nil {
		fmt.Printf("open: %v\n", err)
		return
	}
	fmt.Println("ready")
	weights := []int{rng.IntN(4), rng.IntN(4), 1 + rng.IntN(4)}
	for w := range writerCount {
		go write(db, w, rand.New(rand.NewPCG(seed, uint64(10+w))), weights, func(a ack, err error) bool {
			if err != nil {
				fmt.Printf("commit: %v\n", err)
				return false
			}
			fmt.Printf("A %d %d %d %d\n", a.writer, a.n, a.durability, a.seq)
			return true
		})
	}
	for i := 0; ; i++ {
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		err, name := error(nil), ""
		switch rng.IntN(4) {
		case 0:
			err = db.Flush()
		case 1:
			err = db.Compact(t.Context(), nil, nil)
		case 2:
			err = db.Sync()
		case 3:
			name = fmt.Sprintf("%s-checkpoints/%d", dir, i)
			err = db.Checkpoint(name)
		}
		if err != nil {
			fmt.Printf("background: %v\n", err)
		} else if name != "" {
			fmt.Println("C", name)
		}
	}
}
