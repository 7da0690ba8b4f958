package gen

import (
	"encoding/binary"
	"hash/fnv"
	"testing"
)

// The first keys of every YCSB load, as its users have printed them since 2010.
func TestHashedKeys(t *testing.T) {
	for n, want := range []string{
		"user6284781860667377211", "user8517097267634966620",
		"user1820151046732198393", "user4052466453699787802",
	} {
		if got := string(HashedKeys{}.Append(nil, int64(n))); got != want {
			t.Errorf("record %d: key %s, want %s", n, got, want)
		}
	}
}

// The hash is FNV-1a, as the standard library computes it, without the sign.
func TestFNV64(t *testing.T) {
	for _, v := range []int64{0, 1, 255, 256, 1 << 40, -1, 1<<63 - 1} {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(v))
		h := fnv.New64a()
		h.Write(b[:])
		want := int64(h.Sum64())
		if want < 0 {
			want = -want
		}
		if got := FNV64(v); got != want {
			t.Errorf("FNV64(%d) = %d, want %d", v, got, want)
		}
	}
}

func TestDecimalKeys(t *testing.T) {
	for _, c := range []struct {
		size int
		n    int64
		want string
	}{
		{16, 0, "0000000000000000"}, {16, 42, "0000000000000042"}, {3, 999, "999"},
		{3, 1000, "1000"}, {1, 0, "0"}, {0, 7, "7"}, {24, 1<<63 - 1, "000009223372036854775807"},
	} {
		if got := string(DecimalKeys{c.size}.Append([]byte("x"), c.n)); got != "x"+c.want {
			t.Errorf("size %d, record %d: %q, want %q", c.size, c.n, got[1:], c.want)
		}
	}
}
