package base

import (
	"encoding/binary"
	"math"
)

// BlobRef is the place of a value outside of its table: a block of a blob file that
// holds nothing but the record.
type BlobRef struct {
	File     FileNum
	Offset   uint64 // of the block
	Len      uint32 // of the block in the file, codec and checksum included
	ValueLen uint32 // of the value, as users see it
}

// MinBlobRefLen is the least that an encoded BlobRef takes.
const MinBlobRefLen = 4

// Append appends the encoding of r, four uvarints, to b.
func (r BlobRef) Append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(r.File))
	b = binary.AppendUvarint(b, r.Offset)
	b = binary.AppendUvarint(b, uint64(r.Len))
	return binary.AppendUvarint(b, uint64(r.ValueLen))
}

// DecodeBlobRef takes apart what Append made, and nothing else.
func DecodeBlobRef(b []byte) (r BlobRef, ok bool) {
	var v [4]uint64
	for i := range v {
		x, n := binary.Uvarint(b)
		if n <= 0 {
			return r, false
		}
		v[i], b = x, b[n:]
	}
	if len(b) > 0 || v[0] == 0 || v[1] > math.MaxInt64 || v[2] > math.MaxInt32 || v[3] > MaxValueLen {
		return r, false
	}
	return BlobRef{FileNum(v[0]), v[1], uint32(v[2]), uint32(v[3])}, true
}
