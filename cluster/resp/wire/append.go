package wire

import (
	"math"
	"strconv"
	"strings"
)

// Proto is a version of the protocol. RESP2 is what a connection begins with.
type Proto uint8

// The versions.
const (
	RESP2 Proto = 2
	RESP3 Proto = 3
)

// The functions below append one reply, or the head of one, to dst and return it. They
// allocate only to make dst longer.

// AppendSimple appends a simple string, with spaces in place of line ends.
func AppendSimple(dst []byte, s string) []byte {
	dst = append(dst, '+')
	dst = append(dst, oneLine(s)...)
	return append(dst, '\r', '\n')
}

// maxError is how much of an error is told: some repeat an argument.
const maxError = 4 << 10

// AppendError appends an error of at most 4 KiB, without line ends at its end and with
// spaces in place of others.
func AppendError(dst []byte, e Error) []byte {
	e = e[:min(len(e), maxError)]
	dst = append(dst, '-')
	dst = append(dst, oneLine(strings.TrimRight(string(e), "\r\n"))...)
	return append(dst, '\r', '\n')
}

// AppendInt appends an integer.
func AppendInt(dst []byte, n int64) []byte { return appendHead(dst, ':', n) }

func appendHead(dst []byte, mark byte, n int64) []byte {
	dst = append(dst, mark)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, '\r', '\n')
}

// AppendBulk appends a bulk string.
func AppendBulk(dst, b []byte) []byte {
	dst = appendHead(dst, '$', int64(len(b)))
	dst = append(dst, b...)
	return append(dst, '\r', '\n')
}

// AppendBulkString appends a bulk string.
func AppendBulkString(dst []byte, s string) []byte {
	dst = appendHead(dst, '$', int64(len(s)))
	dst = append(dst, s...)
	return append(dst, '\r', '\n')
}

// AppendBulkInt appends an integer as a bulk string.
func AppendBulkInt(dst []byte, n int64) []byte {
	var digits [20]byte
	return AppendBulk(dst, strconv.AppendInt(digits[:0], n, 10))
}

// AppendNull appends what stands for no value.
func AppendNull(dst []byte, p Proto) []byte {
	if p == RESP3 {
		return append(dst, "_\r\n"...)
	}
	return append(dst, "$-1\r\n"...)
}

// AppendNullArray appends what stands for no array.
func AppendNullArray(dst []byte, p Proto) []byte {
	if p == RESP3 {
		return append(dst, "_\r\n"...)
	}
	return append(dst, "*-1\r\n"...)
}

// AppendArray appends the head of an array of n replies.
func AppendArray(dst []byte, n int) []byte { return appendHead(dst, '*', int64(n)) }

// AppendMap appends the head of a map of n keys and their values, in turn. In RESP2 it
// is an array of all of them.
func AppendMap(dst []byte, p Proto, n int) []byte {
	if p == RESP3 {
		return appendHead(dst, '%', int64(n))
	}
	return appendHead(dst, '*', 2*int64(n))
}

// AppendSet appends the head of a set of n replies; in RESP2 it is an array.
func AppendSet(dst []byte, p Proto, n int) []byte { return appendHead(dst, p.mark('~'), int64(n)) }

// AppendPush appends the head of a message that answers no request, of n replies; in
// RESP2 it is an array.
func AppendPush(dst []byte, p Proto, n int) []byte { return appendHead(dst, p.mark('>'), int64(n)) }

func (p Proto) mark(resp3 byte) byte {
	if p == RESP3 {
		return resp3
	}
	return '*'
}

// AppendBool appends a truth value; in RESP2 it is the integer 1 or 0.
func AppendBool(dst []byte, p Proto, v bool) []byte {
	switch {
	case p == RESP3 && v:
		return append(dst, "#t\r\n"...)
	case p == RESP3:
		return append(dst, "#f\r\n"...)
	case v:
		return append(dst, ":1\r\n"...)
	}
	return append(dst, ":0\r\n"...)
}

// AppendDouble appends a float with 17 significant digits, as C's %.17g writes it; in
// RESP2 it is a bulk string.
func AppendDouble(dst []byte, p Proto, f float64) []byte {
	var digits [32]byte
	text := digits[:0]
	switch {
	case math.IsInf(f, 1):
		text = append(text, "inf"...)
	case math.IsInf(f, -1):
		text = append(text, "-inf"...)
	case math.IsNaN(f):
		text = append(text, "nan"...)
	default:
		text = strconv.AppendFloat(text, f, 'g', 17, 64)
	}
	if p != RESP3 {
		return AppendBulk(dst, text)
	}
	dst = append(dst, ',')
	dst = append(dst, text...)
	return append(dst, '\r', '\n')
}

// AppendBigNumber appends an integer of any length, given in decimal; in RESP2 it is a
// bulk string.
func AppendBigNumber(dst []byte, p Proto, decimal string) []byte {
	if p != RESP3 {
		return AppendBulkString(dst, decimal)
	}
	dst = append(dst, '(')
	dst = append(dst, decimal...)
	return append(dst, '\r', '\n')
}

// AppendVerbatim appends a text for people with its format, three letters like txt;
// in RESP2 it is a bulk string of the text alone.
func AppendVerbatim(dst []byte, p Proto, format string, text []byte) []byte {
	if p != RESP3 {
		return AppendBulk(dst, text)
	}
	dst = appendHead(dst, '=', int64(len(text)+4))
	for i := range 3 {
		if i < len(format) {
			dst = append(dst, format[i])
		} else {
			dst = append(dst, ' ')
		}
	}
	dst = append(dst, ':')
	dst = append(dst, text...)
	return append(dst, '\r', '\n')
}
