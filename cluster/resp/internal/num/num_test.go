package num

import (
	"bytes"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
)

func TestParseInt(t *testing.T) {
	good := []int64{0, 1, -1, 9, 10, 99, -99, 1234567890, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1}
	for _, n := range good {
		if got, ok := ParseInt(strconv.AppendInt(nil, n, 10)); !ok || got != n {
			t.Errorf("%d: %d %v", n, got, ok)
		}
	}
	for _, s := range []string{
		"", "-", "+1", " 1", "1 ", "01", "-0", "00", "-01", "1a", "a", "1.0", "0x1", "--1", "1\x00", "\x00",
		"9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
		"99999999999999999999", "-9999999999999999999", "999999999999999999999", "-99999999999999999999",
	} {
		if n, ok := ParseInt([]byte(s)); ok {
			t.Errorf("%q is %d", s, n)
		}
	}
}

func TestAdd(t *testing.T) {
	const lo, hi = math.MinInt64, math.MaxInt64
	for _, c := range []struct {
		a, b int64
		ok   bool
	}{
		{0, 0, true}, {1, -1, true}, {hi, 0, true}, {hi, 1, false}, {hi - 1, 1, true}, {lo, 0, true}, {lo, -1, false},
		{lo + 1, -1, true}, {hi, lo, true}, {lo, lo, false}, {hi, hi, false}, {0, lo, true}, {-1, lo, false},
	} {
		for _, swap := range []bool{false, true} {
			a, b := c.a, c.b
			if swap {
				a, b = b, a
			}
			if sum, ok := Add(a, b); ok != c.ok || ok && sum != a+b {
				t.Errorf("%d + %d: %d %v", a, b, sum, ok)
			}
		}
	}
}

// TestIncrByFloat has results of Redis on x86.
func TestIncrByFloat(t *testing.T) {
	for _, c := range []struct{ value, incr, want string }{
		{"", "1", "1"},
		{"", "-0", "0"},
		{"1", "0.25", "1.25"},
		{"1.5", "1", "2.5"},
		{"10.50", "0.1", "10.6"},
		{"10.6", "-5", "5.6"},
		{"5.0e3", "2.0e2", "5200"},
		{"1", "-1.1", "-0.1"},
		{"3", "1.1", "4.1"},
		{"0.1", "0.2", "0.3"},
		{"0.1", "-0.1", "0"},
		{"-0.0", "-0.0", "0"},
		{"17179869184", "1.5", "17179869185.5"},
		{"17179869184", "17179869184", "34359738368"},
		{"9223372036854775807", "1", "9223372036854775808"},
		{"18446744073709551615", "0", "18446744073709551615"},
		{"1e20", "0", "100000000000000000000"},
		{"1e-17", "0", "0.00000000000000001"},
		{"4e-18", "0", "0"},
		{"6e-18", "0", "0.00000000000000001"},
		{"0x10", "0X1.8p1", "19"},
		{"1e4932", "0", ""}, // only that it is a number: the digits are below
		{".5", "5.", "5.5"},
		{"1e-4940", "0", "0"},
	} {
		var value []byte
		if c.value != "" {
			value = []byte(c.value)
		}
		got, err := IncrByFloat([]byte("x"), value, []byte(c.incr))
		if err != nil || got[0] != 'x' || c.want != "" && string(got[1:]) != c.want {
			t.Errorf("%s + %s: %.60s %v, want %s", c.value, c.incr, got, err, c.want)
		}
	}
	for _, c := range []struct {
		value, incr string
		err         error
	}{
		{"x", "1", ErrNotFloat}, {"1", "x", ErrNotFloat}, {"1", "", ErrNotFloat}, {" 1", "1", ErrNotFloat},
		{"1\x00", "1", ErrNotFloat}, {"nan", "1", ErrNotFloat}, {"1", "-nan", ErrNotFloat},
		{"inf", "1", ErrNotANumber}, {"1", "-Infinity", ErrNotANumber}, {"+INF", "-inf", ErrNotANumber},
		{"1.18e4932", "1.18e4932", ErrNotANumber}, {"-1.18e4932", "-1.18e4932", ErrNotANumber},
		{"", "", ErrNotFloat},
	} {
		var value []byte
		if c.value != "" {
			value = []byte(c.value)
		}
		if got, err := IncrByFloat(nil, value, []byte(c.incr)); err != c.err || got != nil {
			t.Errorf("%q + %q: %s %v, want %v", c.value, c.incr, got, err, c.err)
		}
	}
}

func TestParseFloat(t *testing.T) {
	for _, s := range []string{
		"0", "1", "+1", "-1", "1.", ".1", "1e5", "1E+5", "1e-5", "00012", "0e999999999999", "inf", "-INF", "Infinity", "iNfInItY",
		"0x1", "0XfF.8P-3", "0x.8", "0x1.", "-0x1p4", "1e4932", "1.1897314953572317650e4932", "4e-4951", strings.Repeat("9", 4932),
		"0." + strings.Repeat("0", 5000) + "1e5000", strings.Repeat("1", 5000) + "e-5000", "0x" + strings.Repeat("f", 4095),
	} {
		if _, ok := ParseFloat([]byte(s)); !ok {
			t.Errorf("%.40q is refused", s)
		}
	}
	for _, s := range []string{
		"", "+", "-", ".", "e5", "1e", "1e+", "1e5.0", "1 ", " 1", "\t1", "1..2", "1.2.3", "--1", "+-1", "nan", "NaN", "-nan", "nan(1)", "infin", "in", "1_0",
		"0x", "0x.", "0xg", "0x1p", "0x1p+", "0b1", "0o7", "1p5", "1,5", "1\x00",
		"1.19e4932", "1e4933", "1e999999999999", "0x1p16384", "1e-4952", "1e-999999999999", "1.8e-4951", "0x1p-16446",
		"0x" + strings.Repeat("f", 4096), strings.Repeat("9", 4933), strings.Repeat("0", MaxFloatLen+1),
	} {
		if f, ok := ParseFloat([]byte(s)); ok {
			t.Errorf("%.40q is %v", s, f)
		}
	}
	if f, ok := ParseFloat([]byte("0x1.000001p-16446")); !ok || f.Sign() == 0 {
		t.Error("more than half of the smallest value is refused")
	}
}

// TestFloatRounding holds the parser against exact arithmetic.
func TestFloatRounding(t *testing.T) {
	for _, s := range []string{
		"0.1", "123456789.123456789", "3.14159265358979323846264338327950288", "1e-300", "7.3e4000", "18446744073709551617",
		"36893488147419103233", "36893488147419103235", "0.000000000000000000000000000000000000000000000000000000000000000000000000000123456789",
	} {
		got, ok := ParseFloat([]byte(s))
		exact, _ := new(big.Rat).SetString(s)
		want := new(big.Float).SetPrec(64).SetRat(exact)
		if !ok || got.Cmp(want) != 0 {
			t.Errorf("%s: %v, want %v", s, got, want)
		}
	}
}

func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"0", "-1", "9223372036854775807", "-9223372036854775808", "1e5", "0x1.8p-3", ".5", "inf", "1e4932", "-0.0", "12345678901234567890123"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := ParseInt(b)
		if want, err := strconv.ParseInt(string(b), 10, 64); ok != (err == nil && strconv.FormatInt(want, 10) == string(b)) || ok && n != want {
			t.Fatalf("%q: %d %v, strconv %d %v", b, n, ok, want, err)
		}
		x, ok := ParseFloat(b)
		if !ok {
			return
		}
		text := AppendFloat(nil, x)
		if len(text) > MaxFloatLen || !x.IsInf() && bytes.ContainsAny(text, "eE") {
			t.Fatalf("%q: %q", b, text)
		}
		y, ok := ParseFloat(text)
		if !ok {
			t.Fatalf("%q gives %q, which is refused", b, text)
		}
		// What is stored once does not change any more, but for values so large that 17
		// digits after the point are not the reason.
		if again := AppendFloat(nil, y); !bytes.Equal(again, text) {
			t.Fatalf("%q gives %q, that gives %q", b, text, again)
		}
	})
}
