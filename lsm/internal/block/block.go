// Package block is the unit of a table: a run of sorted records, searched and
// walked in place. Data blocks and the index of a table have the same form.
//
// Keys are prefix-compressed with a restart point every 8 records, and stand
// apart from the values, right behind the restart points: a search reads one
// dense stretch at the start of the block and then one value, so that a block
// of 4 KiB that is not in the CPU's caches costs few misses. Trailers are a
// column of fixed width over the smallest one; where all are equal, as at the
// bottom of the tree, they take no space.
//
// Encoding, integers little-endian, no checksum (the table puts one around it):
//
//	header    18 bytes: u32 record count n >= 1, u32 length of keys,
//	          u64 smallest trailer, u8 trailer width w 0..8, u8 flags
//	restarts  one for each 8 records or part: offset in keys, offset in values;
//	          u16 each, or u32 each if flags&1
//	keys      n times: uvarint shared, uvarint unshared, uvarint value length,
//	          then the last unshared bytes of the key. shared counts the bytes it
//	          has in common with the key before it; at a restart point, with the
//	          first key of the block; 0 in the first. All that there are count:
//	          searching relies on it
//	trailers  n times w bytes: trailer minus the smallest one
//	values    n times, to the end of the block
//
// Records are strictly increasing in base.Compare. A checksum proves a block to
// be what was written, not that a sane program wrote it: readers check every
// offset and length, so that a hostile block gives ErrCorrupt or wrong records,
// never a panic, an endless loop or a large allocation.
package block

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// ErrCorrupt means that a block does not have the form described above. The
// caller knows the file and the offset.
var ErrCorrupt = errors.New("malformed block")

const (
	headerLen       = 18
	restartInterval = 8
	flagWide        = 1
	narrowMax       = 1<<16 - 1
	minEntryLen     = 3

	// Overhead is what a block of one record adds to its key and value at most.
	Overhead = headerLen + 8 + 3*binary.MaxVarintLen32
)

// layout is a block taken apart: where its regions begin, as offsets in data.
// Everything in it has been checked against len(data).
type layout struct {
	data      []byte
	n         int // records
	nr        int // restart points
	keys      int
	keysEnd   int
	values    int
	base      uint64
	width     int
	mask      uint64
	wide      bool
	valuesLen uint64
}

func (l *layout) parse(data []byte) error {
	if len(data) < headerLen {
		return ErrCorrupt
	}
	n := uint64(binary.LittleEndian.Uint32(data))
	keysLen := uint64(binary.LittleEndian.Uint32(data[4:]))
	width, flags := uint64(data[16]), data[17]
	if n == 0 || n*minEntryLen > keysLen || width > 8 || flags&^flagWide != 0 {
		return ErrCorrupt
	}
	nr := (n + restartInterval - 1) / restartInterval
	size := uint64(4)
	if flags&flagWide != 0 {
		size = 8
	}
	keys := headerLen + nr*size
	values := keys + keysLen + n*width
	if values > uint64(len(data)) {
		return ErrCorrupt
	}
	l.data = data
	l.n, l.nr = int(n), int(nr)
	l.keys, l.keysEnd, l.values = int(keys), int(keys+keysLen), int(values)
	l.base = binary.LittleEndian.Uint64(data[8:])
	l.width = int(width)
	l.mask = 1<<(8*width) - 1
	l.wide = flags&flagWide != 0
	l.valuesLen = uint64(len(data)) - values
	return nil
}

// restart returns where restart point r < nr begins in data, and its value.
func (l *layout) restart(r int) (key, value int, ok bool) {
	var k, v uint64
	if l.wide {
		p := l.data[headerLen+8*r:]
		k, v = uint64(binary.LittleEndian.Uint32(p)), uint64(binary.LittleEndian.Uint32(p[4:]))
	} else {
		p := binary.LittleEndian.Uint32(l.data[headerLen+4*r:])
		k, v = uint64(p&narrowMax), uint64(p>>16)
	}
	if k >= uint64(l.keysEnd-l.keys) || v > l.valuesLen {
		return 0, 0, false
	}
	return l.keys + int(k), l.values + int(v), true
}

// trailer returns the trailer of record i < n.
func (l *layout) trailer(i int) base.Trailer {
	if l.width == 0 {
		return base.Trailer(l.base)
	}
	p := l.keysEnd + i*l.width
	if p+8 <= len(l.data) {
		return base.Trailer(l.base + binary.LittleEndian.Uint64(l.data[p:])&l.mask)
	}
	var d uint64
	for j := range l.width {
		d |= uint64(l.data[p+j]) << (8 * j)
	}
	return base.Trailer(l.base + d)
}

// entry reads the head of the record at p: its lengths, and where its suffix
// begins. at is 0 if the head is malformed. The lengths are not checked against
// anything; each is below 2^31.
func (l *layout) entry(p int) (shared, unshared, value, at int) {
	if p+4 <= l.keysEnd {
		w := binary.LittleEndian.Uint32(l.data[p:])
		if w&0x808080 == 0 {
			return int(w & 0x7f), int(w >> 8 & 0x7f), int(w >> 16 & 0x7f), p + 3
		}
		if w&0x80808080 == 0x800000 { // a value of 128 bytes to 16 KiB
			return int(w & 0x7f), int(w >> 8 & 0x7f), int(w>>16&0x7f | w>>24<<7), p + 4
		}
	}
	return l.entrySlow(p)
}

func (l *layout) entrySlow(p int) (shared, unshared, value, at int) {
	var v [3]int
	for i := range v {
		if p >= l.keysEnd {
			return 0, 0, 0, 0
		}
		x, n := binary.Uvarint(l.data[p:l.keysEnd])
		if n <= 0 || x > 1<<31-1 {
			return 0, 0, 0, 0
		}
		v[i] = int(x)
		p += n
	}
	return v[0], v[1], v[2], p
}

// fits reports whether a suffix of unshared bytes at p lies in the keys, the key
// is not too long, and a value of vlen bytes at v lies in the block.
func (l *layout) fits(shared, p, unshared, v, vlen int) bool {
	return unshared <= l.keysEnd-p && shared+unshared <= base.MaxKeyLen && vlen <= len(l.data)-v
}

// widthOf returns how many bytes hold d.
func widthOf(d uint64) int { return (bits.Len64(d) + 7) / 8 }

// legal reports whether a record of kind t.Kind() may stand among points with a
// value of vlen bytes.
func legal(t base.Trailer, vlen int) bool {
	k := t.Kind()
	switch {
	case k < base.KindSetTTL:
		return true
	case k == base.KindSetTTL:
		return vlen >= 8
	case k == base.KindBlob:
		return vlen >= base.MinBlobRefLen
	}
	return k == base.KindBlobTTL && vlen >= 8+base.MinBlobRefLen
}
