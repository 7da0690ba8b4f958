package vclock

import (
	"fmt"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
)

// View reads an encoded object where it lies: the common read, of a key with one
// sibling, needs neither the dot nor the vector, nor any memory. All that it returns
// aliases the encoding. A View is read-only and as safe for concurrent use as the bytes
// under it.
type View struct {
	vector []byte
	rest   []byte // the siblings
	n      int    // how many
	one    record // the sibling, when n is 1
}

// ParseView reads the front of an encoded object. Lengths are checked here; whether the
// vector and further siblings are sound shows when they are read. The error is
// ErrFormat.
func ParseView(b []byte) (View, error) {
	var v View
	if len(b) == 0 {
		return v, fmt.Errorf("%w: an object of no bytes", ErrFormat)
	}
	head := b[0]
	if head != headOne && head != headMany {
		if head>>4 > objectVersion {
			return v, fmt.Errorf("%w: object version %d, this program reads up to %d", ErrFormat, head>>4, objectVersion)
		}
		return v, fmt.Errorf("%w: an object begins with byte %#x", ErrFormat, head)
	}
	size, b, ok := takeUvarint(b[1:])
	if !ok || size > uint64(len(b)) {
		return v, fmt.Errorf("%w: a vector of %d bytes in %d", ErrFormat, size, len(b))
	}
	v.vector, v.rest, v.n = b[:size:size], b[size:], 1
	var err error
	if head == headOne {
		v.one, _, err = takeRecord(v.rest, false)
		return v, err
	}
	n, b, ok := takeUvarint(v.rest)
	if !ok || n < 2 || n > uint64(len(b)/minSibling) {
		return v, fmt.Errorf("%w: %d siblings in %d bytes", ErrFormat, n, len(b))
	}
	v.rest, v.n = b, int(n)
	return v, nil
}

// Siblings returns how many siblings there are, at least 1. The methods that tell of
// the sibling answer for one alone; several are for Object.Decode.
func (v *View) Siblings() int { return v.n }

// Live says whether there is exactly one sibling, and it is a value at now, in
// milliseconds since the Unix epoch.
func (v *View) Live(now int64) bool { return v.n == 1 && v.one.Live(now) }

// Value returns the value of the only sibling, nil if there are several.
func (v *View) Value() []byte { return v.one.Value }

// Flags returns the flags of the only sibling.
func (v *View) Flags() Flags { return v.one.Flags }

// HLC returns the timestamp of the only sibling.
func (v *View) HLC() hlc.Timestamp { return v.one.HLC }

// Expiry returns the expiry of the only sibling, 0 if it has none.
func (v *View) Expiry() int64 { return v.one.Expiry }

// VectorBytes returns the encoding of the vector. Equal vectors have equal encodings.
func (v *View) VectorBytes() []byte { return v.vector }

// Vector returns the vector, in the memory of buf if that suffices. The error is
// ErrFormat.
func (v *View) Vector(buf Vector) (Vector, error) { return decodeVector(buf[:0], v.vector) }

// Dot returns the dot of the only sibling, the zero Dot if there are several. The error
// is ErrFormat. It walks the vector without storing it.
func (v *View) Dot() (Dot, error) {
	if v.n != 1 {
		return Dot{}, nil
	}
	b := v.vector
	for i := uint64(0); len(b) >= minEntry; i++ {
		counter, rest, ok := takeUvarint(b[ActorLen:])
		if !ok {
			break
		}
		if i == v.one.actor {
			if v.one.behind >= counter {
				break
			}
			return Dot{Actor(b[:ActorLen]), counter - v.one.behind}, nil
		}
		b = rest
	}
	return Dot{}, fmt.Errorf("%w: the dot is not in the vector", ErrFormat)
}
