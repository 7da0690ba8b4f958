package sstable

import (
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/block"
)

// IterOptions configures an iterator.
type IterOptions struct {
	// Sequential is for reading the table through once, as a compaction does: large
	// reads from the start, and the block cache is left alone.
	Sequential bool
}

// Iter walks the point records of a table; it implements base.Iter. A value lives
// until the next move, and neither copied nor decoded twice. An error stays until
// the iterator is positioned anew.
type Iter struct {
	blk  block.Iter // over the block i of r
	r    *Reader
	i    int // -1: no block
	on   bool
	run  int // blocks entered since the last jump or turn, one beside the other
	err  error
	seq  bool
	down bool // the last move was to the block before
	pin  pin
	ra   readAhead
	pre  prefetch
}

var _ base.Iter = (*Iter)(nil)

const (
	// readAheadAfter is how many blocks in a row an interactive iterator reads one by
	// one before it reads ahead.
	readAheadAfter = 2
	// keepUpTo is how many blocks in a row it leaves in the cache, of those that the cache
	// admits: a short scan may come again, a long one should not sweep it, and costs less
	// when all its blocks are decompressed into the same place.
	keepUpTo = 64
)

// NewIter returns an iterator, not positioned. It must be closed before the
// Reader is.
func (r *Reader) NewIter(o IterOptions) (*Iter, error) {
	it := new(Iter)
	r.InitIter(it, o)
	return it, nil
}

// InitIter makes it, a zero Iter or a closed one, an iterator over r. The buffers
// of a closed one are used again.
func (r *Reader) InitIter(it *Iter, o IterOptions) {
	it.r = r
	it.i = -1
	it.on = false
	it.run = 0
	it.err = nil
	it.seq = o.Sequential
	it.blk.Single = r.props.LargestSeq == 0
}

// First goes to the first record.
func (it *Iter) First() *base.KV {
	it.err = nil
	if !it.enter(0) {
		return nil
	}
	return it.onward(it.blk.First())
}

// Last goes to the last record.
func (it *Iter) Last() *base.KV {
	it.err = nil
	if !it.enter(it.blocks() - 1) {
		return nil
	}
	return it.backward(it.blk.Last())
}

// SeekGE goes to the newest version of the first user key >= key.
func (it *Iter) SeekGE(key []byte) *base.KV {
	it.err = nil
	if it.r == nil || !it.enter(it.r.idx.find(key)) {
		return it.stop()
	}
	return it.onward(it.blk.SeekGE(key))
}

// SeekLT goes to the oldest version of the last user key < key.
func (it *Iter) SeekLT(key []byte) *base.KV {
	it.err = nil
	if it.r == nil {
		return it.stop()
	}
	i := it.r.idx.find(key)
	if i == it.r.idx.n { // everything is smaller
		return it.Last()
	}
	if !it.enter(i) {
		return nil
	}
	return it.backward(it.blk.SeekLT(key))
}

// Next goes to the next record.
func (it *Iter) Next() *base.KV {
	if kv := it.blk.Next(); kv != nil {
		return kv
	}
	return it.onward(nil)
}

// Prev goes to the record before.
func (it *Iter) Prev() *base.KV {
	if kv := it.blk.Prev(); kv != nil {
		return kv
	}
	return it.backward(nil)
}

// Ahead returns how many records of the current block are still ahead, if by the index
// all of them come before key in the direction of the walk; else 0.
func (it *Iter) Ahead(key []byte, back bool) int {
	switch {
	case !it.on:
		return 0
	case !back && it.r.idx.compare(it.i, key) < 0: // a separator is not before what it ends
		return it.blk.Len() - 1 - it.blk.Ordinal()
	case back && it.i > 0 && it.r.idx.compare(it.i-1, key) > 0: // nor after what follows it
		return it.blk.Ordinal()
	}
	return 0
}

// Err returns the error that ended the walk, if one did.
func (it *Iter) Err() error { return it.err }

// Close releases the block and the buffers. InitIter makes the iterator usable
// again.
func (it *Iter) Close() error {
	it.leave()
	it.ra.release()
	it.pre.release(it.r)
	it.r = nil
	return it.err
}

func (it *Iter) blocks() int {
	if it.r == nil {
		return 0
	}
	return it.r.idx.n
}

// onward returns kv, or the first record of the blocks behind if the current one
// has no more.
func (it *Iter) onward(kv *base.KV) *base.KV {
	for kv == nil {
		if !it.on || it.damaged() || !it.enter(it.i+1) {
			return it.stop()
		}
		kv = it.blk.First()
	}
	return kv
}

func (it *Iter) backward(kv *base.KV) *base.KV {
	for kv == nil {
		if !it.on || it.damaged() || !it.enter(it.i-1) {
			return it.stop()
		}
		kv = it.blk.Last()
	}
	return kv
}

func (it *Iter) stop() *base.KV {
	it.on = false
	it.blk.Park()
	return nil
}

// damaged turns an error of the block iterator into the iterator's.
func (it *Iter) damaged() bool {
	if err := it.blk.Err(); err != nil {
		it.err = it.r.corruptBlock(it.i, err)
		it.leave()
		return true
	}
	return false
}

// leave lets go of the current block.
func (it *Iter) leave() {
	it.blk.Reset()
	it.pin.release()
	it.i = -1
	it.on = false
}

// enter makes block i current. It returns false if there is no such block, or if
// it cannot be read.
func (it *Iter) enter(i int) bool {
	if i < 0 || i >= it.blocks() {
		it.stop()
		return false
	}
	if i == it.i {
		it.on = true
		return true
	}
	beside := it.i >= 0 && (i == it.i+1 || i == it.i-1)
	down := i < it.i
	if turned := it.down != down; beside && !turned {
		it.run++
	} else {
		it.run = 0
		it.ra.size = 0
		it.pre.release(it.r)
	}
	it.down = down
	it.leave()
	data, err := it.fetch(i, down)
	if err == nil {
		if err = it.blk.Init(data); err != nil {
			err = it.r.corruptBlock(i, err)
		}
	}
	if err != nil {
		it.leave()
		it.err = err
		return false
	}
	it.i, it.on = i, true
	return true
}

// fetch returns block i, from the cache or by reading ahead.
func (it *Iter) fetch(i int, down bool) ([]byte, error) {
	r := it.r
	ahead := it.seq || it.run > readAheadAfter
	if !ahead {
		err := r.load(i, &it.pin)
		return it.pin.data, err
	}
	if it.seq {
		return it.ra.block(r, i, down, true, nil)
	}
	if c := r.o.Cache; c != nil {
		if r.cached(uint64(i), &it.pin) {
			it.ra.size = 0 // others may be there too
			return it.pin.data, nil
		}
		if it.run <= keepUpTo && c.Admit(r.o.ID, uint64(i), int(r.idx.offsets[i+1]-r.idx.offsets[i])) {
			return it.ra.block(r, i, down, false, &it.pin)
		}
	}
	if it.run <= keepUpTo || r.o.Spawn == nil || it.ra.has(i) {
		return it.ra.block(r, i, down, false, nil)
	}
	if data := it.pre.block(r, i, down); data != nil {
		return data, nil
	}
	data, err := it.ra.block(r, i, down, false, nil)
	if err == nil && len(data) <= chunkPlain { // or the next ones may not fit either, and be read twice
		it.pre.begin(r, it.ra.after(down), down)
	}
	return data, err
}
