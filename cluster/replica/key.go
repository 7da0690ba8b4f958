package replica

import (
	"encoding/binary"
	"math/bits"

	"github.com/ringwood-kv/ringwood/lsm"
)

const (
	// DefaultPartitions is the number of partitions of a new store.
	DefaultPartitions = 1024
	// MaxPartitions is the largest number of partitions that can be asked for.
	MaxPartitions = 1 << 15

	// MaxKeyLen is the length in bytes of the longest key. The empty key is a key.
	MaxKeyLen = lsm.MaxKeyLen - indexHead

	keyHead   = 2 + 4 + 8         // of a record's key
	indexHead = 2 + 4 + 1 + 8 + 8 // of an index entry's key

	metaPartition = 0xffff
)

// layout says where in the engine a key lies: all of the store's partitions are equal
// ranges of the tokens.
type layout struct {
	hash  sipKey
	shift uint // of a token, for its partition
	count int  // partitions
}

func newLayout(h HashKey, partitions int) layout {
	return layout{hash: h.sip(), shift: uint(64 - bits.TrailingZeros(uint(partitions))), count: partitions}
}

// token returns the place of a key among all keys.
func (l *layout) token(key []byte) uint64 { return l.hash.hash(key) }

// partition returns the partition of a token. With one partition the shift is 64, for
// which Go gives 0.
func (l *layout) partition(token uint64) uint16 { return uint16(token >> l.shift) }

// first returns the lowest token of a partition.
func (l *layout) first(partition uint16) uint64 { return uint64(partition) << l.shift }

// appendKey appends the key of a record in the engine.
func (l *layout) appendKey(dst []byte, id uint32, token uint64, key []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, l.partition(token))
	dst = binary.BigEndian.AppendUint32(dst, id)
	dst = binary.BigEndian.AppendUint64(dst, token)
	return append(dst, key...)
}

// appendBound appends what all keys of a bucket id in a partition begin with.
func appendBound(dst []byte, partition uint16, id uint32) []byte {
	dst = binary.BigEndian.AppendUint16(dst, partition)
	return binary.BigEndian.AppendUint32(dst, id)
}

// mark is a reason to come back to a record: one entry of the index by time.
type mark struct {
	kind uint8
	time int64 // milliseconds since the Unix epoch
}

// The kinds of marks.
const (
	markExpiry = 0 // a value of the record expires at time
	markDead   = 1 // nothing in the record is a value; its highest timestamp is of time
	markKinds  = 2
)

// appendIndex appends the key of an index entry for a record of bucket id.
func (l *layout) appendIndex(dst []byte, id uint32, m mark, token uint64, key []byte) []byte {
	dst = appendBound(dst, l.partition(token), id|1)
	dst = append(dst, m.kind)
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.time))
	dst = binary.BigEndian.AppendUint64(dst, token)
	return append(dst, key...)
}

// place is a key of the engine, taken apart. Its key aliases that.
type place struct {
	partition uint16
	id        uint32 // of the bucket; odd for the index of the one before
	mark      mark   // of an index entry
	token     uint64
	key       []byte
}

func (p *place) indexed() bool { return p.id&1 == 1 }

// parseKey takes a key of the engine apart and says whether it is one that this layout
// writes, outside of the meta partition.
func (l *layout) parseKey(b []byte) (p place, ok bool) {
	if len(b) < keyHead {
		return p, false
	}
	p.partition = binary.BigEndian.Uint16(b)
	p.id = binary.BigEndian.Uint32(b[2:])
	rest := b[6:]
	if p.indexed() {
		if len(b) < indexHead || rest[0] >= markKinds {
			return p, false
		}
		p.mark = mark{rest[0], int64(binary.BigEndian.Uint64(rest[1:]))}
		rest = rest[9:]
	}
	p.token = binary.BigEndian.Uint64(rest)
	p.key = rest[8:]
	return p, int(p.partition) < l.count && p.id >= firstID && p.mark.time >= 0 &&
		p.partition == l.partition(p.token) && p.token == l.token(p.key)
}
