module github.com/ringwood-kv/ringwood/lsm

go 1.25.0

require (
	github.com/bits-and-blooms/bloom/v3 v3.7.1
	github.com/golang/snappy v1.0.0
	golang.org/x/sys v0.38.0
)

require github.com/bits-and-blooms/bitset v1.24.2 // indirect
