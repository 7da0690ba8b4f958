//go:build race

package nodetest

// race builds kvnode with the race detector where the test has it: a race ends it with an
// exit status that no test wants.
var race = []string{"-race"}
