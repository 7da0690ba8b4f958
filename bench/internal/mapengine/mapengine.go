// Package mapengine is an engine for tests: a map in memory, with hooks to make it
// slow, wrong or failing. It keeps its contents by directory, so that a store can be
// closed and opened again. It is no engine to measure.
package mapengine

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine"
)

// Disk holds the stores of a test, and what its engines do beyond storing.
type Disk struct {
	// Hook, if set, runs before each operation, "put", "get", "delete", "commit",
	// "iter" or "settle", outside of any lock. Its error is the operation's.
	Hook func(op string, key []byte) error
	// Read, if set, may change what a get returns.
	Read func(key, value []byte) []byte

	mu     sync.Mutex
	stores map[string]map[string]string
	opened []engine.Config
}

const marker = "MAP"

// Kind returns the engine on this disk.
func (d *Disk) Kind() engine.Kind {
	return engine.Kind{
		Name: "map", Help: "a map, for tests",
		Limits: engine.Limits{Key: 1 << 16, Value: 1 << 20},
		Marker: marker,
		Open:   d.open,
	}
}

// Opened returns the configuration of each Open so far.
func (d *Disk) Opened() []engine.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.opened)
}

func (d *Disk) open(c engine.Config) (engine.Engine, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened = append(d.opened, c)
	// A file stands for the store, so that a directory that was emptied is empty.
	mark := filepath.Join(c.Dir, marker)
	if _, err := os.Stat(mark); err != nil {
		if err := os.MkdirAll(c.Dir, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(mark, []byte("map\n"), 0o644); err != nil {
			return nil, err
		}
		if d.stores == nil {
			d.stores = make(map[string]map[string]string)
		}
		d.stores[c.Dir] = make(map[string]string)
	}
	return &store{d: d, m: d.stores[c.Dir]}, nil
}

type store struct {
	d     *Disk
	mu    sync.Mutex
	m     map[string]string
	stats struct{ in, syncs int64 }
}

func (s *store) hook(op string, key []byte) error {
	if s.d.Hook == nil {
		return nil
	}
	return s.d.Hook(op, key)
}

func (s *store) Put(key, value []byte) error {
	if err := s.hook("put", key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[string(key)] = string(value)
	s.stats.in += int64(len(key) + len(value))
	return nil
}

func (s *store) AppendGet(dst, key []byte) ([]byte, error) {
	if err := s.hook("get", key); err != nil {
		return dst, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.m[string(key)]
	if !ok {
		return dst, engine.ErrNotFound
	}
	dst = append(dst, v...)
	if s.d.Read != nil {
		dst = s.d.Read(key, dst)
	}
	return dst, nil
}

func (s *store) Delete(key []byte) error {
	if err := s.hook("delete", key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, string(key))
	return nil
}

func (s *store) NewBatch() engine.Batch { return &batch{s: s} }

func (s *store) NewIter(lower, upper []byte) (engine.Iter, error) {
	if err := s.hook("iter", lower); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	it := &iter{at: -1}
	for _, k := range slices.Sorted(maps.Keys(s.m)) {
		if k < string(lower) || upper != nil && k >= string(upper) {
			continue
		}
		it.rows = append(it.rows, row{[]byte(k), []byte(s.m[k])})
	}
	return it, nil
}

func (s *store) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.syncs++
	return nil
}

func (s *store) Settle(ctx context.Context) (time.Duration, error) {
	if err := s.hook("settle", nil); err != nil {
		return 0, err
	}
	return 0, ctx.Err()
}

func (s *store) Stats() engine.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	in, syncs, flushed, zero := s.stats.in, s.stats.syncs, 2*s.stats.in, int64(0)
	return engine.Stats{
		BytesIn: &in, LogBytes: &in, FlushBytes: &flushed, CompactedBytes: &zero, Syncs: &syncs,
		Text: "a map\n",
	}
}

func (s *store) Close() error { return nil }

type batch struct {
	s   *store
	ops []func(m map[string]string)
	in  int64
}

func (b *batch) Put(key, value []byte) error {
	k, v := string(key), string(value)
	b.ops = append(b.ops, func(m map[string]string) { m[k] = v })
	b.in += int64(len(key) + len(value))
	return nil
}

func (b *batch) Delete(key []byte) error {
	k := string(key)
	b.ops = append(b.ops, func(m map[string]string) { delete(m, k) })
	return nil
}

func (b *batch) Commit() error {
	if err := b.s.hook("commit", nil); err != nil {
		return err
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	for _, op := range b.ops {
		op(b.s.m)
	}
	b.s.stats.in += b.in
	b.ops, b.in = b.ops[:0], 0
	return nil
}

func (b *batch) Close() error { return nil }

type row struct{ key, value []byte }

type iter struct {
	rows []row
	at   int
}

func (i *iter) to(at int) bool {
	i.at = max(-1, min(at, len(i.rows)))
	return i.at >= 0 && i.at < len(i.rows)
}

func (i *iter) seek(key []byte) int {
	n, _ := slices.BinarySearchFunc(i.rows, key, func(r row, key []byte) int { return bytes.Compare(r.key, key) })
	return n
}

func (i *iter) First() bool            { return i.to(0) }
func (i *iter) Last() bool             { return i.to(len(i.rows) - 1) }
func (i *iter) SeekGE(key []byte) bool { return i.to(i.seek(key)) }
func (i *iter) SeekLT(key []byte) bool { return i.to(i.seek(key) - 1) }
func (i *iter) Next() bool             { return i.to(i.at + 1) }
func (i *iter) Prev() bool             { return i.to(i.at - 1) }
func (i *iter) Key() []byte            { return i.rows[i.at].key }
func (i *iter) Value() []byte          { return i.rows[i.at].value }
func (i *iter) Err() error             { return nil }
func (i *iter) Close() error           { return nil }
