package cluster

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The files in testdata/planted are bugs, one in each: a text of the node and what to
// put in its place, and the test that then has to fail. All of them are tried by
//
//	go test -run TestPlanted -v -timeout 1h -args -planted.all
//
// The sources stay as they are: go test reads the changed file by its -overlay.
var (
	plantedAll = flag.Bool("planted.all", false, "run the test of every planted bug: it must fail")
	plantedRun = flag.String("planted.run", "", "with -planted.all, only the bugs whose names match this regular expression")
)

type planted struct {
	name, what, file, pkg, test string
	old, new                    string
}

// TestPlanted sees that every planted bug fits the sources; with -planted.all also that
// its test passes without it and fails because of it.
func TestPlanted(t *testing.T) {
	names, err := filepath.Glob("testdata/planted/*.txt")
	if err != nil || len(names) < 15 {
		t.Fatalf("%d planted bugs only (%v)", len(names), err)
	}
	chosen, sound := regexp.MustCompile(*plantedRun), map[string]bool{}
	for _, name := range names {
		p, err := readPlanted(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		changed, err := p.changed()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !*plantedAll || !chosen.MatchString(p.name) {
			continue
		}
		if run := p.pkg + " " + p.test; !sound[run] {
			if out, err := p.run(""); err != nil {
				t.Errorf("%s fails without any bug: %v\n%s", run, err, ending(out))
				continue
			}
			sound[run] = true
		}
		if err := p.caught(t, changed); err != nil {
			t.Errorf("%s (%s): NOT CAUGHT: %v", p.name, p.what, err)
		} else {
			t.Logf("%s: caught by %s: %s", p.name, p.test, p.what)
		}
	}
}

// readPlanted reads the lines what, file and test (a package and a name), and between
// lines of dashes the old text and the new one.
func readPlanted(name string) (p planted, err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return p, err
	}
	head, body, ok := strings.Cut(string(b), "--- old\n")
	before, after, ok2 := strings.Cut(body, "--- new\n")
	after, _, ok3 := strings.Cut(after, "--- end")
	if !ok || !ok2 || !ok3 {
		return p, errors.New("want the parts old, new and end")
	}
	p.name, p.old, p.new = strings.TrimSuffix(filepath.Base(name), ".txt"), strings.TrimSuffix(before, "\n"), strings.TrimSuffix(after, "\n")
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "what":
			p.what = value
		case "file":
			p.file = value
		case "test":
			p.pkg, p.test, _ = strings.Cut(value, " ")
		}
	}
	if p.what == "" || p.file == "" || p.test == "" || p.old == p.new {
		return p, errors.New("want the lines what, file and test, and a change")
	}
	return p, nil
}

// changed returns the file with the bug.
func (p planted) changed() (string, error) {
	b, err := os.ReadFile(p.file)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(b), p.old); n != 1 {
		return "", fmt.Errorf("the text to replace is %d times in %s", n, p.file)
	}
	return strings.Replace(string(b), p.old, p.new, 1), nil
}

// caught is nil if the test fails because of the bug.
func (p planted) caught(t *testing.T, changed string) error {
	from, err := filepath.Abs(p.file)
	if err != nil {
		return err
	}
	dir := t.TempDir()
	to, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	j, err := json.Marshal(map[string]any{"Replace": map[string]string{from: to}})
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(to, []byte(changed), 0o600), os.WriteFile(overlay, j, 0o600)); err != nil {
		return err
	}
	out, err := p.run(overlay)
	switch {
	case err == nil:
		return errors.New("the test passes")
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		return fmt.Errorf("it does not compile\n%s", ending(out))
	case strings.Contains(out, "panic: test timed out"), !strings.Contains(out, "--- FAIL: ") && !strings.Contains(out, "panic: "):
		return fmt.Errorf("the test did not fail by itself\n%s", ending(out))
	}
	return nil
}

// ending is the last part of an output.
func ending(out string) string { return out[max(0, len(out)-2000):] }

func (p planted) run(overlay string) (string, error) {
	args := []string{"test", "-vet=off", "-count=1", "-timeout=2m", "-run=^" + p.test + "$"}
	if overlay != "" {
		args = append(args, "-overlay="+overlay)
	}
	cmd := exec.Command("go", append(args, p.pkg)...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
