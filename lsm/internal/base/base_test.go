package base

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

func TestChecksumIsCRC32COverPlaceAndData(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		id, off := r.Uint64(), r.Int64()
		data := make([]byte, r.IntN(100))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		all := binary.LittleEndian.AppendUint64(nil, id)
		all = binary.LittleEndian.AppendUint64(all, uint64(off))
		c := crc32.Checksum(append(all, data...), crc32.MakeTable(crc32.Castagnoli))
		if got, want := Checksum(id, off, data), (c>>15|c<<17)+0xa282ead8; got != want {
			t.Fatalf("got %08x, want %08x", got, want)
		}
	}
	data := make([]byte, 4096)
	if n := testing.AllocsPerRun(100, func() { Checksum(1, 2, data) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPrefixKeepsOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	key := func() []byte {
		k := make([]byte, r.IntN(15))
		for i := range k {
			k[i] = []byte{0, 1, 'a', 0xff}[r.IntN(4)]
		}
		return k
	}
	for range 100000 {
		a, b, common := key(), key(), key()
		if r.IntN(2) == 0 {
			a, b = append(common[:len(common):len(common)], a...), append(common[:len(common):len(common)], b...)
		}
		if bytes.Compare(a, b) < 0 && Prefix(a, common) > Prefix(b, common) {
			t.Fatalf("%x < %x, but their prefixes after %x are not", a, b, common)
		}
		n := CommonPrefixLen(a, b)
		if !bytes.Equal(a[:n], b[:n]) || n < len(a) && n < len(b) && a[n] == b[n] {
			t.Fatalf("common prefix of %x and %x is not %d long", a, b, n)
		}
	}
}

func BenchmarkChecksum(b *testing.B) {
	data := make([]byte, 4096)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		Checksum(1, 2, data)
	}
}
