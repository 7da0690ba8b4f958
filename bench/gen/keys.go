package gen

import "strconv"

// Keys turns the number of a record into its key.
type Keys interface {
	// Append appends the key of record n, n >= 0, to dst.
	Append(dst []byte, n int64) []byte
}

// HashedKeys are YCSB's keys with insertorder=hashed and zeropadding=1: "user" and
// the decimal FNV64 of the record's number; 23 bytes mostly, and shorter.
type HashedKeys struct{}

func (HashedKeys) Append(dst []byte, n int64) []byte {
	dst = append(dst, "user"...)
	return strconv.AppendInt(dst, FNV64(n), 10)
}

// DecimalKeys are db_bench's keys: the record's number in decimal, padded with zeros
// on the left to Size bytes. A number with more digits than Size makes a longer key.
type DecimalKeys struct{ Size int }

func (k DecimalKeys) Append(dst []byte, n int64) []byte {
	var digits [20]byte
	i := len(digits)
	for {
		i--
		digits[i] = byte('0' + n%10)
		n /= 10
		if n == 0 {
			break
		}
	}
	for pad := k.Size - (len(digits) - i); pad > 0; pad-- {
		dst = append(dst, '0')
	}
	return append(dst, digits[i:]...)
}
