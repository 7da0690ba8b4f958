package lsm

import (
	"bytes"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
)

// covering answers for an iterator which range tombstones cover a key. It asks each list
// of them, and below L0 only the table around the key, as get does: one that the walk
// passes is opened when it is come to, and one elsewhere not at all. Neighbouring keys
// mostly have the same answer, so it is kept with the part of the key space that it holds
// in, for each set and for all together.
type covering struct {
	sets []delSet
	all  fragment
}

// delSet is a list of range tombstones, of a memtable or a table of L0, or else those of
// the tables of a level.
type delSet struct {
	list  *rangedel.List
	level *levelSource
	last  fragment
}

// fragment is a part of the key space: newest is the largest sequence number that the view
// sees of a range tombstone over any of its keys, 0 for none.
type fragment struct {
	start, end []byte // end == nil: to the end of the key space
	newest     base.SeqNum
}

// nowhere has no key.
var nowhere = fragment{end: []byte{}}

func (f *fragment) has(key []byte) bool {
	return bytes.Compare(f.start, key) <= 0 && rangedel.CompareEnd(key, f.end) < 0
}

func (c *covering) reset() {
	clear(c.sets)
	c.sets, c.all = c.sets[:0], nowhere
}

func (c *covering) addList(l *rangedel.List) {
	if !l.Empty() {
		c.sets = append(c.sets, delSet{list: l, last: nowhere})
	}
}

func (c *covering) addLevel(l *levelSource) {
	c.sets = append(c.sets, delSet{level: l, last: nowhere})
}

// newest returns the largest sequence number <= seq of a range tombstone over key, 0 if
// there is none. seq is always the same.
func (c *covering) newest(key []byte, seq base.SeqNum) (base.SeqNum, error) {
	if c.all.has(key) {
		return c.all.newest, nil
	}
	var all fragment
	c.all = nowhere
	for i := range c.sets {
		s := &c.sets[i]
		if !s.last.has(key) {
			if err := s.find(key, seq); err != nil {
				return 0, err
			}
		}
		if bytes.Compare(s.last.start, all.start) > 0 {
			all.start = s.last.start
		}
		all.end = rangedel.MinEnd(all.end, s.last.end)
		all.newest = max(all.newest, s.last.newest)
	}
	c.all = all
	return all.newest, nil
}

// find makes last the fragment of key.
func (s *delSet) find(key []byte, seq base.SeqNum) (err error) {
	if s.list != nil {
		s.last.start, s.last.end, s.last.newest = s.list.FragmentAt(key, seq)
		return nil
	}
	s.last = nowhere // what it is made of may be overwritten
	s.last, err = s.level.fragment(key, seq)
	return err
}

// fragment looks for the range tombstones over key in the one table that may have any. The
// result lives until the next call.
func (l *levelSource) fragment(key []byte, seq base.SeqNum) (fragment, error) {
	var f fragment
	i := searchTables(l.tables, key)
	if i > 0 {
		f.start = endOf(l.tables[i-1].meta, &l.lo)
	}
	if i == len(l.tables) {
		return f, nil
	}
	t := l.tables[i]
	if bytes.Compare(key, t.meta.Smallest) < 0 {
		f.end = t.meta.Smallest
		return f, nil
	}
	f.end = endOf(t.meta, &l.hi)
	if t.meta.RangeDels == 0 {
		return f, nil
	}
	of := l.src.of
	if l.cur == nil || l.at != i {
		var err error
		if of, err = l.db.pinned(t); err != nil {
			return nowhere, err
		}
		defer of.unpin()
	}
	// Its range tombstones lie within its bounds.
	start, end, newest := of.dels.FragmentAt(key, seq)
	if start != nil {
		f.start = start
	}
	if end != nil {
		f.end = end
	}
	f.newest = newest
	return f, nil
}
