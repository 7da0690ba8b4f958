package lsm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// The reference workload of the crash and fault tests: a mix of everything a store
// can do, on few keys, in a store so small that each part of it is reached again and
// again. It runs in one goroutine, and the same seed does the same operations.

var tiny = lsm.Shape{Memory: 4 << 20, Memtable: 48 << 10, Sealed: 2, Table: 8 << 10, BaseLevel: 16 << 10, Fanout: 2, BlobFile: 4 << 10}

const (
	storeDir = "/a/store"
	keySpace = 260
	// referenceOps is the length of the workload.
	referenceOps = 2100
)

type workload struct {
	fs    vfs.FS
	seed  uint64
	rng   *rand.Rand
	now   int64
	h     *history
	db    *lsm.DB
	steps *lsm.Stepper
	count int // values made

	durability  lsm.Durability // of the DB's single writes
	snap        *lsm.Snapshot
	snapAt      int
	snapNow     int64
	checkpoints []checkpointed
	nextDir     int

	// With tolerate, an error of the store goes there; what it returns ends the run.
	// Without, every error does.
	tolerate func(what string, err error) error
	// heal makes the file system work again, where Open would fail for ever.
	heal     func()
	poisoned bool
	poisonAt int            // entries up to here may or may not have got to the disk
	opened   int            // how often the store was opened
	done     map[string]int // operations by name
}

// checkpointed is a finished checkpoint and what it holds.
type checkpointed struct {
	dir string
	h   *history // of one entry
}

func newWorkload(fs vfs.FS, seed uint64) *workload {
	return &workload{
		fs: fs, seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), h: newHistory(),
		now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano(), done: map[string]int{},
	}
}

// tinyOptions are the options of every store of these tests.
func tinyOptions(fs vfs.FS, now *int64, steps *lsm.Stepper) *lsm.Options {
	return &lsm.Options{
		FS: fs, Executor: steps, Seed: 12345, BlockSize: 1 << 10, MaxOpenFiles: 16, CompactionConcurrency: 2,
		BlobThreshold: 100,
		RowCache:      256 << 10,
		Clock:         func() time.Time { return time.Unix(0, *now) },
	}
}

// run opens the store and does n operations.
func (w *workload) run(n int) error {
	if err := w.open(); err != nil {
		return err
	}
	for range n {
		if err := w.op(); err != nil {
			return err
		}
	}
	return nil
}

// failed decides about an error of the store.
func (w *workload) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, lsm.ErrReadOnly) {
		if !w.poisoned {
			w.poisoned, w.poisonAt = true, w.h.last()
		}
	}
	if w.tolerate == nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return w.tolerate(what, err)
}

func (w *workload) open() error {
	w.durability = lsm.Durability(w.rng.IntN(3))
	for try := 0; ; try++ {
		w.steps = lsm.NewStepper()
		o := tinyOptions(w.fs, &w.now, w.steps)
		o.Durability = w.durability
		if w.rng.IntN(3) == 0 {
			o.Compression = []lsm.Compression{lsm.NoCompression, lsm.Snappy}
		}
		db, err := lsm.OpenShaped(storeDir, o, tiny)
		if err == nil {
			w.db, w.poisoned = db, false
			w.opened++
			return nil
		}
		if err := w.failed("open", err); err != nil {
			return err
		}
		if try == 2 && w.heal != nil {
			w.heal()
		}
		if try > 4 {
			return fmt.Errorf("open fails for ever: %w", err)
		}
	}
}

// op does one operation, and now and then a step of background work.
func (w *workload) op() error {
	w.now += int64(w.rng.IntN(2000)) * int64(time.Millisecond)
	if err := w.pick(w.rng.IntN(1000)); err != nil {
		return err
	}
	for w.rng.IntN(5) < 2 && w.steps.Step() {
	}
	for l, n := range lsm.Levels(w.db) {
		if n > 0 {
			w.done[fmt.Sprint("L", l)]++
		}
	}
	return nil
}

func (w *workload) pick(p int) error {
	type choice struct {
		weight int
		name   string
		do     func() error
	}
	for _, c := range []choice{
		{470, "batch", w.batch}, {150, "single", w.single}, {80, "async", w.async}, {90, "txn", w.txn},
		{70, "read", w.read}, {30, "sync", w.sync}, {20, "flush", w.flush}, {15, "roll", w.roll},
		{14, "ingest", w.ingest}, {14, "excise", w.excise}, {12, "compact", w.compact},
		{13, "checkpoint", w.checkpoint}, {13, "snapshot", w.snapshot}, {1000, "reopen", w.reopen},
	} {
		if p < c.weight {
			w.done[c.name]++
			return c.do()
		}
		p -= c.weight
	}
	return nil
}

func (w *workload) key() string {
	switch n := w.rng.IntN(keySpace); n {
	case 0:
		return ""
	case 1:
		return "k" + strings.Repeat("long", 200)
	default:
		return fmt.Sprintf("k%03d", n)
	}
}

func (w *workload) value() string {
	w.count++
	v := fmt.Sprintf("%d/%d.", w.seed, w.count)
	n := w.rng.IntN(200)
	if w.rng.IntN(40) == 0 {
		n = 4000 + w.rng.IntN(9000)
	}
	b := make([]byte, n) // half of it compresses
	for i := range b {
		b[i] = 'x'
		if i%64 < 32 {
			b[i] = byte(w.rng.Uint32())
		}
	}
	return v + string(b)
}

func (w *workload) span() (start, end string) {
	a := w.rng.IntN(keySpace)
	if w.rng.IntN(30) == 0 {
		return fmt.Sprintf("k%03d", a), ""
	}
	return fmt.Sprintf("k%03d", a), fmt.Sprintf("k%03d", min(a+1+w.rng.IntN(12), keySpace))
}

func (w *workload) mutation() mutation {
	switch p := w.rng.IntN(100); {
	case p < 62:
		return mutation{kind: 'p', key: w.key(), value: w.value()}
	case p < 74:
		ttl := time.Duration(w.rng.IntN(60)) * time.Second
		return mutation{kind: 't', key: w.key(), value: w.value(), ttl: ttl, expiry: w.now + int64(ttl)}
	case p < 94:
		return mutation{kind: 'd', key: w.key()}
	default:
		s, e := w.span()
		return mutation{kind: 'r', key: s, end: e}
	}
}

// mutations returns a few writes, the marker among them.
func (w *workload) mutations() []mutation {
	muts := make([]mutation, 1+w.rng.IntN(4))
	for i := range muts {
		muts[i] = w.mutation()
	}
	w.h.next++
	mark := mutation{kind: 'p', key: marker, value: fmt.Sprint(w.h.next)}
	return slices.Insert(muts, w.rng.IntN(len(muts)+1), mark)
}

// settle notes how the commit of e ended.
func (w *workload) settle(what string, e *entry, d lsm.Durability, err error) error {
	i := w.h.index(e)
	switch {
	case err == nil:
		w.h.ack(i, d)
	case errors.Is(err, lsm.ErrReadOnly) && (!w.poisoned || i <= w.poisonAt):
		// A sync failed: it may or may not be there after reopening.
	default:
		w.h.drop(i)
	}
	return w.failed(what, err)
}

func (w *workload) batch() error {
	muts, d := w.mutations(), lsm.Durability(w.rng.IntN(3))
	b := w.db.NewBatch()
	for _, m := range muts {
		if err := m.write(b); err != nil {
			return err
		}
	}
	e := w.h.begin(muts)
	return w.settle("commit "+d.String(), e, d, b.Commit(d))
}

func (w *workload) single() error {
	m := w.mutation()
	e := w.h.begin([]mutation{m})
	return w.settle("write "+w.durability.String(), e, w.durability, m.write(w.db))
}

// async starts a few commits that end when the stepper, or a later commit, gets to
// them.
func (w *workload) async() error {
	for range 1 + w.rng.IntN(4) {
		muts, d := w.mutations(), lsm.Durability(w.rng.IntN(3))
		b := w.db.NewBatch()
		for _, m := range muts {
			if err := m.write(b); err != nil {
				return err
			}
		}
		e := w.h.begin(muts)
		b.CommitAsync(d, func(_ uint64, err error) {
			if serr := w.settle("async commit", e, d, err); serr != nil {
				panic(serr)
			}
		})
	}
	if w.rng.IntN(2) == 0 {
		w.steps.Step()
	}
	return nil
}

func (w *workload) txn() error {
	muts := w.mutations()
	e := w.h.begin(muts)
	err := w.db.Update(func(tx *lsm.Txn) error {
		for range 3 {
			k := w.key()
			v, err := tx.Get([]byte(k))
			if err != nil && !errors.Is(err, lsm.ErrNotFound) {
				return err
			}
			if err := w.right("Txn.Get", k, v, err, w.h.index(e)-1); err != nil {
				return err
			}
		}
		for _, m := range muts {
			if err := m.write(tx); err != nil {
				return err
			}
		}
		return nil
	})
	return w.settle("transaction", e, w.durability, err)
}

// wrongAnswer is an answer that is not the model's: no fault excuses it.
type wrongAnswer struct{ error }

// right compares an answer with entry i. With commits still in the queue only the
// store knows which entry counts, and nothing is compared.
func (w *workload) right(what, k string, v []byte, err error, i int) error {
	if w.steps.Len() > 0 || w.poisoned {
		return nil
	}
	want, ok := w.h.get(i, k, w.now)
	if ok != (err == nil) || ok && string(v) != want {
		return wrongAnswer{fmt.Errorf("%s(%.20q) = %.30q, %v; want %.30q (%v)", what, k, v, err, want, ok)}
	}
	return nil
}

func (w *workload) read() error {
	for range 5 {
		k := w.key()
		v, err := w.db.Get([]byte(k))
		if err != nil && !errors.Is(err, lsm.ErrNotFound) {
			if err := w.failed("get", err); err != nil {
				return err
			}
			continue
		}
		if err := w.right("Get", k, v, err, w.h.last()); err != nil {
			return err
		}
	}
	if w.snap == nil {
		return nil
	}
	if w.rng.IntN(3) > 0 {
		return nil
	}
	if _, err := w.h.verifyReads(w.snap, w.snapAt, w.snapAt, w.snapNow); err != nil {
		return w.failed("snapshot", err)
	}
	return nil
}

// sync is DB.Sync, also ordering after everything in the queue.
func (w *workload) sync() error {
	err := w.db.Sync()
	if err == nil {
		w.h.ackAll()
	}
	return w.failed("sync", err)
}

func (w *workload) flush() error {
	err := w.db.Flush()
	if err == nil {
		w.h.ackAll()
	}
	return w.failed("flush", err)
}

func (w *workload) compact() error {
	start, end := []byte(nil), []byte(nil)
	if w.rng.IntN(3) > 0 {
		s, e := w.span()
		start, end = []byte(s), mutation{end: e}.bound()
	}
	err := w.db.Compact(context.Background(), start, end)
	if err == nil {
		w.h.ackAll()
	}
	return w.failed("compact", err)
}

func (w *workload) roll() error { return w.failed("roll the manifest", lsm.RollManifest(w.db)) }

// settleQueue ends the commits that are in the queue, so that what follows has its
// place in the history.
func (w *workload) settleQueue() error { return w.failed("sync", w.db.Sync()) }

func (w *workload) ingest() error {
	if err := w.settleQueue(); err != nil {
		return err
	}
	muts := []mutation{}
	seen := map[string]bool{}
	for range 1 + w.rng.IntN(20) {
		m := mutation{kind: 'p', key: fmt.Sprintf("k%03d", w.rng.IntN(keySpace)), value: w.value()}
		if w.rng.IntN(4) == 0 {
			m = mutation{kind: 'd', key: m.key}
		}
		if !seen[m.key] {
			seen[m.key] = true
			muts = append(muts, m)
		}
	}
	slices.SortFunc(muts, func(a, b mutation) int { return strings.Compare(a.key, b.key) })
	path := fmt.Sprintf("/a/ingest-%d", w.nextDir)
	w.nextDir++
	t, err := lsm.NewTableWriter(path, &lsm.Options{FS: w.fs, BlockSize: 1 << 10})
	if err != nil {
		return w.failed("table", err)
	}
	if w.rng.IntN(3) == 0 {
		s, e := w.span()
		muts = slices.Insert(muts, 0, mutation{kind: 'r', key: s, end: e})
		err = t.DeleteRange([]byte(s), mutation{end: e}.bound())
	}
	for _, m := range muts {
		switch {
		case err != nil:
		case m.kind == 'p':
			err = t.Put([]byte(m.key), []byte(m.value))
		case m.kind == 'd':
			err = t.Delete([]byte(m.key))
		}
	}
	if err == nil {
		err = t.Finish()
	} else {
		t.Abort()
	}
	if err != nil {
		return w.failed("table", err)
	}
	e := w.h.begin(muts)
	if err := w.settle("ingest", e, lsm.Sync, w.db.Ingest([]string{path})); err != nil {
		return err
	}
	return w.failed("remove", w.fs.Remove(path))
}

func (w *workload) excise() error {
	if err := w.settleQueue(); err != nil {
		return err
	}
	start, end := w.span()
	m := mutation{kind: 'x', key: start, end: end}
	e := w.h.begin([]mutation{m})
	return w.settle("excise", e, lsm.Sync, w.db.Excise([]byte(start), m.bound()))
}

func (w *workload) checkpoint() error {
	if err := w.settleQueue(); err != nil {
		return err
	}
	if len(w.checkpoints) > 1 {
		old := w.checkpoints[0].dir
		w.checkpoints = w.checkpoints[1:]
		if err := w.failed("remove", removeAll(w.fs, old)); err != nil {
			return err
		}
	}
	// Commits that nobody waits for, and none of them synced, are in it as well.
	if err := w.batch(); err != nil {
		return err
	}
	dir := fmt.Sprintf("/a/checkpoints/%d", w.nextDir)
	w.nextDir++
	err := w.db.Checkpoint(dir)
	if err == nil {
		w.checkpoints = append(w.checkpoints, checkpointed{dir, w.h.only(w.h.last())})
	}
	return w.failed("checkpoint", err)
}

func removeAll(sys vfs.FS, dir string) error {
	names, err := sys.List(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range names {
		errs = append(errs, sys.Remove(filepath.Join(dir, n)))
	}
	errs = append(errs, sys.Remove(dir))
	return errors.Join(errs...)
}

// snapshot opens one, or closes the one that is open.
func (w *workload) snapshot() error {
	if w.snap != nil {
		err := w.snap.Close()
		w.snap = nil
		return err
	}
	if err := w.settleQueue(); err != nil || w.poisoned {
		return err
	}
	if w.steps.Len() == 0 || w.tolerate == nil {
		w.snap, w.snapAt, w.snapNow = w.db.NewSnapshot(), w.h.last(), w.now
	}
	return nil
}

// reopen closes the store, in an orderly way or with an error, and opens it again.
func (w *workload) reopen() error {
	err := w.db.Close()
	w.snap = nil
	lo := w.h.written
	if err == nil {
		w.h.ackAll()
		lo = w.h.last()
	}
	if err := w.failed("close", err); err != nil {
		return err
	}
	if err := w.open(); err != nil {
		return err
	}
	at, err := w.h.verifyReads(w.db, lo, w.h.last(), w.now)
	for try := 0; err != nil && w.heal != nil && try < 3; try++ { // a fault met by a read
		if err := w.failed("read after reopening", err); err != nil {
			return err
		}
		if try > 0 {
			w.heal()
		}
		at, err = w.h.verifyReads(w.db, lo, w.h.last(), w.now)
	}
	if err != nil {
		return fmt.Errorf("after reopening: %w", err)
	}
	w.h.cut(at)
	return nil
}
