module github.com/ringwood-kv/ringwood/cluster

go 1.25.0
