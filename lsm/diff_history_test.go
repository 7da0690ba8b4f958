package lsm_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/internal/model"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// differ is one history: the engine and the model side by side.
type differ struct {
	t       *testing.T
	seed    uint64
	ops     int
	figures *diffFigures
	rng     *rand.Rand
	op      int
	tail    []string // the last operations
	serial  uint32   // makes values unique

	fs       *vfs.Mem
	dir      string
	clock    atomic.Int64
	stepped  bool
	step     *lsm.Stepper // nil: goroutines
	opts     lsm.Options
	db       *lsm.DB
	m        *model.Store
	keys     []string
	special  []string
	pending  []*diffAsync
	done     []*diffAsync // called back, in that order; goroutines only
	snaps    []*diffSnap
	iters    []*diffIter
	outside  int // ingests and excises so far
	dirs     int
	levels   int
	actions  []diffAction
	total    int
	scratch  []byte
	depth    int // > 0 within a transaction
	lastSeq  uint64
	lastSeen uint64
	gone     bool // the open DB is one that crashed: its callbacks do not count
}

type diffAction struct {
	name   string
	weight int
	do     func()
}

func newDiffer(t *testing.T, seed uint64, ops int, f *diffFigures) *differ {
	h := &differ{t: t, seed: seed, ops: ops, figures: f, rng: rand.New(rand.NewPCG(seed, 7)), m: new(model.Store)}
	h.fs, h.dir = vfs.NewMem(), "/db"
	h.stepped = seed%10 != 9
	h.clock.Store(int64(1e18) + h.rng.Int64N(1e9))
	h.makeKeys()
	h.actions = h.allActions()
	for i := range h.actions {
		a := &h.actions[i]
		// No two histories have the same mix.
		a.weight = a.weight * []int{0, 1, 3, 3, 3, 10}[h.rng.IntN(6)]
		h.total += a.weight
	}
	return h
}

func (h *differ) allActions() []diffAction {
	return []diffAction{
		{"put", 160, h.put}, {"putttl", 40, h.putTTL}, {"delete", 60, h.del}, {"deleterange", 15, h.deleteRange},
		{"batch", 70, h.batch}, {"async", 30, h.async}, {"queue", 40, h.queue},
		{"get", 100, h.get}, {"multiget", 20, h.multiGet},
		{"scan", 15, h.scan}, {"iter", 25, h.newIter}, {"move", 160, h.moveIter}, {"closeiter", 20, h.closeIter},
		{"snapshot", 15, h.newSnapshot}, {"snapread", 60, h.readSnapshot}, {"closesnap", 14, h.closeSnapshot},
		{"view", 10, h.view}, {"update", 25, h.update},
		{"clock", 20, h.tick}, {"sync", 5, h.sync}, {"flush", 5, h.flush}, {"compact", 3, h.compact},
		{"idle", 3, h.waitIdle}, {"verify", 1, h.verify}, {"metrics", 5, h.metrics}, {"compare", 5, h.compare},
		{"ingest", 5, h.ingest}, {"excise", 4, h.excise}, {"checkpoint", 1, h.checkpoint},
		{"readonly", 1, h.readOnly}, {"reopen", 2, h.reopen}, {"crash", 3, h.crash},
	}
}

func (h *differ) run() {
	h.open()
	for h.op = 0; h.op < h.ops; h.op++ {
		x := h.rng.IntN(max(h.total, 1))
		for _, a := range h.actions {
			if x -= a.weight; x < 0 {
				h.logf("%s", a.name)
				a.do()
				break
			}
		}
		if h.stepped {
			for range h.rng.IntN(4) - 1 {
				h.step.Step()
			}
		}
	}
	h.logf("end")
	h.finish()
}

// finish compares once more, sees that no file was forgotten, and closes.
func (h *differ) finish() {
	h.compare()
	h.endAll()
	h.waitIdle()
	h.compare()
	h.noOrphans()
	h.verify()
	h.closeDB()
	h.figures.mu.Lock()
	defer h.figures.mu.Unlock()
	h.figures.histories++
	h.figures.ops += int64(h.ops)
	h.figures.levels[h.levels]++
}

// noOrphans holds the directory against what the store says it needs. Only a stepped
// engine removes files at once.
func (h *differ) noOrphans() {
	if !h.stepped {
		return
	}
	names, err := h.fs.List(h.dir)
	h.check(err)
	want := lsm.StoreFiles(h.db)
	for _, n := range names {
		if !want[n] {
			h.failf("%s is left over", n)
		}
	}
}

// logf notes what is done.
func (h *differ) logf(format string, args ...any) {
	const keep = 60
	if len(h.tail) == 2*keep {
		h.tail = h.tail[:copy(h.tail, h.tail[keep:])]
	}
	h.tail = append(h.tail, fmt.Sprintf("%d ", h.op)+fmt.Sprintf(format, args...))
}

// failf ends the history.
func (h *differ) failf(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf("seed %d, operation %d: %s\nlast operations:\n  %s\nagain: go test -run 'TestDifferential$' -seed %d -histories 1 -ops %d .",
		h.seed, h.op, fmt.Sprintf(format, args...), strings.Join(h.tail[max(0, len(h.tail)-60):], "\n  "), h.seed, h.ops)
}

func (h *differ) check(err error) {
	h.t.Helper()
	if err != nil {
		h.failf("%v", err)
	}
}

func (h *differ) now() int64            { return h.clock.Load() }
func (h *differ) chance(p float64) bool { return h.rng.Float64() < p }

// makeKeys chooses the key space: small, so that operations meet.
func (h *differ) makeKeys() {
	n := []int{6, 40, 40, 200, 200, 600, 2000}[h.rng.IntN(7)]
	style := h.rng.IntN(4)
	seen := map[string]bool{}
	for i := range n {
		var k string
		switch style {
		case 0:
			k = fmt.Sprintf("k%04d", i)
		case 1:
			k = string([]byte{byte(i >> 8), byte(i)})
		case 2:
			k = strings.Repeat("prefix", 4) + fmt.Sprintf("%d", i*7919)
		default:
			b := make([]byte, h.rng.IntN(9))
			for j := range b {
				b[j] = "\x00a\xff"[h.rng.IntN(3)]
			}
			k = string(b)
		}
		if !seen[k] {
			seen[k] = true
			h.keys = append(h.keys, k)
		}
	}
	slices.Sort(h.keys)
	h.special = []string{"", "\x00", "\x00\x00", "\xff", "\xff\xff\xff", "\xff\xff\xff\xff\xff\xff\xff\xff\xff"}
	if h.chance(0.2) {
		long := strings.Repeat("x", lsm.MaxKeyLen-1)
		h.special = append(h.special, long+"x", long+"\xff", long, strings.Repeat("\xff", lsm.MaxKeyLen))
	}
}

func (h *differ) key() string {
	if h.chance(0.02) {
		return h.special[h.rng.IntN(len(h.special))]
	}
	return h.keys[h.rng.IntN(len(h.keys))]
}

// span returns the ends of a range, mostly short; they may be the wrong way round, and
// the end may be none.
func (h *differ) span() (start, end []byte) {
	i := h.rng.IntN(len(h.keys))
	start = []byte(h.keys[i])
	switch x := h.rng.IntN(20); {
	case x == 0:
		return start, nil
	case x == 1:
		return nil, []byte(h.key())
	case x == 2:
		return []byte(h.key()), []byte(h.key())
	case x < 6:
		return start, append(slices.Clone(start), 0)
	}
	j := min(i+1+h.rng.IntN(1+len(h.keys)/10), len(h.keys)-1)
	return start, []byte(h.keys[j])
}

// noise is what values are cut from: half of it compresses well.
var noise = func() []byte {
	r := rand.New(rand.NewPCG(3, 3))
	b := make([]byte, 1<<20)
	for i := range b[:len(b)/2] {
		b[i] = byte(r.Uint32())
	}
	return b
}()

func (h *differ) value() []byte {
	var n int
	switch x := h.rng.IntN(1000); {
	case x < 60:
		return []byte{}
	case x < 800:
		n = 1 + h.rng.IntN(100)
	case x < 980:
		n = h.rng.IntN(2000)
	case x < 998:
		n = h.rng.IntN(20000)
	default:
		n = h.rng.IntN(400000)
	}
	h.serial++
	at := h.rng.IntN(len(noise) - n)
	v := append(fmt.Appendf(nil, "%d:", h.serial), noise[at:at+n]...)
	return v
}

// lent returns a copy that is spoiled by the next one lent: what the engine was handed
// it must have copied.
func (h *differ) lent(b []byte) []byte {
	if b == nil {
		return nil
	}
	for i := range h.scratch {
		h.scratch[i] = 0xee
	}
	if len(h.scratch) > 1<<16 {
		h.scratch = nil
	}
	h.scratch = append(h.scratch[:0], b...)
	return h.scratch
}

func (h *differ) options() *lsm.Options {
	r := h.rng
	o := &lsm.Options{
		Memory: 8 << 20, FS: h.fs, Seed: int64(h.seed), Clock: func() time.Time { return time.Unix(0, h.clock.Load()) },
		Durability:            lsm.Durability(r.IntN(3)),
		BlockSize:             1 << (10 + r.IntN(5)),
		FilterBitsPerKey:      []int{-1, 0, 1, 5, 20}[r.IntN(5)],
		CompactionConcurrency: 1 + r.IntN(3),
		MaxOpenFiles:          []int{16, 20, 1000}[r.IntN(3)],
		BlobThreshold:         []int{-1, 0, 32, 80, 1000}[r.IntN(5)],
		RowCache:              []int64{0, 256 << 10, 1 << 20}[r.IntN(3)],
	}
	for range r.IntN(4) {
		o.Compression = append(o.Compression, lsm.Compression(r.IntN(2)))
	}
	if h.stepped {
		o.Executor = lsm.NewStepper()
	}
	return o
}

func (h *differ) shape() lsm.Shape {
	r := h.rng
	mem := int64(4+r.IntN(60)) << 10
	return lsm.Shape{
		Memory: int64(1) << (19 + r.IntN(4)), Memtable: mem, Sealed: 1 + r.IntN(3),
		Table: mem/4 + r.Int64N(mem), BaseLevel: mem + r.Int64N(3*mem), Fanout: 2 + r.IntN(6),
		BlobFile: 1 << (10 + r.IntN(10)),
	}
}

// open opens the store, with other options each time.
func (h *differ) open() {
	o := h.options()
	h.opts = *o
	h.step, _ = o.Executor.(*lsm.Stepper)
	shape := h.shape()
	h.logf("open %s %+v", h.dir, shape)
	db, err := lsm.OpenShaped(h.dir, o, shape)
	h.check(err)
	h.db, h.lastSeq, h.lastSeen = db, 0, 0
	h.t.Cleanup(func() {
		h.gone = true
		_ = db.Close()
	})
}

// wantSame compares one answer.
func (h *differ) wantSame(what string, key string, got []byte, err error, want []byte, ok bool) {
	h.t.Helper()
	if err != nil && (ok || !isNotFound(err)) || err == nil && !ok || ok && !bytes.Equal(got, want) {
		h.failf("%s %s: %s, %v; want %s, %v", what, short(key), short(string(got)), err, short(string(want)), ok)
	}
}

// short quotes the beginning of s.
func short(s string) string {
	if len(s) > 24 {
		return fmt.Sprintf("%q…(%d)", s[:24], len(s))
	}
	return fmt.Sprintf("%q", s)
}

func shorts(b []byte) string {
	if b == nil {
		return "nil"
	}
	return short(string(b))
}
