package lsm_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/internal/model"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func (h *differ) sync() {
	h.check(h.db.Sync())
	h.m.Reached(model.Disk)
}

func (h *differ) flush() {
	h.check(h.db.Flush())
	h.m.Reached(model.Disk)
}

func (h *differ) compact() {
	s, e := h.span()
	if h.chance(0.3) {
		s, e = nil, nil
	}
	h.logf("  compact %s %s", shorts(s), shorts(e))
	h.check(h.db.Compact(context.Background(), s, e))
	if e == nil || string(s) < string(e) {
		h.m.Reached(model.Disk)
	}
}

func (h *differ) waitIdle() { h.check(h.db.WaitIdle(context.Background())) }

func (h *differ) verify() {
	h.check(h.db.Verify(context.Background()))
	s, e := h.span()
	h.check(h.db.VerifyRange(context.Background(), s, e, 0))
}

// metrics checks what can be said of them.
func (h *differ) metrics() {
	m := h.db.Metrics()
	_ = m.String()
	switch {
	case m.OpenIterators != len(h.iters) || m.OpenSnapshots != len(h.snaps):
		h.failf("%d iterators and %d snapshots, want %d and %d", m.OpenIterators, m.OpenSnapshots, len(h.iters), len(h.snaps))
	case m.BackgroundErrors+m.Corruptions > 0 || m.ReadOnlyReason != "":
		h.failf("%d background errors, %d corruptions, read only: %q", m.BackgroundErrors, m.Corruptions, m.ReadOnlyReason)
	case m.VisibleSeq < h.lastSeq || m.VisibleSeq < h.lastSeen:
		h.failf("number %d is visible after %d and %d", m.VisibleSeq, h.lastSeq, h.lastSeen)
	}
	h.lastSeen = m.VisibleSeq
	used := 0
	for _, l := range m.Levels {
		if l.Tables > 0 {
			used++
		}
	}
	h.levels = max(h.levels, used)
}

// contents lists everything a store has, read forward, and checks it by reading
// backward.
func (h *differ) contents(db *lsm.DB) []model.Entry {
	it, err := db.NewIter(nil)
	h.check(err)
	defer it.Close()
	var out []model.Entry
	for k, v := range it.All() {
		out = append(out, model.Entry{Key: string(k), Value: slices.Clone(v)})
	}
	h.check(it.Err())
	n := len(out)
	for it.Last(); it.Valid(); it.Prev() {
		if n--; n < 0 || out[n].Key != string(it.Key()) || string(out[n].Value) != string(it.Value()) {
			h.failf("backward at %s, forward it was number %d of %d", shorts(it.Key()), n, len(out))
		}
	}
	h.check(it.Err())
	if n != 0 {
		h.failf("backward %d of %d keys are missing", n, len(out))
	}
	return out
}

// compare holds the whole store against the model, each key by Get too.
func (h *differ) compare() {
	h.same("store", h.contents(h.db), h.m.Now().Live(h.now(), model.Bounds{}))
	for _, k := range h.keys {
		want, ok := h.m.Now().Get(k, h.now())
		got, err := h.db.Get([]byte(k))
		h.wantSame("get", k, got, err, want, ok)
	}
	h.metrics()
}

// same says where two lists differ.
func (h *differ) same(what string, got, want []model.Entry) {
	h.t.Helper()
	if model.Same(got, want) {
		return
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !model.Same(got[i:i+1], want[i:i+1]) {
			g, w := "nothing", "nothing"
			if i < len(got) {
				g = short(got[i].Key) + "=" + shorts(got[i].Value)
			}
			if i < len(want) {
				w = short(want[i].Key) + "=" + shorts(want[i].Value)
			}
			h.failf("%s: %d keys, want %d; number %d is %s, want %s", what, len(got), len(want), i, g, w)
		}
	}
}

// ingest makes some tables of the model's operations and adds them.
func (h *differ) ingest() {
	n := 1 + h.rng.IntN(3)
	cuts := []string{""}
	for range n - 1 {
		cuts = append(cuts, h.key())
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var ops []model.Op
	var paths []string
	for i, lo := range cuts {
		seg := model.Op{Kind: model.DeleteRange, Key: lo, Unbounded: i+1 == len(cuts)}
		if !seg.Unbounded {
			seg.End = cuts[i+1]
		}
		part := h.tableOps(seg)
		if len(part) == 0 {
			continue
		}
		paths = append(paths, h.writeTable(part))
		ops = append(ops, part...)
	}
	if len(paths) == 0 {
		return
	}
	h.rng.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	h.logf("  ingest %d tables, %d operations", len(paths), len(ops))
	h.check(h.db.Ingest(paths))
	h.outside++
	h.commit(lsm.Sync, ops...)
	for _, p := range paths {
		h.check(h.fs.Remove(p))
	}
	h.count(func(f *diffFigures) { f.ingests++ })
}

// tableOps chooses what one table has, within seg: ranges first, then keys.
func (h *differ) tableOps(seg model.Op) (ops []model.Op) {
	for range h.rng.IntN(3) {
		s, e := h.span()
		o := model.Op{Kind: model.DeleteRange, Key: string(s), End: string(e), Unbounded: e == nil}
		if void(o) || !seg.Touches(o.Key) || o.Unbounded && !seg.Unbounded || !o.Unbounded && !seg.Unbounded && o.End > seg.End {
			continue
		}
		ops = append(ops, o)
	}
	slices.SortFunc(ops, func(a, b model.Op) int { return cmpString(a.Key, b.Key) })
	var keys []string
	for range h.rng.IntN(20) {
		if k := h.key(); seg.Touches(k) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		if h.chance(0.2) {
			ops = append(ops, model.Op{Kind: model.Delete, Key: k})
		} else {
			ops = append(ops, model.Op{Kind: model.Put, Key: k, Value: h.value(), Expiry: model.Never})
		}
	}
	return ops
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (h *differ) writeTable(ops []model.Op) string {
	h.check(h.fs.MkdirAll("/in"))
	h.dirs++
	path := fmt.Sprintf("/in/%d", h.dirs)
	w, err := lsm.NewTableWriter(path, h.options())
	h.check(err)
	for _, o := range ops {
		h.logf("    %d %s %s %s %v", o.Kind, short(o.Key), shorts(o.Value), short(o.End), o.Unbounded)
		switch {
		case o.Kind == model.Put:
			err = w.Put([]byte(o.Key), o.Value)
		case o.Kind == model.Delete:
			err = w.Delete([]byte(o.Key))
		case o.Unbounded:
			err = w.DeleteRange([]byte(o.Key), nil)
		default:
			err = w.DeleteRange([]byte(o.Key), []byte(o.End))
		}
		h.check(err)
	}
	h.check(w.Finish())
	return path
}

func (h *differ) excise() {
	s, e := h.span()
	h.logf("  excise %s %s", shorts(s), shorts(e))
	h.check(h.db.Excise(s, e))
	o := model.Op{Kind: model.DeleteRange, Key: string(s), End: string(e), Unbounded: e == nil}
	if void(o) {
		return
	}
	h.outside++
	h.commit(lsm.Sync, o)
	h.count(func(f *diffFigures) { f.excises++ })
}

func (h *differ) count(add func(*diffFigures)) {
	h.figures.mu.Lock()
	defer h.figures.mu.Unlock()
	add(h.figures)
}

// tally adds up the figures of a DB before it is closed.
func (h *differ) tally() {
	m := h.db.Metrics()
	h.count(func(f *diffFigures) {
		f.commits += m.Commits
		f.flushes += m.Flushes
		f.compactions += m.Compactions
		f.moves += m.Moves
	})
}

// closeDB closes the store and sees that what was open of it says so.
func (h *differ) closeDB() {
	h.tally()
	h.check(h.db.Close())
	h.check(h.db.Close())
	if !h.gone {
		h.m.Reached(model.Disk)
	}
	if h.stepped && !h.gone && len(h.pending) > 0 {
		h.failf("%d async commits were never called back", len(h.pending))
	}
	for _, x := range h.iters {
		if x.it.Next() || x.it.Prev() || x.it.First() || x.it.Valid() || !errors.Is(x.it.Err(), lsm.ErrClosed) {
			h.failf("an iterator of a closed store answers %v", x.it.Err())
		}
		h.check(x.it.Close())
	}
	for _, s := range h.snaps {
		if _, err := s.s.Get([]byte("k")); !errors.Is(err, lsm.ErrClosed) {
			h.failf("a snapshot of a closed store answers %v", err)
		}
		h.check(s.s.Close())
	}
	h.iters, h.snaps = nil, nil
	if _, err := h.db.Get([]byte("k")); !errors.Is(err, lsm.ErrClosed) {
		h.failf("a closed store answers %v", err)
	}
}

func (h *differ) reopen() {
	h.closeDB()
	h.open()
	h.compare()
	h.count(func(f *diffFigures) { f.reopens++ })
}

// crash cuts the power. What the store has afterwards must be what it had after some
// commit, and everything that was durable; the model goes on from there.
func (h *differ) crash() {
	survive := []float64{0, 0.5, 1}[h.rng.IntN(3)]
	h.logf("  survive %v, %d commits unsure", survive, h.m.Unsure())
	clone := h.fs.CrashClone(vfs.CrashOptions{Survive: survive, Torn: h.chance(0.5), Rand: h.rng})
	h.gone = true
	h.closeDB()
	h.gone, h.pending = false, nil
	h.fs = clone
	h.open()
	least := model.Disk
	if survive == 1 {
		least = model.Kernel
	}
	h.adopt(least)
	h.compare()
}

// adopt finds the prefix of commits that the store has. Two prefixes can look the
// same and differ in when something expires: such keys are written anew.
func (h *differ) adopt(least model.Level) {
	got := h.contents(h.db)
	found, unsure := -1, h.m.Unsure()
	var last model.State
	var others []model.State
	h.m.Prefixes(least, func(n int, s *model.State) {
		if !model.Same(got, s.Live(h.now(), model.Bounds{})) {
			return
		}
		if found >= 0 && len(last.Diff(s)) > 0 {
			others = append(others, last)
		}
		found, last = n, s.Clone()
	})
	if found < 0 {
		h.m.Prefixes(least, func(n int, s *model.State) {
			if n == 0 || n == unsure {
				h.logf("with %d commits: %d keys", n, len(s.Live(h.now(), model.Bounds{})))
			}
		})
		h.same("after a crash, and no prefix fits; against the longest", got, h.m.Now().Live(h.now(), model.Bounds{}))
	}
	h.logf("  %d of %d unsure commits survived", found, unsure)
	h.m.Adopt(found)
	for _, s := range others {
		for _, k := range last.Diff(&s) {
			h.check(h.db.Delete([]byte(k)))
			h.commit(h.opts.Durability, model.Op{Kind: model.Delete, Key: k})
		}
	}
	h.sync()
	h.count(func(f *diffFigures) {
		f.crashes++
		f.lost += int64(unsure - found)
		if len(others) > 0 {
			f.ambiguous++
		}
	})
}

// readOnly looks at the store from aside, while it is open and after a death of the
// process.
func (h *differ) readOnly() {
	fs := h.fs
	if h.chance(0.5) {
		fs = h.fs.CrashClone(vfs.CrashOptions{Survive: 1, Rand: h.rng})
	}
	o := h.options()
	o.FS, o.ReadOnly = fs, true
	db, err := lsm.OpenShaped(h.dir, o, h.shape())
	h.check(err)
	defer db.Close()
	got := h.contents(db)
	fits := false
	h.m.Prefixes(model.Kernel, func(n int, s *model.State) {
		fits = fits || model.Same(got, s.Live(h.now(), model.Bounds{}))
	})
	if !fits {
		h.same("read-only, and no prefix fits; against the longest", got, h.m.Now().Live(h.now(), model.Bounds{}))
	}
	if err := db.Put([]byte("k"), nil); !errors.Is(err, lsm.ErrReadOnly) {
		h.failf("a write to a read-only store answers %v", err)
	}
	h.check(db.Verify(context.Background()))
	h.check(db.Close())
}

// checkpoint makes one and compares it, now or after a power cut. Now and then the
// history goes on in it.
func (h *differ) checkpoint() {
	h.dirs++
	dir := fmt.Sprintf("/copy%d", h.dirs)
	h.check(h.db.Checkpoint(dir))
	h.count(func(f *diffFigures) { f.checkpoints++ })
	want := h.m.Now().Live(h.now(), model.Bounds{})
	if h.chance(0.2) {
		h.logf("  go on in %s", dir)
		h.closeDB()
		h.dir = dir
		h.open()
		h.compare()
		return
	}
	fs := h.fs
	if h.chance(0.5) {
		fs = h.fs.CrashClone(vfs.CrashOptions{})
	}
	o := h.options()
	o.FS, o.MustExist = fs, true
	db, err := lsm.OpenShaped(dir, o, h.shape())
	h.check(err)
	defer db.Close()
	h.same("checkpoint", h.contents(db), want)
	h.check(db.Put([]byte("mine"), []byte("alone")))
	h.check(db.Compact(context.Background(), nil, nil))
	h.check(db.Verify(context.Background()))
	h.check(db.Close())
	names, err := h.fs.List(dir)
	h.check(err)
	for _, n := range names {
		h.check(h.fs.Remove(filepath.Join(dir, n)))
	}
	h.check(h.fs.Remove(dir))
}
