//go:build !rocksdb

package engine

// rocks are the engines that the tag rocksdb adds.
var rocks []Kind
