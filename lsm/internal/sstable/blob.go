package sstable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/block"
	"github.com/ringwood-kv/ringwood/lsm/internal/cache"
)

var errNotTheValue = errors.New("not the value of this key")

// Blob returns the value at ref, which must be key's, of a table of kind Blob. keep puts
// it into the cache. The Reader must stay open until Blob returns, and no longer.
func (r *Reader) Blob(key []byte, ref base.BlobRef, keep bool) (v Value, err error) {
	h := handle{ref.Offset, uint64(ref.Len)}
	if err := r.blobPlace(key, ref, h); err != nil {
		return v, err
	}
	if !r.cached(h.off, &v.pin) { // the cache knows values by their offset
		var c *cache.Cache
		if keep {
			c = r.admitting(h.off, int(ref.ValueLen))
		}
		if err := r.loadFile(h, h.off, &v.pin, c); err != nil {
			return Value{}, ofKey(err, key)
		}
	}
	err = r.onlyValue(&v, key, ref)
	return v, err
}

// onlyValue makes v, whose pin has the block, the value at ref.
func (r *Reader) onlyValue(v *Value, key []byte, ref base.BlobRef) error {
	b, t, ok := block.Only(v.pin.data, key)
	if !ok || t.Kind() != base.KindSet || len(b) != int(ref.ValueLen) {
		v.pin.release()
		*v = Value{}
		return r.blobError(key, ref, errNotTheValue)
	}
	v.Bytes, v.Trailer, v.Found = b, t, true
	return nil
}

// AppendBlob is Blob for who wants a copy: it appends the value to dst, which it returns as
// it was with an error. What the cache does not take is decompressed to where it is wanted.
func (r *Reader) AppendBlob(dst, key []byte, ref base.BlobRef) ([]byte, error) {
	h := handle{ref.Offset, uint64(ref.Len)}
	if err := r.blobPlace(key, ref, h); err != nil {
		return dst, err
	}
	var v Value
	if !r.cached(h.off, &v.pin) {
		c := r.admitting(h.off, int(ref.ValueLen))
		if c == nil {
			if out, ok, err := r.appendDirect(dst, key, ref, h); ok || err != nil {
				return out, ofKey(err, key)
			}
		}
		if err := r.loadFile(h, h.off, &v.pin, c); err != nil {
			return dst, ofKey(err, key)
		}
	}
	if err := r.onlyValue(&v, key, ref); err != nil {
		return dst, err
	}
	dst = append(dst, v.Bytes...)
	v.Release()
	return dst, nil
}

// appendDirect is AppendBlob past the cache for the blocks that Writer.addBlob makes, whose
// first literal is all that stands before the value. ok is false for any other, and for
// damage, which is for AppendBlob to name.
func (r *Reader) appendDirect(dst, key []byte, ref base.BlobRef, h handle) (_ []byte, ok bool, err error) {
	s := getScratch(int(h.len))
	defer putScratch(s)
	payload, codec, err := r.readBlock(h, s.b[:h.len])
	if err != nil {
		return dst, false, err
	}
	size, err := decodedLen(payload, codec, maxRecordBlock)
	if err != nil {
		return dst, false, nil
	}
	head, _, ok := headOf(payload, codec, size, key, ref)
	n := len(head)
	if !ok {
		return dst, false, nil
	}
	if codec == None {
		return append(dst, payload[n:]...), true, nil
	}
	// What follows is the value as snappy made it, but for the length that it begins with.
	_, at := binary.Uvarint(payload)
	at += literalLen + n
	var prefix [binary.MaxVarintLen32]byte
	short := binary.PutUvarint(prefix[:], uint64(ref.ValueLen))
	at -= copy(payload[at-short:at], prefix[:short])
	out := slices.Grow(dst, int(ref.ValueLen))
	if decode(out[len(dst):len(dst)+int(ref.ValueLen)], payload[at:], codec) != nil {
		return dst, false, nil
	}
	return out[:len(dst)+int(ref.ValueLen)], true, nil
}

// RawBlob is a value as it is stored, to be stored elsewhere.
type RawBlob struct {
	payload  []byte
	codec    Compression
	t        base.Trailer
	valueLen uint32
	own      *scratch
}

// Release gives back what holds the bytes. It may be called always.
func (b *RawBlob) Release() {
	putScratch(b.own)
	*b = RawBlob{}
}

// RawBlob is Blob for Writer.AddRaw: the value is checked as Blob checks it, but not
// decompressed, and the cache is left alone.
func (r *Reader) RawBlob(key []byte, ref base.BlobRef) (b RawBlob, err error) {
	h := handle{ref.Offset, uint64(ref.Len)}
	if err := r.blobPlace(key, ref, h); err != nil {
		return b, err
	}
	b.own = getScratch(int(h.len))
	b.payload, b.codec, err = r.readBlock(h, b.own.b[:h.len])
	if err != nil {
		b.Release()
		return b, ofKey(err, key)
	}
	if b.t, err = b.check(key, ref); err != nil {
		b.Release()
		return b, r.blobError(key, ref, err)
	}
	b.valueLen = ref.ValueLen
	return b, nil
}

// check returns the trailer of a block that holds key and a value as long as ref says.
func (b *RawBlob) check(key []byte, ref base.BlobRef) (base.Trailer, error) {
	n, err := decodedLen(b.payload, b.codec, maxRecordBlock)
	if err != nil {
		return 0, err
	}
	if _, t, ok := headOf(b.payload, b.codec, n, key, ref); ok {
		return t, nil
	}
	// The longest keys do not fit one literal.
	s := getScratch(n)
	defer putScratch(s)
	if err := decode(s.b[:n], b.payload, b.codec); err != nil {
		return 0, err
	}
	v, t, ok := block.Only(s.b[:n], key)
	if !ok || t.Kind() != base.KindSet || len(v) != int(ref.ValueLen) {
		return 0, errNotTheValue
	}
	return t, nil
}

// headOf returns what stands before the value at ref, and its trailer, in a block of size
// bytes that Writer.addBlob made: without compression, or with all of it in the first
// literal. ok is false for any other block, and if it is of another key or value.
func headOf(payload []byte, c Compression, size int, key []byte, ref base.BlobRef) (head []byte, t base.Trailer, ok bool) {
	head = payload
	if c == Snappy {
		_, n := binary.Uvarint(payload)
		if n <= 0 || len(payload) < n+literalLen || payload[n] != literalTag {
			return nil, 0, false
		}
		size := int(binary.LittleEndian.Uint16(payload[n+1:])) + 1
		if head = payload[n+literalLen:]; size > len(head) {
			return nil, 0, false
		}
		head = head[:size]
	}
	t, n, ok := block.Head(head, key)
	if !ok || n+int(ref.ValueLen) != size || c == Snappy && n != len(head) {
		return nil, 0, false
	}
	return head[:n], t, true
}

// blobPlace sees that h, the place of ref, lies among the values.
func (r *Reader) blobPlace(key []byte, ref base.BlobRef, h handle) error {
	if h.len <= trailerLen || h.end() > r.ft.filter.off {
		return r.blobError(key, ref, fmt.Errorf("a reference to %d bytes, beyond the %d of values", h.len, r.ft.filter.off))
	}
	return nil
}

// ofKey notes in err, if it is damage, which key is concerned.
func ofKey(err error, key []byte) error {
	if e, ok := err.(*base.CorruptionError); ok {
		k := append([]byte{}, key...)
		e.Lower, e.Upper = k, k
	}
	return err
}

func (r *Reader) blobError(key []byte, ref base.BlobRef, err error) error {
	return ofKey(&base.CorruptionError{File: r.o.Name, Offset: int64(ref.Offset), Err: err}, key)
}

// SplitBlob takes the value of a record whose kind is Blob apart: the expiry, empty
// without one, and the reference.
func SplitBlob(kv *base.KV) (expiry []byte, ref base.BlobRef, err error) {
	v := kv.Value
	if kv.Trailer.Kind().TTL() {
		if len(v) < 8 {
			return nil, ref, fmt.Errorf("%w: a value with a time to live has no expiry", base.ErrCorruption)
		}
		expiry, v = v[:8], v[8:]
	}
	ref, ok := base.DecodeBlobRef(v)
	if !ok {
		return nil, ref, fmt.Errorf("%w: malformed reference to a blob file", base.ErrCorruption)
	}
	return expiry, ref, nil
}
