package replica

import (
	"encoding/binary"
	"encoding/hex"
	"testing"
)

// The first of the vectors that the authors of SipHash publish with their program: of
// the messages "", 00, 00 01, ... under the key 00 01 ... 0f.
var sipVectors = []string{
	"310e0edd47db6f72", "fd67dc93c539f874", "5a4fa9d909806c0d", "2d7efbd796666785",
	"b7877127e09427cf", "8da699cd64557618", "cee3fe586e46c9cb", "37d1018bf50002ab",
	"6224939a79f5f593", "b0e4a90bdf82009e", "f3b9dd94c5bb5d7a", "a7ad6b22462fb3f4",
	"fbe50e86bc8f1e75", "903d84c02756ea14", "eef27a8e90ca23f7", "e545be4961ca29a1",
}

func TestSipHash(t *testing.T) {
	var key HashKey
	for i := range key {
		key[i] = byte(i)
	}
	var message []byte
	for i, v := range sipVectors {
		want, err := hex.DecodeString(v)
		must(t, err)
		if got := key.sip().hash(message); got != binary.LittleEndian.Uint64(want) {
			t.Errorf("of %d bytes: %016x, want the bytes %s", i, got, v)
		}
		message = append(message, byte(i))
	}
	// The example of the paper, appendix A.
	if got := key.sip().hash(message[:15]); got != 0xa129ca6149be45e5 {
		t.Errorf("%016x", got)
	}
}

func BenchmarkSipHash(b *testing.B) {
	var key HashKey
	k, m := key.sip(), pattern(16)
	for b.Loop() {
		m[0] = byte(k.hash(m))
	}
}
