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
	if c := r.o.Cache; c != nil {
		if h, ok := c.Get(r.o.ID, uint64(i)); ok {
			b := h.Bytes()
			p.h, p.data = h, b[:len(b)-trailerLen]
			return nil
		}
	}
	return r.loadFile(i, p)
}

func (r *Reader) loadFile(i int, p *pin) error {
	off := r.idx.offsets[i]
	n := int(r.idx.offsets[i+1] - off)
	if r.props.Compression == None {
		return r.loadPlain(i, n, p)
	}
	s := getScratch(n)
	defer putScratch(s)
	payload, c, err := r.readBlock(i, s.b[:n])
	if err != nil {
		return err
	}
	size, err := decodedLen(payload, c, maxRecordBlock)
	if err != nil {
		return r.corruptBlock(i, err)
	}
	r.reserve(p, size+trailerLen, i)
	if err := decode(p.data, payload, c); err != nil {
		p.release()
		return r.corruptBlock(i, err)
	}
	r.publish(p, i)
	return nil
}

// loadPlain is loadFile for a table without compression: the file is read to
// where the block will stay.
func (r *Reader) loadPlain(i, n int, p *pin) error {
	r.reserve(p, n, i)
	_, c, err := r.readBlock(i, p.data[:n])
	if err == nil && c != None {
		err = r.corruptBlock(i, errCodec)
	}
	if err != nil {
		p.release()
		return err
	}
	r.publish(p, i)
	return nil
}

// reserve makes p a private buffer of n bytes, data being all but the last few.
func (r *Reader) reserve(p *pin, n, i int) {
	if c := r.o.Cache; c != nil && c.Admit(r.o.ID, uint64(i)) {
		if h, ok := c.Reserve(n); ok {
			p.h, p.data = h, h.Bytes()[:n-trailerLen:n]
			return
		}
	}
	p.own = getScratch(n)
	p.data = p.own.b[: n-trailerLen : n]
}

func (r *Reader) publish(p *pin, i int) {
	if p.own == nil {
		r.o.Cache.Publish(p.h, r.o.ID, uint64(i))
	}
}

// readBlock reads block i from the file into raw, which has its length with
// trailer, and checks it.
func (r *Reader) readBlock(i int, raw []byte) ([]byte, Compression, error) {
	off := int64(r.idx.offsets[i])
	if s := r.o.Stats; s != nil {
		s.BlockReads.Add(1)
		s.BytesRead.Add(int64(len(raw)))
	}
	if err := readFull(r.f, r.o.Name, raw, off); err != nil {
		return nil, 0, r.withKeys(i, err)
	}
	payload, c, err := openBlock(raw, r.uid, off)
	if err != nil {
		return nil, 0, r.corruptBlock(i, err)
	}
	return payload, c, nil
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
