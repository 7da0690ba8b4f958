package manifest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

func TestCurrent(t *testing.T) {
	for _, c := range []current{
		{1, 1, false, FormatVersion}, {1<<64 - 1, 1<<63 - 1, true, FormatVersion}, {12, 345, true, FormatVersion}, {12, 345, true, 1},
	} {
		b := c.encode()
		got, err := decodeCurrent(b)
		if err != nil || got != c {
			t.Fatalf("%+v %v, want %+v", got, err, c)
		}
		for bit := range 8 * len(b) {
			d := append([]byte{}, b...)
			d[bit/8] ^= 1 << (bit % 8)
			if got, err := decodeCurrent(d); err == nil || errors.Is(err, ErrNewerFormat) {
				t.Fatalf("bit %d flipped: %+v, %v", bit, got, err)
			}
		}
		for n := range b {
			if _, err := decodeCurrent(b[:n]); err == nil {
				t.Fatalf("cut to %d bytes: no error", n)
			}
		}
		if _, err := decodeCurrent(append(b, '\n')); err == nil {
			t.Fatal("longer by a line: no error")
		}
	}
	for version, want := range map[uint64]string{
		1: "ringwood lsm 1\nmanifest 12\nlength 345\nclosed 1\ncrc a5d29df3\n",
		0: "ringwood lsm 2\nmanifest 12\nlength 345\nclosed 1\ncrc de2b9ff8\n",
	} {
		if got := string(current{12, 345, true, version}.encode()); got != want {
			t.Errorf("the format has changed: %q", got)
		}
	}
}

func sealed(body string) []byte {
	return fmt.Appendf(nil, "%scrc %08x\n", body, base.Checksum(0, 0, []byte(body)))
}

func TestCurrentVersions(t *testing.T) {
	_, err := decodeCurrent(sealed("ringwood lsm 3\nand things we do not know\n"))
	if !errors.Is(err, ErrNewerFormat) {
		t.Error(err)
	}
	for _, body := range []string{
		"ringwood lsm 0\nmanifest 12\nlength 345\nclosed 1\n", "ringwood lsm x\n", "ringwood lsm 01\nmanifest 12\nlength 345\nclosed 1\n",
		"ringwood lsm 1\nmanifest 12\nlength 345\nclosed 2\n", "ringwood lsm 1\nmanifest 0\nlength 345\nclosed 1\n",
		"ringwood lsm 1\nmanifest 12\nlength -5\nclosed 1\n", "ringwood lsm 1\nmanifest 12\nlength 0\nclosed 1\n",
		"ringwood lsm 1\nmanifest  12\nlength 5\nclosed 1\n", "ringwood lsm 1\nmanifest 12\nlength 5\nclosed 1\nmore 3\n", "ringwood lsm 1\n",
	} {
		if c, err := decodeCurrent(sealed(body)); err == nil || errors.Is(err, ErrNewerFormat) {
			t.Errorf("%q: %+v, %v", body, c, err)
		}
	}
}

func FuzzCurrent(f *testing.F) {
	f.Add(current{12, 345, true, 0}.encode())
	f.Add([]byte("ringwood lsm 3\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, sealed(string(b))} {
			if c, err := decodeCurrent(b); err == nil && string(c.encode()) != string(b) {
				t.Fatalf("%q read as %+v", b, c)
			}
		}
	})
}
