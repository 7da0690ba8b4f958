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

	"github.com/ringwood-kv/ringwood/bench/compare"
	"github.com/ringwood-kv/ringwood/bench/control"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/report"
)

func TestMain(m *testing.M) {
	control.RunIfChild()
	compare.RunIfChild(engine.Find)
	os.Setenv("GORACE", "atexit_sleep_ms=0") // children of the race detector would sleep a second at their end
	os.Exit(m.Run())
}

// kvbench runs a command line, words separated by blanks.
func kvbench(t *testing.T, line string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(context.Background(), strings.Fields(line), console{&o, &e, false})
	return status, o.String(), e.String()
}

// must runs a command line that has to work.
func must(t *testing.T, line string) string {
	t.Helper()
	status, out, errs := kvbench(t, line)
	if status != exitDone {
		t.Fatalf("kvbench %s: status %d\n%s%s", line, status, out, errs)
	}
	return out
}

func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	flat := strings.Join(strings.Fields(text), " ")
	for _, w := range words {
		if !strings.Contains(flat, w) {
			t.Errorf("%q is not in\n%s", w, text)
		}
	}
}

// Wrong command lines end with status 2, and say what is wrong and what to do.
func TestUsageErrors(t *testing.T) {
	for line, want := range map[string]string{
		"":                                          "Start here",
		"go":                                        `unknown command "go": it is one of load, run, replay, compare, table, report, history, limits, list`,
		"run":                                       "--workload is missing: it is one or more of a, b",
		"run --workload zz":                         `unknown workload "zz"`,
		"run -w a extra":                            `unexpected argument "extra"`,
		"run -w a --foo":                            "unknown flag: --foo",
		"run -w a --records many":                   "write a number like",
		"run -w a --records -5":                     "write a number like",
		"run -w a --records 1":                      "at least 2 records",
		"run -w a --records 1.5":                    "write a number like",
		"run -w a --memory lots":                    "write a size like",
		"run -w a --rate 0":                         "70%",
		"run -w a --rate 0%":                        "70%",
		"run -w a --rate x":                         "70%",
		"run -w a --durability max":                 "sync, os, none",
		"run -w a --threads 0":                      "at least one",
		"run -w a --duration -5s":                   "negative",
		"run -w a --engine rocks":                   "it is one of lsm",
		"run -w a --fresh":                          "--dir",
		"run -w a --value-size 0":                   "at least 1",
		"run -w a --value-size 1001":                "divided by 10",
		"run -w a --compression-ratio 0":            "above 0",
		"run -w a --distribution odd":               "scrambled",
		"run -w a --update never":                   "row or blind",
		"run -w readrandom -n 100 --key-size 2":     "make them longer",
		"run -w a --json - --csv -":                 "only one",
		"run -w a --json /no/such/dir/file":         "no such file",
		"load --workload zz":                        "unknown workload",
		"load extra":                                "unexpected",
		"replay":                                    "one trace",
		"replay a b":                                "one trace",
		"replay /no/such/trace.csv":                 "no such file",
		"replay main.go --rate 50%":                 "no capacity",
		"compare":                                   "--workloads is missing: it is all, or one or more of a, b",
		"compare -w zz":                             `unknown workload "zz"`,
		"compare -w a --engines lsm,rocks":          `unknown engine "rocks"`,
		"compare -w a --engines lsm --subject noop": `"noop" is not among the engines: lsm`,
		"compare -w a --engines lsm --roof noop":    `"noop" is not among the engines`,
		"compare -w a --rounds 0":                   "at least one",
		"compare -w a --threads 0":                  "at least 1",
		"compare -w a --threads x":                  "invalid argument",
		"compare -w a --warmup -1s":                 "negative",
		"compare -w a extra":                        `unexpected argument "extra"`,
		"compare -w a --html - --json -":            "only one",
		"compare -w a --html /no/such/dir/file":     "no such file",
		"report":                                    "name one or more files",
		"limits extra":                              "unexpected",
		"limits --each 0s":                          "above 0",
		"list all":                                  "no arguments",
	} {
		status, out, errs := kvbench(t, line)
		if status != exitUsage || !strings.Contains(errs, want) || out != "" {
			t.Errorf("kvbench %s: status %d, want 2 and %q\n%s%s", line, status, want, out, errs)
		}
	}
}

func TestHelp(t *testing.T) {
	contains(t, must(t, "help"), "kvbench replay trace.csv")
	contains(t, must(t, "--help"), "kvbench run --workload a,b,c")
	for _, name := range []string{"load", "run", "replay"} {
		for _, line := range []string{name + " --help", name + " -h", "help " + name} {
			contains(t, must(t, line), "Usage: kvbench "+name, "--engine", "--json FILE", "kvbench "+name+" ")
		}
	}
	contains(t, must(t, "compare --help"), "Usage: kvbench compare", "--rounds int", "kvbench report all.json")
	contains(t, must(t, "report --help"), "kvbench report morning.json evening.json")
	contains(t, must(t, "limits --help"), "--each")
	contains(t, must(t, "help list"), "Lists engines")
	contains(t, must(t, "list"), "lsm", "noop", "readwhilewriting", "scrambled")
}

// Each workload runs on the real engine and loses nothing.
func TestRunEverything(t *testing.T) {
	out := must(t, "run -n 2000 --queue 100 --memory 16MiB --workload a,b,c,f,d,e,fillseq,fillrandom,fillsync,fillbatch,overwrite,readrandom,readmissing,readhot,seekrandom,seekreverse,scan,scanreverse,readwhilewriting,deleterandom,deleteseq")
	contains(t, out, "engine lsm · durability os · memory 16MiB · 1 thread · seed 1",
		"load insert", "a all", "e all", "scan scan", "beside it write", "deleteseq all")
}

func TestThreadsAndSync(t *testing.T) {
	contains(t, must(t, "run -n 500 --threads 4 --durability sync -w fillrandom,a --update blind"), "4 threads", "a blind all")
}

// A store that stays can be used again, and is deleted only on request.
func TestDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	must(t, "load --dir "+dir+" --records 1000")
	if out := must(t, "run --dir "+dir+" --records 1000 -w c"); strings.Contains(out, "insert") {
		t.Errorf("records were loaded again:\n%s", out)
	}
	for line, want := range map[string]string{
		"load --dir " + dir:                      "--fresh",
		"run -w fillseq --dir " + dir:            "--fresh",
		"run -w a --records 2000 --dir " + dir:   "--records",
		"replay testdata/small.csv --dir " + dir: "--fresh",
		"run -w a --dir " + filepath.Dir(dir):    "not empty",
	} {
		status, _, errs := kvbench(t, line)
		if status != exitFailed || !strings.Contains(errs, want) {
			t.Errorf("kvbench %s: status %d, want 1 and %q\n%s", line, status, want, errs)
		}
	}
	must(t, "replay testdata/small.csv --fresh --dir "+dir)
	must(t, "load --fresh --records 500 --workload readrandom --dir "+dir)
	must(t, "run --records 500 -w scan --dir "+dir)
}

func TestReplay(t *testing.T) {
	contains(t, must(t, "replay testdata/small.csv"), "every read answered what the trace wrote", "20 requests on 6 keys: 9 reads (7 hits, 2 misses, as expected), 10 writes, 1 deletes", "6 keys read back at the end")
	contains(t, must(t, "replay testdata/small.csv --threads 3 --rate 1000 --check=false"), "open loop at 1,000 ops/s", "every read")
	other := filepath.Join(t.TempDir(), "ops.txt")
	os.WriteFile(other, []byte("GET|a\nSET|a\nPING|\nEXISTS|a\n"), 0o644)
	contains(t, must(t, "replay "+other+" --key-column 2 --op-column 1 --size-column - --value-size 4KiB --read-ops get,exists --write-ops SET --skip-ops PING"),
		"3 requests on 1 keys: 2 reads (1 hits, 1 misses")
	bad := filepath.Join(t.TempDir(), "bad.csv")
	os.WriteFile(bad, []byte("op,key,size\nw,a,1\nzap,a,1\n"), 0o644)
	status, _, errs := kvbench(t, "replay "+bad)
	if status != exitFailed || !strings.Contains(errs, "bad.csv:3") {
		t.Errorf("status %d: %s", status, errs)
	}
}

// With - the machine-readable form has standard output to itself.
func TestOutputs(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	status, out, errs := kvbench(t, fmt.Sprintf("run -n 1000 -w a,fillseq --json - --csv %s --series %s --benchfmt %s --hgrm %s --counts --progress --cpuprofile %s --memprofile %s",
		file("r.csv"), file("s.csv"), file("b.txt"), file("hgrm"), file("cpu"), file("mem")))
	if status != exitDone {
		t.Fatal(errs)
	}
	var d report.Document
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(d.Results) != 3 || d.Command[1] != "run" || d.Results[1].Workload != "a" || d.Results[1].Lost != 0 || d.Environment.CPUs == 0 {
		t.Errorf("%+v", d)
	}
	contains(t, errs, "workload op ops/s", "write amp")
	for name, want := range map[string]string{
		"r.csv": "a,run,lsm,os,1,1000", "s.csv": "a,run,lsm,0,", "b.txt": "BenchmarkStore/workload=fillseq/engine=lsm", "hgrm/lsm-a-update.hgrm": "1/(1-Percentile)",
	} {
		text, err := os.ReadFile(file(name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, no %q", name, err, want)
		}
	}
	for _, name := range []string{"cpu", "mem"} {
		if info, err := os.Stat(file(name)); err != nil || info.Size() == 0 {
			t.Errorf("profile %s: %v", name, err)
		}
	}
}

func TestOpenLoop(t *testing.T) {
	contains(t, must(t, "run -n 2000 -w overwrite --rate 50% --operations 1000"), "overwrite (max) write", "the control process", "open loop at")
	if out := must(t, "run -n 1000 -w readrandom --rate 20k --control=false --pause 1ms"); strings.Contains(out, "control process") {
		t.Error("a control process that was not asked for")
	}
}

// An interrupt ends with what there is, and status 1.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var o, e bytes.Buffer
	if status := run(ctx, strings.Fields("run -n 1000 -w a"), console{&o, &e, false}); status != exitFailed || !strings.Contains(e.String(), "interrupted") {
		t.Errorf("status %d: %s", status, e.String())
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "kvbench-control-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
