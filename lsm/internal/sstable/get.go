package sstable

import (
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/block"
	"github.com/ringwood-kv/ringwood/lsm/internal/cache"
	"github.com/ringwood-kv/ringwood/lsm/internal/filter"
)

// Value is the answer of Get. Bytes stays valid until Release, which must be
// called once when Found, and may be called always.
type Value struct {
	Bytes   []byte
	Trailer base.Trailer
	Found   bool
	pin     pin
}

// Release gives back what holds Bytes.
func (v *Value) Release() {
	v.Bytes = nil
	v.pin.release()
}

// pin is a data block in memory, in the cache or in a buffer of its own. Either
// holds the block and trailerLen more bytes, of no meaning if it was compressed:
// so an uncompressed block can be read from the file right into its place.
type pin struct {
	data []byte // the block alone; nil if nothing is held
	h    cache.Handle
	own  *scratch
}

func (p *pin) release() {
	if p.data == nil {
		return
	}
	if p.own != nil {
		putScratch(p.own)
		p.own = nil
	} else {
		p.h.Release()
		p.h = cache.Handle{}
	}
	p.data = nil
}

// MayContain asks the filter: false means that no point record of the table has
// the key that h stands for.
func (r *Reader) MayContain(h *filter.Hash) bool {
	if !r.filter.Valid() {
		return true
	}
	ok := r.filter.MayContain(h)
	if s := r.o.Stats; s != nil {
		s.FilterProbes.Add(1)
		if !ok {
			s.FilterNegatives.Add(1)
		}
	}
	return ok
}

// Get looks for the newest version of key that is not newer than seq; a tombstone
// is found like any other record. h is the hash of key; nil does without the
// filter. Range tombstones are not considered.
func (r *Reader) Get(key []byte, h *filter.Hash, seq base.SeqNum) (v Value, err error) {
	if h != nil && !r.MayContain(h) {
		return v, nil
	}
	for i := r.idx.find(key); i < r.idx.n; i++ {
		if err := r.load(i, &v.pin); err != nil {
			return Value{}, err
		}
		b, t, res, err := block.Get(v.pin.data, key, seq)
		if res == block.Found {
			v.Bytes, v.Trailer, v.Found = b, t, true
			return v, nil
		}
		v.pin.release()
		if err != nil {
			return Value{}, r.corruptBlock(i, err)
		}
		if res == block.NotFound {
			break
		}
		// All versions so far are too new, and the next block may have older ones.
	}
	return v, nil
}

// load brings block i into p, from the cache if it is there. The cache knows it by its
// number: its offset would first have to come from memory.
func (r *Reader) load(i int, p *pin) error {
	if r.cached(uint64(i), p) {
		return nil
	}
	off := r.idx.offsets[i]
	h := handle{off, r.idx.offsets[i+1] - off}
	if err := r.loadFile(h, uint64(i), p, r.admitting(uint64(i), int(h.len))); err != nil {
		return r.withKeys(i, err)
	}
	return nil
}

// cached brings the block that the cache knows by block into p if it is there.
func (r *Reader) cached(block uint64, p *pin) bool {
	if c := r.o.Cache; c != nil {
		if h, ok := c.Get(r.o.ID, block); ok {
			b := h.Bytes()
			p.h, p.data = h, b[:len(b)-trailerLen]
			return true
		}
	}
	return false
}

// admitting returns the cache if it is to take the block, of at least n bytes.
func (r *Reader) admitting(block uint64, n int) *cache.Cache {
	if c := r.o.Cache; c != nil && c.Admit(r.o.ID, block, n) {
		return c
	}
	return nil
}

// loadFile brings the block at h from the file into p, and into c, as block, unless that
// is nil.
func (r *Reader) loadFile(h handle, block uint64, p *pin, c *cache.Cache) error {
	n := int(h.len)
	if r.props.Compression == None {
		return r.loadPlain(h, block, p, c)
	}
	s := getScratch(n)
	defer putScratch(s)
	payload, codec, err := r.readBlock(h, s.b[:n])
	if err != nil {
		return err
	}
	size, err := decodedLen(payload, codec, maxRecordBlock)
	if err != nil {
		return r.damaged(h, err)
	}
	r.reserve(p, size+trailerLen, c)
	if err := decode(p.data, payload, codec); err != nil {
		p.release()
		return r.damaged(h, err)
	}
	r.publish(p, block)
	return nil
}

// loadPlain is loadFile for a table without compression: the file is read to
// where the block will stay.
func (r *Reader) loadPlain(h handle, block uint64, p *pin, c *cache.Cache) error {
	n := int(h.len)
	r.reserve(p, n, c)
	_, codec, err := r.readBlock(h, p.data[:n])
	if err == nil && codec != None {
		err = r.damaged(h, errCodec)
	}
	if err != nil {
		p.release()
		return err
	}
	r.publish(p, block)
	return nil
}

// reserve makes p a buffer of n bytes that is the caller's, of c if that has one, data
// being all but the last few.
func (r *Reader) reserve(p *pin, n int, c *cache.Cache) {
	if c != nil {
		if h, ok := c.Reserve(n); ok {
			p.h, p.data = h, h.Bytes()[:n-trailerLen:n]
			return
		}
	}
	p.own = getScratch(n)
	p.data = p.own.b[: n-trailerLen : n]
}

func (r *Reader) publish(p *pin, block uint64) {
	if p.own == nil {
		r.o.Cache.Publish(p.h, r.o.ID, block)
	}
}

// readBlock reads the block at h from the file into raw, which has its length, and
// checks it.
func (r *Reader) readBlock(h handle, raw []byte) ([]byte, Compression, error) {
	if s := r.o.Stats; s != nil {
		s.BlockReads.Add(1)
		s.BytesRead.Add(int64(len(raw)))
	}
	if err := readFull(r.f, r.o.Name, raw, int64(h.off)); err != nil {
		return nil, 0, err
	}
	payload, c, err := openBlock(raw, r.uid, int64(h.off))
	if err != nil {
		return nil, 0, r.damaged(h, err)
	}
	return payload, c, nil
}

// damaged says that the block at h is.
func (r *Reader) damaged(h handle, err error) error {
	return &base.CorruptionError{File: r.o.Name, Offset: int64(h.off), Err: err}
}

// corruptBlock says that block i is damaged, and which keys may have been in it.
func (r *Reader) corruptBlock(i int, err error) error {
	return r.withKeys(i, &base.CorruptionError{File: r.o.Name, Offset: int64(r.idx.offsets[i]), Err: err})
}

func (r *Reader) withKeys(i int, err error) error {
	if e, ok := err.(*base.CorruptionError); ok {
		e.Lower, e.Upper = r.props.Smallest, r.idx.key(i)
		if i > 0 {
			e.Lower = r.idx.key(i - 1)
		}
	}
	return err
}
