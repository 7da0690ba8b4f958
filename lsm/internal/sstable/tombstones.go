package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
)

var errRangeDels = errors.New("malformed range tombstones")

const endUnbounded = 1

// appendRangeDel encodes t: start, a flag byte, the end unless the flag says that
// there is none, the sequence number. Keys have their length before them.
func appendRangeDel(b []byte, t rangedel.Tombstone) []byte {
	b = binary.AppendUvarint(b, uint64(len(t.Start)))
	b = append(b, t.Start...)
	if t.End == nil {
		b = append(b, endUnbounded)
	} else {
		b = append(b, 0)
		b = binary.AppendUvarint(b, uint64(len(t.End)))
		b = append(b, t.End...)
	}
	return binary.AppendUvarint(b, uint64(t.Seq))
}

// decodeRangeDels reads the range tombstone block; the result is a copy. Starts
// must not go back and no tombstone may be empty.
func decodeRangeDels(b []byte) ([]rangedel.Tombstone, error) {
	b = bytes.Clone(b)
	var ts []rangedel.Tombstone
	var last []byte
	for len(b) > 0 {
		var t rangedel.Tombstone
		var ok bool
		if t.Start, b, ok = cutKey(b); !ok || len(b) == 0 || b[0] > endUnbounded {
			return nil, errRangeDels
		}
		flag := b[0]
		b = b[1:]
		if flag != endUnbounded {
			if t.End, b, ok = cutKey(b); !ok {
				return nil, errRangeDels
			}
		}
		seq, n := binary.Uvarint(b)
		if n <= 0 || seq > uint64(base.SeqNumMax) {
			return nil, errRangeDels
		}
		b = b[n:]
		t.Seq = base.SeqNum(seq)
		if t.Empty() || bytes.Compare(last, t.Start) > 0 {
			return nil, errRangeDels
		}
		last = t.Start
		ts = append(ts, t)
	}
	return ts, nil
}

func cutKey(b []byte) (key, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > maxEndLen || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	e := n + int(size)
	return b[n:e:e], b[e:], true
}

// maxEndLen is one more than a key may have: the end of a range that includes
// the longest key is that key and a zero byte.
const maxEndLen = base.MaxKeyLen + 1
