package gen

import "encoding/binary"

// Values are bytes that compress to a chosen share of their size. They are slices of
// one buffer made once, at places that a number decides: pieces of up to a hundred
// bytes, each of which starts with random bytes and goes on repeating them, as
// db_bench's do. It is safe for concurrent use.
type Values struct {
	buf    []byte
	piece  int
	starts uint64 // how many pieces a value can start at
}

// NewValues makes values of up to size bytes, 0 or more, that compress to about the
// share ratio of their size, 0 < ratio <= 1. Values of just that size are whole
// pieces.
func NewValues(seed uint64, size int, ratio float64) *Values {
	const pieceSize, pieces = 100, 1 << 20 / 100
	v := &Values{piece: pieceSize, starts: pieces}
	if size > 0 {
		v.piece = (size-1)/((size+pieceSize-1)/pieceSize) + 1
	}
	v.buf = make([]byte, pieces*v.piece+size)
	random := min(v.piece, max(1, int(ratio*float64(v.piece))))
	r := Rand{state: Mix(seed)}
	for start := 0; start < len(v.buf); start += v.piece {
		piece := v.buf[start:min(start+v.piece, len(v.buf))]
		fill(piece[:min(random, len(piece))], &r)
		for n := random; n < len(piece); n += random {
			copy(piece[n:], piece[:random])
		}
	}
	return v
}

func fill(p []byte, r *Rand) {
	var word [8]byte
	for len(p) > 0 {
		binary.LittleEndian.PutUint64(word[:], r.Uint64())
		p = p[copy(p, word[:]):]
	}
}

// At returns size bytes, up to the maximum, chosen by h. They belong to v: read only.
func (v *Values) At(h uint64, size int) []byte {
	off := int(h%v.starts) * v.piece
	return v.buf[off : off+size : off+size]
}
