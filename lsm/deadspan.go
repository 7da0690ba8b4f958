package lsm

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/batch"
)

// A queue, or any run of deletes, leaves tombstones that every later scan would
// have to step over until compaction removes them. deadSpans remembers where
// iterators found long runs with nothing alive, so that the next one jumps.
//
// A span says: no key in [start, end) is alive for any view with seq >= seq and a
// time >= now. It stays true as long as nothing is put there, so writers shorten
// the spans that they write into. The difficulty is a put that commits while a run
// is being found out; it is met by watching before believing:
//
//   - The span also has a watched range [end, watch): puts into it shorten watch.
//     Every put with a sequence number > since has been held against it.
//   - An iterator that finds [end, x) dead at a sequence number >= since, with
//     x <= watch, has proved it: older puts it would have seen, newer ones would
//     have shortened watch. Then end becomes x.
//
// So a new run is walked twice and jumped from then on, and a queue's span follows
// its head. The cost to writers is one atomic store and one load while there are
// no spans, and a few comparisons while there are.
type deadSpans struct {
	spans   atomic.Pointer[[]deadSpan] // replaced whole, under mu
	checked atomic.Uint64              // the newest commit that was or is being held against spans
	mu      sync.Mutex
	next    int // the span to replace when all are taken
}

type deadSpan struct {
	start, end []byte
	seq        base.SeqNum
	now        int64
	watch      []byte // nil: watched to the end of the key space
	since      base.SeqNum
}

const (
	maxDeadSpans = 16
	// deadRun is the number of dead keys in a row worth remembering.
	deadRun = 32
)

// find returns the span around key that v may rely on.
func (d *deadSpans) find(key []byte, v *view, db *DB) *deadSpan {
	p := d.spans.Load()
	if p == nil {
		return nil
	}
	for i := range *p {
		s := &(*p)[i]
		if s.seq > v.seq || bytes.Compare(key, s.start) < 0 || bytes.Compare(key, s.end) >= 0 {
			continue
		}
		if s.now != 0 && !v.expired(db, s.now) {
			continue
		}
		return s
	}
	return nil
}

// written holds the puts of a group against the spans. The leader calls it before
// the group becomes visible.
func (d *deadSpans) written(group []*Batch) {
	last := group[len(group)-1].commit.seq
	d.checked.Store(uint64(last))
	if d.spans.Load() == nil {
		return
	}
	for _, b := range group {
		for ops := b.ops; len(ops) > 0; {
			op, rest, err := batch.DecodeOp(ops)
			if err != nil {
				return
			}
			ops = rest
			if op.Kind == base.KindSet || op.Kind == base.KindSetTTL {
				d.put(op.Key)
			}
		}
	}
}

// put shortens the spans that key was put into.
func (d *deadSpans) put(key []byte) {
	hit := false
	p := d.spans.Load()
	if p == nil {
		return
	}
	for _, s := range *p {
		hit = hit || s.watches(key)
	}
	if !hit {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var kept []deadSpan
	for _, s := range *d.spans.Load() {
		if s.watches(key) {
			s.watch = bytes.Clone(key)
			if bytes.Compare(key, s.end) < 0 {
				s.end = s.watch
			}
			if bytes.Equal(s.start, s.end) && bytes.Equal(s.start, s.watch) {
				continue
			}
		}
		kept = append(kept, s)
	}
	if len(kept) == 0 {
		d.spans.Store(nil)
		return
	}
	d.spans.Store(&kept)
}

func (s *deadSpan) watches(key []byte) bool {
	return bytes.Compare(key, s.start) >= 0 && (s.watch == nil || bytes.Compare(key, s.watch) < 0)
}

// found takes note that v saw nothing alive in [start, end); end == nil means to
// the end of the key space.
func (d *deadSpans) found(start, end []byte, v *view) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []deadSpan
	if p := d.spans.Load(); p != nil {
		list = append(list, *p...)
	}
	at := -1
	for i := range list {
		if bytes.Compare(start, list[i].start) >= 0 && bytes.Compare(start, list[i].end) <= 0 {
			at = i
			break
		}
	}
	if at < 0 {
		fresh := deadSpan{start: bytes.Clone(start), end: bytes.Clone(start)}
		if len(list) < maxDeadSpans {
			at = len(list)
			list = append(list, fresh)
		} else {
			at = d.next % maxDeadSpans
			d.next++
			list[at] = fresh
		}
		d.watchFrom(list, at)
		return
	}
	s := &list[at]
	proved := end
	if s.watch != nil && (proved == nil || bytes.Compare(proved, s.watch) > 0) {
		proved = s.watch
	}
	// Without an upper end nothing can be jumped to: the walk ends by itself.
	if v.seq >= s.since && proved != nil && bytes.Compare(proved, s.end) > 0 {
		s.end = bytes.Clone(proved)
		s.seq = max(s.seq, v.seq)
		s.now = max(s.now, v.now)
	}
	if s.watch != nil && (end == nil || bytes.Compare(end, s.watch) > 0) {
		d.watchFrom(list, at)
		return
	}
	d.spans.Store(&list)
}

// watchFrom publishes list with span at watched from now on, to the end of the key
// space. Commits that loaded the list before have stored checked before that.
func (d *deadSpans) watchFrom(list []deadSpan, at int) {
	list[at].watch, list[at].since = nil, base.SeqNumMax
	d.spans.Store(&list)
	again := append([]deadSpan(nil), list...)
	again[at].since = base.SeqNum(d.checked.Load())
	d.spans.Store(&again)
}

// forget drops every span: something came in outside of commit order, as number seq.
// What a view of a state before that finds later proves nothing.
func (d *deadSpans) forget(seq base.SeqNum) {
	d.mu.Lock()
	d.checked.Store(uint64(seq))
	d.spans.Store(nil)
	d.mu.Unlock()
}

// deadWalk is one iterator's walk over dead keys, within one move.
type deadWalk struct {
	n     int
	edge  []byte // its smallest key
	spans int    // jumps so far
}

// step notes a dead key going forward and returns where to jump, if anywhere.
func (w *deadWalk) step(it *Iterator, key []byte) []byte {
	if !it.plain {
		return nil
	}
	if w.n == 0 || w.spans == 0 {
		if s := it.db.dead.find(key, &it.v, it.db); s != nil {
			if w.n == 0 {
				w.edge = append(w.edge, s.start...)
			}
			w.n += deadRun
			w.spans++
			return s.end
		}
	}
	if w.n == 0 {
		w.edge = append(w.edge, key...)
	}
	w.n++
	return nil
}

// end closes a forward run before the key end.
func (w *deadWalk) end(it *Iterator, end []byte) {
	if w.n >= deadRun {
		it.db.dead.found(w.edge, end, &it.v)
	}
}

// stepBack returns where to jump at a dead key going backward, if anywhere. Runs are
// only found out going forward.
func (w *deadWalk) stepBack(it *Iterator, key []byte) []byte {
	if !it.plain || w.spans > 0 {
		return nil
	}
	s := it.db.dead.find(key, &it.v, it.db)
	if s == nil {
		return nil
	}
	w.spans++
	return s.start
}
