package sstable

import (
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/cache"
	"github.com/ringwood-kv/ringwood/lsm/internal/filter"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// ReaderOptions configures a Reader.
type ReaderOptions struct {
	Name  string       // for errors
	ID    uint64       // names the table's blocks in Cache
	UID   uint64       // the unique id that the table must have; 0 takes any
	Cache *cache.Cache // nil: every lookup reads the file
	Size  int64        // that the file must have; 0 takes any
	Stats *Stats       // may be nil
	// Spawn, if not nil, runs a function in another goroutine, or returns false. The blocks
	// that a long walk comes to are decoded there; that ends before the iterator is closed.
	Spawn func(func()) bool
	// BlobsOnly: nothing but Blob will be asked, so that neither filter nor index is
	// read. The table must be of kind Blob.
	BlobsOnly bool
	// NoFilter leaves the filter in the file: a lookup looks into a block.
	NoFilter bool
}

// Reader reads one table. It is safe for concurrent use until Close; the caller
// sees to it that nothing is under way then, and that iterators are closed.
type Reader struct {
	f      vfs.File
	o      ReaderOptions
	uid    uint64
	size   int64
	idx    index
	filter filter.Filter
	props  Properties
	dels   []rangedel.Tombstone
	ft     footer
	region []byte // filter and index, off the Go heap
	memory int64
}

// NewReader opens the table in f: it reads and checks everything but the data
// blocks. The Reader owns f and closes it; if NewReader fails, f stays the
// caller's.
func NewReader(f vfs.File, o ReaderOptions) (*Reader, error) {
	r := &Reader{f: f, o: o}
	if err := r.open(); err != nil {
		arena.Free(r.region)
		return nil, err
	}
	return r, nil
}

func (r *Reader) open() error {
	size, err := r.f.Size()
	if err != nil {
		return fmt.Errorf("lsm: size of %s: %w", r.o.Name, err)
	}
	if r.o.Size != 0 && size != r.o.Size {
		return base.Corruptf(r.o.Name, min(size, r.o.Size), "file has %d bytes, not %d", size, r.o.Size)
	}
	r.size = size
	if err := r.readFooter(); err != nil {
		return err
	}
	if r.o.BlobsOnly {
		return r.readBlobProperties()
	}
	meta, err := r.readMeta()
	if err != nil {
		return err
	}
	defer putScratch(meta.s)
	if err := r.readProperties(&meta); err != nil {
		return err
	}
	return r.readRegion(&meta)
}

func (r *Reader) corrupt(off uint64, what string, err error) error {
	return &base.CorruptionError{File: r.o.Name, Offset: int64(off), Err: fmt.Errorf("%s: %w", what, err)}
}

// readMetaBytes reads from the file for other than data blocks.
func (r *Reader) readMetaBytes(p []byte, off int64) error {
	if r.o.Stats != nil {
		r.o.Stats.BytesRead.Add(int64(len(p)))
	}
	return readFull(r.f, r.o.Name, p, off)
}

func (r *Reader) readFooter() error {
	off := r.size - footerLen
	if off < 0 {
		return base.Corruptf(r.o.Name, 0, "no table: %d bytes", r.size)
	}
	b := make([]byte, footerLen)
	if err := r.readMetaBytes(b, off); err != nil {
		return err
	}
	ft, err := decodeFooter(b, off, r.o.UID)
	var v *VersionError
	if errors.As(err, &v) {
		v.File = r.o.Name
		return v
	}
	if err != nil {
		return &base.CorruptionError{File: r.o.Name, Offset: off, Err: err}
	}
	r.ft, r.uid = ft, ft.uid
	return nil
}

// metaBlocks holds everything between filter and footer, read in one go.
type metaBlocks struct {
	s   *scratch
	b   []byte
	off uint64 // of b in the file
}

func (r *Reader) readMeta() (metaBlocks, error) {
	m := metaBlocks{off: r.ft.rangeDels.off}
	n := uint64(r.size) - footerLen - m.off // checked by the footer
	if n > uint64(maxInt) {
		return m, base.Corruptf(r.o.Name, int64(m.off), "%d bytes of index do not fit memory", n)
	}
	m.s = getScratch(int(n))
	m.b = m.s.b[:n]
	if err := r.readMetaBytes(m.b, int64(m.off)); err != nil {
		putScratch(m.s)
		return m, err
	}
	return m, nil
}

const maxInt = int(^uint(0) >> 1)

// block returns the block at h, decompressed; nil if there is none. The result
// may alias m.
func (m *metaBlocks) block(h handle, uid uint64) ([]byte, error) {
	if h.len == 0 {
		return nil, nil
	}
	payload, c, err := openBlock(m.b[h.off-m.off:h.end()-m.off], uid, int64(h.off))
	if err != nil || c == None {
		return payload, err
	}
	n, err := decodedLen(payload, c, 1<<31-1)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	return b, decode(b, payload, c)
}

// useProperties holds them against the footer, which says the format.
func (r *Reader) useProperties(b []byte) (err error) {
	if r.props, err = decodeProperties(b); err == nil && r.props.version() != r.ft.version {
		err = fmt.Errorf("they are not of format %d", r.ft.version)
	}
	return err
}

// readBlobProperties reads the properties alone.
func (r *Reader) readBlobProperties() error {
	h := r.ft.props
	if h.len > smallScratch+2*base.MaxKeyLen {
		return r.corrupt(h.off, "properties", errLength)
	}
	s := getScratch(int(h.len))
	defer putScratch(s)
	if err := r.readMetaBytes(s.b[:h.len], int64(h.off)); err != nil {
		return err
	}
	b, c, err := openBlock(s.b[:h.len], r.uid, int64(h.off))
	if err == nil && c != None {
		err = errCodec
	}
	if err == nil {
		err = r.useProperties(b)
	}
	if err == nil && r.props.Kind != Blob {
		err = fmt.Errorf("not those of a blob file")
	}
	if err != nil {
		return r.corrupt(h.off, "properties", err)
	}
	return nil
}

func (r *Reader) readProperties(m *metaBlocks) error {
	b, err := m.block(r.ft.props, r.uid)
	if err == nil {
		err = r.useProperties(b)
	}
	if err != nil {
		return r.corrupt(r.ft.props.off, "properties", err)
	}
	b, err = m.block(r.ft.rangeDels, r.uid)
	if err == nil {
		r.dels, err = decodeRangeDels(b)
	}
	if err == nil && uint64(len(r.dels)) != r.props.RangeDels {
		err = fmt.Errorf("%d of %d", len(r.dels), r.props.RangeDels)
	}
	if err != nil {
		return r.corrupt(r.ft.rangeDels.off, "range tombstones", err)
	}
	return nil
}

// readRegion brings filter and index into one region: the filter first, so that
// its lines are aligned with those of the CPU.
func (r *Reader) readRegion(m *metaBlocks) error {
	var size indexSize
	b, err := m.block(r.ft.index, r.uid)
	if err == nil && b != nil {
		size, err = measureIndex(b, r.ft.filter.off)
	}
	if err == nil && uint64(size.n) != r.props.Blocks {
		err = fmt.Errorf("%d of %d blocks", size.n, r.props.Blocks)
	}
	if err != nil {
		return r.corrupt(r.ft.index.off, "index", err)
	}
	filterLen := r.ft.filter.len
	if r.o.NoFilter {
		filterLen = 0
	}
	from := (filterLen + 7) &^ 7
	total := from + size.bytes()
	if total > uint64(maxInt) {
		return r.corrupt(r.ft.index.off, "index", errIndex)
	}
	if r.region, err = arena.Alloc(int(total)); err != nil {
		return fmt.Errorf("lsm: open %s: %w", r.o.Name, err)
	}
	r.memory = int64(total)
	for _, d := range r.dels {
		r.memory += int64(len(d.Start) + len(d.End) + 56)
	}
	if filterLen > 0 {
		if err := r.readFilter(r.region[:filterLen]); err != nil {
			return err
		}
	}
	if b == nil {
		return nil
	}
	if r.idx, err = buildIndex(b, size, r.region[from:], r.ft.filter.off); err != nil {
		return r.corrupt(r.ft.index.off, "index", err)
	}
	return nil
}

func (r *Reader) readFilter(raw []byte) error {
	h := r.ft.filter
	if err := r.readMetaBytes(raw, int64(h.off)); err != nil {
		return err
	}
	payload, c, err := openBlock(raw, r.uid, int64(h.off))
	if err == nil && c != None {
		err = errCodec
	}
	if err == nil {
		r.filter, err = filter.Decode(payload)
	}
	if err != nil {
		return r.corrupt(h.off, "filter", err)
	}
	return nil
}

// Close frees what the reader holds and closes the file. Blocks stay in the
// cache: forgetting them is for whoever knows that the table is gone.
func (r *Reader) Close() error {
	arena.Free(r.region)
	r.region = nil
	r.idx = index{}
	r.filter = filter.Filter{}
	return r.f.Close()
}

// Properties returns what the table says about itself. Not to be written to.
func (r *Reader) Properties() *Properties { return &r.props }

// Meta returns what Finish returned when the table was written.
func (r *Reader) Meta() Meta { return Meta{Properties: r.props, Size: r.size, UID: r.uid} }

// UID returns the unique id of the table.
func (r *Reader) UID() uint64 { return r.uid }

// RangeDels returns the range tombstones in the order in which they were written.
// They outlive the reader, and are not to be written to.
func (r *Reader) RangeDels() []rangedel.Tombstone { return r.dels }

// LeftFilterOut reports whether the table has a filter that is not in memory.
func (r *Reader) LeftFilterOut() bool { return r.o.NoFilter && r.ft.filter.len > 0 }

// MemoryUsage returns the bytes that the reader keeps in memory.
func (r *Reader) MemoryUsage() int64 { return r.memory }
