package lsm_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// The files in testdata/planted are bugs, one in each: a text of the engine and what to
// put in its place, and the test that then has to fail. All of them are tried by
//
//	go test -run TestPlanted -v -timeout 2h -args -planted.all
//
// The sources stay as they are: go test reads the changed file by its -overlay.
var (
	plantedAll = flag.Bool("planted.all", false, "run the test of every planted bug: it must fail, and pass without the bug")
	plantedRun = flag.String("planted.run", "", "only the planted bugs whose names match this regular expression; implies -planted.all")
)

// planted is one bug.
type planted struct {
	name     string // of its file, without .txt
	what     string // in one line
	file     string // relative to this folder
	old, new string
	pkg      string // of the test, as go test wants it
	test     string
	flags    []string // of the test
}

// command is how to run the test.
func (p *planted) command() string {
	return strings.Join(append([]string{p.pkg, p.test}, p.flags...), " ")
}

// TestPlanted sees that every planted bug fits the engine as it is and names a test;
// with -planted.all also that the test fails because of it.
func TestPlanted(t *testing.T) {
	all := readPlanted(t)
	if len(all) < 20 {
		t.Errorf("%d planted bugs only", len(all))
	}
	for _, p := range all {
		if err := p.applies(); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		if err := p.testExists(); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
	if t.Failed() || !*plantedAll && *plantedRun == "" {
		return
	}
	chosen := regexp.MustCompile(*plantedRun)
	all = slices.DeleteFunc(all, func(p *planted) bool { return !chosen.MatchString(p.name) })
	// A test that fails in any case proves nothing.
	sound := make(map[string]bool)
	for _, p := range all {
		if ok, known := sound[p.command()]; ok || known {
			continue
		}
		out, err := goTest(p, "")
		if sound[p.command()] = err == nil; err != nil {
			t.Errorf("%s fails without any bug: %v\n%s", p.command(), err, ending(out))
		}
	}
	table := new(strings.Builder)
	w := tabwriter.NewWriter(table, 0, 0, 2, ' ', 0)
	for _, p := range all {
		start := time.Now()
		err := p.caught(t)
		took := time.Since(start).Round(100 * time.Millisecond)
		verdict := "caught"
		if err != nil {
			verdict = "NOT CAUGHT"
			t.Errorf("%s (%s): %v", p.name, p.what, err)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%v\n", p.name, p.command(), verdict, took)
		t.Logf("%s: %s by %s in %v", p.name, verdict, p.command(), took)
	}
	_ = w.Flush()
	t.Logf("%d planted bugs:\n%s", len(all), table)
}

func readPlanted(t *testing.T) (all []*planted) {
	t.Helper()
	names, err := filepath.Glob("testdata/planted/*.txt")
	must(t, err)
	numbers := map[string]bool{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		must(t, err)
		p, err := parsePlanted(string(b))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p.name = strings.TrimSuffix(filepath.Base(name), ".txt")
		number, _, _ := strings.Cut(p.name, "-")
		if numbers[number] {
			t.Errorf("%s: there is another one of number %s", name, number)
		}
		numbers[number] = true
		all = append(all, p)
	}
	return all
}

// parsePlanted reads
//
//	what: the bug in one line
//	file: path/of/file.go
//	test: PKG TestName [-flag ...]
//	--- old
//	text
//	--- new
//	text
//	--- end
func parsePlanted(s string) (*planted, error) {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	head, body, ok := strings.Cut(s, "--- old\n")
	before, after, ok2 := strings.Cut(body, "--- new\n")
	after, rest, ok3 := strings.Cut(after, "--- end")
	if !ok || !ok2 || !ok3 || strings.TrimSpace(rest) != "" {
		return nil, errors.New("want the parts old, new and end")
	}
	p := &planted{old: strings.TrimSuffix(before, "\n"), new: strings.TrimSuffix(after, "\n")}
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "":
		case "what":
			p.what = value
		case "file":
			p.file = filepath.FromSlash(value)
		case "test":
			f := strings.Fields(value)
			if len(f) < 2 {
				return nil, fmt.Errorf("test %q: want a package and a name", value)
			}
			p.pkg, p.test, p.flags = f[0], f[1], f[2:]
		default:
			return nil, fmt.Errorf("what is %q?", line)
		}
	}
	switch {
	case p.what == "" || p.file == "" || p.test == "":
		return nil, errors.New("want the lines what, file and test")
	case p.old == "" || p.old == p.new:
		return nil, errors.New("nothing is changed")
	}
	return p, nil
}

// changed returns the file with the bug.
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

func (p *planted) applies() error {
	if strings.HasSuffix(p.file, "_test.go") {
		return fmt.Errorf("%s is no part of the engine", p.file)
	}
	b, err := p.changed()
	if err == nil {
		_, err = parser.ParseFile(token.NewFileSet(), p.file, b, parser.SkipObjectResolution)
	}
	return err
}

func (p *planted) testExists() error {
	names, err := filepath.Glob(filepath.Join(filepath.FromSlash(p.pkg), "*_test.go"))
	if err != nil {
		return err
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if strings.Contains(string(b), "\nfunc "+p.test+"(") {
			return nil
		}
	}
	return fmt.Errorf("there is no test %s in %s", p.test, p.pkg)
}

// caught is nil if the test fails because of the bug.
func (p *planted) caught(t *testing.T) error {
	changed, err := p.changed()
	if err != nil {
		return err
	}
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
	if err := errors.Join(os.WriteFile(to, changed, 0o600), os.WriteFile(overlay, j, 0o600)); err != nil {
		return err
	}
	out, err := goTest(p, overlay)
	switch {
	case err == nil:
		return errors.New("the test passes")
	case !errors.As(err, new(*exec.ExitError)):
		return err
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		return fmt.Errorf("it does not compile\n%s", ending(out))
	case testFailed(out):
		return nil
	}
	return fmt.Errorf("the test did not fail by itself: %v\n%s", err, ending(out))
}

// ending returns the last part of an output.
func ending(out string) string { return out[max(0, len(out)-2000):] }

// testFailed tells a test that found something, or crashed, from one that ran out of
// time.
func testFailed(out string) bool {
	if strings.Contains(out, "panic: test timed out") {
		return false
	}
	for _, sign := range []string{"--- FAIL: ", "panic: ", "fatal error: "} {
		if strings.Contains("\n"+out, "\n"+sign) {
			return true
		}
	}
	return false
}

// goTest runs the test of p, over the overlay if there is one.
func goTest(p *planted, overlay string) (string, error) {
	args := []string{"test", "-vet=off", "-count=1", "-timeout=5m", "-run=^" + p.test + "$"}
	if overlay != "" {
		args = append(args, "-overlay="+overlay)
	}
	args = append(args, p.pkg)
	if len(p.flags) > 0 {
		args = append(append(args, "-args"), p.flags...)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
