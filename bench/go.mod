module github.com/ringwood-kv/ringwood/bench

go 1.25.0

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0
	github.com/ringwood-kv/ringwood/lsm v0.0.0
)

replace github.com/ringwood-kv/ringwood/lsm => ../lsm
