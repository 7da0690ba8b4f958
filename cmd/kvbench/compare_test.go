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

// A table is measured, goes on where it was, and its results make a history.
func TestTable(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	line := "table quick --engines lsm,goleveldb --groups sync --rounds 1 --limits=false --json " + file("t.json.gz")
	contains(t, must(t, line+" --html "+file("t.html")), "table quick · 1 round", "-- sync: durability sync", "fillsync(16)", "BEST PEER", "goal")
	before, err := os.ReadFile(file("t.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, must(t, line+" --resume"), "fillsync(1)")
	if d, err := readOne(file("t.json.gz")); err != nil || len(d.Results) != 4 || len(before) == 0 {
		t.Errorf("%v, %+v", err, d)
	}
	out := must(t, "history "+dir+" "+file("t.json.gz")+" --html "+file("h.html")+" --csv "+file("h.csv"))
	contains(t, out, "lsm to the best peer", "against goleveldb", "trend")
	contains(t, must(t, "history -w fillsync --json - "+dir), `"workload":"fillsync"`)
	for name, want := range map[string]string{"h.html": "<svg", "h.csv": "fillsync,16,"} {
		if text, err := os.ReadFile(file(name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, no %q", name, err, want)
		}
	}
	contains(t, must(t, "history"), "300,000 records", "781f6c6") // of this repository
	for args, want := range map[string]string{
		"table":                               "quick, full, cached or growth",
		"table all":                           "unknown table",
		"table quick --groups x":              "it has none, os, sync",
		"table quick --resume":                "--json",
		"table quick --rounds 0":              "at least one",
		"history " + file("h.csv"):            "no JSON",
		"history " + file("none"):             "no such file",
		"compare -w a --resume --json " + dir: "is a directory",
	} {
		if status, _, errs := kvbench(t, args); status == exitDone || !strings.Contains(errs, want) {
			t.Errorf("%s: status %d: %s", args, status, errs)
		}
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
