package lsm_test

import (
	"os"
	"strings"
	"testing"
)

// TestReadme holds the code in the README against the tested Example.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	must(t, err)
	source, err := os.ReadFile("example_test.go")
	must(t, err)
	_, code, ok := strings.Cut(string(readme), "```go\n")
	code, _, ok2 := strings.Cut(code, "```")
	if !ok || !ok2 {
		t.Fatal("the README has no Go code")
	}
	indented := ""
	for line := range strings.Lines(code) {
		if line != "\n" {
			line = "\t" + line
		}
		indented += line
	}
	if !strings.Contains(string(source), indented) {
		t.Errorf("the README's code is not in Example:\n%s", code)
	}
}
