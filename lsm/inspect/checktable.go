package inspect

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

const adviceTable = "restore the store from a checkpoint, drop the keys concerned with DB.Excise, or save what can be read with: kvctl salvage DIR NEWDIR"

// tables reads every table of the tree; without a manifest, every table there is.
func (c *checker) tables() {
	if c.t == nil {
		for _, num := range c.l.tables {
			c.table(num, nil)
		}
		return
	}
	byFile := make(map[base.FileNum][]*manifest.FileMeta)
	var order []base.FileNum
	for _, p := range c.t.tables() {
		if byFile[p.meta.File] == nil {
			order = append(order, p.meta.File)
		}
		byFile[p.meta.File] = append(byFile[p.meta.File], p.meta)
	}
	for _, num := range order {
		c.table(num, byFile[num])
	}
}

// keysOf returns what Finding says of the keys of tables, at least one.
func keysOf(metas []*manifest.FileMeta) (lower, upper Bytes) {
	first, last := metas[0], metas[0]
	for _, m := range metas[1:] {
		if bytes.Compare(m.Smallest, first.Smallest) < 0 {
			first = m
		}
		if manifest.CompareUpper(m.Largest, m.LargestExclusive, last.Largest, last.LargestExclusive) > 0 {
			last = m
		}
	}
	if last.Unbounded() {
		return first.Smallest, nil
	}
	return first.Smallest, last.Largest
}

// table checks one physical file, and holds it against the tables that stand for it
// in the tree.
func (c *checker) table(num base.FileNum, metas []*manifest.FileMeta) {
	c.done[num] = true
	c.r.Tables++
	short := manifest.FileName(manifest.FileTable, num)
	name := c.path(manifest.FileTable, num)
	c.bar.file("table", short)
	at := c.bar.p.Done
	defer func() { c.bar.p.Done = at; c.bar.add(c.l.sizes[short]) }()
	bad := func(f Finding) {
		f.Advice = adviceTable
		if f.Lower == nil && f.Upper == nil && len(metas) > 0 {
			f.Lower, f.Upper = keysOf(metas)
		}
		c.r.add(f)
	}
	if w, ok := c.whole[num]; ok && w.is(metas) && w.size == c.l.sizes[short] {
		c.hold(name, &w.props, metas, bad)
		c.r.Blocks += w.props.Blocks
		c.r.Entries += w.props.Entries
		return
	}
	before := len(c.r.Findings)
	f, err := c.fs.Open(name)
	if err != nil {
		d := finding(err, name)
		if isNotExist(err) {
			d.Problem = "missing, but the manifest has this table"
		}
		bad(d)
		return
	}
	o := sstable.ReaderOptions{Name: name}
	if len(metas) > 0 {
		o.UID, o.Size = metas[0].UID, metas[0].Size
	}
	r, err := sstable.NewReader(f, o)
	if err != nil {
		bad(finding(err, name))
		if errors.Is(err, base.ErrCorruption) {
			c.r.Entries += c.remains(name, f, o.UID, finding(err, name).Offset, bad)
		}
		_ = f.Close()
		return
	}
	defer r.Close()
	c.hold(name, r.Properties(), metas, bad)
	uses, whole := newBlobUses(metas), true
	err = r.Audit(sstable.Audit{
		Progress: func(n int64) error {
			c.r.Blocks++
			c.bar.add(n)
			return nil
		},
		Report: func(err error) error {
			f := finding(err, name)
			whole = whole && f.File != name
			bad(f)
			return nil
		},
		Blob: func(key []byte, ref base.BlobRef) error {
			if !uses.add(key, ref) {
				return nil
			}
			return c.value(key, ref)
		},
	})
	if err != nil {
		bad(finding(err, name))
	} else if whole {
		for _, problem := range uses.differ() {
			bad(Finding{Severity: Damage, File: name, Offset: -1, Problem: problem})
		}
	}
	c.r.Entries += r.Properties().Entries
	if len(c.r.Findings) == before {
		m := r.Meta()
		c.whole[num] = wholeTable{uid: m.UID, size: m.Size, props: m.Properties}
	}
}

// wholeTable is a table, or a blob file, that checked out. What is in it cannot change while it is in
// the tree.
type wholeTable struct {
	uid   uint64
	size  int64
	props sstable.Properties
	data  int64 // bytes of blocks, of a blob file
}

// is reports whether it is the table that metas want.
func (w *wholeTable) is(metas []*manifest.FileMeta) bool {
	return len(metas) == 0 || metas[0].UID == w.uid && metas[0].Size == w.size
}

// hold holds what the manifest says of a table against what the table says.
func (c *checker) hold(name string, p *sstable.Properties, metas []*manifest.FileMeta, bad func(Finding)) {
	for _, m := range metas {
		if problem := mismatch(m, p); problem != "" {
			bad(Finding{Severity: Damage, File: name, Offset: -1, Problem: problem})
		}
		if c.t != nil && m.LargestSeq > c.t.lastSeq {
			bad(Finding{Severity: Damage, File: name, Offset: -1,
				Problem: fmt.Sprintf("sequence number %d, beyond the manifest's last one, %d", m.LargestSeq, c.t.lastSeq)})
		}
	}
}

// remains lists what else is wrong with a table, or a blob file, that cannot be opened, and
// counts the records that are left.
func (c *checker) remains(name string, file vfs.File, uid uint64, seen int64, bad func(Finding)) (records uint64) {
	f := &watched{File: file}
	size, err := f.Size()
	if err != nil {
		bad(finding(err, name))
		return 0
	}
	if id, ok := sstable.PeekUID(f, size); ok && uid != 0 && id != uid {
		return 0 // another table: nothing in it belongs here
	}
	m, err := sstable.ReadRemains(f, name, size, uid, func(d sstable.Damage) {
		if d.Offset != seen {
			bad(tableDamage(name, d, f))
		}
	})
	if err != nil {
		if ioFailed(err) {
			bad(finding(err, name))
		}
		return 0
	}
	it := m.NewIter()
	for kv := it.First(); kv != nil; kv = it.Next() {
		records++
	}
	return records
}

// tableDamage makes a Finding of what sstable.ReadRemains met in f.
func tableDamage(name string, d sstable.Damage, f *watched) Finding {
	err := f.cause(d.Err, d.Offset, d.Len)
	x := Finding{Severity: Damage, File: name, Offset: d.Offset, Length: d.Len, Lower: d.Lower, Upper: d.Upper,
		Problem: fmt.Sprintf("%s: %v", d.What, err)}
	x.blame(err)
	return x
}

// mismatch says in what the manifest and the table contradict each other.
func mismatch(m *manifest.FileMeta, p *sstable.Properties) string {
	var bad string
	check := func(same bool, what string, want, got any) {
		if !same && bad == "" {
			bad = fmt.Sprintf("the manifest says %s %v, the table %v", what, want, got)
		}
	}
	if m.GlobalSeq == 0 {
		check(m.SmallestSeq == p.SmallestSeq && m.LargestSeq == p.LargestSeq, "sequence numbers",
			[]base.SeqNum{m.SmallestSeq, m.LargestSeq}, []base.SeqNum{p.SmallestSeq, p.LargestSeq})
	}
	check(p.Kind != sstable.Blob, "a table", "with keys", "that it has values only")
	check((m.GlobalSeq != 0) == (p.Kind == sstable.External), "ingested", m.GlobalSeq != 0, p.Kind == sstable.External)
	if m.Clipped {
		check(bytes.Compare(m.Smallest, p.Smallest) >= 0 &&
			manifest.CompareUpper(m.Largest, m.LargestExclusive, p.Largest, p.LargestExclusive) <= 0,
			"bounds", [2]Bytes{m.Smallest, m.Largest}, [2]Bytes{p.Smallest, p.Largest})
		return bad
	}
	check(bytes.Equal(m.Smallest, p.Smallest), "the smallest key is", Bytes(m.Smallest), Bytes(p.Smallest))
	check(bytes.Equal(m.Largest, p.Largest) && m.LargestExclusive == p.LargestExclusive,
		"the largest key is", Bytes(m.Largest), Bytes(p.Largest))
	check(m.Entries == p.Entries && m.Deletes == p.Deletes && m.RangeDels == p.RangeDels && m.TTLs == p.TTLs,
		"entries, deletes, range deletes, expiring",
		[]uint64{m.Entries, m.Deletes, m.RangeDels, m.TTLs}, []uint64{p.Entries, p.Deletes, p.RangeDels, p.TTLs})
	return bad
}
