package num

import "math"

// maxIntLen is the length of the smallest int64 in decimal, the longest there is.
const maxIntLen = 20

// ParseInt parses an int64 as Redis does: an optional minus and decimal digits, no
// plus, no space, no leading zero, no minus zero. So a text that parses is the only
// text of its number, and INCR may store the number in its place.
func ParseInt(b []byte) (n int64, ok bool) {
	if len(b) == 1 && b[0] == '0' {
		return 0, true
	}
	if len(b) == 0 || len(b) > maxIntLen {
		return 0, false
	}
	digits := b
	negative := b[0] == '-'
	if negative {
		digits = b[1:]
	}
	if len(digits) == 0 || digits[0] < '1' || digits[0] > '9' {
		return 0, false
	}
	var v uint64
	for _, c := range digits {
		d := uint64(c - '0')
		if d > 9 || v > math.MaxUint64/10 || v*10 > math.MaxUint64-d {
			return 0, false
		}
		v = v*10 + d
	}
	switch {
	case negative && v <= 1<<63:
		return -int64(v), true // -int64(1<<63) is the smallest int64
	case !negative && v <= math.MaxInt64:
		return int64(v), true
	}
	return 0, false
}

// Add returns a+b, and false if that is not an int64.
func Add(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, (sum > a) == (b > 0)
}
