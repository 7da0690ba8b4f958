//go:build race

package nodetest

// race builds the programs with the race detector where the test has it: their races end
// them with an exit status that no test wants.
var race = []string{"-race"}
