package lsm

import "bytes"

// keyRange is the range [start, end) of user keys; end == nil means to the end of
// the key space.
type keyRange struct{ start, end []byte }

func (r keyRange) contains(key []byte) bool {
	return bytes.Compare(key, r.start) >= 0 && (r.end == nil || bytes.Compare(key, r.end) < 0)
}

func (r keyRange) overlaps(o keyRange) bool {
	return (r.end == nil || bytes.Compare(o.start, r.end) < 0) &&
		(o.end == nil || bytes.Compare(r.start, o.end) < 0)
}

func (r keyRange) empty() bool { return r.end != nil && bytes.Compare(r.start, r.end) >= 0 }
