//go:build race

package respstore

const raceEnabled = true
