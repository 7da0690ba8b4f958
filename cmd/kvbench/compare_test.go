package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/bench/limits"
)

// A comparison is written in all forms, and read again; rounds of two files count
// together.
func TestCompare(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	line := fmt.Sprintf("compare --engines lsm,noop -w fillseq,readrandom -n 200 --rounds 1 --limits=false --dir %s --json %s --html %s --csv %s --series %s --benchfmt %s",
		file("stores"), file("c.json"), file("c.html"), file("c.csv"), file("s.csv"), file("b.txt"))
	contains(t, must(t, line), "lsm against noop", "1 round · durability os · memory 256 MiB · seed 1 · 200 records", "fillseq(1) lsm", "readrandom(1) lsm")
	for name, want := range map[string]string{
		"c.json": `"summary":[{"workload":"fillseq"`, "c.html": "<!DOCTYPE html>", "c.csv": "fillseq,run,lsm", "s.csv": "fillseq,run,noop,0,", "b.txt": "workload=readrandom/engine=lsm/threads=1",
	} {
		if text, err := os.ReadFile(file(name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, no %q", name, err, want)
		}
	}
	if _, err := os.Stat(file("stores")); !os.IsNotExist(err) {
		t.Errorf("the stores are still there: %v", err)
	}
	contains(t, must(t, "report "+file("c.json")+" "+file("c.json")+" --html "+file("again.html")), "2 rounds", "fillseq(1) lsm")
	for args, want := range map[string]string{"main.go": "main.go: this is no JSON", "/no/such/file": "no such file"} {
		if status, _, errs := kvbench(t, "report "+args); status != exitFailed || !strings.Contains(errs, want) {
			t.Errorf("report %s: status %d: %s", args, status, errs)
		}
	}
	if status, _, errs := kvbench(t, "compare -w a --dir "+dir); status != exitFailed || !strings.Contains(errs, "not empty") {
		t.Errorf("a directory with other things: status %d: %s", status, errs)
	}
}

// An interrupted comparison says so, with status 1.
func TestInterruptedCompare(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var o, e bytes.Buffer
	status := run(ctx, strings.Fields("compare --engines lsm,noop -w a"), console{&o, &e, false})
	if status != exitFailed || !strings.Contains(e.String(), "interrupted") || !strings.Contains(o.String(), "nothing was measured") {
		t.Errorf("status %d: %s%s", status, o.String(), e.String())
	}
}

func TestLimits(t *testing.T) {
	status, out, errs := kvbench(t, "limits --each 1ms --memory 1MiB --json - --dir "+t.TempDir())
	var figures []limits.Figure
	if err := json.Unmarshal([]byte(out), &figures); status != exitDone || err != nil || len(figures) < 10 {
		t.Fatalf("status %d, %v: %s%s", status, err, out, errs)
	}
	contains(t, errs, "append of 128 bytes with write(2)", "CPUs")
}
