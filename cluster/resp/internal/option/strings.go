package option

import (
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/num"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// Range is the range of bytes of GETRANGE and SUBSTR, both ends included. Negative
// numbers count from the end of the string, whose last byte is -1.
type Range struct{ Start, End int64 }

// ParseRange parses GETRANGE key start end.
func ParseRange(args [][]byte) (r Range, err error) {
	var ok bool
	if r.Start, ok = num.ParseInt(args[2]); !ok {
		return r, wire.ErrNotInteger
	}
	if r.End, ok = num.ParseInt(args[3]); !ok {
		return r, wire.ErrNotInteger
	}
	return r, nil
}

// Clamp returns the range as bounds of a slice of a string of n bytes.
func (r Range) Clamp(n int) (from, to int) {
	size := int64(n)
	start, end := r.Start, r.End
	if start < 0 && end < 0 && start > end {
		return 0, 0
	}
	if start < 0 {
		start = max(0, size+start)
	}
	if end < 0 {
		end = max(0, size+end)
	}
	end = min(end, size-1)
	if start > end {
		return 0, 0
	}
	return int(start), int(end) + 1
}

// ParseSetRange parses the offset of SETRANGE key offset value.
func ParseSetRange(args [][]byte) (offset int64, err error) {
	offset, ok := num.ParseInt(args[2])
	if !ok {
		return 0, wire.ErrNotInteger
	}
	if offset < 0 {
		return 0, wire.ErrOffset
	}
	return offset, nil
}

// CheckLength refuses a string of offset+n bytes that is longer than limit: for SETRANGE
// where the value is not empty, and for APPEND.
func CheckLength(offset int64, n int, limit int64) error {
	if total, ok := num.Add(offset, int64(n)); !ok || total > limit {
		return wire.ErrTooLong
	}
	return nil
}

// IncrBy parses the increment of INCRBY, or of DECRBY, with its sign turned.
func IncrBy(args [][]byte) (n int64, err error) {
	n, ok := num.ParseInt(args[2])
	if !ok {
		return 0, wire.ErrNotInteger
	}
	if is(args[0], "DECRBY") {
		if n = -n; n < 0 && n == -n {
			return 0, wire.Error("ERR decrement would overflow")
		}
	}
	return n, nil
}

// Incr adds to a value as it is stored, nil for none.
func Incr(value []byte, n int64) (sum int64, err error) {
	old := int64(0)
	if value != nil {
		var ok bool
		if old, ok = num.ParseInt(value); !ok {
			return 0, wire.ErrNotInteger
		}
	}
	sum, ok := num.Add(old, n)
	if !ok {
		return 0, wire.ErrOverflow
	}
	return sum, nil
}

// IncrFloat appends the sum of a stored value, nil for none, and the increment of
// INCRBYFLOAT to dst.
func IncrFloat(dst, value, incr []byte) ([]byte, error) {
	dst, err := num.IncrByFloat(dst, value, incr)
	if err != nil {
		err = wire.Error("ERR " + err.Error())
	}
	return dst, err
}

// LCS is a request of LCS.
type LCS struct {
	Len, Idx     bool
	MinMatchLen  int64 // 0 for all
	WithMatchLen bool
}

// Errors of LCS that depend on the values.
const (
	ErrLCSMemory wire.Error = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
	ErrLCSType   wire.Error = "ERR The specified keys must contain string values"
)

// ParseLCS parses LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN].
func ParseLCS(args [][]byte) (l LCS, err error) {
	for i := 3; i < len(args); i++ {
		switch a := args[i]; {
		case is(a, "IDX"):
			l.Idx = true
		case is(a, "LEN"):
			l.Len = true
		case is(a, "WITHMATCHLEN"):
			l.WithMatchLen = true
		case is(a, "MINMATCHLEN") && i+1 < len(args):
			i++
			n, ok := num.ParseInt(args[i])
			if !ok {
				return l, wire.ErrNotInteger
			}
			l.MinMatchLen = max(n, 0)
		default:
			return l, wire.ErrSyntax
		}
	}
	if l.Len && l.Idx {
		return l, wire.Error("ERR If you want both the length and indexes, please just use IDX.")
	}
	return l, nil
}
