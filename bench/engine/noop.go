package engine

import (
	"context"
	"sync/atomic"
)

// Noop answers everything and keeps nothing: its row in a table is what the harness
// itself costs, which is in every other row too. A read returns bytes of the size of
// the last value written, and an iterator has as many rows as there were writes.
var Noop = Kind{
	Name:      "noop",
	Help:      "keeps nothing: shows what the harness itself costs",
	Limits:    Limits{Key: 1 << 30, Value: 1 << 30},
	Forgetful: true,
	Open:      func(Config) (Engine, error) { return &noop{}, nil },
}

type noop struct {
	value atomic.Pointer[[]byte]
	rows  atomic.Int64
}

func (n *noop) Put(_, value []byte) error {
	if v := n.value.Load(); v == nil || len(*v) != len(value) {
		v := make([]byte, len(value))
		n.value.Store(&v)
	}
	n.rows.Add(1)
	return nil
}

func (n *noop) AppendGet(dst, _ []byte) ([]byte, error) {
	if v := n.value.Load(); v != nil {
		dst = append(dst, *v...)
	}
	return dst, nil
}

func (n *noop) Delete([]byte) error          { return nil }
func (n *noop) NewBatch() Batch              { return noopBatch{n} }
func (n *noop) Sync() error                  { return nil }
func (n *noop) Settle(context.Context) error { return nil }
func (n *noop) Stats() Stats                 { return Stats{} }
func (n *noop) Close() error                 { return nil }

func (n *noop) NewIter(_, _ []byte) (Iter, error) {
	it := &noopIter{rows: n.rows.Load()}
	if v := n.value.Load(); v != nil {
		it.value = *v
	}
	return it, nil
}

type noopBatch struct{ *noop }

func (noopBatch) Commit() error { return nil }

type noopIter struct {
	rows, at int64
	value    []byte
}

func (i *noopIter) to(at int64) bool {
	i.at = at
	return at >= 0 && at < i.rows
}

func (i *noopIter) First() bool        { return i.to(0) }
func (i *noopIter) Last() bool         { return i.to(i.rows - 1) }
func (i *noopIter) SeekGE([]byte) bool { return i.to(0) }
func (i *noopIter) SeekLT([]byte) bool { return i.to(i.rows - 1) }
func (i *noopIter) Next() bool         { return i.to(i.at + 1) }
func (i *noopIter) Prev() bool         { return i.to(i.at - 1) }
func (i *noopIter) Key() []byte        { return []byte("noop") }
func (i *noopIter) Value() []byte      { return i.value }
func (i *noopIter) Err() error         { return nil }
func (i *noopIter) Close() error       { return nil }
