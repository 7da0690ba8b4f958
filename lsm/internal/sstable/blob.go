package sstable

import (
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/block"
)

var errNotTheValue = errors.New("not the value of this key")

// Blob returns the value at ref, which must be key's, of a table of kind Blob. keep puts
// it into the cache. The Reader must stay open until Blob returns, and no longer.
func (r *Reader) Blob(key []byte, ref base.BlobRef, keep bool) (v Value, err error) {
	h := handle{ref.Offset, uint64(ref.Len)}
	if h.len <= trailerLen || h.end() > r.ft.filter.off {
		return v, r.blobError(key, ref, fmt.Errorf("a reference to %d bytes, beyond the %d of values", h.len, r.ft.filter.off))
	}
	if !r.cached(h.off, &v.pin) {
		c := r.o.Cache
		if !keep {
			c = nil
		}
		if err := r.loadFile(h, &v.pin, c); err != nil {
			if e, ok := err.(*base.CorruptionError); ok {
				e.Lower, e.Upper = append([]byte{}, key...), append([]byte{}, key...)
			}
			return Value{}, err
		}
	}
	b, t, ok := block.Only(v.pin.data, key)
	if !ok || t.Kind() != base.KindSet || len(b) != int(ref.ValueLen) {
		v.pin.release()
		return Value{}, r.blobError(key, ref, errNotTheValue)
	}
	v.Bytes, v.Trailer, v.Found = b, t, true
	return v, nil
}

func (r *Reader) blobError(key []byte, ref base.BlobRef, err error) error {
	k := append([]byte{}, key...)
	return &base.CorruptionError{File: r.o.Name, Offset: int64(ref.Offset), Lower: k, Upper: k, Err: err}
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
