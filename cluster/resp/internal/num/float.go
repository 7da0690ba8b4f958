package num

import (
	"errors"
	"math/big"
)

const (
	// MaxFloatLen is the longest text Redis takes for a float.
	MaxFloatLen = 5*1024 - 1

	floatPrec   = 64     // bits of mantissa of an x87 long double
	floatMaxExp = 16384  // all finite values are below 2^16384
	floatMinExp = -16445 // 2^-16445 is the smallest value above zero
	fracDigits  = 17     // digits after the point that Redis prints

	// Decimal exponents beyond these overflow, or vanish, whatever the digits are.
	decMaxExp = 4940
	decMinExp = -4960
	// maxExpDigits stops the reading of an exponent: far more than any mantissa of
	// MaxFloatLen digits can take back.
	maxExp = 1 << 20
)

// The errors of IncrByFloat.
var (
	ErrNotFloat   = errors.New("value is not a valid float")
	ErrNotANumber = errors.New("increment would produce NaN or Infinity")
)

// IncrByFloat appends the sum of two floats to dst, in the form Redis stores it. A
// nil value is 0: the key does not exist. Errors are ErrNotFloat and ErrNotANumber.
func IncrByFloat(dst, value, incr []byte) ([]byte, error) {
	x := new(big.Float).SetPrec(floatPrec)
	if value != nil {
		var ok bool
		if x, ok = ParseFloat(value); !ok {
			return dst, ErrNotFloat
		}
	}
	y, ok := ParseFloat(incr)
	if !ok {
		return dst, ErrNotFloat
	}
	if x.IsInf() || y.IsInf() {
		return dst, ErrNotANumber
	}
	sum := new(big.Float).SetPrec(floatPrec).Add(x, y)
	if overflows(sum) {
		return dst, ErrNotANumber
	}
	return AppendFloat(dst, sum), nil
}

// AppendFloat appends f with 17 digits after the point, without the zeros at their
// end and without an exponent: what Redis calls human friendly.
func AppendFloat(dst []byte, f *big.Float) []byte {
	if f.IsInf() {
		if f.Signbit() {
			dst = append(dst, '-')
		}
		return append(dst, "inf"...)
	}
	start := len(dst)
	dst = f.Append(dst, 'f', fracDigits)
	end := len(dst)
	for dst[end-1] == '0' {
		end--
	}
	if dst[end-1] == '.' {
		end--
	}
	dst = dst[:end]
	if string(dst[start:]) == "-0" {
		dst = append(dst[:start], '0')
	}
	return dst
}

// ParseFloat parses what strtold does, all of b and nothing around it: decimal with an
// optional exponent, hexadecimal with an optional binary exponent, inf and infinity
// in any case. Not a number, a value too large and one so small that it becomes zero
// are refused. The result has 64 bits of mantissa and may be infinite.
func ParseFloat(b []byte) (f *big.Float, ok bool) {
	if len(b) == 0 || len(b) > MaxFloatLen {
		return nil, false
	}
	negative := b[0] == '-'
	if negative || b[0] == '+' {
		b = b[1:]
	}
	switch {
	case equalFold(b, "inf") || equalFold(b, "infinity"):
		return new(big.Float).SetInf(negative), true
	case len(b) > 2 && b[0] == '0' && b[1]|0x20 == 'x':
		f, ok = parseHex(b[2:])
	default:
		f, ok = parseDecimal(b)
	}
	if ok && negative {
		f.Neg(f)
	}
	return f, ok
}

func parseDecimal(b []byte) (*big.Float, bool) {
	digits, exp, ok := scan(b, 'e', isDigit)
	if !ok {
		return nil, false
	}
	f := new(big.Float).SetPrec(floatPrec)
	if len(digits) == 0 {
		return f, true
	}
	// The value is below 10^magnitude and at least a tenth of it.
	if magnitude := len(digits) + exp; magnitude > decMaxExp || magnitude < decMinExp {
		return nil, false
	}
	mant, _ := new(big.Int).SetString(string(digits), 10)
	if exp >= 0 {
		f.SetInt(mant.Mul(mant, pow10(exp)))
	} else {
		// Both operands are exact, so that the quotient is rounded once.
		f.Quo(new(big.Float).SetInt(mant), new(big.Float).SetInt(pow10(-exp)))
	}
	return f, inRange(f)
}

func pow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func parseHex(b []byte) (*big.Float, bool) {
	digits, exp, ok := scan(b, 'p', isHexDigit)
	if !ok {
		return nil, false
	}
	f := new(big.Float).SetPrec(floatPrec)
	if len(digits) == 0 {
		return f, true
	}
	mant, _ := new(big.Int).SetString(string(digits), 16)
	f.SetInt(mant)
	f.SetMantExp(f, exp)
	return f, inRange(f)
}

// scan takes a number apart: the digits without the zeros before them and the exponent
// of the last digit, to the base 10, or to the base 2 where mark is 'p'.
func scan(b []byte, mark byte, isDigit func(byte) bool) (digits []byte, exp int, ok bool) {
	perDigit := 1
	if mark == 'p' {
		perDigit = 4
	}
	seen, point := 0, false
	i := 0
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case isDigit(c):
			seen++
			if point {
				exp -= perDigit
			}
			if c != '0' || len(digits) > 0 {
				digits = append(digits, c)
			}
			continue
		case c == '.' && !point:
			point = true
			continue
		}
		break
	}
	if seen == 0 {
		return nil, 0, false
	}
	if i == len(b) {
		return digits, exp, true
	}
	if b[i]|0x20 != mark {
		return nil, 0, false
	}
	e, ok := scanExp(b[i+1:])
	return digits, exp + e, ok
}

func scanExp(b []byte) (exp int, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		exp = min(exp*10+int(c-'0'), maxExp)
	}
	if negative {
		exp = -exp
	}
	return exp, true
}

// inRange reports whether f, which is not zero, neither overflows nor becomes zero in
// a long double.
func inRange(f *big.Float) bool {
	if overflows(f) {
		return false
	}
	// f is m*2^exp, and m at least a half. A half of the smallest value ties to zero.
	var m big.Float
	exp := f.MantExp(&m)
	if exp == floatMinExp {
		return m.MinPrec() > 1
	}
	return exp > floatMinExp
}

func overflows(f *big.Float) bool { return f.MantExp(nil) > floatMaxExp }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHexDigit(c byte) bool {
	return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// equalFold reports whether b is name, which is in lower case.
func equalFold(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i, c := range b {
		if c|0x20 != name[i] {
			return false
		}
	}
	return true
}
