package sstable

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/block"
	"github.com/ringwood-kv/ringwood/lsm/internal/filter"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
)

// Damage is a part of a table that cannot be used.
type Damage struct {
	Offset, Len  int64
	What         string // the block: "data block", "index", …
	Lower, Upper []byte // user keys that may have been there lie in [Lower, Upper]; nil when unknown
	Err          error
}

// Remains is what can be read of a table that may be damaged anywhere, for tools:
// data blocks are found by the index or, without one, by their checksums; bad ones
// are stepped over. Nothing is kept in memory but the places of the blocks.
type Remains struct {
	f      io.ReaderAt
	name   string
	uid    uint64
	report func(Damage)

	HasFooter bool
	UID       uint64
	Props     *Properties // nil if they are lost
	RangeDels []rangedel.Tombstone
	Blocks    []Place // data blocks, whole or not
	Index     bool    // Blocks is from the index, so complete
}

// Place is a data block in the file. Upper is the separator from the index: no key
// of the block is larger; nil without an index.
type Place struct {
	Offset, Len int64 // with the trailer
	Upper       []byte
}

// ErrNoIdentity means that nothing says under which unique id the blocks of a table
// were sealed: none of it can be told from garbage.
var ErrNoIdentity = errors.New("the footer is lost, and no manifest has the table's unique id")

// ReadRemains looks at the first size bytes of f. uid is the unique id from the
// manifest, 0 if it is not known; the id in a footer that checks out goes before it.
// report is told what is damaged outside of data blocks. The error is one of the file
// system, or ErrNoIdentity.
func ReadRemains(f io.ReaderAt, name string, size int64, uid uint64, report func(Damage)) (*Remains, error) {
	m := &Remains{f: f, name: name, uid: uid, report: report}
	end, ft := size, footer{}
	off := size - footerLen
	err := errors.New("no table: too short")
	if off >= 0 {
		b := make([]byte, footerLen)
		if err = readFull(f, name, b, off); err == nil {
			ft, err = decodeFooter(b, off, 0)
		}
	}
	var v *VersionError
	switch {
	case errors.As(err, &v):
		v.File = name
		return nil, v
	case err == nil:
		m.HasFooter, m.uid = true, ft.uid
	default:
		report(Damage{Offset: max(off, 0), Len: size - max(off, 0), What: "footer", Err: err})
		if uid == 0 {
			return nil, ErrNoIdentity
		}
	}
	m.UID = m.uid
	if !m.HasFooter {
		m.scan(end)
		return m, nil
	}
	m.metaBlocks(&ft)
	if ft.index.len > 0 && !m.Index {
		m.scan(int64(ft.filter.off))
	}
	return m, nil
}

// metaBlocks reads everything between the data blocks and the footer.
func (m *Remains) metaBlocks(ft *footer) {
	part := func(h handle, what string, use func([]byte) error) {
		if h.len == 0 {
			return
		}
		b, err := m.sealed(int64(h.off), int64(h.len))
		if err == nil {
			err = use(b)
		}
		if err != nil {
			m.report(Damage{Offset: int64(h.off), Len: int64(h.len), What: what, Err: err})
		}
	}
	part(ft.filter, "filter", func(b []byte) error {
		_, err := filter.Decode(b)
		return err
	})
	part(ft.props, "properties", m.useProps)
	part(ft.rangeDels, "range tombstones", m.useRangeDels)
	part(ft.index, "index", func(b []byte) error { return m.useIndex(b, ft.filter.off) })
}

func (m *Remains) useProps(b []byte) error {
	p, err := decodeProperties(b)
	if err == nil {
		m.Props = &p
	}
	return err
}

func (m *Remains) useRangeDels(b []byte) (err error) {
	m.RangeDels, err = decodeRangeDels(b)
	return err
}

func (m *Remains) useIndex(b []byte, dataEnd uint64) error {
	size, err := measureIndex(b, dataEnd)
	if err != nil {
		return err
	}
	region := make([]uint64, (size.bytes()+7)/8)
	x, err := buildIndex(b, size, bytesOf(region), dataEnd)
	if err != nil {
		return err
	}
	for i := range x.n {
		m.Blocks = append(m.Blocks, Place{int64(x.offsets[i]), int64(x.offsets[i+1] - x.offsets[i]), x.key(i)})
	}
	m.Index = true
	return nil
}

// sealed reads a block with its trailer and returns what it holds.
func (m *Remains) sealed(off, n int64) ([]byte, error) {
	if n > maxRecordBlock+trailerLen && n > 1<<31-1 {
		return nil, errLength
	}
	raw := make([]byte, n)
	if err := readFull(m.f, m.name, raw, off); err != nil {
		return nil, err
	}
	return unseal(raw, m.uid, off)
}

func unseal(raw []byte, uid uint64, off int64) ([]byte, error) {
	payload, c, err := openBlock(raw, uid, off)
	if err != nil || c == None {
		return payload, err
	}
	size, err := decodedLen(payload, c, 1<<31-1)
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	return b, decode(b, payload, c)
}

// NewIter walks the records that can be read, once and forwards. The bytes of a
// record live until the next move. Each damaged block goes to the report; of one that
// is found bad half way, the records before are shown.
func (m *Remains) NewIter() *RemainsIter { return &RemainsIter{m: m} }

// RemainsIter implements base.Iter for a single walk from First: the other
// directions find nothing.
type RemainsIter struct {
	m     *Remains
	next  int // block to enter
	blk   block.Iter
	on    bool
	fresh bool // nothing of the block was shown yet
	place Place
	last  []byte
	lastT base.Trailer
	some  bool
	lost  []Damage // their upper key is not known yet
}

var _ base.Iter = (*RemainsIter)(nil)

// Place returns the block of the current record.
func (it *RemainsIter) Place() Place { return it.place }

// First goes to the first record.
func (it *RemainsIter) First() *base.KV {
	it.next, it.on, it.some = 0, false, false
	return it.Next()
}

// Next goes to the next record.
func (it *RemainsIter) Next() *base.KV {
	for {
		if !it.on && !it.enter() {
			it.tell(nil)
			return nil
		}
		kv := it.move()
		switch {
		case kv == nil:
			if err := it.blk.Err(); err != nil {
				it.bad(err)
			}
			it.on = false
		case it.some && base.Compare(it.last, it.lastT, kv.Key, kv.Trailer) >= 0:
			it.bad(errOrder)
			it.on = false
		default:
			it.last = append(it.last[:0], kv.Key...)
			it.lastT, it.some = kv.Trailer, true
			it.tell(it.last)
			return kv
		}
	}
}

func (it *RemainsIter) move() *base.KV {
	if it.fresh {
		it.fresh = false
		return it.blk.First()
	}
	return it.blk.Next()
}

// enter opens the next block that can be read.
func (it *RemainsIter) enter() bool {
	for it.next < len(it.m.Blocks) {
		it.place = it.m.Blocks[it.next]
		it.next++
		b, err := it.m.sealed(it.place.Offset, it.place.Len)
		if err == nil {
			err = it.blk.Init(b)
		}
		if err == nil {
			it.on, it.fresh = true, true
			return true
		}
		it.bad(err)
	}
	return false
}

// bad takes note of the current block.
func (it *RemainsIter) bad(err error) {
	d := Damage{Offset: it.place.Offset, Len: it.place.Len, What: "data block", Upper: it.place.Upper, Err: err}
	switch i := it.next - 1; {
	case it.some:
		d.Lower = bytes.Clone(it.last)
	case i > 0 && it.m.Index:
		d.Lower = it.m.Blocks[i-1].Upper
	case it.m.Props != nil:
		d.Lower = it.m.Props.Smallest
	}
	it.lost = append(it.lost, d)
}

// tell reports what was lost before upper, the first key after it, nil for the end.
func (it *RemainsIter) tell(upper []byte) {
	for _, d := range it.lost {
		switch {
		case d.Upper != nil:
		case upper != nil:
			d.Upper = bytes.Clone(upper)
		case it.m.Props != nil && !it.m.Props.Unbounded():
			d.Upper = it.m.Props.Largest
		}
		it.m.report(d)
	}
	it.lost = it.lost[:0]
}

// Last, SeekGE, SeekLT and Prev find nothing.
func (it *RemainsIter) Last() *base.KV             { return nil }
func (it *RemainsIter) SeekGE([]byte) *base.KV     { return nil }
func (it *RemainsIter) SeekLT(key []byte) *base.KV { return nil }
func (it *RemainsIter) Prev() *base.KV             { return nil }

// Err is always nil: what cannot be read was reported.
func (it *RemainsIter) Err() error   { return nil }
func (it *RemainsIter) Close() error { it.blk.Reset(); return nil }

// PeekUID returns the unique id in the footer of f, false if there is none that
// checks out.
func PeekUID(f io.ReaderAt, size int64) (uint64, bool) {
	b := make([]byte, footerLen)
	off := size - footerLen
	if off < 0 || readFull(f, "", b, off) != nil {
		return 0, false
	}
	ft, err := decodeFooter(b, off, 0)
	if err != nil {
		return 0, false
	}
	return ft.uid, true
}

// Parts are the bytes that the parts of a table take in the file.
type Parts struct{ Data, Filter, RangeDels, Props, Index int64 }

// Parts returns them.
func (r *Reader) Parts() Parts {
	return Parts{
		Data: int64(r.ft.filter.off), Filter: int64(r.ft.filter.len), RangeDels: int64(r.ft.rangeDels.len),
		Props: int64(r.ft.props.len), Index: int64(r.ft.index.len),
	}
}

// ReadBlob returns the value of key at ref in f, a blob file of size bytes whose blocks
// were sealed under uid, and the trailer under which it was written. It needs no other
// part of the file. The bytes are the caller's.
func ReadBlob(f io.ReaderAt, name string, size int64, uid uint64, key []byte, ref base.BlobRef) ([]byte, base.Trailer, error) {
	bad := func(err error) error {
		k := bytes.Clone(key)
		return &base.CorruptionError{File: name, Offset: int64(ref.Offset), Lower: k, Upper: k, Err: err}
	}
	if int64(ref.Len) > size || int64(ref.Offset) > size-int64(ref.Len) {
		return nil, 0, bad(fmt.Errorf("the file ends before, at %d", size))
	}
	raw := make([]byte, ref.Len)
	if err := readFull(f, name, raw, int64(ref.Offset)); err != nil {
		return nil, 0, err
	}
	b, err := unseal(raw, uid, int64(ref.Offset))
	if err != nil {
		return nil, 0, bad(err)
	}
	v, t, ok := block.Only(b, key)
	if !ok || t.Kind() != base.KindSet || len(v) != int(ref.ValueLen) {
		return nil, 0, bad(errNotTheValue)
	}
	return v, t, nil
}
