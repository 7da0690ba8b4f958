package lsm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadme builds and runs the program in the README, and holds it against Example.
func TestReadme(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip(err)
	}
	readme, err := os.ReadFile("../README.md")
	must(t, err)
	example, err := os.ReadFile("example_readme_test.go")
	must(t, err)
	_, code, ok := strings.Cut(string(readme), "```go\n")
	code, _, ok2 := strings.Cut(code, "```")
	if !ok || !ok2 {
		t.Fatal("the README has no Go code")
	}
	_, run, ok := strings.Cut(code, "\nfunc run(")
	if !ok || !strings.HasSuffix(string(example), "\nfunc run("+run) {
		t.Errorf("the README's function is not that of Example:\n%s", run)
	}
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program.exe")
	must(t, os.WriteFile(source, []byte(code), 0o600))
	if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := exec.Command(program)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil || string(out) != "ring-porous\ntree/oak = ring-porous\n" {
		t.Errorf("%v: %s", err, out)
	}
}
