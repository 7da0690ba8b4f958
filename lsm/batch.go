package lsm

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// Batch is a list of writes that are committed together or not at all. Later ones
// win over earlier ones on the same key. It belongs to one goroutine. A batch may
// be reused after Reset; keys and values are copied as they are added.
type Batch struct {
	db    *DB
	ops   []byte // see decodeOp
	count uint32
	need  int   // arena bytes that the operations take at most
	err   error // the first bad operation; Commit returns it

	commit commitReq
}

// NewBatch returns an empty batch.
func (db *DB) NewBatch() *Batch { return &Batch{db: db} }

// Put sets key to value. The error, if any, comes again from Commit.
func (b *Batch) Put(key, value []byte) error {
	if err := b.check(key, len(value)); err != nil {
		return err
	}
	b.add(base.KindSet, key, nil, value)
	return nil
}

// PutTTL sets key to value until ttl from now, by the DB's clock. With ttl <= 0
// the value has expired at once, which amounts to a Delete.
func (b *Batch) PutTTL(key, value []byte, ttl time.Duration) error {
	if err := b.check(key, len(value)); err != nil {
		return err
	}
	now := b.db.now()
	expiry := now + int64(ttl)
	if ttl > 0 && expiry < now {
		expiry = math.MaxInt64
	}
	var e [8]byte
	binary.BigEndian.PutUint64(e[:], uint64(max(expiry, 0)))
	b.add(base.KindSetTTL, key, e[:], value)
	return nil
}

// Delete removes key, if it is there.
func (b *Batch) Delete(key []byte) error {
	if err := b.check(key, 0); err != nil {
		return err
	}
	b.add(base.KindDelete, key, nil, nil)
	return nil
}

// DeleteRange removes the keys in [start, end); end == nil means to the end of the
// key space. It costs one record however many keys there are. Writes of the same
// batch that come later are not removed. start >= end removes nothing.
func (b *Batch) DeleteRange(start, end []byte) error {
	if err := b.check(start, 0); err != nil {
		return err
	}
	if err := b.check(end, 0); err != nil {
		return err
	}
	if end != nil && string(start) >= string(end) {
		return nil
	}
	b.add(base.KindRangeDelete, start, nil, end)
	return nil
}

// Len returns the number of operations.
func (b *Batch) Len() int { return int(b.count) }

// Size returns the encoded size in bytes.
func (b *Batch) Size() int { return len(b.ops) }

// Reset empties the batch for reuse. A batch given to CommitAsync may be reset
// after its callback was called.
func (b *Batch) Reset() {
	b.ops, b.count, b.need, b.err = b.ops[:0], 0, 0, nil
}

func (b *Batch) check(key []byte, valueLen int) error {
	var err error
	switch {
	case len(key) > MaxKeyLen:
		err = fmt.Errorf("%w: key of %d bytes, the limit is %d", ErrTooLarge, len(key), MaxKeyLen)
	case valueLen > MaxValueLen:
		err = fmt.Errorf("%w: value of %d bytes, the limit is %d", ErrTooLarge, valueLen, MaxValueLen)
	case len(b.ops)+len(key)+valueLen+32 > MaxBatchLen:
		err = fmt.Errorf("%w: batch of more than %d bytes", ErrTooLarge, MaxBatchLen)
	}
	if err != nil && b.err == nil {
		b.err = err
	}
	return err
}

// add appends one operation; the value is head and tail put together.
func (b *Batch) add(kind base.Kind, key, head, tail []byte) {
	ops := append(b.ops, byte(kind))
	ops = binary.AppendUvarint(ops, uint64(len(key)))
	ops = append(ops, key...)
	if kind != base.KindDelete {
		ops = binary.AppendUvarint(ops, uint64(len(head)+len(tail)))
		ops = append(ops, head...)
		ops = append(ops, tail...)
	}
	b.ops = ops
	b.count++
	b.need += opOverhead + len(key) + len(head) + len(tail)
}

// batchOp is one decoded operation; the bytes alias the encoding.
type batchOp struct {
	kind       base.Kind
	key, value []byte
}

// decodeOp takes the first operation off ops:
//
//	kind u8 | key length uvarint | key | value length uvarint | value
//
// A KindDelete has no value. The value of a KindRangeDelete is the exclusive end,
// empty for "to the end of the key space".
func decodeOp(ops []byte) (op batchOp, rest []byte, err error) {
	op.kind = base.Kind(ops[0])
	if !op.kind.Valid() {
		return op, nil, fmt.Errorf("unknown operation %d", ops[0])
	}
	op.key, rest, err = takeBytes(ops[1:], MaxKeyLen)
	if err != nil {
		return op, nil, fmt.Errorf("key: %w", err)
	}
	if op.kind != base.KindDelete {
		op.value, rest, err = takeBytes(rest, MaxValueLen+8)
		if err != nil {
			return op, nil, fmt.Errorf("value: %w", err)
		}
	}
	if op.kind == base.KindSetTTL && len(op.value) < 8 {
		return op, nil, fmt.Errorf("a value with a time to live of %d bytes has no expiry", len(op.value))
	}
	return op, rest, nil
}

func takeBytes(b []byte, limit uint64) (taken, rest []byte, err error) {
	n, w := binary.Uvarint(b)
	if w <= 0 {
		return nil, nil, fmt.Errorf("bad length")
	}
	if n > limit || n > uint64(len(b)-w) {
		return nil, nil, fmt.Errorf("length %d of %d bytes left", n, len(b)-w)
	}
	return b[w : w+int(n) : w+int(n)], b[w+int(n):], nil
}

// appendGroupHeader begins the log record of a group of batches:
//
//	first sequence number, as difference to the log's base, uvarint | operations, uvarint
func appendGroupHeader(dst []byte, seq, logBase base.SeqNum, count uint64) []byte {
	dst = binary.AppendUvarint(dst, uint64(seq-logBase))
	return binary.AppendUvarint(dst, count)
}

// decodeGroup splits a log record and checks every operation in it.
func decodeGroup(payload []byte, logBase base.SeqNum) (seq base.SeqNum, ops []byte, need int, err error) {
	d, w := binary.Uvarint(payload)
	if w <= 0 || d > uint64(base.SeqNumMax-logBase) {
		return 0, nil, 0, fmt.Errorf("bad sequence number")
	}
	payload = payload[w:]
	count, w := binary.Uvarint(payload)
	if w <= 0 {
		return 0, nil, 0, fmt.Errorf("bad count")
	}
	ops = payload[w:]
	n := uint64(0)
	for rest := ops; len(rest) > 0; n++ {
		var op batchOp
		if op, rest, err = decodeOp(rest); err != nil {
			return 0, nil, 0, fmt.Errorf("operation %d: %w", n, err)
		}
		need += opOverhead + len(op.key) + len(op.value)
	}
	if n != count {
		return 0, nil, 0, fmt.Errorf("%d operations, the record says %d", n, count)
	}
	return logBase + base.SeqNum(d), ops, need, nil
}

// batches recycles the batches behind Put, Delete and the like. A large buffer is
// not kept.
var batches = sync.Pool{New: func() any { return new(Batch) }}

func (db *DB) getBatch() *Batch {
	b := batches.Get().(*Batch)
	b.db = db
	return b
}

func putBatch(b *Batch) {
	if cap(b.ops) > 64<<10 {
		b.ops = nil
	}
	b.Reset()
	b.db = nil
	batches.Put(b)
}
