module github.com/ringwood-kv/ringwood/cmd

go 1.25.0

require (
	github.com/ringwood-kv/ringwood/bench v0.0.0
	github.com/ringwood-kv/ringwood/lsm v0.0.0
	github.com/spf13/pflag v1.0.10
)

replace (
	github.com/ringwood-kv/ringwood/bench => ../bench
	github.com/ringwood-kv/ringwood/lsm => ../lsm
)
