package lsm

import (
	"sync"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/batch"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/internal/skiplist"
)

// memtable is the newest part of the tree: points in a skiplist off the Go heap,
// range tombstones beside it in a list that is replaced whole. One goroutine adds
// (the commit leader); any number read.
type memtable struct {
	arena *arena.Arena
	list  *skiplist.List
	log   base.FileNum // the log that has its commits
	born  uint64       // epoch of the first state that has it

	// dels has the range tombstones in lists whose lengths are like the digits of a
	// binary counter, longest first: adding one is O(log n) amortized and a look-up
	// asks O(log n) lists. The slice is replaced whole.
	dels     atomic.Pointer[[]*rangedel.List]
	delBytes atomic.Int64 // of them; the leader adds, Metrics reads

	minSeq, maxSeq base.SeqNum // of the commits in it; the leader's until it is sealed
	freed          sync.Once
	arenas         *arenas // where the arena is from
}

// newMemtable makes one that holds capacity bytes of entries, with memory of s. common is
// the prefix that most keys are expected to share.
func newMemtable(capacity int, common []byte, log base.FileNum, s *arenas) (*memtable, error) {
	a, err := s.take(capacity)
	if err != nil {
		return nil, err
	}
	return &memtable{arena: a, list: skiplist.New(a, common), log: log, arenas: s}, nil
}

// apply adds the operations of one batch, the first with sequence number seq. The
// room was checked before, so it fails only on an encoding this process did not
// write.
func (m *memtable) apply(ops []byte, seq base.SeqNum) (base.SeqNum, error) {
	if m.minSeq == 0 {
		m.minSeq = seq
	}
	warm := ops
	for n := 0; len(ops) > 0; n++ {
		if n%skiplist.WarmGroup == 0 && len(warm) >= warmFrom {
			warm = m.warm(warm)
		}
		op, rest, err := batch.DecodeOp(ops)
		if err != nil {
			return seq, err
		}
		ops = rest
		if op.Kind == base.KindRangeDelete {
			m.addRangeDel(op, seq)
		} else if !m.list.Add(op.Key, base.MakeTrailer(seq, op.Kind), op.Value) {
			return seq, errMemtableFull
		}
		m.maxSeq = seq
		seq++
	}
	return seq, nil
}

// warmFrom is how many bytes of operations are worth a look ahead: one or two are not.
const warmFrom = 256

// warm prepares the list for the next operations of a batch, and returns those behind them.
func (m *memtable) warm(ops []byte) []byte {
	var keys [skiplist.WarmGroup][]byte
	n := 0
	for n < len(keys) && len(ops) > 0 {
		op, rest, err := batch.DecodeOp(ops)
		if err != nil {
			return nil
		}
		keys[n], ops = op.Key, rest
		n++
	}
	m.list.Warm(keys[:n])
	return ops
}

func (m *memtable) addRangeDel(op batch.Op, seq base.SeqNum) {
	t := rangedel.Tombstone{Start: append([]byte{}, op.Key...), Seq: seq}
	if len(op.Value) > 0 {
		t.End = append([]byte{}, op.Value...)
	}
	m.delBytes.Add(int64(len(op.Key) + len(op.Value) + opOverhead))
	lists := []*rangedel.List{}
	if p := m.dels.Load(); p != nil {
		lists = append(lists, *p...)
	}
	ts := []rangedel.Tombstone{t}
	for n := len(lists); n > 0 && len(lists[n-1].Tombstones()) <= len(ts); n-- {
		ts = append(ts, lists[n-1].Tombstones()...)
		lists = lists[:n-1]
	}
	lists = append(lists, rangedel.Build(ts))
	m.dels.Store(&lists)
}

// delLists returns the lists of range tombstones.
func (m *memtable) delLists() []*rangedel.List {
	if p := m.dels.Load(); p != nil {
		return *p
	}
	return nil
}

// tombstones returns all range tombstones.
func (m *memtable) tombstones() []rangedel.Tombstone {
	var ts []rangedel.Tombstone
	for _, l := range m.delLists() {
		ts = append(ts, l.Tombstones()...)
	}
	return ts
}

// covering returns the largest sequence number <= seq of a range tombstone here
// that covers key, 0 if there is none.
func (m *memtable) covering(key []byte, seq base.SeqNum) base.SeqNum {
	var newest base.SeqNum
	for _, l := range m.delLists() {
		newest = max(newest, l.Covering(key, seq))
	}
	return newest
}

// empty reports whether nothing was ever added.
func (m *memtable) empty() bool { return m.list.Len() == 0 && m.dels.Load() == nil }

// size returns the bytes of memory in use.
func (m *memtable) size() int64 { return int64(m.arena.Size()) + m.delBytes.Load() }

// opOverhead is what an operation takes in a memtable beside its key and value, at
// most: a record's header, and its share of the index. A block of the index holds 15
// records and splits in halves, so that a split comes at most twice in seven
// insertions. To that fits adds the blocks that are full already, because keys came in
// order: each of them is split by one insertion. memtableSlack covers one split on every
// lane. TestMemtableRoom holds this against the worst orders of keys.
const opOverhead = 120

var memtableSlack = 2 * skiplist.MaxEntrySize(0, 0)

// fits reports whether operations are sure to fit that are need bytes by their keys,
// values and opOverhead.
func (m *memtable) fits(need int) bool {
	return m.room() >= need+m.list.MaxSplits(need/opOverhead)*skiplist.SplitSize
}

// room returns how many bytes of operations fit where no block is full.
func (m *memtable) room() int {
	return m.arena.Cap() - m.arena.Size() - int(m.delBytes.Load()) - memtableSlack
}

// overlaps reports whether the memtable has a point or a tombstone in the range.
func (m *memtable) overlaps(r keyRange) bool {
	var it skiplist.Iter
	m.list.Init(&it)
	if kv := it.SeekGE(r.start); kv != nil && r.contains(kv.Key) {
		return true
	}
	for _, t := range m.tombstones() {
		if r.overlaps(keyRange{t.Start, t.End}) {
			return true
		}
	}
	return false
}

// free gives the memory back, once.
func (m *memtable) free() {
	m.freed.Do(func() { m.arenas.give(m.arena) })
}
