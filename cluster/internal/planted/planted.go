// Package planted holds tests against bugs: it puts known bugs into the sources, one at
// a time, and sees that for each a test fails. It is for tests only.
//
// A bug is a file NAME.txt in testdata/planted of a package:
//
//	what: in one line, what is wrong then
//	file: the source, relative to the package's folder
//	test: the package of the test as go test wants it, a space, the test's name
//	--- old
//	a text that stands once in the file
//	--- new
//	what to put in its place
//	--- end
//
// The sources stay as they are: go test reads the changed file by its -overlay.
package planted

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

var (
	all  = flag.Bool("planted.all", false, "run the test of every planted bug: it must fail, and pass without the bug")
	some = flag.String("planted.run", "", "only the planted bugs whose names match this regular expression; implies -planted.all")
)

// Run sees that the bugs of the package whose test calls it fit its sources, and that
// there are at least that many; by the flag -planted.all also that the test of each
// passes without it and fails because of it:
//
//	go test -run TestPlanted -v -timeout 1h . -args -planted.all
func Run(t *testing.T, atLeast int) {
	t.Helper()
	names, err := filepath.Glob("testdata/planted/*.txt")
	if err != nil || len(names) < atLeast {
		t.Errorf("%d planted bugs, want %d at least (%v)", len(names), atLeast, err)
	}
	chosen, err := regexp.Compile(*some)
	if err != nil {
		t.Fatalf("-planted.run: %v", err)
	}
	sound := map[string]bool{} // tests that pass without a bug
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			b, err := read(name)
			if err != nil {
				t.Fatal(err)
			}
			changed, err := b.changed()
			if err != nil {
				t.Fatal(err)
			}
			if !*all && *some == "" || !chosen.MatchString(filepath.Base(name)) {
				return
			}
			if run := b.pkg + " " + b.test; !sound[run] {
				if out, err := b.run(""); err != nil || strings.Contains(out, "no tests to run") {
					t.Fatalf("%s does not pass without any bug: %v\n%s", run, err, ending(out))
				}
				sound[run] = true
			}
			if err := b.caught(t.TempDir(), changed); err != nil {
				t.Fatalf("NOT CAUGHT: %s: %v", b.what, err)
			}
			t.Logf("caught by %s: %s", b.test, b.what)
		})
	}
}

// bug is one file.
type bug struct {
	what, file, pkg, test string
	old, new              string
}

func read(name string) (*bug, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	head, body, ok := strings.Cut(unix(text), "--- old\n")
	before, after, ok2 := strings.Cut(body, "\n--- new\n")
	after, _, ok3 := strings.Cut("\n"+after, "\n--- end")
	b := &bug{old: before, new: strings.TrimPrefix(after, "\n")}
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "what":
			b.what = value
		case "file":
			b.file = value
		case "test":
			b.pkg, b.test, _ = strings.Cut(value, " ")
		}
	}
	if !ok || !ok2 || !ok3 || b.what == "" || b.file == "" || b.test == "" || b.old == b.new {
		return nil, errors.New("want the lines what, file and test, the parts old, new and end, and a change")
	}
	return b, nil
}

// unix is the text of a file with its lines ended as on Unix: git may have changed that.
func unix(text []byte) string { return strings.ReplaceAll(string(text), "\r\n", "\n") }

// changed returns the file with the bug.
func (b *bug) changed() ([]byte, error) {
	text, err := os.ReadFile(b.file)
	if err != nil {
		return nil, err
	}
	s := unix(text)
	if n := strings.Count(s, b.old); n != 1 {
		return nil, fmt.Errorf("the text to replace is %d times in %s", n, b.file)
	}
	return []byte(strings.Replace(s, b.old, b.new, 1)), nil
}

// caught is nil if the test fails because of the bug.
func (b *bug) caught(dir string, changed []byte) error {
	from, err := filepath.Abs(b.file)
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
	out, err := b.run(overlay)
	switch {
	case err == nil:
		return errors.New("the test passes")
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"):
		return fmt.Errorf("it does not compile\n%s", ending(out))
	case strings.Contains(out, "panic: test timed out"), !strings.Contains(out, "--- FAIL: ") && !strings.Contains(out, "panic: "):
		return fmt.Errorf("the test did not fail by itself\n%s", ending(out))
	}
	return nil
}

func (b *bug) run(overlay string) (string, error) {
	args := []string{"test", "-vet=off", "-count=1", "-timeout=2m", "-run=^" + b.test + "$"}
	if overlay != "" {
		args = append(args, "-overlay="+overlay)
	}
	cmd := exec.Command("go", append(args, b.pkg)...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// ending is the last part of an output.
func ending(out string) string { return out[max(0, len(out)-2000):] }
