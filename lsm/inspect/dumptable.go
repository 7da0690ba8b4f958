package inspect

import (
	"fmt"
	"path/filepath"

	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// TableRecord is one part of a table: what it says about itself first, then its range
// deletes, then every record, and damage where it is met. One of the fields is set.
type TableRecord struct {
	File   string       `json:"file"`
	About  *TableAbout  `json:"about,omitempty"`
	Block  *BlockRecord `json:"block,omitempty"`
	Op     *Op          `json:"op,omitempty"`
	Damage *Finding     `json:"damage,omitempty"`
}

func (r *TableRecord) String() string {
	switch {
	case r.About != nil:
		return r.About.String()
	case r.Block != nil:
		return r.Block.String()
	case r.Op != nil:
		return "           " + r.Op.String()
	case r.Damage != nil:
		return "DAMAGED: " + r.Damage.String()
	}
	return ""
}

// BlockRecord is a data block.
type BlockRecord struct {
	Offset    int64 `json:"offset"`
	Length    int64 `json:"length"`
	Separator Bytes `json:"separator,omitempty"` // from the index: no key in the block is larger
}

func (b *BlockRecord) String() string {
	s := fmt.Sprintf("%8d +%-6d block", b.Offset, b.Length)
	if b.Separator != nil {
		s += fmt.Sprintf(" up to %v", b.Separator)
	}
	return s
}

// TableAbout is what a table says about itself.
type TableAbout struct {
	Size        int64  `json:"size"`
	UID         string `json:"uid"`
	External    bool   `json:"external,omitempty"` // made to be ingested
	Blob        bool   `json:"blob,omitempty"`     // a blob file: values to which tables refer
	Compression string `json:"compression"`
	Blocks      uint64 `json:"blocks"`
	Smallest    Bytes  `json:"smallest"`
	Largest     Bytes  `json:"largest"`
	Exclusive   bool   `json:"largest_exclusive,omitempty"`
	SmallestSeq uint64 `json:"smallest_seq"`
	LargestSeq  uint64 `json:"largest_seq"`
	Entries     uint64 `json:"entries"`
	Deletes     uint64 `json:"deletes"`
	RangeDels   uint64 `json:"range_deletes"`
	TTLs        uint64 `json:"expiring"`
	BlobRefs    uint64 `json:"blob_refs,omitempty"` // records whose values are in blob files
	RawBytes    uint64 `json:"raw_bytes"`
}

func (t *TableAbout) String() string {
	s := fmt.Sprintf("%d bytes, id %s, %s, %d blocks, keys %v to %v, #%d..#%d\n",
		t.Size, t.UID, t.Compression, t.Blocks, t.Smallest, t.Largest, t.SmallestSeq, t.LargestSeq)
	if t.Blob {
		return s + fmt.Sprintf("blob file: %d values; %d bytes of keys and values", t.Entries, t.RawBytes)
	}
	s += fmt.Sprintf("%d entries, of them %d deletes and %d expiring", t.Entries, t.Deletes, t.TTLs)
	if t.BlobRefs > 0 {
		s += fmt.Sprintf(", %d with values in blob files", t.BlobRefs)
	}
	return s + fmt.Sprintf("; %d range deletes; %d bytes of keys and values", t.RangeDels, t.RawBytes)
}

func tableAbout(m *sstable.Remains, size int64) *TableAbout {
	p := m.Props
	a := &TableAbout{
		Size: size, UID: fmt.Sprintf("%016x", m.UID), External: p.Kind == sstable.External, Blob: p.Kind == sstable.Blob, Compression: "none",
		Blocks: p.Blocks, Smallest: p.Smallest, Largest: p.Largest, Exclusive: p.LargestExclusive,
		SmallestSeq: uint64(p.SmallestSeq), LargestSeq: uint64(p.LargestSeq),
		Entries: p.Entries, Deletes: p.Deletes, RangeDels: p.RangeDels, TTLs: p.TTLs, BlobRefs: p.BlobRefs,
		RawBytes: p.RawKeyBytes + p.RawValueBytes,
	}
	if p.Compression == sstable.Snappy {
		a.Compression = "snappy"
	}
	return a
}

// DumpTable shows everything that can be read of a table, or of a blob file; references to
// blob files are not followed. Of a table that was ingested,
// the sequence numbers are those in the file, 0. An error of fn ends the work and is
// returned.
func DumpTable(fs vfs.FS, name string, o *Options, fn func(*TableRecord) error) error {
	file, err := fs.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	f := &watched{File: file}
	size, err := f.Size()
	if err != nil {
		return err
	}
	bar := o.tracker(size)
	bar.file("table", filepath.Base(name))
	var failed error
	show := func(r TableRecord) {
		if failed == nil {
			r.File = name
			failed = fn(&r)
		}
	}
	m, err := sstable.ReadRemains(f, name, size, 0, func(d sstable.Damage) {
		x := tableDamage(name, d, f)
		show(TableRecord{Damage: &x})
	})
	if err != nil {
		if failed != nil {
			return failed
		}
		return fmt.Errorf("%s: %w", name, f.cause(err, 0, size))
	}
	if m.Props != nil {
		show(TableRecord{About: tableAbout(m, size)})
	}
	for _, d := range m.RangeDels {
		op := rangeOp(d.Seq, d.Start, d.End)
		show(TableRecord{Op: &op})
	}
	it := m.NewIter()
	at := int64(-1)
	for kv := it.First(); kv != nil && failed == nil; kv = it.Next() {
		if p := it.Place(); p.Offset != at {
			at = p.Offset
			bar.add(p.Len)
			show(TableRecord{Block: &BlockRecord{p.Offset, p.Len, p.Upper}})
		}
		op := makeOp(kv.Trailer.Seq(), kv.Trailer.Kind(), kv.Key, kv.Value)
		show(TableRecord{Op: &op})
		if kv.Trailer.Kind().Blob() && op.Blob == nil {
			show(TableRecord{Damage: &Finding{Severity: Damage, File: name, Offset: at, Lower: op.Key, Upper: op.Key, Problem: "malformed reference to a blob file"}})
		}
	}
	return failed
}
