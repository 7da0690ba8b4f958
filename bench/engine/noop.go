package engine

import (
	"context"
	"sync/atomic"
	"time"
)

// Noop answers everything and keeps nothing: its row in a table is what the harness
// itself costs, which is in every other row too. A read returns as many bytes as the
// last value written had, and an iterator never ends.
var Noop = Kind{
	Name:      "noop",
	Help:      "keeps nothing: shows what the harness itself costs",
	Limits:    Limits{Key: 1 << 30, Value: 1 << 30},
	Forgetful: true,
	Open:      func(Config) (Engine, error) { return &noop{}, nil },
}

type noop struct {
	value atomic.Pointer[[]byte]
}

func (n *noop) Put(_, value []byte) error {
	if v := n.value.Load(); v == nil || len(*v) != len(value) {
		v := make([]byte, len(value))
		n.value.Store(&v)
	}
	return nil
}

func (n *noop) AppendGet(dst, _ []byte) ([]byte, error) {
	if v := n.value.Load(); v != nil {
		dst = append(dst, *v...)
	}
	return dst, nil
}

func (n *noop) Delete([]byte) error                           { return nil }
func (n *noop) NewBatch() Batch                               { return noopBatch{n} }
func (n *noop) Sync() error                                   { return nil }
func (n *noop) Settle(context.Context) (time.Duration, error) { return 0, nil }
func (n *noop) Stats() Stats                                  { return Stats{} }
func (n *noop) Close() error                                  { return nil }

func (n *noop) NewIter(_, _ []byte) (Iter, error) {
	if v := n.value.Load(); v != nil {
		return noopIter{*v}, nil
	}
	return noopIter{}, nil
}

type noopBatch struct{ *noop }

func (noopBatch) Commit() error { return nil }

type noopIter struct{ value []byte }

func (noopIter) First() bool        { return true }
func (noopIter) Last() bool         { return true }
func (noopIter) SeekGE([]byte) bool { return true }
func (noopIter) SeekLT([]byte) bool { return true }
func (noopIter) Next() bool         { return true }
func (noopIter) Prev() bool         { return true }
func (noopIter) Key() []byte        { return noopKey }
func (i noopIter) Value() []byte    { return i.value }
func (noopIter) Err() error         { return nil }
func (noopIter) Close() error       { return nil }

var noopKey = []byte("noop")
