package gen

// FNV64 is the hash by which YCSB scatters record numbers: FNV-1a with 64 bits over
// the eight bytes of v, least significant first, and then the absolute value.
func FNV64(v int64) int64 {
	const (
		offset = 0xcbf29ce484222325
		prime  = 1099511628211
	)
	h := uint64(offset)
	for range 8 {
		h ^= uint64(v) & 0xff
		h *= prime
		v >>= 8
	}
	if int64(h) < 0 {
		return -int64(h)
	}
	return int64(h)
}
