module github.com/ringwood-kv/ringwood/bench

go 1.25.0

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0
	github.com/golang/snappy v1.0.0
	github.com/ringwood-kv/ringwood/lsm v0.0.0
	github.com/syndtr/goleveldb v1.0.1-0.20220721030215-126854af5e6d
)

require (
	github.com/bits-and-blooms/bitset v1.24.2 // indirect
	github.com/bits-and-blooms/bloom/v3 v3.7.1 // indirect
	golang.org/x/sys v0.38.0 // indirect
)

replace github.com/ringwood-kv/ringwood/lsm => ../lsm
