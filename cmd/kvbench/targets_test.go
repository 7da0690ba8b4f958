package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/bench/engine/resp/resptest"
	"github.com/ringwood-kv/ringwood/bench/report"
)

// Flags that say nothing of a server are refused, and what to do is said.
func TestTargetUsage(t *testing.T) {
	const target = " --target a=resp://localhost:1"
	for line, want := range map[string]string{
		"run -w a --engine lsm" + target:            "give one of them",
		"run -w a --dir x" + target:                 "by its own configuration",
		"run -w a --memory 1GiB" + target:           "give the server one by its own configuration",
		"run -w a --durability sync" + target:       "appendfsync of Redis",
		"run -w a --control" + target:               "leave it out",
		"run -w a,e" + target:                       "e seeks or scans, and a server over RESP has no order of keys",
		"run -w scan" + target:                      "the workloads for a server are a, b, c, d, f, fillseq",
		"run -w fillsync" + target:                  "use fillrandom",
		"run -w deleteseq" + target:                 "seeks or scans",
		"run -w a --pipeline 0" + target:            "at least one call",
		"run -w a --timeout 0s" + target:            "above 0",
		"run -w a --pipeline 2":                     "--pipeline is for servers",
		"run -w a --timeout 2s":                     "--timeout is for servers",
		"run -w a --fresh":                          "--target",
		"run -w a --target localhost:6379":          "written as NAME=resp://",
		"run -w a --target a=redis://:opensesame@x": "begins with resp://",
		"run -w a a=resp://u:opensesame@x":          `unexpected argument "a=resp://u:***@x"`,
		"run -w a --target a=resp://bench@x":        "KVBENCH_PASSWORD_A",
		"run -w a" + target + target:                "named twice",
		"load --memory 1GiB" + target:               "own configuration",
		"replay main.go --durability os" + target:   "own configuration",
		"compare -w a --engines lsm" + target:       "give one of them",
		"compare -w a --limits" + target:            "this machine",
		"compare -w a --dir x" + target:             "own configuration",
		"compare -w e" + target:                     "no order of keys",
		"compare -w a --fresh":                      "--target",
		"compare -w a --pipeline 2":                 "--pipeline is for servers",
		"compare -w a --subject b" + target:         `"b" is not among the engines: a`,
		"compare" + target:                          "--workloads is missing: it is all, or one or more of a, b, c, d, f",
		"table quick" + target:                      "unknown flag: --target",
	} {
		status, out, errs := kvbench(t, line)
		if status != exitUsage || !strings.Contains(errs, want) || out != "" || strings.Contains(errs, "opensesame") {
			t.Errorf("kvbench %s: status %d, want 2 and %q\n%s%s", line, status, want, out, errs)
		}
	}
	for _, name := range []string{"load", "run", "replay", "compare"} {
		contains(t, must(t, name+" --help"), "--target NAME=URL", "--pipeline int", "KVBENCH_PASSWORD_REDIS", "SSL_CERT_FILE")
	}
	contains(t, must(t, "list"), "Of these, for servers (--target): a, b, c, d, f, fillseq")
	if status, _, errs := kvbench(t, "run -w a"+target); status != exitFailed || !strings.Contains(errs, "connect to resp://localhost:1") {
		t.Errorf("status %d: %s", status, errs)
	}
}

// One or several servers are loaded, measured and replayed on, and no password is shown.
func TestRunOnServers(t *testing.T) {
	one := (&resptest.Server{User: "bench", Password: "opensesame"}).Start(t)
	two := (&resptest.Server{Password: "abracadabra"}).Start(t)
	t.Setenv("KVBENCH_PASSWORD_TWO", "abracadabra")
	targets := fmt.Sprintf(" --target one=resp://bench:opensesame@%s/2 --target two=resp://%s", one.Addr, two.Addr)
	file := filepath.Join(t.TempDir(), "r.json")
	shown := must(t, "load -n 200 --threads 2 --pipeline 4 --json "+file+targets)
	contains(t, shown, "target one: redis 7.0.0 at resp://bench@", "2 threads, each with a connection · pipeline 4", "target two:", "load insert", "kvbench itself used")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Keys("2")) != 200 || len(two.Keys("0")) != 200 {
		t.Errorf("%d and %d keys", len(one.Keys("2")), len(two.Keys("0")))
	}
	var d report.Document
	if err := json.Unmarshal(text, &d); err != nil || len(d.Results) != 2 || d.Results[1].Engine != "two" || d.Results[0].Server.Version != "7.0.0" {
		t.Errorf("%v, %+v", err, d)
	}
	shown += string(text) + must(t, "run -n 200 -w c,a --counts"+targets)
	contains(t, shown, "c read", "a all", "redis_version:7.0.0")
	if status, _, errs := kvbench(t, "replay testdata/small.csv"+targets); status != exitFailed || !strings.Contains(errs, "--fresh") {
		t.Errorf("status %d: %s", status, errs)
	}
	shown += must(t, "replay testdata/small.csv --fresh --threads 2"+targets)
	contains(t, shown, "every read answered what the trace wrote", "6 keys read back at the end")
	for _, secret := range []string{"opensesame", "abracadabra"} {
		if strings.Contains(shown, secret) {
			t.Errorf("the password %s is shown", secret)
		}
	}
}

// Servers are compared, in all forms, and a server that is wrong is told of.
func TestCompareServers(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	one := (&resptest.Server{Password: "opensesame"}).Start(t)
	two := new(resptest.Server).Start(t)
	two.Set("0", "theirs", "x")
	line := fmt.Sprintf("compare -w fillrandom,readrandom -n 200 --rounds 2 --threads 1,3 --pipeline 2 --target one=resp://:opensesame@%s --target two=resp://%s --json %s --html %s --csv %s --markdown %s",
		one.Addr, two.Addr, file("c.json"), file("c.html"), file("c.csv"), file("c.md"))
	if status, _, errs := kvbench(t, line); status != exitFailed || !strings.Contains(errs, "two: its database holds 1 keys") || len(two.Keys("0")) != 1 {
		t.Errorf("status %d: %s", status, errs)
	}
	out := must(t, line+" --fresh")
	contains(t, out, "one against two", "2 rounds · pipeline 2 · seed 1 · 200 records", "one: redis 7.0.0 at resp://", "readrandom(3) one", "BEST PEER")
	for name, want := range map[string]string{
		"c.json": `"targets":[{"name":"one"`, "c.html": "memory are the servers' own", "c.csv": "fillrandom,run,two", "c.md": "readrandom(3)",
	} {
		text, err := os.ReadFile(file(name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, no %q", name, err, want)
		}
		if strings.Contains(string(text)+out, "opensesame") {
			t.Errorf("%s has the password", name)
		}
	}
	contains(t, must(t, line+" --resume"), "readrandom(1) one")
	contains(t, must(t, "report "+file("c.json")), "one: redis 7.0.0")
	bad := (&resptest.Server{Hook: resptest.Nth("GET", 100, false, "$-1\r\n")}).Start(t)
	status, _, errs := kvbench(t, fmt.Sprintf("compare -w readrandom -n 200 --rounds 1 --target one=resp://:opensesame@%s --target bad=resp://%s", one.Addr, bad.Addr))
	if status != exitFailed || !strings.Contains(errs, "1 reads did not find what must be there") || !strings.Contains(errs, "1 of the measurements failed") {
		t.Errorf("status %d: %s", status, errs)
	}
}

// The workloads for servers run on the real one.
func TestRunOnRedis(t *testing.T) {
	target := " --target redis=resp://" + resptest.StartRedis(t) + "/9"
	out := must(t, "run -n 1000 --threads 4 -w "+strings.Join(forServers(), ",")+target)
	contains(t, out, "target redis: redis 7.", "fillbatch batch", "deleterandom delete", "beside it write")
	contains(t, must(t, "run -n 1000 --fresh --pipeline 8 --rate 5000 --operations 500 -w a --update blind"+target), "open loop at 5,000 ops/s")
	contains(t, must(t, "compare -w all -n 500 --rounds 1 --pipeline 8 --fresh"+target), "deleterandom(1) redis", "f(1) redis")
}
