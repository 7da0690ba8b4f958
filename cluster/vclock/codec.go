package vclock

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
)

// The first byte of an object: the version in the upper half, the shape in the lower.
const (
	objectVersion = 1
	headOne       = objectVersion << 4   // one sibling
	headMany      = objectVersion<<4 | 1 // two or more
)

// hasExpiry is set in the flags on disk when an expiry follows.
const hasExpiry = 1 << 2

const (
	minEntry   = ActorLen + 1      // of a vector
	minSibling = 1 + 8 + 1 + 1 + 1 // flags, timestamp, actor, behind, length
)

// AppendTo appends the encoding of o to dst. Objects that are equal have the same
// encoding. The error is ErrInvalid, also for an absent key, which is not stored; dst
// is then returned as it was.
func (o *Object) AppendTo(dst []byte) ([]byte, error) {
	if err := o.Validate(); err != nil {
		return dst, err
	}
	if len(o.Siblings) == 0 {
		return dst, fmt.Errorf("%w: an absent key has no encoding", ErrInvalid)
	}
	vector := vectorLen(o.Vector)
	dst = slices.Grow(dst, 2*binary.MaxVarintLen64+vector+len(o.Siblings)*(9+4*binary.MaxVarintLen64)+o.valueBytes())
	one := len(o.Siblings) == 1
	if one {
		dst = append(dst, headOne)
	} else {
		dst = append(dst, headMany)
	}
	dst = binary.AppendUvarint(dst, uint64(vector))
	dst = appendVector(dst, o.Vector)
	if !one {
		dst = binary.AppendUvarint(dst, uint64(len(o.Siblings)))
	}
	for i := range o.Siblings {
		s := &o.Siblings[i]
		flags := byte(s.Flags)
		if s.Expiry != 0 {
			flags |= hasExpiry
		}
		dst = append(dst, flags)
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.HLC))
		if s.Expiry != 0 {
			dst = binary.AppendUvarint(dst, uint64(s.Expiry))
		}
		dst = o.appendDot(dst, s)
		if !one {
			dst = binary.AppendUvarint(dst, uint64(len(s.Value)))
		}
		dst = append(dst, s.Value...)
	}
	return dst, nil
}

// appendDot appends the dot of s in terms of o's vector.
func (o *Object) appendDot(dst []byte, s *Sibling) []byte {
	i, _ := o.Vector.find(s.Dot.Actor)
	dst = binary.AppendUvarint(dst, uint64(i))
	return binary.AppendUvarint(dst, o.Vector[i].Counter-s.Dot.Counter)
}

// AppendSummary appends what anti-entropy compares: the vector, and of each sibling the
// dot and whether it is a tombstone. Two replicas whose summaries are the same need
// exchange nothing. Values, timestamps and whether an expired value was dropped already
// do not matter. The vector alone would not do: a replica that collapsed siblings can
// have the same vector as one that did not. o is valid.
func (o *Object) AppendSummary(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(vectorLen(o.Vector)))
	dst = appendVector(dst, o.Vector)
	for i := range o.Siblings {
		s := &o.Siblings[i]
		dst = append(dst, byte(s.Flags&Tombstone))
		dst = o.appendDot(dst, s)
	}
	return dst
}

// Decode makes o the object that b encodes. It reuses the slices of o; the values alias
// b. The error is ErrFormat, and o is then absent.
func (o *Object) Decode(b []byte) error {
	o.Reset()
	if err := o.decode(b); err != nil {
		o.Reset()
		return err
	}
	return nil
}

func (o *Object) decode(b []byte) error {
	v, err := ParseView(b)
	if err != nil {
		return err
	}
	if o.Vector, err = v.Vector(o.Vector); err != nil {
		return err
	}
	if v.n == 1 { // whose sibling is read already
		s := v.one.Sibling
		if s.Dot, err = v.one.dot(o.Vector); err != nil {
			return err
		}
		if err := s.validate(); err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		o.Siblings = append(o.Siblings, s)
		return nil
	}
	rest := v.rest
	o.Siblings = slices.Grow(o.Siblings, v.n)
	for i := range v.n {
		var s Sibling
		if rest, err = o.takeSibling(&s, rest); err != nil {
			return fmt.Errorf("%w, in sibling %d", err, i)
		}
		if i > 0 && o.Siblings[i-1].Dot.Compare(s.Dot) >= 0 {
			return fmt.Errorf("%w: sibling %d is out of order", ErrFormat, i)
		}
		o.Siblings = append(o.Siblings, s)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes too many", ErrFormat, len(rest))
	}
	return nil
}

// takeSibling takes one of several siblings off b, with its dot from o's vector.
func (o *Object) takeSibling(s *Sibling, b []byte) (rest []byte, err error) {
	r, rest, err := takeRecord(b, true)
	if err != nil {
		return nil, err
	}
	*s = r.Sibling
	if s.Dot, err = r.dot(o.Vector); err != nil {
		return nil, err
	}
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return rest, nil
}

// record is a sibling as it stands in the encoding.
type record struct {
	Sibling        // without a dot
	actor   uint64 // index into the vector
	behind  uint64 // how far the dot is behind the vector
}

func (r *record) dot(v Vector) (Dot, error) {
	if r.actor >= uint64(len(v)) || r.behind >= v[r.actor].Counter {
		return Dot{}, fmt.Errorf("%w: dot %d, %d behind, is not in the vector", ErrFormat, r.actor, r.behind)
	}
	return Dot{v[r.actor].Actor, v[r.actor].Counter - r.behind}, nil
}

// takeRecord takes a sibling off b. Without a size, its value is all the rest.
func takeRecord(b []byte, sized bool) (r record, rest []byte, err error) {
	if len(b) < 9 {
		return r, nil, fmt.Errorf("%w: cut short", ErrFormat)
	}
	flags := b[0]
	r.Flags = Flags(flags &^ hasExpiry)
	r.HLC = hlc.Timestamp(binary.BigEndian.Uint64(b[1:]))
	b = b[9:]
	ok := true
	if flags&hasExpiry != 0 {
		var e uint64
		e, b, ok = takeUvarint(b)
		if r.Expiry = int64(e); r.Expiry <= 0 {
			return r, nil, fmt.Errorf("%w: expiry %d", ErrFormat, e)
		}
	}
	if ok {
		r.actor, b, ok = takeUvarint(b)
	}
	if ok {
		r.behind, b, ok = takeUvarint(b)
	}
	size := uint64(len(b))
	if ok && sized {
		size, b, ok = takeUvarint(b)
	}
	if !ok {
		return r, nil, fmt.Errorf("%w: bad number", ErrFormat)
	}
	if size > uint64(len(b)) {
		return r, nil, fmt.Errorf("%w: a value of %d bytes in %d", ErrFormat, size, len(b))
	}
	r.Value = b[:size:size]
	return r, b[size:], nil
}

// vectorLen returns the length of v's encoding.
func vectorLen(v Vector) int {
	n := len(v) * ActorLen
	for i := range v {
		n += uvarintLen(v[i].Counter)
	}
	return n
}

func appendVector(dst []byte, v Vector) []byte {
	for i := range v {
		dst = append(dst, v[i].Actor[:]...)
		dst = binary.AppendUvarint(dst, v[i].Counter)
	}
	return dst
}

// decodeVector appends to dst, which is empty, the vector that all of b encodes.
func decodeVector(dst Vector, b []byte) (Vector, error) {
	for len(b) > 0 {
		if len(b) < minEntry {
			return dst, fmt.Errorf("%w: the vector is cut short", ErrFormat)
		}
		var d Dot
		var ok bool
		copy(d.Actor[:], b)
		if d.Counter, b, ok = takeUvarint(b[ActorLen:]); !ok {
			return dst, fmt.Errorf("%w: bad counter in the vector", ErrFormat)
		}
		dst = append(dst, d)
		if len(dst) > MaxActors {
			break
		}
	}
	if err := dst.Validate(); err != nil {
		return dst, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return dst, nil
}

// takeUvarint takes a number off b. It accepts only the shortest form, as there must be
// one encoding of an object.
func takeUvarint(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), b[1:], true
	}
	v, w := binary.Uvarint(b)
	if w <= 0 || b[w-1] == 0 {
		return 0, nil, false
	}
	return v, b[w:], true
}

func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
