// Package merge shows several sorted sources as one: memtables, the tables of L0
// and the deeper levels under an iterator, or the inputs of a compaction.
//
// Iter implements base.Iter over the union of its sources, in internal order:
// user keys ascending, versions from newest to oldest. Sources are given newest
// first; the order of records comes from their trailers, and the order of the
// sources decides only between records that are equal in both, which the newer
// source shows first.
//
// How it is fast. The sources stand in a loser tree, and each carries the
// eight-byte base.Prefix of its current key, so most matches are one integer
// comparison and a move costs log2(n) of them. While one source keeps winning its
// moves are compared with the runner-up alone. The prefix that the current keys
// share is left out of the integers; it is determined anew when the smallest key
// leaves it, which takes at least one move of every source, so that the cost
// vanishes. Once a single source has anything left, as where memtables are empty, it is
// not compared with anything; nor is one that knows that the rest of its block comes before
// the runner-up (Blocks), as where a large level lies under a small one. Records are
// handed through, never copied.
//
// Invariants while positioned: every source stands at its first record that is
// not before the current one in the direction of the walk, or is exhausted (kv is
// nil); tree[0] is the current source; every inner node holds the loser of the
// match below it.
//
// Failure: the first error of any source ends the walk; the move returns nil and
// Err the error, until the iterator is positioned again.
package merge

import (
	"bytes"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

type source struct {
	prefix uint64   // base.Prefix of kv.Key after Iter.common; not kept up while Iter.free
	kv     *base.KV // nil when exhausted in this direction
	it     base.Iter
	blocks Blocks // it, or nil
}

// Blocks is what a source may offer beside base.Iter, when it has its records in blocks whose
// bounds it knows.
type Blocks interface {
	// Ahead returns how many records of the current block the walk has not come to yet, if
	// all of them come before key: going back, if all are larger. It returns 0 if not, or if
	// it does not know.
	Ahead(key []byte, back bool) int
}

// askEvery is after how many wins of the same source it is asked for its block again that
// did not come before the runner-up as a whole.
const askEvery = 16

type direction int8

const (
	unpositioned direction = iota
	forward
	backward
)

// Iter merges sources. The zero value has none; Init gives it some, and may be
// called again: memory is reused. An Iter is used through a pointer and not
// copied after Init.
type Iter struct {
	src    []source
	tree   []int32 // [0] the winner, [1:n] losers
	won    []int32 // scratch of build
	runner int32   // the runner-up while one source keeps winning; -1 not known
	free   int     // moves of the winner that need no comparison: it stays before the runner-up
	wins   int     // of the current source, until it is asked for its block
	live   int     // sources that are not exhausted
	alone  bool    // live is 1: tree[0] is that source, and the rest of the tree means nothing
	dir    direction
	common []byte // prefix of all current keys; the buffer is ours
	err    error
}

// Init takes sources, newest first, and leaves the iterator unpositioned. The
// sources belong to the iterator from here on: Close closes them. The slice itself
// is not kept.
func (m *Iter) Init(sources []base.Iter) {
	m.src = m.src[:0]
	for _, it := range sources {
		b, _ := it.(Blocks)
		m.src = append(m.src, source{it: it, blocks: b})
	}
	n := len(sources)
	if cap(m.tree) < n {
		m.tree = make([]int32, n)
		m.won = make([]int32, 2*n)
	}
	m.tree, m.won = m.tree[:n], m.won[:2*n]
	m.start(unpositioned)
	m.common = m.common[:0]
}

// First moves to the smallest record.
func (m *Iter) First() *base.KV {
	m.start(forward)
	for i := range m.src {
		m.land(i, m.src[i].it.First())
	}
	return m.settle()
}

// Last moves to the largest record.
func (m *Iter) Last() *base.KV {
	m.start(backward)
	for i := range m.src {
		m.land(i, m.src[i].it.Last())
	}
	return m.settle()
}

// SeekGE moves to the newest version of the first user key >= key.
func (m *Iter) SeekGE(key []byte) *base.KV {
	m.start(forward)
	for i := range m.src {
		m.land(i, m.src[i].it.SeekGE(key))
	}
	return m.settle()
}

// SeekLT moves to the oldest version of the last user key < key.
func (m *Iter) SeekLT(key []byte) *base.KV {
	m.start(backward)
	for i := range m.src {
		m.land(i, m.src[i].it.SeekLT(key))
	}
	return m.settle()
}

// Next moves to the next record in internal order.
func (m *Iter) Next() *base.KV {
	if m.dir != forward {
		if m.dir == unpositioned {
			return nil
		}
		return m.turn(forward)
	}
	w := m.tree[0]
	s := &m.src[w]
	return m.advanced(w, s, s.it.Next())
}

// Prev moves to the record before.
func (m *Iter) Prev() *base.KV {
	if m.dir != backward {
		if m.dir == unpositioned {
			return nil
		}
		return m.turn(backward)
	}
	w := m.tree[0]
	s := &m.src[w]
	return m.advanced(w, s, s.it.Prev())
}

// advanced puts the winner w, which has moved to kv, into its new place.
func (m *Iter) advanced(w int32, s *source, kv *base.KV) *base.KV {
	s.kv = kv
	if kv == nil {
		if m.err = s.it.Err(); m.err != nil || m.alone {
			m.dir = unpositioned
			return nil
		}
		m.live--
		m.alone = m.live == 1
	} else {
		if m.alone {
			return kv
		}
		if m.free > 0 {
			m.free--
			return kv
		}
		s.prefix = base.Prefix(kv.Key, m.common)
		if m.runner >= 0 && m.before(w, m.runner) {
			if s.prefix+1 <= 1 { // 0 or the largest: perhaps outside the common prefix
				m.checkCommon()
			}
			if m.wins--; m.wins < 0 {
				m.ask(s)
			}
			return kv
		}
	}
	m.replay(w)
	return m.current()
}

// ask finds out whether the winner's block comes before the runner-up.
func (m *Iter) ask(s *source) {
	m.wins = askEvery
	if s.blocks == nil {
		return
	}
	if m.free = s.blocks.Ahead(m.src[m.runner].kv.Key, m.dir == backward); m.free > 0 {
		m.wins = 0 // the next block probably does too
	}
}

// start begins a positioning in direction d.
func (m *Iter) start(d direction) {
	m.dir, m.err, m.runner = d, nil, -1
	m.live, m.alone = 0, false
	m.free, m.wins = 0, askEvery
}

// land notes where source i stands after a positioning.
func (m *Iter) land(i int, kv *base.KV) {
	m.src[i].kv = kv
	if kv != nil {
		m.live++
		m.tree[0] = int32(i)
	} else if m.err == nil {
		m.err = m.src[i].it.Err()
	}
}

// settle builds the tree after every source has landed.
func (m *Iter) settle() *base.KV {
	if m.err != nil || m.live == 0 {
		m.dir = unpositioned
		return nil
	}
	if m.live == 1 {
		m.alone = true
		return m.src[m.tree[0]].kv
	}
	m.rebase()
	m.build()
	return m.current()
}

// current returns the winner's record.
func (m *Iter) current() *base.KV {
	s := &m.src[m.tree[0]]
	if s.kv == nil {
		m.dir = unpositioned
		return nil
	}
	if s.prefix+1 <= 1 {
		m.checkCommon()
	}
	return s.kv
}

// turn changes the direction to d. Each source but the current one stands on the
// far side of the current record; one step in the new direction brings it to the
// near side. One that was exhausted has all its records on the near side.
func (m *Iter) turn(d direction) *base.KV {
	m.start(d)
	for i := range m.src {
		it := m.src[i].it
		switch {
		case m.src[i].kv == nil && d == forward:
			m.land(i, it.First())
		case m.src[i].kv == nil:
			m.land(i, it.Last())
		case d == forward:
			m.land(i, it.Next())
		default:
			m.land(i, it.Prev())
		}
	}
	return m.settle()
}

// Source returns the index of the source that the current record comes from. Only
// meaningful while positioned.
func (m *Iter) Source() int { return int(m.tree[0]) }

// Sole reports that no source but the current one has a record of the current user key
// ahead in the direction of the walk. It may miss that this is so. Only meaningful while
// positioned.
func (m *Iter) Sole() bool {
	return m.alone || m.free > 0 || m.runner >= 0 && m.src[m.runner].prefix != m.src[m.tree[0]].prefix
}

// Err returns the error that ended the walk, if one did.
func (m *Iter) Err() error { return m.err }

// Close closes the sources and drops them. It returns Err, or else the first
// error of a source's Close. The Iter may be given to Init again.
func (m *Iter) Close() error {
	err := m.err
	for i := range m.src {
		if e := m.src[i].it.Close(); err == nil {
			err = e
		}
		m.src[i] = source{}
	}
	m.src = m.src[:0]
	m.dir, m.err = unpositioned, nil
	return err
}

// checkCommon rebases when the current key lacks the common prefix.
func (m *Iter) checkCommon() {
	if !bytes.HasPrefix(m.src[m.tree[0]].kv.Key, m.common) {
		m.rebase()
	}
}

// rebase makes common the longest prefix of all current keys, and computes the
// sources' integers again. Their order stays as it was.
func (m *Iter) rebase() {
	first := true
	for i := range m.src {
		kv := m.src[i].kv
		switch {
		case kv == nil:
		case first:
			m.common = append(m.common[:0], kv.Key...)
			first = false
		default:
			m.common = m.common[:base.CommonPrefixLen(m.common, kv.Key)]
		}
	}
	for i := range m.src {
		if kv := m.src[i].kv; kv != nil {
			m.src[i].prefix = base.Prefix(kv.Key, m.common)
		}
	}
}
