package main

import (
	"testing"

	"github.com/spf13/pflag"
)

// Values are read as people write them, and what String prints can be read again.
func TestValues(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "64KiB": 64 << 10, "256MiB": 256 << 20, "1.5GiB": 3 << 29, "1gb": 1e9, "10 MB": 10e6, "4k": 4096, "7b": 7,
	} {
		var b byteSize
		if err := b.Set(text); err != nil || int64(b) != want {
			t.Errorf("%q is %d, %v; want %d", text, b, err, want)
		}
		var again byteSize
		if b > 0 && (again.Set(b.String()) != nil || again != b) {
			t.Errorf("%q is printed as %q", text, b.String())
		}
	}
	for text, want := range map[string]int64{"5000000": 5e6, "5M": 5e6, "1.5k": 1500, "1_000_000": 1e6, "1,000": 1000, "2g": 2e9} {
		var c count
		if err := c.Set(text); err != nil || int64(c) != want {
			t.Errorf("%q is %d, %v; want %d", text, c, err, want)
		}
	}
	for text, want := range map[string]rate{"50000": {perSecond: 50000}, "50k": {perSecond: 50000}, "70%": {share: 0.7}} {
		var r, again rate
		if err := r.Set(text); err != nil || r != want || again.Set(r.String()) != nil || again != want {
			t.Errorf("%q is %+v, printed as %q: %v", text, r, r.String(), err)
		}
	}
	for _, text := range []string{"", "-1", "x", "1e400", "NaN", "inf", "1.5.2"} {
		for _, v := range []pflag.Value{new(byteSize), new(count), new(rate), new(durability)} {
			if v.Set(text) == nil {
				t.Errorf("%T takes %q", v, text)
			}
		}
	}
}
