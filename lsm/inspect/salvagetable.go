package inspect

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
)

// openTables makes sources of all tables that count.
func (s *salvager) openTables() error {
	uids := s.fileIDs(manifest.FileTable, s.l.tables)
	var metas []*manifest.FileMeta
	if s.t != nil {
		for _, p := range s.t.tables() {
			metas = append(metas, p.meta)
		}
	}
	used := make(map[base.FileNum]bool)
	// Newest first: where sequence numbers were cleared, the younger file is right.
	slices.SortFunc(metas, func(a, b *manifest.FileMeta) int { return int(int64(b.Num) - int64(a.Num)) })
	for _, m := range metas {
		num := m.File
		if id, there := uids[num]; !there || id != 0 && id != m.UID {
			for n, id := range uids {
				if id == m.UID {
					s.note(manifest.Path(s.dir, manifest.FileTable, n),
						fmt.Sprintf("holds, by its id, the table that belongs into %s", manifest.FileName(manifest.FileTable, m.File)))
					num = n
				}
			}
		}
		used[m.File], used[num] = true, true
		if err := s.openTable(num, m); err != nil {
			return err
		}
	}
	if s.t != nil && s.t.whole {
		return nil
	}
	rest := slices.Clone(s.l.tables)
	slices.Reverse(rest)
	for _, num := range rest {
		if used[num] || s.t != nil && s.t.deleted[num] {
			continue
		}
		if err := s.openTable(num, nil); err != nil {
			return err
		}
	}
	return nil
}

// fileIDs returns the unique ids of table or blob files, 0 where a footer is lost.
func (s *salvager) fileIDs(kind manifest.FileKind, nums []base.FileNum) map[base.FileNum]uint64 {
	ids := make(map[base.FileNum]uint64)
	for _, num := range nums {
		name := manifest.Path(s.dir, kind, num)
		id, err := s.peek(name)
		if ioFailed(err) {
			s.unread(name, "its id", err)
		}
		ids[num] = id
	}
	return ids
}

// peek returns the unique id of a table or blob file, 0 if its footer is lost.
func (s *salvager) peek(name string) (uint64, error) {
	file, err := s.fs.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	f := &watched{File: file}
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	id, _ := sstable.PeekUID(f, size)
	return id, f.cause(nil, 0, size)
}

// openTable makes a source of what is left of the file num. meta is what the manifest
// says of it, nil if nothing.
func (s *salvager) openTable(num base.FileNum, meta *manifest.FileMeta) error {
	short := manifest.FileName(manifest.FileTable, num)
	name := manifest.Path(s.dir, manifest.FileTable, num)
	s.bar.file("table", short)
	var lower, upper Bytes
	if meta != nil {
		lower, upper = keysOf([]*manifest.FileMeta{meta})
	}
	all := func(problem string, err error) {
		d := Finding{File: name, Offset: -1, Lower: lower, Upper: upper, Problem: "the whole table: " + problem}
		d.blame(err)
		s.lost(d)
	}
	file, err := s.fs.Open(name)
	if tooManyOpen(err) {
		return fmt.Errorf("salvage %s: %w", s.dir, err)
	}
	if err != nil {
		if !isNotExist(err) {
			all(err.Error(), err)
		} else if s.t != nil && s.t.whole {
			all("the file is missing", nil)
		} else {
			all("the file is missing, perhaps because an edit that is lost removed it", nil)
		}
		return nil
	}
	s.files = append(s.files, file)
	f := &watched{File: file}
	size, err := f.Size()
	if err != nil {
		all(err.Error(), err)
		return nil
	}
	uid := uint64(0)
	if meta != nil {
		uid = meta.UID
		if size > meta.Size { // something was appended
			if id, ok := sstable.PeekUID(f, meta.Size); ok && id == uid {
				s.note(name, fmt.Sprintf("%d bytes follow the table", size-meta.Size))
				size = meta.Size
			}
		}
		if id, ok := sstable.PeekUID(f, size); ok && id != uid {
			all(fmt.Sprintf("the file holds another table, %016x", id), nil)
			return nil
		}
	}
	m, err := sstable.ReadRemains(f, name, size, uid, func(d sstable.Damage) {
		x := tableDamage(name, d, f)
		switch d.What {
		case "filter", "properties", "index", "footer":
			s.noted(name, x.Problem+": the rest of the table is read without", x.Err)
			return
		case "range tombstones":
			x.Problem += "; what they deleted may come back"
		}
		if x.Lower == nil && x.Upper == nil {
			x.Lower, x.Upper = lower, upper
		}
		s.lost(x)
	})
	if err != nil {
		err = f.cause(err, 0, size)
		all(err.Error(), err)
		return nil
	}
	if m.HasFooter && uid != 0 && m.UID != uid {
		all(fmt.Sprintf("the file holds another table, %016x", m.UID), nil)
		return nil
	}
	if m.Props != nil && m.Props.Kind == sstable.Blob {
		all("the file holds values only", nil)
		return nil
	}
	if len(m.Blocks) == 0 && len(m.RangeDels) == 0 && (meta == nil || meta.Entries > 0) {
		all("nothing of it can be read", f.cause(nil, 0, size))
		return nil
	}
	if meta != nil && size < meta.Size { // whole blocks may be gone without a trace
		d := Finding{File: name, Offset: size, Lower: lower, Upper: upper,
			Problem: fmt.Sprintf("the file ends here, and the table had %d bytes", meta.Size)}
		if uint64(len(m.RangeDels)) < meta.RangeDels {
			d.Problem += "; what its range tombstones deleted may come back"
		}
		s.lost(d)
	}
	s.r.Tables++
	s.addTable(name, num, m, meta)
	return nil
}

// addTable files the records and range tombstones of m as the tree counts them.
func (s *salvager) addTable(name string, num base.FileNum, m *sstable.Remains, meta *manifest.FileMeta) {
	c := &counted{it: m.NewIter(), s: s}
	if meta != nil {
		c.global = meta.GlobalSeq
		if meta.Clipped {
			c.lower, c.upper, c.clipped = meta.Smallest, clipEnd(meta), true
		}
	} else if m.Props != nil && m.Props.Kind == sstable.External {
		// Its number went with the manifest. Every table of a smaller number is older.
		c.global = s.olderThan(num) + 1
		s.note(name, fmt.Sprintf("was ingested, and when is lost with the manifest: it counts as sequence number %d", c.global))
	}
	if m.Props != nil && c.global == 0 {
		s.lastSeq = max(s.lastSeq, m.Props.LargestSeq)
	}
	s.lastSeq = max(s.lastSeq, c.global)
	for _, d := range m.RangeDels {
		if c.global != 0 {
			d.Seq = c.global
		}
		if c.clipped {
			d = d.Truncate(c.lower, c.upper)
		}
		if !d.Empty() {
			s.dels = append(s.dels, d)
		}
	}
	s.sources = append(s.sources, c)
}

// olderThan returns the largest sequence number of the tables before num.
func (s *salvager) olderThan(num base.FileNum) base.SeqNum {
	var last base.SeqNum
	for _, n := range s.l.tables {
		if n >= num {
			break
		}
		name := manifest.Path(s.dir, manifest.FileTable, n)
		seq, err := s.largestSeq(name)
		if ioFailed(err) {
			s.unread(name, "its sequence numbers", err)
		}
		last = max(last, seq)
	}
	return last
}

// largestSeq returns the largest sequence number of a table, 0 if that is lost.
func (s *salvager) largestSeq(name string) (base.SeqNum, error) {
	file, err := s.fs.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	f := &watched{File: file}
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	m, err := sstable.ReadRemains(f, name, size, 0, func(sstable.Damage) {})
	if err != nil || m.Props == nil {
		return 0, f.cause(err, 0, size)
	}
	return m.Props.LargestSeq, nil
}

// clipEnd returns the exclusive end of the keys of a table, nil for none.
func clipEnd(f *manifest.FileMeta) []byte {
	if f.Unbounded() {
		return nil
	}
	if f.LargestExclusive {
		return f.Largest
	}
	return append(append([]byte{}, f.Largest...), 0)
}

// counted shows the records of a table within its bounds and under its global
// sequence number, for a walk forwards.
type counted struct {
	it           *sstable.RemainsIter
	s            *salvager
	lower, upper []byte
	clipped      bool
	global       base.SeqNum
	kv           base.KV
	at           int64
}

func (c *counted) First() *base.KV { c.at = -1; return c.show(c.it.First()) }
func (c *counted) Next() *base.KV  { return c.show(c.it.Next()) }

func (c *counted) show(kv *base.KV) *base.KV {
	for kv != nil && c.clipped && bytes.Compare(kv.Key, c.lower) < 0 {
		kv = c.it.Next()
	}
	if kv == nil {
		return nil
	}
	if c.clipped && rangedel.CompareEnd(kv.Key, c.upper) >= 0 {
		for kv = c.it.Next(); kv != nil; kv = c.it.Next() { // for what is damaged further on
		}
		return nil
	}
	if p := c.it.Place(); p.Offset != c.at {
		c.at = p.Offset
		c.s.bar.add(p.Len)
	}
	if c.global == 0 {
		c.s.lastSeq = max(c.s.lastSeq, kv.Trailer.Seq())
		return kv
	}
	c.kv = base.KV{Key: kv.Key, Trailer: base.MakeTrailer(c.global, kv.Trailer.Kind()), Value: kv.Value}
	return &c.kv
}

func (c *counted) Last() *base.KV         { return nil }
func (c *counted) SeekGE([]byte) *base.KV { return nil }
func (c *counted) SeekLT([]byte) *base.KV { return nil }
func (c *counted) Prev() *base.KV         { return nil }
func (c *counted) Err() error             { return nil }
func (c *counted) Close() error           { return nil }
