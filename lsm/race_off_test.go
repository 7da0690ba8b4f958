//go:build !race

package lsm

// RaceEnabled says that the race detector watches.
const RaceEnabled = false
