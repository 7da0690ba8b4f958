package access

import (
	"fmt"
	"strings"
)

// AnyBucket stands for all buckets in a Scope.
const AnyBucket = "*"

// MaxPrefix is the length of the longest key or prefix in a Scope, in bytes.
const MaxPrefix = 1024

// Scope is a set of keys: those of one bucket, or of all, that begin with a prefix, or a
// single key. As text it is
//
//	BUCKET:PREFIX*   all keys with the prefix, which may be empty
//	BUCKET:KEY       that key alone
//	*:…              in all buckets
//
// as in consistent:order:* or *:*. In a prefix or key, \* and \\ stand for the characters
// themselves and \xNN, two hexadecimal digits, for any byte; other bytes stand for
// themselves, except for * and \ and control characters.
type Scope struct {
	Bucket string // a name or AnyBucket
	Prefix string // the prefix, or the whole key
	Exact  bool   // that key alone
}

// Everything is the scope that contains all keys of all buckets.
func Everything() Scope { return Scope{Bucket: AnyBucket} }

// IsZero reports whether s is the zero Scope, which is not valid and contains nothing.
func (s Scope) IsZero() bool { return s == Scope{} }

// Validate returns ErrInvalid if the bucket has no possible name or the prefix is too
// long.
func (s Scope) Validate() error {
	if s.Bucket != AnyBucket && !ValidName(s.Bucket) {
		return invalid("a scope begins with the name of a bucket, or *, and a colon, like orders:* or *:*")
	}
	if len(s.Prefix) > MaxPrefix {
		return invalid("a prefix of %d bytes in a scope, %d are possible", len(s.Prefix), MaxPrefix)
	}
	return nil
}

// ParseScope reads the text of a scope. The error is ErrInvalid.
func ParseScope(text string) (Scope, error) {
	bucket, pattern, ok := strings.Cut(text, ":")
	if !ok {
		return Scope{}, invalid("a scope is BUCKET:PREFIX* or BUCKET:KEY, like orders:* or *:*; there is no colon in %.80q", text)
	}
	s := Scope{Bucket: bucket, Exact: true}
	if len(pattern) > 4*MaxPrefix+1 {
		return Scope{}, invalid("a scope of %d characters", len(text))
	}
	key := make([]byte, 0, len(pattern))
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '*' && i == len(pattern)-1:
			s.Exact = false
		case c == '*':
			return Scope{}, invalid("a * stands only at the end of a scope; \\* is the character: %.80q", text)
		case c == '\\':
			b, n := unescape(pattern[i:])
			if n == 0 {
				return Scope{}, invalid("a \\ in a scope is followed by \\, *, or x and two digits: %.80q", text)
			}
			key = append(key, b)
			i += n - 1
		case c < ' ' || c == 0x7f:
			return Scope{}, invalid("control characters in a scope are written \\xNN: %.80q", text)
		default:
			key = append(key, c)
		}
	}
	s.Prefix = string(key)
	if err := s.Validate(); err != nil {
		return Scope{}, err
	}
	return s, nil
}

// unescape returns the byte that an escape at the start of s stands for, and the length
// of the escape, 0 if it is none.
func unescape(s string) (b byte, n int) {
	switch {
	case len(s) >= 2 && (s[1] == '\\' || s[1] == '*'):
		return s[1], 2
	case len(s) >= 4 && s[1] == 'x':
		hi, lo := strings.IndexByte(hexDigits, s[2]|0x20), strings.IndexByte(hexDigits, s[3]|0x20)
		if hi >= 0 && lo >= 0 && isHex(s[2]) && isHex(s[3]) {
			return byte(hi<<4 | lo), 4
		}
	}
	return 0, 0
}

const hexDigits = "0123456789abcdef"

// isHex keeps out what becomes a digit only by the bit of lower case.
func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// String returns the text, in plain ASCII and the same for equal scopes.
func (s Scope) String() string {
	if s.IsZero() {
		return ""
	}
	b := append([]byte(s.Bucket), ':')
	for i := range len(s.Prefix) {
		switch c := s.Prefix[i]; {
		case c == '*' || c == '\\':
			b = append(b, '\\', c)
		case c <= ' ' || c >= 0x7f:
			b = fmt.Appendf(b, `\x%02x`, c)
		default:
			b = append(b, c)
		}
	}
	if !s.Exact {
		b = append(b, '*')
	}
	return string(b)
}

// Contains reports whether all of t is in s.
func (s Scope) Contains(t Scope) bool {
	if s.IsZero() || s.Bucket != AnyBucket && s.Bucket != t.Bucket {
		return false
	}
	if s.Exact {
		return t.Exact && s.Prefix == t.Prefix
	}
	return strings.HasPrefix(t.Prefix, s.Prefix)
}

// Intersect returns what is in both, false if that is nothing.
func (s Scope) Intersect(t Scope) (Scope, bool) {
	both := t
	if t.Bucket == AnyBucket {
		both.Bucket = s.Bucket
	}
	if len(s.Prefix) > len(t.Prefix) || len(s.Prefix) == len(t.Prefix) && s.Exact {
		both.Prefix, both.Exact = s.Prefix, s.Exact
	}
	if s.Contains(both) && t.Contains(both) {
		return both, true
	}
	return Scope{}, false
}

// matches reports whether the key, of the bucket of s, is in s.
func (s *Scope) matches(key []byte) bool {
	if s.Exact {
		return string(key) == s.Prefix
	}
	return len(key) >= len(s.Prefix) && string(key[:len(s.Prefix)]) == s.Prefix
}
