package lsm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
)

// cell is a value in the model, with the time in Unix nanoseconds at which it
// expires; 0 is never.
type cell struct {
	value  string
	expiry int64
}

// tree is the whole content of a store in the model.
type tree map[string]cell

// mutation is one write.
type mutation struct {
	kind       byte // 'p'ut, 't'tl, 'd'elete, 'r'ange delete, e'x'cise
	key, value string
	end        string // of a range; "" is the end of the key space
	ttl        time.Duration
	expiry     int64
}

func (m mutation) apply(t tree) {
	switch m.kind {
	case 'p':
		t[m.key] = cell{value: m.value}
	case 't':
		t[m.key] = cell{m.value, m.expiry}
	case 'd':
		delete(t, m.key)
	case 'r', 'x':
		maps.DeleteFunc(t, func(k string, _ cell) bool { return k >= m.key && (m.end == "" || k < m.end) })
	}
}

// bound returns the end of a range as the engine wants it.
func (m mutation) bound() []byte {
	if m.end == "" {
		return nil
	}
	return []byte(m.end)
}

// writer is what takes writes: a Batch, a Txn, a DB.
type writer interface {
	Put(key, value []byte) error
	PutTTL(key, value []byte, ttl time.Duration) error
	Delete(key []byte) error
	DeleteRange(start, end []byte) error
}

func (m mutation) write(w writer) error {
	switch m.kind {
	case 'p':
		return w.Put([]byte(m.key), []byte(m.value))
	case 't':
		return w.PutTTL([]byte(m.key), []byte(m.value), m.ttl)
	case 'd':
		return w.Delete([]byte(m.key))
	case 'r':
		return w.DeleteRange([]byte(m.key), m.bound())
	}
	return fmt.Errorf("mutation %q is no write", m.kind)
}

// marker is a key that nearly every commit sets to its own number, so that a
// recovered store says which prefix of the history it holds.
const marker = "!commit"

// entry is one commit, or an ingest or excise between commits, and the state of the
// store after it.
type entry struct {
	muts  []mutation
	state tree
}

// history is what was asked of a store, in order, and what the store owes after a
// crash: a prefix of the entries that is not shorter than what was acknowledged.
type history struct {
	entries []*entry // the first is the empty store
	synced  int      // entries up to here must survive a power cut
	written int      // entries up to here must survive the death of the process
	acked   int      // entries up to here are visible
	next    int      // number of the next commit
	keys    map[string]bool
}

func newHistory() *history {
	return &history{entries: []*entry{{state: tree{}}}, keys: map[string]bool{}}
}

// begin appends an entry that is about to be committed.
func (h *history) begin(muts []mutation) *entry {
	s := maps.Clone(h.entries[len(h.entries)-1].state)
	for _, m := range muts {
		m.apply(s)
		if m.kind != 'r' && m.kind != 'x' {
			h.keys[m.key] = true
		}
	}
	e := &entry{muts, s}
	h.entries = append(h.entries, e)
	return e
}

// index returns where e is now.
func (h *history) index(e *entry) int { return slices.Index(h.entries, e) }

func (h *history) last() int { return len(h.entries) - 1 }

// ack notes that entry i and all before it were acknowledged at d.
func (h *history) ack(i int, d lsm.Durability) {
	h.acked = max(h.acked, i)
	if d == lsm.Sync {
		h.synced = max(h.synced, i)
	}
	if d != lsm.None {
		h.written = max(h.written, i)
	}
}

// ackAll notes that everything is on disk.
func (h *history) ackAll() { h.ack(h.last(), lsm.Sync) }

// drop takes entry i back: it failed, and left no trace.
func (h *history) drop(i int) {
	h.entries = slices.Delete(h.entries, i, i+1)
	for ; i < len(h.entries); i++ {
		s := maps.Clone(h.entries[i-1].state)
		for _, m := range h.entries[i].muts {
			m.apply(s)
		}
		h.entries[i].state = s
	}
}

// only returns a history whose one entry is the state after entry i.
func (h *history) only(i int) *history {
	return &history{entries: []*entry{{state: h.entries[i].state}}, keys: h.keys}
}

// cut forgets what a crash has taken: the store holds the entries up to i.
func (h *history) cut(i int) {
	h.entries = h.entries[:i+1]
	h.synced, h.written, h.acked = i, i, i
}

// get returns the value of key in entry i at a time.
func (h *history) get(i int, key string, now int64) (string, bool) {
	c, ok := h.entries[i].state[key]
	return c.value, ok && (c.expiry == 0 || c.expiry > now)
}

type pair struct{ key, value string }

// matches reports whether the pairs are the content after entry i.
func (h *history) matches(i int, pairs []pair, now int64) bool {
	visible := 0
	for _, c := range h.entries[i].state {
		if c.expiry == 0 || c.expiry > now {
			visible++
		}
	}
	if visible != len(pairs) {
		return false
	}
	for _, p := range pairs {
		if v, ok := h.get(i, p.key, now); !ok || v != p.value {
			return false
		}
	}
	return true
}

// locate returns the last entry from lo to hi whose state the pairs are.
func (h *history) locate(pairs []pair, lo, hi int, now int64) (int, error) {
	for i := hi; i >= lo; i-- {
		if h.matches(i, pairs, now) {
			return i, nil
		}
	}
	return 0, h.explain(pairs, lo, hi, now)
}

// explain says what is wrong with a content that is no state from lo to hi.
func (h *history) explain(pairs []pair, lo, hi int, now int64) error {
	for i := range h.entries {
		if h.matches(i, pairs, now) {
			return fmt.Errorf("the store is at entry %d, but entries %d to %d are allowed", i, lo, hi)
		}
	}
	mark := ""
	got := map[string]string{}
	for _, p := range pairs {
		got[p.key] = p.value
		if p.key == marker {
			mark = p.value
		}
	}
	near, best := lo, -1
	for i := range h.entries {
		if c := h.entries[i].state[marker]; c.value == mark {
			same := 0
			for k := range h.entries[i].state {
				if v, ok := h.get(i, k, now); ok && got[k] == v {
					same++
				}
			}
			if same > best {
				near, best = i, same
			}
		}
	}
	err := fmt.Errorf("the store has marker %q and is at no state of the history; entries %d to %d are allowed, nearest is %d", mark, lo, hi, near)
	for _, p := range pairs {
		if v, ok := h.get(near, p.key, now); !ok || v != p.value {
			err = fmt.Errorf("%w\n  has %.20q = %.20q, want %.20q (%v)", err, p.key, p.value, v, ok)
		}
	}
	for k := range h.entries[near].state {
		if v, ok := h.get(near, k, now); ok {
			if _, has := got[k]; !has {
				err = fmt.Errorf("%w\n  lacks %.20q = %.20q", err, k, v)
			}
		}
	}
	return err
}

// allKeys returns every key that was ever written, sorted.
func (h *history) allKeys() [][]byte {
	keys := slices.Sorted(maps.Keys(h.keys))
	out := make([][]byte, len(keys))
	for i, k := range keys {
		out[i] = []byte(k)
	}
	return out
}

// reader is what answers reads: a DB, a Snapshot.
type reader interface {
	Get(key []byte) ([]byte, error)
	Has(key []byte) (bool, error)
	MultiGet(keys [][]byte) ([][]byte, error)
	NewIter(o *lsm.IterOptions) (*lsm.Iterator, error)
}

// scan reads everything forwards, and then backwards, and compares.
func scan(r reader) ([]pair, error) {
	it, err := r.NewIter(nil)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var pairs []pair
	for it.First(); it.Valid(); it.Next() {
		pairs = append(pairs, pair{string(it.Key()), string(it.Value())})
	}
	if err := it.Err(); err != nil {
		return nil, err
	}
	i := len(pairs) - 1
	for it.Last(); it.Valid(); it.Prev() {
		if i < 0 || pairs[i].key != string(it.Key()) || pairs[i].value != string(it.Value()) {
			return nil, fmt.Errorf("backwards at %.40q = %.40q, which is not what was there forwards", it.Key(), it.Value())
		}
		i--
	}
	if err := it.Err(); err != nil {
		return nil, err
	}
	if i >= 0 {
		return nil, fmt.Errorf("backwards ends after %.40q", pairs[i+1].key)
	}
	if !sort.SliceIsSorted(pairs, func(i, j int) bool { return pairs[i].key < pairs[j].key }) {
		return nil, errors.New("keys are not in order")
	}
	return pairs, nil
}

// verify reads the store in every way and returns which entry, from lo to hi, it
// holds.
func (h *history) verify(db *lsm.DB, lo, hi int, now int64) (int, error) {
	i, err := h.verifyReads(db, lo, hi, now)
	if err == nil {
		err = db.Verify(context.Background())
	}
	return i, err
}

func (h *history) verifyReads(r reader, lo, hi int, now int64) (int, error) {
	pairs, err := scan(r)
	if err != nil {
		return 0, err
	}
	i, err := h.locate(pairs, lo, hi, now)
	if err != nil {
		return 0, err
	}
	keys := h.allKeys()
	many, err := r.MultiGet(keys)
	if err != nil {
		return 0, err
	}
	for n, k := range keys {
		want, ok := h.get(i, string(k), now)
		got, err := r.Get(k)
		if err != nil && !errors.Is(err, lsm.ErrNotFound) {
			return 0, fmt.Errorf("Get(%.40q): %w", k, err)
		}
		if ok && (err != nil || string(got) != want) || !ok && !errors.Is(err, lsm.ErrNotFound) {
			return 0, fmt.Errorf("Get(%.40q) = %.20q, %v; the iterator has %.20q (%v)", k, got, err, want, ok)
		}
		has, err := r.Has(k)
		if err != nil {
			return 0, fmt.Errorf("Has(%.40q): %w", k, err)
		}
		if has != ok {
			return 0, fmt.Errorf("Has(%.40q) = %v; want %v", k, has, ok)
		}
		if (many[n] != nil) != ok || !bytes.Equal(many[n], []byte(want)) && ok {
			return 0, fmt.Errorf("MultiGet of %.40q = %.20q; want %.20q (%v)", k, many[n], want, ok)
		}
	}
	return i, nil
}
