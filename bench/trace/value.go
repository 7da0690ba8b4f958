package trace

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"

	"github.com/ringwood-kv/ringwood/bench/gen"
)

// chunk is how much of a value comes from one place of the generator's buffer.
const chunk = 50_000

// values makes and checks the values of a replay. A value is the first bytes of its
// fingerprint, which follows from key and version, and then bytes chosen by that. It
// is safe for concurrent use.
type values struct {
	body *gen.Values
	seed uint64
	hash maphash.Seed // within one run; nothing of it is stored beyond
}

func newValues(seed uint64, ratio float64) *values {
	return &values{body: gen.NewValues(seed, chunk, ratio), seed: seed, hash: maphash.MakeSeed()}
}

// fingerprint is FNV-1a over the key, mixed with seed and version.
func (v *values) fingerprint(key []byte, version uint32) uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, b := range key {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return gen.Mix(h ^ gen.Mix(v.seed^uint64(version)<<32))
}

// append appends the value of a version of key.
func (v *values) append(dst, key []byte, version uint32, size int64) []byte {
	fp := v.fingerprint(key, version)
	var head [8]byte
	binary.LittleEndian.PutUint64(head[:], fp)
	n := min(size, int64(len(head)))
	dst = append(dst, head[:n]...)
	for size -= n; size > 0; size -= n {
		n = min(size, chunk)
		dst = append(dst, v.body.At(fp, int(n))...)
		fp = gen.Mix(fp)
	}
	return dst
}

// is tells whether value is that of a version of key, which had this size.
func (v *values) is(value, key []byte, version uint32, size int64) bool {
	if int64(len(value)) != size {
		return false
	}
	fp := v.fingerprint(key, version)
	var head [8]byte
	binary.LittleEndian.PutUint64(head[:], fp)
	n := int(min(size, int64(len(head))))
	if !bytes.Equal(value[:n], head[:n]) {
		return false
	}
	for value = value[n:]; len(value) > 0; value = value[n:] {
		n = min(len(value), chunk)
		if !bytes.Equal(value[:n], v.body.At(fp, n)) {
			return false
		}
		fp = gen.Mix(fp)
	}
	return true
}

// shard says which of n workers has the key.
func (v *values) shard(key []byte, n int) int {
	if n == 1 {
		return 0
	}
	return int(maphash.Bytes(v.hash, key) % uint64(n))
}
