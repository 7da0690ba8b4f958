module github.com/ringwood-kv/ringwood/cluster

go 1.25.0

require (
	github.com/ringwood-kv/ringwood/lsm v0.0.0
	golang.org/x/crypto v0.52.0
)

require (
	github.com/bits-and-blooms/bitset v1.24.2 // indirect
	github.com/bits-and-blooms/bloom/v3 v3.7.1 // indirect
	github.com/golang/snappy v1.0.0 // indirect
	golang.org/x/sys v0.45.0 // indirect
)

replace github.com/ringwood-kv/ringwood/lsm => ../lsm
