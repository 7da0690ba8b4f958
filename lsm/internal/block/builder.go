package block

import (
	"encoding/binary"
	"math"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// Builder makes one block after another. Records must be added in strictly
// increasing order, which it does not check. The zero value is ready.
type Builder struct {
	keys     []byte
	values   []byte
	restarts []restartPoint
	trailers []base.Trailer
	minT     base.Trailer
	maxT     base.Trailer
	first    []byte // key of the block
	last     []byte // survives Reset: the table compares across blocks
	out      []byte
}

type restartPoint struct{ key, value uint32 }

// Reset starts the next block. LastKey stays.
func (b *Builder) Reset() {
	b.keys, b.values = b.keys[:0], b.values[:0]
	b.restarts, b.trailers = b.restarts[:0], b.trailers[:0]
}

// Shrink frees buffers of more than n bytes, for after a huge record.
func (b *Builder) Shrink(n int) {
	if cap(b.values) > n {
		b.values = nil
	}
	if cap(b.out) > n {
		b.out = nil
	}
}

// Empty reports whether the block has no records yet.
func (b *Builder) Empty() bool { return len(b.trailers) == 0 }

// Len returns the number of records in the block.
func (b *Builder) Len() int { return len(b.trailers) }

// LastKey returns the key added last, also if that was in the block before.
func (b *Builder) LastKey() []byte { return b.last }

// Add appends a record. The bytes are copied.
func (b *Builder) Add(key []byte, t base.Trailer, value []byte) {
	b.AddShared(base.CommonPrefixLen(b.last, key), key, t, value)
}

// AddShared is Add for a caller that compared key with LastKey already and knows
// that their common prefix has shared bytes.
func (b *Builder) AddShared(shared int, key []byte, t base.Trailer, value []byte) {
	b.last = append(b.last[:shared], key[shared:]...)
	n := len(b.trailers)
	if n%restartInterval == 0 {
		shared = b.sharedWithFirst(key)
		b.restarts = append(b.restarts, restartPoint{uint32(len(b.keys)), uint32(len(b.values))})
	}
	if n == 0 {
		b.first = append(b.first[:0], key...)
		b.minT, b.maxT = t, t
	} else {
		b.minT, b.maxT = min(b.minT, t), max(b.maxT, t)
	}
	unshared := len(key) - shared
	if shared|unshared|len(value) < 0x80 {
		b.keys = append(b.keys, byte(shared), byte(unshared), byte(len(value)))
	} else {
		b.keys = binary.AppendUvarint(b.keys, uint64(shared))
		b.keys = binary.AppendUvarint(b.keys, uint64(unshared))
		b.keys = binary.AppendUvarint(b.keys, uint64(len(value)))
	}
	b.keys = append(b.keys, key[shared:]...)
	b.values = append(b.values, value...)
	b.trailers = append(b.trailers, t)
}

func (b *Builder) sharedWithFirst(key []byte) int {
	if b.Empty() {
		return 0
	}
	return base.CommonPrefixLen(b.first, key)
}

// AppendSingle appends to dst what stands before the value in a block that has nothing but
// this record: followed by the value it is what Finish would return.
func AppendSingle(dst, key []byte, t base.Trailer, value []byte) []byte {
	keys := 1 + uvarintLen(len(key)) + uvarintLen(len(value)) + len(key)
	flags, size := byte(0), 4
	if isWide(keys, len(value)) {
		flags, size = flagWide, 8
	}
	dst = binary.LittleEndian.AppendUint32(dst, 1)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(keys))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t))
	dst = append(dst, 0, flags)
	dst = append(dst, make([]byte, size)...) // the restart point
	dst = append(dst, 0)
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, key...)
}

// EstimatedSize returns the length of what Finish would return; it is exact.
func (b *Builder) EstimatedSize() int {
	if b.Empty() {
		return 0
	}
	return sizeOf(len(b.trailers), len(b.keys), len(b.values), b.minT, b.maxT)
}

// SizeWith returns what EstimatedSize will be after AddShared with the same
// arguments.
func (b *Builder) SizeWith(shared int, key []byte, t base.Trailer, value []byte) int {
	n := len(b.trailers)
	lo, hi := t, t
	if n > 0 {
		lo, hi = min(b.minT, t), max(b.maxT, t)
	}
	if n%restartInterval == 0 {
		shared = b.sharedWithFirst(key)
	}
	unshared := len(key) - shared
	head := uvarintLen(shared) + uvarintLen(unshared) + uvarintLen(len(value))
	return sizeOf(n+1, len(b.keys)+head+unshared, len(b.values)+len(value), lo, hi)
}

func sizeOf(n, keys, values int, lo, hi base.Trailer) int {
	nr := (n + restartInterval - 1) / restartInterval
	size := 4
	if isWide(keys, values) {
		size = 8
	}
	return headerLen + nr*size + keys + n*widthOf(uint64(hi-lo)) + values
}

func isWide(keys, values int) bool { return keys > narrowMax || values > narrowMax }

func uvarintLen(n int) int {
	l := 1
	for ; n >= 0x80; n >>= 7 {
		l++
	}
	return l
}

// Finish returns the encoded block, valid until the next Finish. The builder
// must not be empty.
func (b *Builder) Finish() []byte {
	width := widthOf(uint64(b.maxT - b.minT))
	wide := isWide(len(b.keys), len(b.values))
	if need := b.EstimatedSize(); cap(b.out) < need+8 {
		b.out = make([]byte, 0, need+8)
	}
	o := b.out[:0]
	o = binary.LittleEndian.AppendUint32(o, uint32(len(b.trailers)))
	o = binary.LittleEndian.AppendUint32(o, uint32(len(b.keys)))
	o = binary.LittleEndian.AppendUint64(o, uint64(b.minT))
	flags := byte(0)
	if wide {
		flags = flagWide
	}
	o = append(o, byte(width), flags)
	for _, r := range b.restarts {
		if wide {
			o = binary.LittleEndian.AppendUint32(o, r.key)
			o = binary.LittleEndian.AppendUint32(o, r.value)
		} else {
			o = binary.LittleEndian.AppendUint32(o, r.key|r.value<<16)
		}
	}
	o = append(o, b.keys...)
	if width > 0 {
		for _, t := range b.trailers {
			// Eight bytes are written, of which the next record takes back 8-width.
			n := len(o)
			o = binary.LittleEndian.AppendUint64(o, uint64(t-b.minT))[:n+width]
		}
	}
	b.out = append(o, b.values...)
	return b.out
}

// MaxLen is the largest block that can be encoded: offsets have 32 bits, and
// lengths have to fit the int of a 32-bit machine.
const MaxLen = math.MaxInt32
