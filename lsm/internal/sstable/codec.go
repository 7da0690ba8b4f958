package sstable

import (
	"encoding/binary"
	"errors"
	"sync"

	"github.com/golang/snappy"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// Compression says what a Writer tries on each block. The values are the codec
// bytes on disk: never renumber them.
type Compression uint8

const (
	None   Compression = 0
	Snappy Compression = 1
)

// trailerLen is the codec byte and the checksum behind each block.
const trailerLen = 5

// maxSnappyGain bounds how many bytes come out of one: a copy element makes at
// most 64 bytes out of 3.
const maxSnappyGain = 22

var (
	errCodec  = errors.New("unknown codec")
	errLength = errors.New("impossible uncompressed length")
)

// worthIt reports whether compression saved enough, an eighth, to pay for the
// decompression of every read.
func worthIt(compressed, raw int) bool { return compressed <= raw-raw/8 }

// sealBlock appends codec and checksum to the block that is b[start:] and will
// be at offset off.
func sealBlock(b []byte, start int, c Compression, uid uint64, off int64) []byte {
	b = append(b, byte(c))
	return binary.LittleEndian.AppendUint32(b, base.Checksum(uid, off, b[start:]))
}

// openBlock checks a block with its trailer and returns what it holds, still
// compressed.
func openBlock(raw []byte, uid uint64, off int64) ([]byte, Compression, error) {
	n := len(raw) - trailerLen
	if n < 0 {
		return nil, 0, errChecksum
	}
	if base.Checksum(uid, off, raw[:n+1]) != binary.LittleEndian.Uint32(raw[n+1:]) {
		return nil, 0, errChecksum
	}
	return raw[:n], Compression(raw[n]), nil
}

// decodedLen returns the length of a block after decompression, bounded by limit
// and by what so many bytes can decompress to.
func decodedLen(payload []byte, c Compression, limit int) (int, error) {
	switch c {
	case None:
		if len(payload) > limit {
			return 0, errLength
		}
		return len(payload), nil
	case Snappy:
		n, err := snappy.DecodedLen(payload)
		if err != nil {
			return 0, err
		}
		if uint64(n) > uint64(limit) || uint64(n) > maxSnappyGain*uint64(len(payload)) {
			return 0, errLength
		}
		return n, nil
	}
	return 0, errCodec
}

// decode writes the block to dst, which has its decodedLen.
func decode(dst, payload []byte, c Compression) error {
	if c == None {
		copy(dst, payload)
		return nil
	}
	out, err := snappy.Decode(dst, payload)
	if err != nil {
		return err
	}
	if len(out) != len(dst) {
		return errLength
	}
	return nil
}

// scratch is a buffer that goes around; small ones serve single blocks, large
// ones read-ahead.
type scratch struct{ b []byte }

const (
	smallScratch = 16 << 10
	largeScratch = 256 << 10

	// SequentialBuffer is what an iterator with IterOptions.Sequential takes, about.
	SequentialBuffer = largeScratch
)

var (
	smallPool = sync.Pool{New: func() any { return &scratch{make([]byte, smallScratch)} }}
	largePool = sync.Pool{New: func() any { return &scratch{make([]byte, largeScratch)} }}
)

// getScratch returns a buffer of at least n bytes. What is larger than the pools
// keep is made for the occasion: n has been checked against the file by then.
func getScratch(n int) *scratch {
	switch {
	case n <= smallScratch:
		return smallPool.Get().(*scratch)
	case n <= largeScratch:
		return largePool.Get().(*scratch)
	}
	return &scratch{make([]byte, n)}
}

// takeBuffer is getScratch, counted in stats unless that is nil.
func takeBuffer(stats *Stats, n int) *scratch {
	s := getScratch(n)
	if stats != nil {
		stats.Buffers.Add(int64(len(s.b)))
	}
	return s
}

// giveBuffer takes back what takeBuffer gave; s may be nil.
func giveBuffer(stats *Stats, s *scratch) {
	if s != nil && stats != nil {
		stats.Buffers.Add(-int64(len(s.b)))
	}
	putScratch(s)
}

func putScratch(s *scratch) {
	switch {
	case s == nil:
	case len(s.b) == smallScratch:
		smallPool.Put(s)
	case len(s.b) == largeScratch:
		largePool.Put(s)
	}
}
