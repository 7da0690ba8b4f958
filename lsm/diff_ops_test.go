package lsm_test

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/internal/model"
)

func isNotFound(err error) bool { return errors.Is(err, lsm.ErrNotFound) }

func levelOf(d lsm.Durability) model.Level {
	return [...]model.Level{lsm.Sync: model.Disk, lsm.OS: model.Kernel, lsm.None: model.Process}[d]
}

func (h *differ) commit(d lsm.Durability, ops ...model.Op) { h.m.Commit(ops, levelOf(d)) }

// diffWriter is what DB, Batch and Txn have in common.
type diffWriter interface {
	Put(key, value []byte) error
	PutTTL(key, value []byte, ttl time.Duration) error
	Delete(key []byte) error
	DeleteRange(start, end []byte) error
}

func (h *differ) writePut(w diffWriter) model.Op {
	k, v := h.key(), h.value()
	h.logf("  put %s %s", short(k), shorts(v))
	err := w.Put([]byte(k), h.lent(v))
	h.check(err)
	return model.Op{Kind: model.Put, Key: k, Value: v, Expiry: model.Never}
}

func (h *differ) writeTTL(w diffWriter) model.Op {
	k, v := h.key(), h.value()
	ttl := time.Duration(h.rng.Int64N(int64(time.Minute)))
	switch h.rng.IntN(10) {
	case 0:
		ttl = -ttl
	case 1:
		ttl = 1 << 62
	case 2:
		ttl = 0
	}
	h.logf("  putttl %s %s %v", short(k), shorts(v), ttl)
	expiry := h.now() + int64(ttl)
	if ttl <= 0 {
		expiry = 0
	}
	if expiry < 0 {
		expiry = 1<<63 - 1
	}
	err := w.PutTTL([]byte(k), h.lent(v), ttl)
	h.check(err)
	return model.Op{Kind: model.Put, Key: k, Value: v, Expiry: expiry}
}

func (h *differ) writeDelete(w diffWriter) model.Op {
	k := h.key()
	h.logf("  delete %s", short(k))
	err := w.Delete(h.lent([]byte(k)))
	h.check(err)
	return model.Op{Kind: model.Delete, Key: k}
}

func (h *differ) writeRange(w diffWriter) model.Op {
	s, e := h.span()
	h.logf("  deleterange %s %s", shorts(s), shorts(e))
	err := w.DeleteRange(h.lent(s), e)
	h.check(err)
	return model.Op{Kind: model.DeleteRange, Key: string(s), End: string(e), Unbounded: e == nil}
}

// void reports whether the engine does not even count o as a commit.
func void(o model.Op) bool {
	return o.Kind == model.DeleteRange && !o.Unbounded && o.Key >= o.End
}

// single carries out one write on the DB.
func (h *differ) single(write func(diffWriter) model.Op) {
	o := write(h.db)
	if void(o) {
		if h.opts.Durability == lsm.Sync {
			h.m.Reached(model.Disk)
		}
		return
	}
	h.commit(h.opts.Durability, o)
}

func (h *differ) put()         { h.single(h.writePut) }
func (h *differ) putTTL()      { h.single(h.writeTTL) }
func (h *differ) del()         { h.single(h.writeDelete) }
func (h *differ) deleteRange() { h.single(h.writeRange) }

// some writes one to n operations of all kinds.
func (h *differ) some(w diffWriter, n int) (ops []model.Op) {
	for range 1 + h.rng.IntN(n) {
		var o model.Op
		switch x := h.rng.IntN(20); {
		case x < 10:
			o = h.writePut(w)
		case x < 13:
			o = h.writeTTL(w)
		case x < 17:
			o = h.writeDelete(w)
		default:
			o = h.writeRange(w)
		}
		if !void(o) {
			ops = append(ops, o)
		}
	}
	return ops
}

func (h *differ) batch() {
	b := h.db.NewBatch()
	for range 1 + h.rng.IntN(2) {
		d := lsm.Durability(h.rng.IntN(3))
		var ops []model.Op
		if !h.chance(0.03) {
			ops = h.some(b, 12)
		}
		h.logf("  commit %d %v", len(ops), d)
		if b.Len() != len(ops) {
			h.failf("Len is %d, want %d", b.Len(), len(ops))
		}
		h.check(b.Commit(d))
		if len(ops) > 0 {
			h.commit(d, ops...)
		} else if d == lsm.Sync {
			h.m.Reached(model.Disk)
		}
		b.Reset()
	}
}

// diffAsync is a batch on its way.
type diffAsync struct {
	ops []model.Op
	d   lsm.Durability
	seq uint64
	err error
}

// async begins commits. A stepped engine carries them out when it is stepped, or
// before the next commit; the model follows in the callback.
func (h *differ) async() {
	var wait sync.WaitGroup
	var mu sync.Mutex
	for range 1 + h.rng.IntN(3) {
		b := h.db.NewBatch()
		a := &diffAsync{ops: h.some(b, 6), d: lsm.Durability(h.rng.IntN(3))}
		h.logf("  async %d %v", len(a.ops), a.d)
		h.pending = append(h.pending, a)
		wait.Add(1)
		b.CommitAsync(a.d, func(seq uint64, err error) {
			defer wait.Done()
			a.seq, a.err = seq, err
			if h.stepped {
				h.called(a)
				return
			}
			mu.Lock()
			h.done = append(h.done, a)
			mu.Unlock()
		})
	}
	if h.stepped {
		return
	}
	wait.Wait()
	done := h.done
	h.done = nil
	for _, a := range done {
		h.called(a)
	}
}

// called is the callback of an async commit.
func (h *differ) called(a *diffAsync) {
	if h.gone {
		return
	}
	if a.err != nil {
		h.failf("async commit: %v", a.err)
	}
	if len(h.pending) == 0 || h.pending[0] != a {
		h.failf("async commit called back out of turn")
	}
	h.pending = h.pending[1:]
	if len(a.ops) == 0 {
		if a.d == lsm.Sync {
			h.m.Reached(model.Disk)
		}
		return
	}
	if a.seq <= h.lastSeq {
		h.failf("async commit has number %d after %d", a.seq, h.lastSeq)
	}
	h.lastSeq = a.seq
	h.commit(a.d, a.ops...)
}

// queue pushes at the tail and pops at the head, by seek and delete.
func (h *differ) queue() {
	const prefix = "queue:"
	if h.chance(0.5) {
		for range 1 + h.rng.IntN(20) {
			h.serial++
			k := prefix + string([]byte{byte(h.serial >> 24), byte(h.serial >> 16), byte(h.serial >> 8), byte(h.serial)})
			h.check(h.db.Put([]byte(k), []byte("item")))
			h.commit(h.opts.Durability, model.Op{Kind: model.Put, Key: k, Value: []byte("item"), Expiry: model.Never})
		}
		return
	}
	for range 1 + h.rng.IntN(20) {
		want := h.m.Now().Live(h.now(), model.Bounds{Prefix: []byte(prefix)})
		it, err := h.db.NewIter(&lsm.IterOptions{Prefix: []byte(prefix)})
		h.check(err)
		if h.chance(0.7) {
			it.First()
		} else {
			it.Last()
			if len(want) > 0 {
				want = want[len(want)-1:]
			}
		}
		if it.Valid() != (len(want) > 0) || len(want) > 0 && string(it.Key()) != want[0].Key {
			h.failf("the queue's head is %q, %v; want %d from %+v", it.Key(), it.Err(), len(want), want[:min(1, len(want))])
		}
		k := slices.Clone(it.Key())
		h.check(it.Close())
		if len(want) == 0 {
			return
		}
		h.check(h.db.Delete(k))
		h.commit(h.opts.Durability, model.Op{Kind: model.Delete, Key: string(k)})
	}
}

// diffReader is what DB, Snapshot and Txn have in common.
type diffReader interface {
	Get(key []byte) ([]byte, error)
	AppendGet(dst, key []byte) ([]byte, error)
	Has(key []byte) (bool, error)
}

func (h *differ) readOne(r diffReader, s *model.State, now int64, k string) {
	want, ok := s.Get(k, now)
	h.logf("  get %s", short(k))
	switch h.rng.IntN(3) {
	case 0:
		got, err := r.Get([]byte(k))
		h.wantSame("get", k, got, err, want, ok)
		if err == nil && got == nil {
			h.failf("get %s: nil for an empty value", short(k))
		}
		for i := range got { // it is ours
			got[i] = 0xdd
		}
	case 1:
		got, err := r.AppendGet([]byte("dst"), []byte(k))
		if len(got) < 3 || string(got[:3]) != "dst" || err != nil && len(got) != 3 {
			h.failf("appendget %s: %s, %v", short(k), shorts(got), err)
		}
		h.wantSame("appendget", k, got[3:], err, want, ok)
	default:
		got, err := r.Has([]byte(k))
		if err != nil || got != ok {
			h.failf("has %s: %v, %v; want %v", short(k), got, err, ok)
		}
	}
}

func (h *differ) get() {
	for range 1 + h.rng.IntN(3) {
		h.readOne(h.db, h.m.Now(), h.now(), h.key())
	}
}

func (h *differ) multiGet() { h.readMany(h.db.MultiGet, h.m.Now(), h.now()) }

func (h *differ) readMany(get func([][]byte) ([][]byte, error), s *model.State, now int64) {
	keys := make([][]byte, h.rng.IntN(12))
	for i := range keys {
		keys[i] = []byte(h.key())
	}
	got, err := get(keys)
	h.check(err)
	if len(got) != len(keys) {
		h.failf("multiget: %d answers to %d keys", len(got), len(keys))
	}
	for i, k := range keys {
		want, ok := s.Get(string(k), now)
		if (got[i] != nil) != ok || string(got[i]) != string(want) {
			h.failf("multiget %s: %s; want %s, %v", shorts(k), shorts(got[i]), shorts(want), ok)
		}
	}
}

func (h *differ) tick() {
	d := h.rng.Int64N(int64(10 * time.Second))
	if h.chance(0.1) {
		d *= 20
	}
	h.logf("  by %v", time.Duration(d))
	h.clock.Add(d)
}
