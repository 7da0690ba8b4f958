package httpapi_test

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

// The files in testdata/planted are bugs of the API, its store and its client, one in
// each: a text, what to put in its place, and the test that then has to fail. They are
// tried by
//
//	go test -run TestPlanted -v -timeout 1h -args -planted.all
//
// The sources stay as they are: go test reads the changed file by its -overlay.
var (
	plantedAll = flag.Bool("planted.all", false, "run the test of every planted bug, which must fail")
	plantedRun = flag.String("planted.run", "", "only the planted bugs whose names match this; implies -planted.all")
)

type planted struct {
	what, file, pkg, test string
	old, new              string
}

// TestPlanted sees that every planted bug fits the sources as they are; with -planted.all
// also that its test fails because of it.
func TestPlanted(t *testing.T) {
	names, err := filepath.Glob("testdata/planted/*.txt")
	must(t, err)
	if len(names) < 20 {
		t.Fatalf("%d planted bugs only", len(names))
	}
	for _, name := range names {
		if !regexp.MustCompile(*plantedRun).MatchString(filepath.Base(name)) {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			must(t, err)
			p, err := parsePlanted(strings.ReplaceAll(string(text), "\r\n", "\n"))
			must(t, err)
			changed, err := p.changed()
			must(t, err)
			if !*plantedAll && *plantedRun == "" {
				return
			}
			must(t, p.caught(t.TempDir(), changed))
			t.Logf("%s: caught by %s %s", p.what, p.pkg, p.test)
		})
	}
}

func parsePlanted(s string) (*planted, error) {
	head, body, ok := strings.Cut(s, "--- old\n")
	before, after, ok2 := strings.Cut(body, "\n--- new\n")
	after, _, ok3 := strings.Cut(after, "\n--- end")
	p := &planted{old: before, new: after}
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
	if !ok || !ok2 || !ok3 || p.what == "" || p.file == "" || p.test == "" || p.old == p.new {
		return nil, errors.New("want the lines what, file and test, and the parts old, new and end")
	}
	return p, nil
}

func (p *planted) changed() ([]byte, error) {
	b, err := os.ReadFile(p.file)
	if err != nil {
		return nil, err
	}
	s := strings.ReplaceAll(string(b), "\r\n", "\n")
	if n := strings.Count(s, p.old); n != 1 {
		return nil, fmt.Errorf("the text to replace is %d times in %s", n, p.file)
	}
	return []byte(strings.Replace(s, p.old, p.new, 1)), nil
}

// caught is nil if the test fails because of the bug.
func (p *planted) caught(dir string, changed []byte) error {
	from, err := filepath.Abs(p.file)
	if err != nil {
		return err
	}
	to, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	j, err := json.Marshal(map[string]any{"Replace": map[string]string{from: to}})
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(to, changed, 0o600), os.WriteFile(overlay, j, 0o600)); err != nil {
		return err
	}
	pkg := p.pkg
	if pkg != "." {
		pkg = "./" + pkg
	}
	b, err := exec.Command("go", "test", "-vet=off", "-overlay", overlay, "-timeout", "60s", "-run", "^"+p.test+"$", pkg).CombinedOutput()
	out := string(b)
	switch {
	case err == nil:
		return errors.New("the test passes")
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"), !strings.Contains(out, "FAIL"):
		return fmt.Errorf("the test did not run: %w\n%s", err, out)
	}
	return nil
}
