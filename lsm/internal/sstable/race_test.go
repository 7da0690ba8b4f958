//go:build race

package sstable

const raceEnabled = true // sync.Pool forgets on purpose then
