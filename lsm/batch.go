package lsm

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// Batch is a list of writes that are committed together or not at all. Later ones
// win over earlier ones on the same key. It belongs to one goroutine. A batch may
// be reused after Reset; keys and values are copied as they are added.
type Batch struct {
	db    *DB
	ops   []byte // see package batch
	count uint32
	need  int   // arena bytes that the operations take at most
	err   error // the first bad operation; Commit returns it
	span  bool  // there are range tombstones

	commit commitReq
}

// maxBatchNeed bounds what a batch takes in a memtable, which is far more than its
// encoding where keys are tiny. The rest is for the index, and on 32 bits keeps sums
// from overflowing.
const maxBatchNeed = arena.MaxCapacity - 256<<20

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
	expiry := int64(0) // long ago, for an older snapshot too
	if ttl > 0 {
		if expiry = b.db.now() + int64(ttl); expiry < 0 {
			expiry = math.MaxInt64
		}
	}
	var e [8]byte
	binary.BigEndian.PutUint64(e[:], uint64(expiry))
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
	b.span = true
	return nil
}

// Len returns the number of operations.
func (b *Batch) Len() int { return int(b.count) }

// Size returns the encoded size in bytes.
func (b *Batch) Size() int { return len(b.ops) }

// Reset empties the batch for reuse. A batch given to CommitAsync may be reset
// after its callback was called.
func (b *Batch) Reset() {
	b.ops, b.count, b.need, b.err, b.span = b.ops[:0], 0, 0, nil, false
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
	case b.need > maxBatchNeed-opOverhead-len(key)-valueLen-8:
		err = fmt.Errorf("%w: batch of %d operations takes too much memory", ErrTooLarge, b.count)
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

// batches recycles the batches behind Put, Delete and the like. A buffer beyond
// keptBatch is not kept.
var batches = sync.Pool{New: func() any { return new(Batch) }}

const keptBatch = 1 << 20

func (db *DB) getBatch() *Batch {
	b := batches.Get().(*Batch)
	b.db = db
	return b
}

func putBatch(b *Batch) {
	if cap(b.ops) > keptBatch {
		b.ops = nil
	}
	b.Reset()
	b.db = nil
	batches.Put(b)
}
