package lsm_test

import (
	"bytes"
	"errors"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/internal/model"
)

// diffSnap is an open snapshot and what it has to see.
type diffSnap struct {
	s     *lsm.Snapshot
	state model.State
	now   int64
}

// diffIter is an open iterator and what it has to see.
type diffIter struct {
	it     *lsm.Iterator
	m      *model.Iter
	bounds model.Bounds
	snap   *diffSnap
	note   func(from, to string, endless bool) // a transaction's
}

func (h *differ) bounds() (model.Bounds, *lsm.IterOptions) {
	var b model.Bounds
	if h.chance(0.4) {
		return b, nil
	}
	if h.chance(0.5) {
		b.Lower = []byte(h.key())
	}
	if h.chance(0.5) {
		b.Upper = []byte(h.key())
	}
	if b.Lower != nil && b.Upper != nil && string(b.Lower) > string(b.Upper) && h.chance(0.8) {
		b.Lower, b.Upper = b.Upper, b.Lower
	}
	if k := h.key(); h.chance(0.3) {
		b.Prefix = []byte(k[:h.rng.IntN(min(len(k), 30)+1)])
	}
	h.logf("  bounds %s %s prefix %s", shorts(b.Lower), shorts(b.Upper), shorts(b.Prefix))
	return b, &lsm.IterOptions{Lower: slices.Clone(b.Lower), Upper: slices.Clone(b.Upper), Prefix: slices.Clone(b.Prefix)}
}

type diffIterable interface {
	NewIter(o *lsm.IterOptions) (*lsm.Iterator, error)
}

func (h *differ) makeIter(x diffIterable, s *model.State, now int64) *diffIter {
	b, o := h.bounds()
	it, err := x.NewIter(o)
	h.check(err)
	if o != nil {
		for _, bound := range [][]byte{o.Lower, o.Upper, o.Prefix} {
			for i := range bound {
				bound[i] = 0x55
			}
		}
	}
	return &diffIter{it: it, m: model.NewIter(s.Live(now, b)), bounds: b}
}

func (h *differ) newIter() {
	if len(h.iters) > 8 {
		h.closeIter()
	}
	h.iters = append(h.iters, h.makeIter(h.db, h.m.Now(), h.now()))
}

func (h *differ) moveIter() {
	if len(h.iters) == 0 {
		h.newIter()
	}
	i := h.rng.IntN(len(h.iters))
	h.logf("  iterator %d", i)
	h.move(h.iters[i])
}

func (h *differ) closeIter() {
	if len(h.iters) > 0 {
		h.dropIter(h.rng.IntN(len(h.iters)))
	}
}

func (h *differ) dropIter(i int) {
	h.check(h.iters[i].it.Close())
	h.check(h.iters[i].it.Close())
	if it := h.iters[i].it; it.Valid() || it.First() || it.Key() != nil || !errors.Is(it.Err(), lsm.ErrClosed) {
		h.failf("a closed iterator answers %v", it.Err())
	}
	h.iters = slices.Delete(h.iters, i, i+1)
}

// move makes some moves and compares after each.
func (h *differ) move(x *diffIter) {
	step := func(name string, real func() bool, model func()) {
		from := ""
		if x.m.Valid() {
			from = x.m.Entry().Key
		}
		was := x.m.Valid()
		ok := real()
		model()
		h.at(x, name, ok)
		if x.note != nil && was {
			x.notePart(name, from)
		}
	}
	for range 1 + h.rng.IntN(3) {
		n := 1 + h.rng.IntN(6)
		if h.chance(0.05) {
			n = 1000
		}
		switch x.seek(h); h.rng.IntN(5) {
		case 0, 1:
			for ; n > 0; n-- {
				step("next", x.it.Next, x.m.Next)
				if !x.m.Valid() {
					break
				}
			}
		case 2, 3:
			for ; n > 0; n-- {
				step("prev", x.it.Prev, x.m.Prev)
				if !x.m.Valid() {
					break
				}
			}
		default:
			for ; n > 0; n-- {
				if h.chance(0.5) {
					step("next", x.it.Next, x.m.Next)
				} else {
					step("prev", x.it.Prev, x.m.Prev)
				}
			}
		}
	}
}

// seek goes somewhere, or stays.
func (x *diffIter) seek(h *differ) {
	lo, hi, endless := effective(&x.bounds)
	switch h.rng.IntN(7) {
	case 0:
		ok := x.it.First()
		x.m.First()
		h.at(x, "first", ok)
		x.noteForward(lo, hi, endless)
	case 1:
		ok := x.it.Last()
		x.m.Last()
		h.at(x, "last", ok)
		x.noteBack(lo, hi, endless)
	case 2, 3:
		k := []byte(h.key())
		if h.chance(0.1) && x.it.Valid() {
			k = x.it.Key() // the iterator's own bytes
		}
		s := string(k)
		ok := x.it.SeekGE(k)
		x.m.SeekGE(s)
		h.at(x, "seekge "+short(s), ok)
		x.noteForward(max(s, lo), hi, endless)
	case 4, 5:
		k := []byte(h.key())
		if h.chance(0.1) && x.it.Valid() {
			k = x.it.Key()
		}
		s := string(k)
		ok := x.it.SeekLT(k)
		x.m.SeekLT(s)
		h.at(x, "seeklt "+short(s), ok)
		if endless || s < hi {
			x.noteBack(lo, s, false)
		} else {
			x.noteBack(lo, hi, false)
		}
	}
}

// at compares the position after a move.
func (h *differ) at(x *diffIter, move string, ok bool) {
	h.t.Helper()
	h.logf("  %s", move)
	if err := x.it.Err(); err != nil {
		h.failf("%s: %v", move, err)
	}
	if !x.m.Valid() {
		if ok || x.it.Valid() || x.it.Key() != nil || x.it.Value() != nil {
			h.failf("%s: at %s, want the end", move, shorts(x.it.Key()))
		}
		return
	}
	want := x.m.Entry()
	if !ok || !x.it.Valid() {
		h.failf("%s: at the end, want %s", move, short(want.Key))
	}
	if string(x.it.Key()) != want.Key || !bytes.Equal(x.it.Value(), want.Value) {
		h.failf("%s: at %s=%s, want %s=%s", move, shorts(x.it.Key()), shorts(x.it.Value()), short(want.Key), shorts(want.Value))
	}
}

// effective returns the bounds as one range.
func effective(b *model.Bounds) (lo, hi string, endless bool) {
	lo, hi, endless = max(string(b.Lower), string(b.Prefix)), string(b.Upper), b.Upper == nil
	end := slices.Clone(b.Prefix)
	for len(end) > 0 && end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	if len(end) > 0 {
		end[len(end)-1]++
		if endless || string(end) < hi {
			hi, endless = string(end), false
		}
	}
	return lo, hi, endless
}

// noteForward and the others tell a transaction's model what a move has seen.
func (x *diffIter) noteForward(from, hi string, endless bool) {
	switch {
	case x.note == nil:
	case x.m.Valid():
		x.note(from, x.m.Entry().Key+"\x00", false)
	default:
		x.note(from, hi, endless)
	}
}

func (x *diffIter) noteBack(lo, from string, endless bool) {
	switch {
	case x.note == nil:
	case x.m.Valid():
		x.note(x.m.Entry().Key, from, endless)
	default:
		x.note(lo, from, endless)
	}
}

func (x *diffIter) notePart(name, from string) {
	lo, hi, endless := effective(&x.bounds)
	if name == "next" {
		x.noteForward(from, hi, endless)
	} else {
		x.noteBack(lo, from, false)
	}
}

// scan walks all of something at once, by All.
func (h *differ) scan() {
	x := h.makeIter(h.db, h.m.Now(), h.now())
	h.walk(x)
	h.check(x.it.Close())
}

func (h *differ) walk(x *diffIter) {
	x.m.First()
	for k, v := range x.it.All() {
		if !x.m.Valid() || string(k) != x.m.Entry().Key || !bytes.Equal(v, x.m.Entry().Value) {
			h.failf("scan: at %s=%s, want %+v", shorts(k), shorts(v), x.m)
		}
		x.m.Next()
	}
	h.check(x.it.Err())
	if x.m.Valid() {
		h.failf("scan: ended before %s", short(x.m.Entry().Key))
	}
}

func (h *differ) newSnapshot() {
	if len(h.snaps) > 6 {
		h.closeSnapshot()
	}
	h.snaps = append(h.snaps, &diffSnap{s: h.db.NewSnapshot(), state: h.m.Now().Clone(), now: h.now()})
}

func (h *differ) readSnapshot() {
	if len(h.snaps) == 0 {
		h.newSnapshot()
	}
	i := h.rng.IntN(len(h.snaps))
	s := h.snaps[i]
	h.logf("  snapshot %d", i)
	switch h.rng.IntN(6) {
	case 0:
		h.readMany(s.s.MultiGet, &s.state, s.now)
	case 1:
		x := h.makeIter(s.s, &s.state, s.now)
		h.walk(x)
		h.check(x.it.Close())
	case 2:
		if len(h.iters) < 9 {
			x := h.makeIter(s.s, &s.state, s.now)
			x.snap = s
			h.iters = append(h.iters, x)
		}
	default:
		h.readOne(s.s, &s.state, s.now, h.key())
	}
}

func (h *differ) closeSnapshot() {
	if len(h.snaps) == 0 {
		return
	}
	i := h.rng.IntN(len(h.snaps))
	s := h.snaps[i]
	h.check(s.s.Close())
	h.snaps = slices.Delete(h.snaps, i, i+1)
	if _, err := s.s.Get([]byte("k")); !errors.Is(err, lsm.ErrClosed) {
		h.failf("a closed snapshot answers %v", err)
	}
	for i := len(h.iters) - 1; i >= 0; i-- {
		if x := h.iters[i]; x.snap == s {
			if x.it.First() || x.it.Valid() || !errors.Is(x.it.Err(), lsm.ErrClosed) {
				h.failf("the iterator of a closed snapshot answers %v", x.it.Err())
			}
			h.dropIter(i)
		}
	}
}

// endAll closes every iterator and snapshot.
func (h *differ) endAll() {
	for len(h.iters) > 0 {
		h.dropIter(0)
	}
	for len(h.snaps) > 0 {
		h.closeSnapshot()
	}
}
