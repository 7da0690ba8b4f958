package inspect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/batch"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Op is one operation of a log, or one record of a table.
type Op struct {
	Seq    uint64     `json:"seq"`
	Kind   string     `json:"kind"` // SET, SETTTL, DEL, RANGEDEL, and in tables BLOB, BLOBTTL
	Key    Bytes      `json:"key"`
	Value  Bytes      `json:"value,omitempty"`
	Blob   *BlobPlace `json:"blob,omitempty"`   // of a BLOB or BLOBTTL: where the value is
	End    *Bytes     `json:"end,omitempty"`    // of a RANGEDEL: exclusive; null for the end of the key space
	Expiry *time.Time `json:"expiry,omitempty"` // of a SETTTL or BLOBTTL
}

// BlobPlace is where a value stands outside of its table.
type BlobPlace struct {
	File        string `json:"file"` // base name of the blob file
	Offset      uint64 `json:"offset"`
	Length      uint32 `json:"length"`       // in the file, key, codec and checksum included
	ValueLength uint32 `json:"value_length"` // before compression
}

func (p *BlobPlace) String() string {
	return fmt.Sprintf("%s at %d +%d, %d bytes", p.File, p.Offset, p.Length, p.ValueLength)
}

func (o *Op) String() string {
	s := fmt.Sprintf("#%d %s %v", o.Seq, o.Kind, o.Key)
	switch {
	case o.End != nil && *o.End == nil:
		s += " to the end"
	case o.End != nil:
		s += fmt.Sprintf(" to %v", *o.End)
	case o.Blob != nil:
		s += fmt.Sprintf(" in %v", o.Blob)
	case o.Kind == base.KindSet.String() || o.Expiry != nil:
		s += fmt.Sprintf(" = %v", o.Value)
	}
	if o.Expiry != nil {
		s += " until " + o.Expiry.Format(time.RFC3339Nano)
	}
	return s
}

// makeOp copies what it is given.
func makeOp(seq base.SeqNum, kind base.Kind, key, value []byte) Op {
	o := Op{Seq: uint64(seq), Kind: kind.String(), Key: append(Bytes{}, key...)}
	switch kind {
	case base.KindSet:
		o.Value = append(Bytes{}, value...)
	case base.KindSetTTL:
		if len(value) >= 8 {
			t := time.Unix(0, int64(binary.BigEndian.Uint64(value))).UTC()
			o.Expiry, o.Value = &t, append(Bytes{}, value[8:]...)
		}
	case base.KindBlob, base.KindBlobTTL:
		o.Blob, o.Expiry = blobPlace(kind, value)
	}
	return o
}

// blobPlace takes the value of a record apart that stands elsewhere. The place is nil if
// the reference is malformed.
func blobPlace(kind base.Kind, value []byte) (*BlobPlace, *time.Time) {
	expiry, ref, err := sstable.SplitBlob(&base.KV{Trailer: base.MakeTrailer(0, kind), Value: value})
	if err != nil {
		return nil, nil
	}
	p := &BlobPlace{manifest.FileName(manifest.FileBlob, ref.File), ref.Offset, ref.Len, ref.ValueLen}
	if len(expiry) == 0 {
		return p, nil
	}
	t := time.Unix(0, int64(binary.BigEndian.Uint64(expiry))).UTC()
	return p, &t
}

func rangeOp(seq base.SeqNum, start, end []byte) Op {
	o := Op{Seq: uint64(seq), Kind: base.KindRangeDelete.String(), Key: append(Bytes{}, start...), End: new(Bytes)}
	if end != nil {
		*o.End = append(Bytes{}, end...)
	}
	return o
}

// LogRecord is one frame of a log.
type LogRecord struct {
	File    string `json:"file"`
	Offset  int64  `json:"offset"`
	Length  int64  `json:"length"`
	Type    string `json:"type"`           // header, data, marked, end, damage
	Base    uint64 `json:"base,omitempty"` // of a header: sequence numbers are relative to it
	Mark    int64  `json:"mark,omitempty"` // the file was synced up to here when the frame was written
	Next    uint64 `json:"next,omitempty"` // of an end: the log that follows
	Seq     uint64 `json:"seq,omitempty"`  // of the first operation
	Ops     []Op   `json:"ops,omitempty"`
	Problem string `json:"problem,omitempty"`
}

func (r *LogRecord) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%8d +%-6d %s", r.Offset, r.Length, r.Type)
	switch r.Type {
	case "header":
		fmt.Fprintf(&b, " base %d", r.Base)
	case "end":
		fmt.Fprintf(&b, " next log %d", r.Next)
	}
	if r.Mark > 0 {
		fmt.Fprintf(&b, " synced to %d", r.Mark)
	}
	if r.Seq > 0 && len(r.Ops) == 0 {
		fmt.Fprintf(&b, " #%d the tree was changed beside the log", r.Seq)
	}
	if r.Problem != "" {
		fmt.Fprintf(&b, " DAMAGED: %s", r.Problem)
	}
	for i := range r.Ops {
		fmt.Fprintf(&b, "\n           %v", &r.Ops[i])
	}
	return b.String()
}

// frameFile opens a log or manifest for a dump. Its number comes from its name, or if
// the name is no longer that, from its header.
func frameFile(fs vfs.FS, name string, kind manifest.FileKind) (f vfs.File, size int64, num base.FileNum, err error) {
	if f, err = fs.Open(name); err != nil {
		return nil, 0, 0, err
	}
	if size, err = f.Size(); err != nil {
		_ = f.Close()
		return nil, 0, 0, err
	}
	k, num, ok := manifest.ParseName(filepath.Base(name))
	if !ok || k != kind {
		// Header frame: 10 bytes, magic (8), version, kind, number (8): docs/wal.md.
		var b [28]byte
		n, err := f.ReadAt(b[:], 0)
		if n < len(b) && err != nil && !errors.Is(err, io.EOF) {
			_ = f.Close()
			return nil, 0, 0, err
		}
		if n == len(b) && bytes.HasPrefix(b[10:], []byte("RingWAL\x00")) {
			num = base.FileNum(binary.LittleEndian.Uint64(b[20:]))
		}
	}
	return f, size, num, nil
}

// DumpLog shows every frame of a write-ahead log, damage as a record of type damage,
// and goes on behind it. An error of fn ends the work and is returned.
func DumpLog(fs vfs.FS, name string, o *Options, fn func(*LogRecord) error) error {
	f, size, num, err := frameFile(fs, name, manifest.FileLog)
	if err != nil {
		return err
	}
	defer f.Close()
	bar := o.tracker(size)
	bar.file("log", filepath.Base(name))
	var first base.SeqNum
	_, err = wal.ScanFrames(f, size, name, wal.KindLog, num, wal.ScanOptions{SkipDamage: true}, func(fr *wal.Frame) error {
		r := &LogRecord{File: name, Offset: fr.Offset, Length: fr.Len, Type: fr.Type.String(), Mark: fr.Mark, Next: uint64(fr.Next)}
		switch fr.Type {
		case wal.TypeHeader:
			first, r.Base = base.SeqNum(fr.Base), fr.Base
		case wal.TypeDamage:
			r.Problem = "no whole frame"
		case wal.TypeData, wal.TypeMarked:
			if len(fr.Payload) > 0 {
				r.decode(fr.Payload, first)
			}
		}
		bar.add(fr.Len)
		return fn(r)
	})
	return err
}

func (r *LogRecord) decode(payload []byte, first base.SeqNum) {
	g, err := batch.Decode(payload, first)
	if err != nil {
		r.Problem = err.Error()
		return
	}
	r.Seq = uint64(g.Seq)
	for ops, seq := g.Ops, g.Seq; len(ops) > 0; seq++ {
		op, rest, err := batch.DecodeOp(ops)
		if err != nil {
			return
		}
		ops = rest
		if op.Kind == base.KindRangeDelete {
			r.Ops = append(r.Ops, rangeOp(seq, op.Key, unbounded(op.Value)))
		} else {
			r.Ops = append(r.Ops, makeOp(seq, op.Kind, op.Key, op.Value))
		}
	}
}

// unbounded turns the empty end of a range delete into nil.
func unbounded(end []byte) []byte {
	if len(end) == 0 {
		return nil
	}
	return end
}

// TableInfo is a table as an edit of the manifest describes it.
type TableInfo struct {
	Level       int       `json:"level"`
	Num         uint64    `json:"num"`
	File        uint64    `json:"file"`
	UID         string    `json:"uid,omitempty"`
	Size        int64     `json:"size,omitempty"`
	Clipped     bool      `json:"clipped,omitempty"`
	Smallest    Bytes     `json:"smallest"`
	Largest     Bytes     `json:"largest"` // null for no bound
	Exclusive   bool      `json:"largest_exclusive,omitempty"`
	SmallestSeq uint64    `json:"smallest_seq"`
	LargestSeq  uint64    `json:"largest_seq"`
	GlobalSeq   uint64    `json:"global_seq,omitempty"`
	Entries     uint64    `json:"entries"`
	Deletes     uint64    `json:"deletes,omitempty"`
	RangeDels   uint64    `json:"range_deletes,omitempty"`
	TTLs        uint64    `json:"expiring,omitempty"`
	Blobs       []BlobUse `json:"blobs,omitempty"` // the blob files that it needs; an estimate where Clipped
}

// BlobUse is what a table needs of a blob file.
type BlobUse struct {
	File   uint64 `json:"file"`
	Values uint64 `json:"values"`
	Bytes  int64  `json:"bytes"` // as they are stored
}

// BlobInfo is a blob file as an edit of the manifest describes it.
type BlobInfo struct {
	Num    uint64 `json:"num"`
	UID    string `json:"uid"`
	Size   int64  `json:"size"`
	Values uint64 `json:"values"`
	Bytes  int64  `json:"bytes"` // of all values, as they are stored
}

func (b *BlobInfo) String() string {
	return fmt.Sprintf("blob file %d, %d bytes, %d values of %d bytes", b.Num, b.Size, b.Values, b.Bytes)
}

func tableInfo(level int, m *manifest.FileMeta) TableInfo {
	t := TableInfo{
		Level: level, Num: uint64(m.Num), File: uint64(m.File), UID: fmt.Sprintf("%016x", m.UID), Size: m.Size,
		Clipped: m.Clipped, Smallest: m.Smallest, Largest: m.Largest, Exclusive: m.LargestExclusive,
		SmallestSeq: uint64(m.SmallestSeq), LargestSeq: uint64(m.LargestSeq), GlobalSeq: uint64(m.GlobalSeq),
		Entries: m.Entries, Deletes: m.Deletes, RangeDels: m.RangeDels, TTLs: m.TTLs,
	}
	if m.Unbounded() {
		t.Largest = nil
	}
	for _, u := range m.Blobs {
		t.Blobs = append(t.Blobs, BlobUse{uint64(u.File), u.Values, u.Bytes})
	}
	return t
}

func (t *TableInfo) String() string {
	end := "]"
	if t.Exclusive {
		end = ")"
	}
	s := fmt.Sprintf("table %d L%d [%v, %v%s #%d..#%d, %d bytes, %d entries", t.Num, t.Level, t.Smallest, t.Largest, end,
		t.SmallestSeq, t.LargestSeq, t.Size, t.Entries)
	for _, x := range []struct {
		n    uint64
		what string
	}{{t.Deletes, "deletes"}, {t.RangeDels, "range deletes"}, {t.TTLs, "expiring"}} {
		if x.n > 0 {
			s += fmt.Sprintf(", %d %s", x.n, x.what)
		}
	}
	if t.GlobalSeq != 0 {
		s += fmt.Sprintf(", ingested as #%d", t.GlobalSeq)
	}
	if t.Clipped {
		s += fmt.Sprintf(", a part of file %d", t.File)
	}
	for _, u := range t.Blobs {
		s += fmt.Sprintf("; %d values of %d bytes in blob file %d", u.Values, u.Bytes, u.File)
	}
	return s
}

// ManifestRecord is one frame of a manifest.
type ManifestRecord struct {
	File     string           `json:"file"`
	Offset   int64            `json:"offset"`
	Length   int64            `json:"length"`
	Type     string           `json:"type"` // header, data, marked, end, damage
	Mark     int64            `json:"mark,omitempty"`
	Added    []TableInfo      `json:"added,omitempty"`
	Deleted  []DeletedTable   `json:"deleted,omitempty"`
	Blobs    []BlobInfo       `json:"added_blobs,omitempty"`
	MinLog   uint64           `json:"min_log,omitempty"`
	NextFile uint64           `json:"next_file,omitempty"`
	LastSeq  uint64           `json:"last_seq,omitempty"`
	LogEnds  map[string]int64 `json:"log_ends,omitempty"` // logs that were closed in an orderly way
	Problem  string           `json:"problem,omitempty"`
}

// DeletedTable is a table that an edit takes out of a level.
type DeletedTable struct {
	Level int    `json:"level"`
	Num   uint64 `json:"num"`
}

func (r *ManifestRecord) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%8d +%-6d %s", r.Offset, r.Length, r.Type)
	if r.Mark > 0 {
		fmt.Fprintf(&b, " synced to %d", r.Mark)
	}
	for _, x := range []struct {
		n    uint64
		what string
	}{{r.MinLog, "logs from"}, {r.NextFile, "next file"}, {r.LastSeq, "last sequence number"}} {
		if x.n > 0 {
			fmt.Fprintf(&b, ", %s %d", x.what, x.n)
		}
	}
	if r.Problem != "" {
		fmt.Fprintf(&b, " DAMAGED: %s", r.Problem)
	}
	for _, d := range r.Deleted {
		fmt.Fprintf(&b, "\n           - table %d L%d", d.Num, d.Level)
	}
	for i := range r.Blobs {
		fmt.Fprintf(&b, "\n           + %v", &r.Blobs[i])
	}
	for i := range r.Added {
		fmt.Fprintf(&b, "\n           + %v", &r.Added[i])
	}
	for name, end := range r.LogEnds {
		fmt.Fprintf(&b, "\n           %s was closed at %d", name, end)
	}
	return b.String()
}

// DumpManifest shows every frame of a manifest, as DumpLog does of a log.
func DumpManifest(fs vfs.FS, name string, o *Options, fn func(*ManifestRecord) error) error {
	f, size, num, err := frameFile(fs, name, manifest.FileManifest)
	if err != nil {
		return err
	}
	_ = f.Close()
	bar := o.tracker(size)
	bar.file("manifest", filepath.Base(name))
	_, err = manifest.ScanEdits(fs, name, num, wal.ScanOptions{SkipDamage: true}, func(e *manifest.EditFrame) error {
		r := &ManifestRecord{File: name, Offset: e.Offset, Length: e.Len, Type: e.Type.String(), Mark: e.Mark}
		switch {
		case e.Type == wal.TypeDamage:
			r.Problem = "no whole frame"
		case e.Err != nil:
			r.Problem = e.Err.Error()
		case e.Edit != nil:
			r.edit(e.Edit)
		}
		bar.add(e.Len)
		return fn(r)
	})
	return err
}

func (r *ManifestRecord) edit(e *manifest.Edit) {
	r.MinLog, r.NextFile, r.LastSeq = uint64(e.MinLog), uint64(e.NextFile), uint64(e.LastSeq)
	for _, d := range e.Deleted {
		r.Deleted = append(r.Deleted, DeletedTable{d.Level, uint64(d.Num)})
	}
	for _, b := range e.AddedBlobs {
		r.Blobs = append(r.Blobs, BlobInfo{uint64(b.Num), fmt.Sprintf("%016x", b.UID), b.Size, b.Values, b.Bytes})
	}
	for _, a := range e.Added {
		r.Added = append(r.Added, tableInfo(a.Level, a.Meta))
	}
	for _, l := range e.LogEnd {
		if r.LogEnds == nil {
			r.LogEnds = make(map[string]int64)
		}
		r.LogEnds[manifest.FileName(manifest.FileLog, l.Num)] = l.End
	}
}
