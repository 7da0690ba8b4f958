// Package batch is the payload of a log frame: a group of batches that were committed
// together. The DB encodes batches as they are filled and decodes them into a
// memtable, recovery and the tools decode what a log holds.
//
// A group is
//
//	first sequence number, as difference to the log's base, uvarint
//	number of operations, uvarint
//	the operations, one after the other
//
// and operation i has the sequence number first+i. An operation is
//
//	kind u8 | key length uvarint | key | value length uvarint | value
//
// A KindDelete has no value. The value of a KindRangeDelete is the exclusive end,
// empty for "to the end of the key space"; that of a KindSetTTL begins with the
// expiry. A group without operations carries a sequence number and nothing else: the
// tree was changed beside the log under that number, so that the manifest must know
// it.
//
// Decoding never panics, allocates nothing, and results alias the input. The package
// does not know of frames, files or checksums.
package batch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// Op is one decoded operation; the bytes alias the encoding.
type Op struct {
	Kind       base.Kind
	Key, Value []byte
}

var (
	errSeq    = errors.New("bad sequence number")
	errCount  = errors.New("bad count")
	errLength = errors.New("bad length")
)

// DecodeOp takes the first operation off ops, which is not empty.
func DecodeOp(ops []byte) (op Op, rest []byte, err error) {
	op.Kind = base.Kind(ops[0])
	if !op.Kind.Written() {
		return op, nil, fmt.Errorf("unknown operation %d", ops[0])
	}
	op.Key, rest, err = takeBytes(ops[1:], base.MaxKeyLen)
	if err != nil {
		return op, nil, fmt.Errorf("key: %w", err)
	}
	if op.Kind != base.KindDelete {
		op.Value, rest, err = takeBytes(rest, base.MaxValueLen+8)
		if err != nil {
			return op, nil, fmt.Errorf("value: %w", err)
		}
	}
	if op.Kind == base.KindSetTTL && len(op.Value) < 8 {
		return op, nil, fmt.Errorf("a value with a time to live of %d bytes has no expiry", len(op.Value))
	}
	return op, rest, nil
}

func takeBytes(b []byte, limit uint64) (taken, rest []byte, err error) {
	n, w := binary.Uvarint(b)
	if w <= 0 {
		return nil, nil, errLength
	}
	if n > limit || n > uint64(len(b)-w) {
		return nil, nil, fmt.Errorf("length %d of %d bytes left", n, len(b)-w)
	}
	return b[w : w+int(n) : w+int(n)], b[w+int(n):], nil
}

// AppendHeader begins the encoding of a group.
func AppendHeader(dst []byte, seq, logBase base.SeqNum, count uint64) []byte {
	dst = binary.AppendUvarint(dst, uint64(seq-logBase))
	return binary.AppendUvarint(dst, count)
}

// Group is a decoded log record.
type Group struct {
	Seq   base.SeqNum // of the first operation
	Count int         // operations
	Bytes int         // of their keys and values
	Ops   []byte      // for DecodeOp
}

// Decode splits a log record and checks every operation in it.
func Decode(payload []byte, logBase base.SeqNum) (Group, error) {
	d, w := binary.Uvarint(payload)
	if w <= 0 || logBase > base.SeqNumMax || d > uint64(base.SeqNumMax-logBase) {
		return Group{}, errSeq
	}
	payload = payload[w:]
	count, w := binary.Uvarint(payload)
	if w <= 0 {
		return Group{}, errCount
	}
	g := Group{Seq: logBase + base.SeqNum(d), Ops: payload[w:]}
	for rest := g.Ops; len(rest) > 0; g.Count++ {
		var op Op
		var err error
		if op, rest, err = DecodeOp(rest); err != nil {
			return Group{}, fmt.Errorf("operation %d: %w", g.Count, err)
		}
		g.Bytes += len(op.Key) + len(op.Value)
	}
	if uint64(g.Count) != count {
		return Group{}, fmt.Errorf("%d operations, the record says %d", g.Count, count)
	}
	if uint64(g.Count) > uint64(base.SeqNumMax-g.Seq) {
		return Group{}, errSeq
	}
	return g, nil
}
