package sstable

import (
	"encoding/binary"
	"errors"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
)

// Kind says who made a table. The values are on disk.
type Kind uint8

const (
	// Internal tables are written by the engine for one store; their sequence
	// numbers mean something only there.
	Internal Kind = 0
	// External tables are written to be ingested: sequence numbers are 0.
	External Kind = 1
	// Blob tables hold values, each in a block of its own, to which records of internal
	// tables refer. Nobody looks anything up in them by key.
	Blob Kind = 2
)

// Properties is what a table says about itself.
type Properties struct {
	Kind        Kind
	Compression Compression // what the writer tried on data blocks
	Blocks      uint64      // data blocks

	// Smallest and Largest bound the user keys of points and range tombstones.
	// Largest is the end of a range tombstone, outside the table, where
	// LargestExclusive says so; it is then nil for a tombstone without end.
	Smallest, Largest []byte
	LargestExclusive  bool

	SmallestSeq, LargestSeq base.SeqNum // points and range tombstones

	Entries   uint64 // point records, deletes included
	Deletes   uint64 // point tombstones
	RangeDels uint64
	TTLs      uint64 // records with an expiry
	BlobRefs  uint64 // records whose value is in a blob file
	HasPoints bool   // Entries > 0

	MinExpiry, MaxExpiry       int64 // Unix nanoseconds; 0 if TTLs is 0
	RawKeyBytes, RawValueBytes uint64
}

// Unbounded reports whether a range tombstone reaches to the end of the key space.
func (p *Properties) Unbounded() bool { return p.LargestExclusive && len(p.Largest) == 0 }

// Meta is what a finished table is known by.
type Meta struct {
	Properties
	Size int64 // of the file
	UID  uint64
}

// Tags of the properties block, in the order in which they are stored. Those
// below firstOptional must all be there and be known: a table that has another
// was written by a newer format and may not be read by ignoring it. Unknown tags
// from firstOptional on are skipped.
const (
	tagKind = iota + 1
	tagCompression
	tagBlocks
	tagSmallest
	tagLargest
	tagLargestExclusive
	tagSmallestSeq
	tagLargestSeq
	tagEntries
	tagDeletes
	tagRangeDels
	tagTTLs
	tagMinExpiry
	tagMaxExpiry
	tagRawKeyBytes
	tagRawValueBytes
	tagBlobRefs // since format 2
	tagLimit

	firstOptional = 64
)

var errProperties = errors.New("malformed properties")

// version is the format that a table of these properties needs.
func (p *Properties) version() uint32 {
	if p.Kind == Blob || p.BlobRefs > 0 {
		return formatVersion
	}
	return formatPlain
}

func (p *Properties) encode() []byte {
	var b []byte
	put := func(tag int, v []byte) {
		b = binary.AppendUvarint(b, uint64(tag))
		b = binary.AppendUvarint(b, uint64(len(v)))
		b = append(b, v...)
	}
	var largestExclusive uint64
	if p.LargestExclusive {
		largestExclusive = 1
	}
	ints := p.ints(&largestExclusive)
	limit := tagLimit
	if p.version() == formatPlain {
		limit = tagBlobRefs
	}
	for tag := tagKind; tag < limit; tag++ {
		switch tag {
		case tagSmallest:
			put(tag, p.Smallest)
		case tagLargest:
			put(tag, p.Largest)
		case tagKind:
			put(tag, []byte{byte(p.Kind)})
		case tagCompression:
			put(tag, []byte{byte(p.Compression)})
		case tagMinExpiry:
			put(tag, binary.LittleEndian.AppendUint64(nil, uint64(p.MinExpiry)))
		case tagMaxExpiry:
			put(tag, binary.LittleEndian.AppendUint64(nil, uint64(p.MaxExpiry)))
		default:
			put(tag, binary.AppendUvarint(nil, *ints[tag]))
		}
	}
	return b
}

// ints maps the tags that are plain unsigned integers to their fields.
func (p *Properties) ints(largestExclusive *uint64) [tagLimit]*uint64 {
	return [tagLimit]*uint64{
		tagBlocks:           &p.Blocks,
		tagLargestExclusive: largestExclusive,
		tagSmallestSeq:      (*uint64)(&p.SmallestSeq),
		tagLargestSeq:       (*uint64)(&p.LargestSeq),
		tagEntries:          &p.Entries,
		tagDeletes:          &p.Deletes,
		tagRangeDels:        &p.RangeDels,
		tagTTLs:             &p.TTLs,
		tagRawKeyBytes:      &p.RawKeyBytes,
		tagRawValueBytes:    &p.RawValueBytes,
		tagBlobRefs:         &p.BlobRefs,
	}
}

func decodeProperties(b []byte) (Properties, error) {
	var p Properties
	var largestExclusive uint64
	ints := p.ints(&largestExclusive)
	next := uint64(tagKind) // required tags are dense and ascending
	plain := false          // without those of formatVersion
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return p, errProperties
		}
		b = b[n:]
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return p, errProperties
		}
		v := b[n : n+int(size)]
		b = b[n+int(size):]
		if tag >= firstOptional && next >= tagBlobRefs {
			if tag < next {
				return p, errProperties
			}
			plain = plain || next == tagBlobRefs
			next = tag + 1
			continue
		}
		if tag != next || tag >= tagLimit || !p.set(int(tag), v, ints[tag]) {
			return p, errProperties
		}
		next++
	}
	if plain = plain || next == tagBlobRefs; next < tagBlobRefs || largestExclusive > 1 || plain != (p.version() == formatPlain) {
		return p, errProperties
	}
	if p.LargestExclusive = largestExclusive == 1; p.Unbounded() {
		p.Largest = nil
	}
	p.HasPoints = p.Entries > 0
	return p, p.check()
}

func (p *Properties) set(tag int, v []byte, field *uint64) bool {
	switch tag {
	case tagSmallest, tagLargest:
		k := append([]byte{}, v...)
		if tag == tagSmallest {
			p.Smallest = k
		} else {
			p.Largest = k
		}
		return true
	case tagKind, tagCompression:
		if len(v) != 1 {
			return false
		}
		if tag == tagKind {
			p.Kind = Kind(v[0])
		} else {
			p.Compression = Compression(v[0])
		}
		return true
	case tagMinExpiry, tagMaxExpiry:
		if len(v) != 8 {
			return false
		}
		x := int64(binary.LittleEndian.Uint64(v))
		if tag == tagMinExpiry {
			p.MinExpiry = x
		} else {
			p.MaxExpiry = x
		}
		return true
	}
	x, n := binary.Uvarint(v)
	if n <= 0 || n != len(v) {
		return false
	}
	*field = x
	return true
}

// check sees that the properties agree with one another.
func (p *Properties) check() error {
	end := p.Largest
	if p.Unbounded() {
		end = nil
	}
	c := rangedel.CompareEnd(p.Smallest, end)
	switch {
	case p.Kind > Blob, p.Compression > Snappy, p.Deletes > p.Entries,
		p.Kind != Internal && p.BlobRefs > 0, p.BlobRefs > p.Entries-p.Deletes,
		p.Kind == Blob && (p.RangeDels > 0 || p.Blocks != p.Entries),
		p.LargestSeq > base.SeqNumMax, p.SmallestSeq > p.LargestSeq,
		p.TTLs > p.Entries-p.Deletes,
		(p.Blocks == 0) != (p.Entries == 0), p.Blocks > p.Entries,
		p.Entries == 0 && p.RangeDels == 0,
		p.LargestExclusive && p.RangeDels == 0,
		c > 0, c == 0 && p.LargestExclusive:
		return errProperties
	}
	return nil
}
