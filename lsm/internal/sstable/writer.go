package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/golang/snappy"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/block"
	"github.com/ringwood-kv/ringwood/lsm/internal/filter"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// WriterOptions configures a Writer.
type WriterOptions struct {
	UID              uint64 // unique id of the table; what points to the table must know it
	BlockSize        int    // of an uncompressed data block with its trailer; 0 means DefaultBlockSize
	Compression      Compression
	FilterBitsPerKey int  // 0 or less: no filter
	Kind             Kind // of Blob: each value in a block of its own, without a filter
}

const (
	writeBuffer = 512 << 10 // what gathers before it is written
	keepBuffer  = 4 << 20   // larger ones are not kept between blocks
)

var writeBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, writeBuffer+writeBuffer/8)
	return &b
}}

// Writer makes one table. It owns the file: Finish and Abort close it. After an
// error every method returns that error; the file is then garbage, and removing
// it is the caller's business. Not safe for concurrent use.
type Writer struct {
	f    vfs.File
	name string
	o    WriterOptions
	err  error
	done bool

	data   block.Builder
	index  block.Builder
	filter *filter.Builder
	limit  int // payload of a data block
	lastT  base.Trailer

	buf    []byte // finished blocks, to be written at off
	off    int64
	pooled *[]byte // of writeBuffers; nil before the first block

	dels      []byte
	lastStart []byte
	delEnd    []byte // largest end so far; nil is unbounded if RangeDels > 0

	first    []byte // smallest point key
	lens     []byte // scratch for the index
	p        Properties
	seqKnown bool

	// Of a table of kind Blob:
	lastBlock handle // finished last
	lastValue uint32 // length of the value added last
	lastKey   []byte
	head      []byte // scratch: the block in front of its value
	tail      []byte // scratch
}

// NewWriter starts a table in f, an empty file; name is for errors.
func NewWriter(f vfs.File, name string, o WriterOptions) *Writer {
	if o.BlockSize == 0 {
		o.BlockSize = DefaultBlockSize
	}
	o.BlockSize = max(minBlockSize, min(o.BlockSize, maxBlockSize))
	w := &Writer{f: f, name: name, o: o, filter: filter.NewBuilder(o.FilterBitsPerKey)}
	w.limit = o.BlockSize - trailerLen
	w.p.Kind, w.p.Compression = o.Kind, o.Compression
	if o.Compression > Snappy || o.Kind > Blob {
		w.err = fmt.Errorf("lsm: write %s: unknown compression %d or kind %d", name, o.Compression, o.Kind)
	}
	return w
}

// Add appends a point record, which must sort after the one before it. The bytes
// are copied.
func (w *Writer) Add(key []byte, t base.Trailer, value []byte) error {
	if w.err != nil {
		return w.err
	}
	last := w.last()
	shared := base.CommonPrefixLen(last, key)
	if err := w.checkPoint(shared, last, key, t, value); err != nil {
		return w.fail(err)
	}
	fresh := w.p.Entries == 0 || shared < len(key) || len(last) != len(key)
	if w.o.Kind == Blob {
		return w.addBlob(key, t, value)
	}
	if !w.data.Empty() && w.data.SizeWith(shared, key, t, value) > w.limit {
		// The separator needs both neighbours, so that it is chosen only now.
		if err := w.finishBlock(separator(last, key, shared)); err != nil {
			return err
		}
	}
	w.data.AddShared(shared, key, t, value)
	w.lastT = t
	if w.p.Entries == 0 {
		w.first = append([]byte{}, key...)
	}
	if fresh && w.o.FilterBitsPerKey > 0 {
		w.filter.Add(filter.HashKey(key))
	}
	w.count(key, t, value)
	return nil
}

// addBlob writes a block with nothing but this record.
func (w *Writer) addBlob(key []byte, t base.Trailer, value []byte) error {
	w.head = block.AppendSingle(w.head[:0], key, t, value)
	return w.added(key, t, len(value), w.appendParts(w.head, value))
}

// added takes note of the value of key that was written to h.
func (w *Writer) added(key []byte, t base.Trailer, n int, h handle) error {
	w.lastBlock, w.lastValue = h, uint32(n)
	w.lastT, w.lastKey = t, append(w.lastKey[:0], key...)
	if w.p.Entries == 0 {
		w.first = append([]byte{}, key...)
	}
	w.count(key, t, nil)
	w.p.RawValueBytes += uint64(n)
	return w.indexed(key, h)
}

// AddRaw is Add, in a table of kind Blob, of a value that was read by RawBlob for the same
// key. It keeps its sequence number.
func (w *Writer) AddRaw(key []byte, b *RawBlob) error {
	if w.err != nil {
		return w.err
	}
	last := w.last()
	if err := w.checkPoint(base.CommonPrefixLen(last, key), last, key, b.t, nil); err != nil {
		return w.fail(err)
	}
	off := w.off + int64(w.grow(len(b.payload)+trailerLen))
	start := len(w.buf)
	w.buf = sealBlock(append(w.buf, b.payload...), start, b.codec, w.o.UID, off)
	w.p.Compression = max(w.p.Compression, b.codec)
	return w.added(key, b.t, int(b.valueLen), handle{uint64(off), uint64(len(w.buf) - start)})
}

// grow makes room in the buffer for n bytes more, and returns what it has.
func (w *Writer) grow(n int) int {
	if w.pooled == nil {
		w.pooled = writeBuffers.Get().(*[]byte)
		w.buf = (*w.pooled)[:0]
	}
	if need := len(w.buf) + n; need > cap(w.buf) {
		w.buf = append(make([]byte, 0, need+need/8), w.buf...)
	}
	return len(w.buf)
}

// LastBlob returns where the value added last stands in a table of kind Blob, whose
// number the caller knows.
func (w *Writer) LastBlob() base.BlobRef {
	return base.BlobRef{Offset: w.lastBlock.off, Len: uint32(w.lastBlock.len), ValueLen: w.lastValue}
}

// checkPoint sees that the record is legal and in order.
func (w *Writer) checkPoint(shared int, last, key []byte, t base.Trailer, value []byte) error {
	kind := t.Kind()
	switch {
	case len(key) > base.MaxKeyLen:
		return fmt.Errorf("%w: key of %d bytes", base.ErrTooLarge, len(key))
	case kind.TTL() && len(value) < 8:
		return errors.New("a value with a time to live has no expiry")
	case !kind.Point():
		return fmt.Errorf("a record of kind %v among points", kind)
	case kind.Blob() && w.o.Kind != Internal, kind != base.KindSet && w.o.Kind == Blob:
		return fmt.Errorf("a record of kind %v in a table of kind %d", kind, w.o.Kind)
	case len(value) > base.MaxValueLen+8 || !kind.TTL() && len(value) > base.MaxValueLen:
		return fmt.Errorf("%w: value of %d bytes", base.ErrTooLarge, len(value))
	case w.p.Entries == 0:
		return nil
	}
	switch {
	case shared < len(last) && shared < len(key):
		if last[shared] < key[shared] {
			return nil
		}
	case len(last) != len(key):
		if len(last) < len(key) {
			return nil
		}
	case w.lastT > t:
		return nil
	}
	return fmt.Errorf("record %.64q#%d,%v after %.64q#%d,%v", key, t.Seq(), kind, last, w.lastT.Seq(), w.lastT.Kind())
}

// last returns the key added last.
func (w *Writer) last() []byte {
	if w.o.Kind == Blob {
		return w.lastKey
	}
	return w.data.LastKey()
}

// count keeps the properties up to date.
func (w *Writer) count(key []byte, t base.Trailer, value []byte) {
	p := &w.p
	p.Entries++
	p.RawKeyBytes += uint64(len(key))
	p.RawValueBytes += uint64(len(value))
	w.countSeq(t.Seq())
	kind := t.Kind()
	if kind.Blob() {
		p.BlobRefs++
	}
	switch {
	case kind == base.KindDelete:
		p.Deletes++
	case kind.TTL():
		x := int64(binary.BigEndian.Uint64(value))
		if p.TTLs == 0 {
			p.MinExpiry, p.MaxExpiry = x, x
		}
		p.MinExpiry, p.MaxExpiry = min(p.MinExpiry, x), max(p.MaxExpiry, x)
		p.TTLs++
	}
}

func (w *Writer) countSeq(s base.SeqNum) {
	if !w.seqKnown {
		w.p.SmallestSeq, w.p.LargestSeq, w.seqKnown = s, s, true
	}
	w.p.SmallestSeq, w.p.LargestSeq = min(w.p.SmallestSeq, s), max(w.p.LargestSeq, s)
}

// AddRangeDel adds a tombstone over [start, end); end nil is the end of the key
// space. Starts must not go back; overlaps are fine. May be mixed with Add.
func (w *Writer) AddRangeDel(start, end []byte, seq base.SeqNum) error {
	if w.err != nil {
		return w.err
	}
	t := rangedel.Tombstone{Start: start, End: end, Seq: seq}
	switch {
	case len(start) > base.MaxKeyLen || len(end) > maxEndLen:
		return w.fail(fmt.Errorf("%w: range from a key of %d to one of %d bytes", base.ErrTooLarge, len(start), len(end)))
	case t.Empty():
		return w.fail(fmt.Errorf("range tombstone [%.64q, %.64q) is empty", start, end))
	case w.p.RangeDels > 0 && bytes.Compare(w.lastStart, start) > 0:
		return w.fail(fmt.Errorf("range tombstone at %.64q after %.64q", start, w.lastStart))
	case seq > base.SeqNumMax:
		return w.fail(fmt.Errorf("sequence number %d", seq))
	}
	if w.p.RangeDels == 0 {
		w.p.Smallest = append([]byte{}, start...)
		w.delEnd = bytes.Clone(end)
	} else if rangedel.CompareEnds(w.delEnd, end) < 0 {
		w.delEnd = bytes.Clone(end)
	}
	w.lastStart = append(w.lastStart[:0], start...)
	w.p.RangeDels++
	w.countSeq(seq)
	w.dels = appendRangeDel(w.dels, t)
	return nil
}

// EstimatedSize returns about how large the file would be if finished now,
// without the compression that the current block may yet get.
func (w *Writer) EstimatedSize() int64 {
	return w.off + int64(len(w.buf)+w.data.EstimatedSize()+w.filter.EstimatedSize()+
		w.index.EstimatedSize()+len(w.dels)) + footerLen
}

// Entries returns how many records were added, range tombstones not counted.
func (w *Writer) Entries() uint64 { return w.p.Entries }

// Finish writes the rest, syncs and closes the file. The name of the file is not
// durable before the caller has synced its directory. A table without any record
// is an error.
func (w *Writer) Finish() (Meta, error) {
	m, err := w.finish()
	if cerr := w.close(); err == nil && cerr != nil {
		err = w.fail(cerr)
	}
	if err != nil {
		return Meta{}, err
	}
	return m, nil
}

func (w *Writer) finish() (Meta, error) {
	if w.err != nil {
		return Meta{}, w.err
	}
	if w.p.Entries == 0 && w.p.RangeDels == 0 {
		return Meta{}, w.fail(errors.New("no records"))
	}
	if !w.data.Empty() {
		// No neighbour to keep apart from: the exact key lets a lookup beyond it end here.
		if err := w.finishBlock(w.data.LastKey()); err != nil {
			return Meta{}, err
		}
	}
	w.bounds()
	ft := footer{uid: w.o.UID, version: w.p.version()}
	ft.filter = w.appendBlock(w.filter.Finish(), None)
	ft.rangeDels = w.appendBlock(w.dels, w.o.Compression)
	ft.props = w.appendBlock(w.p.encode(), None)
	var index []byte
	if !w.index.Empty() {
		index = w.index.Finish()
	}
	ft.index = w.appendBlock(index, w.o.Compression)
	w.buf = append(w.buf, ft.encode(w.off+int64(len(w.buf)))...)
	if err := w.flush(); err != nil {
		return Meta{}, err
	}
	if err := w.f.Sync(); err != nil {
		return Meta{}, w.fail(fmt.Errorf("sync: %w", err))
	}
	return Meta{Properties: w.p, Size: w.off, UID: w.o.UID}, nil
}

// bounds settles Smallest and Largest over points and range tombstones.
func (w *Writer) bounds() {
	p := &w.p
	p.HasPoints = p.Entries > 0
	if p.HasPoints {
		last := w.last()
		if p.RangeDels == 0 || bytes.Compare(w.first, p.Smallest) < 0 {
			p.Smallest = w.first
		}
		p.Largest = append([]byte{}, last...)
		if p.RangeDels == 0 || rangedel.CompareEnd(last, w.delEnd) >= 0 {
			return
		}
	}
	p.Largest, p.LargestExclusive = w.delEnd, true
}

// Abort gives the table up and closes the file. After Finish it does nothing.
func (w *Writer) Abort() {
	_ = w.fail(errors.New("aborted"))
	_ = w.close()
}

func (w *Writer) close() error {
	if w.done {
		return nil
	}
	w.done = true
	w.filter.Release()
	if w.pooled != nil {
		if cap(w.buf) <= keepBuffer {
			*w.pooled = w.buf
		}
		writeBuffers.Put(w.pooled)
		w.buf, w.pooled = nil, nil
	}
	return w.f.Close()
}

func (w *Writer) fail(err error) error {
	if w.err == nil {
		w.err = fmt.Errorf("lsm: write %s: %w", w.name, err)
	}
	return w.err
}

// finishBlock ends the current data block; sep is its separator.
func (w *Writer) finishBlock(sep []byte) error {
	h := w.appendBlock(w.data.Finish(), w.o.Compression)
	w.data.Reset()
	w.data.Shrink(keepBuffer)
	return w.indexed(sep, h)
}

// indexed enters the block at h, which is finished, into the index.
func (w *Writer) indexed(sep []byte, h handle) error {
	w.lens = binary.AppendUvarint(w.lens[:0], h.len)
	w.index.Add(sep, 0, w.lens)
	w.p.Blocks++
	if w.index.EstimatedSize() > block.MaxLen-2*base.MaxKeyLen {
		return w.fail(fmt.Errorf("%w: index of %d blocks", base.ErrTooLarge, w.p.Blocks))
	}
	if len(w.buf) >= writeBuffer {
		return w.flush()
	}
	return nil
}

// appendBlock puts a block with its trailer into the buffer, compressed if that
// pays. An empty one is left out.
func (w *Writer) appendBlock(payload []byte, c Compression) handle {
	off := w.off + int64(len(w.buf))
	if len(payload) == 0 {
		return handle{uint64(off), 0}
	}
	if w.pooled == nil {
		w.pooled = writeBuffers.Get().(*[]byte)
		w.buf = (*w.pooled)[:0]
	}
	start := len(w.buf)
	if c == Snappy {
		if need := start + snappy.MaxEncodedLen(len(payload)) + trailerLen; need > cap(w.buf) {
			w.buf = append(make([]byte, 0, need+need/8), w.buf...)
		}
		out := snappy.Encode(w.buf[start:cap(w.buf)], payload)
		if worthIt(len(out), len(payload)) {
			w.buf = w.buf[:start+len(out)]
		} else {
			c = None
		}
	}
	if c == None {
		w.buf = append(w.buf, payload...)
	}
	w.buf = sealBlock(w.buf, start, c, w.o.UID, off)
	return handle{uint64(off), uint64(len(w.buf) - start)}
}

// appendParts is appendBlock for a block of two parts, of which the second, the larger
// one, is not copied to be compressed: the first becomes a literal in front of it.
func (w *Writer) appendParts(head, value []byte) handle {
	size := len(head) + len(value)
	start := w.grow(2*binary.MaxVarintLen32 + literalLen*(1+len(head)>>16) + len(head) + snappy.MaxEncodedLen(len(value)) + trailerLen)
	off := w.off + int64(start)
	c := None
	if w.o.Compression == Snappy {
		b := appendLiteral(binary.AppendUvarint(w.buf, uint64(size)), head)
		// The encoder begins with the length of the value: that goes where the end of what
		// stands before it will be, and is overwritten by it.
		var prefix [binary.MaxVarintLen64]byte
		at := len(b) - binary.PutUvarint(prefix[:], uint64(len(value)))
		save := append(w.tail[:0], b[at:]...)
		out := snappy.Encode(b[at:cap(b)], value)
		copy(b[at:cap(b)], save)
		w.tail = save
		if n := at + len(out) - start; worthIt(n, size) {
			w.buf, c = b[:start+n], Snappy
		}
	}
	if c == None {
		w.buf = append(append(w.buf[:start], head...), value...)
	}
	w.buf = sealBlock(w.buf, start, c, w.o.UID, off)
	return handle{uint64(off), uint64(len(w.buf) - start)}
}

const (
	literalTag = 61 << 2 // of a literal whose length less one follows in two bytes
	literalLen = 3
)

// appendLiteral appends b as literal elements of snappy's block format.
func appendLiteral(dst, b []byte) []byte {
	for len(b) > 0 {
		n := min(len(b), 1<<16)
		dst = append(dst, literalTag, byte(n-1), byte((n-1)>>8))
		dst, b = append(dst, b[:n]...), b[n:]
	}
	return dst
}

func (w *Writer) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	n, err := w.f.WriteAt(w.buf, w.off)
	if err == nil && n < len(w.buf) {
		err = errors.New("short write")
	}
	if err != nil {
		return w.fail(fmt.Errorf("%d bytes at offset %d: %w", len(w.buf), w.off, err))
	}
	vfs.StartWriteback(w.f, w.off, int64(len(w.buf)))
	w.off += int64(len(w.buf))
	if cap(w.buf) > keepBuffer {
		w.buf = *w.pooled
	}
	w.buf = w.buf[:0]
	return nil
}

// separator returns a key that is >= a and < b, short if possible, where a < b
// and shared is the length of their common prefix; a itself if a = b. The result
// may alias either.
func separator(a, b []byte, shared int) []byte {
	if shared == len(a) {
		return a // also when a = b: the versions of one key go on
	}
	switch n := shared + 1; {
	case len(b) > n && n < len(a):
		return b[:n]
	case n < len(a) && a[shared]+1 < b[shared]:
		return append(append(make([]byte, 0, n), a[:shared]...), a[shared]+1)
	case n < len(a):
		// b is a[:shared] and a byte one higher: only what follows in a can grow.
		for i := n; i+1 < len(a); i++ {
			if a[i] != 0xff {
				return append(append(make([]byte, 0, i+1), a[:i]...), a[i]+1)
			}
		}
	}
	return a
}
