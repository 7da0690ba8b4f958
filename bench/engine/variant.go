//go:build !nopeers || rocksdb

package engine

// blobThreshold is from how many bytes on the variants for large values keep them outside of
// the tree: what lsm does by default.
const blobThreshold = 4 << 10
