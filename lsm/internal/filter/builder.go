package filter

import (
	"encoding/binary"
	"sync"

	"github.com/bits-and-blooms/bloom/v3"
)

// Builder collects the keys of one table.
type Builder struct {
	bits int
	keys []uint64 // what pack leaves of each key's hash
	set  []uint64 // the words of the lines, reused
	from *arrays  // where keys and set came from; nil before the first key
}

// arrays are what builders hand on to the next one: a merge makes a table every few
// hundredths of a second, and keys would grow to a megabyte in each.
type arrays struct{ keys, set []uint64 }

var pool = sync.Pool{New: func() any { return new(arrays) }}

// maxKept is how long arrays are that are kept: 8 MiB.
const maxKept = 1 << 20

// NewBuilder makes a builder that spends about bitsPerKey bits on each key.
// 0 or less means no filter: Add does nothing and Finish returns nil.
func NewBuilder(bitsPerKey int) *Builder {
	return &Builder{bits: min(bitsPerKey, 64)}
}

// Probes returns the number of bits that a key sets. Lines fill unevenly, which
// moves the best number slightly below the ln 2 * bits of a plain filter.
func Probes(bitsPerKey int) int {
	return max(1, min(bitsPerKey*3/5, maxProbes))
}

// pack keeps the 64 bits of a hash that decide line and positions.
func pack(h *Hash) uint64 {
	const m = lineBits - 1
	return h[0]>>(64-lineSelect)<<(64-lineSelect) | h[0]&m | h[1]&m<<9 | h[2]&m<<18 | h[3]&m<<27
}

func unpack(v uint64) Hash {
	const m = lineBits - 1
	return Hash{v>>(64-lineSelect)<<(64-lineSelect) | v&m, v >> 9 & m, v >> 18 & m, v >> 27 & m}
}

// Add adds a key by its hash. Adding one twice in a row, as versions of a key
// come, counts once.
func (b *Builder) Add(h Hash) {
	if b.bits <= 0 {
		return
	}
	v := pack(&h)
	if n := len(b.keys); n > 0 && b.keys[n-1] == v {
		return
	}
	if b.from == nil {
		b.from = pool.Get().(*arrays)
		b.keys, b.set = b.from.keys, b.from.set
	}
	b.keys = append(b.keys, v)
}

// Release empties the builder and lets another one have its memory.
func (b *Builder) Release() {
	if b.from == nil {
		return
	}
	if max(cap(b.keys), cap(b.set)) <= maxKept {
		b.from.keys, b.from.set = b.keys[:0], b.set
	}
	pool.Put(b.from)
	b.keys, b.set, b.from = nil, nil, nil
}

// Len returns the number of keys added.
func (b *Builder) Len() int { return len(b.keys) }

// EstimatedSize returns the length of what Finish would return.
func (b *Builder) EstimatedSize() int {
	if len(b.keys) == 0 {
		return 0
	}
	return int(b.lineCount())*lineBytes + footerLen
}

func (b *Builder) lineCount() uint64 {
	n := (uint64(len(b.keys))*uint64(b.bits) + lineBits - 1) / lineBits
	return max(1, min(n, maxLines, uint64(maxInt/lineBits)))
}

const maxInt = int(^uint(0) >> 1)

// Finish returns the encoded filter, nil if there are no keys, and empties the
// builder for the next table.
func (b *Builder) Finish() []byte {
	if len(b.keys) == 0 {
		return nil
	}
	lines := b.lineCount()
	words := int(lines) * (lineBytes / 8)
	if cap(b.set) < words {
		b.set = make([]uint64, words)
	}
	b.set = b.set[:words]
	clear(b.set)
	k := Probes(b.bits)
	// The library's filter is the bit set; the lines are 512-bit windows of it.
	set := bloom.From(b.set, uint(k)).BitSet()
	for _, v := range b.keys {
		h := unpack(v)
		first := (h[0] >> (64 - lineSelect) * lines) >> lineSelect * lineBits
		for i := range k {
			set.Set(uint(first + position(&h, i)&(lineBits-1)))
		}
	}
	out := make([]byte, 0, words*8+footerLen)
	for _, w := range b.set {
		out = binary.LittleEndian.AppendUint64(out, w)
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(lines))
	out = append(out, byte(k), 0, 0, 0)
	b.keys = b.keys[:0]
	return out
}
