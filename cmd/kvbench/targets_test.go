package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine/resp/resptest"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/cluster"
	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/lsm"
)

// Flags that say nothing of a server are refused, and what to do is said.
func TestTargetUsage(t *testing.T) {
	const target = " --target a=resp://localhost:1"
	for line, want := range map[string]string{
		"run -w a --engine lsm" + target:                   "give one of them",
		"run -w a --dir x" + target:                        "by its own configuration",
		"run -w a --memory 1GiB" + target:                  "give the server one by its own configuration",
		"run -w a --durability sync" + target:              "appendfsync of Redis",
		"run -w a --control" + target:                      "leave it out",
		"run -w a,e" + target:                              "e seeks or scans, and a server has no order of keys",
		"run -w scan" + target:                             "the workloads for a server are a, b, c, d, f, fillseq",
		"run -w fillsync" + target:                         "use fillrandom",
		"run -w deleteseq" + target:                        "seeks or scans",
		"run -w a --pipeline 0" + target:                   "at least one call",
		"run -w a --timeout 0s" + target:                   "above 0",
		"run -w a --pipeline 2":                            "--pipeline is for servers",
		"run -w a --pipeline 2 --target a=http://x":        "each call has a connection to itself",
		"compare -w a --pipeline 2 --target a=https://x/b": "each call has a connection to itself",
		"run -w a --timeout 2s":                            "--timeout is for servers",
		"run -w a --fresh":                                 "--target",
		"run -w a --target localhost:6379":                 "written as NAME=resp://",
		"run -w a --target a=redis://:opensesame@x":        "begins with resp://",
		"run -w a a=resp://u:opensesame@x":                 `unexpected argument "a=resp://u:***@x"`,
		"run -w a --target a=resp://bench@x":               "KVBENCH_PASSWORD_A",
		"run -w a" + target + target:                       "named twice",
		"load --memory 1GiB" + target:                      "own configuration",
		"replay main.go --durability os" + target:          "own configuration",
		"compare -w a --engines lsm" + target:              "give one of them",
		"compare -w a --limits" + target:                   "this machine",
		"compare -w a --dir x" + target:                    "own configuration",
		"compare -w e" + target:                            "no order of keys",
		"compare -w a --fresh":                             "--target",
		"compare -w a --pipeline 2":                        "--pipeline is for servers",
		"compare -w a --subject b" + target:                `"b" is not among the engines: a`,
		"compare" + target:                                 "--workloads is missing: it is all, or one or more of a, b, c, d, f",
		"table quick" + target:                             "unknown flag: --target",
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

// startNode starts a node within this process, and returns where it listens. Its numbers
// are made up, but for those that have to be told.
func startNode(t *testing.T, password string) (resp, web string) {
	t.Helper()
	begin := time.Now()
	n, err := cluster.Open(context.Background(), cluster.Options{
		Dir: t.TempDir(), Memory: 16 << 20, Partitions: 64, Bucket: replica.BucketConfig{Durability: lsm.OS}, Version: "1.2.3",
		AdminPassword: access.NewSecret(password), LoginMemory: 32 << 20,
		RESP: cluster.Listen{Addr: "127.0.0.1:0"}, HTTP: cluster.Listen{Addr: "127.0.0.1:0"},
		Handler: func(n *cluster.Node) http.Handler {
			api, err := n.NewAPI(cluster.APIOptions{Numbers: func() map[string]float64 {
				return map[string]float64{
					"process_cpu_seconds_total": time.Since(begin).Seconds(), "process_resident_memory_bytes": 1 << 20,
					"ringwood_lsm_compactions_running": 0, "ringwood_lsm_memory_budget_bytes": 16 << 20,
				}
			}})
			if err != nil {
				t.Error(err)
			}
			return api
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- n.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(n.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	return n.RESPAddr().String(), n.HTTPAddr().String()
}

// A node is measured through its Go client and over RESP, side by side: the same
// workloads, replays and reports.
func TestRunOnNode(t *testing.T) {
	resp, web := startNode(t, "")
	targets := fmt.Sprintf(" --target go=http://%s --target resp=resp://%s/3", web, resp)
	out := must(t, "run -n 200 --threads 4 -w fillbatch,deleterandom --target go=http://"+web)
	contains(t, out, "target go: ringwood 1.2.3 at http://"+web+"/available (durability os, memory 16 MiB)", "fillbatch batch", "deleterandom delete")
	contains(t, must(t, "run -n 200 --fresh --rate 2000 --operations 100 --counts -w a --target go=http://"+web), "open loop at 2,000 ops/s", "ringwood_lsm_compactions_running 0")
	contains(t, must(t, "replay testdata/small.csv --fresh --threads 2 --target go=http://"+web), "every read answered what the trace wrote", "6 keys read back at the end")
	file := filepath.Join(t.TempDir(), "c.json")
	out = must(t, "compare -w c -n 100 --rounds 1 --fresh --json "+file+targets)
	contains(t, out, "go against resp", "go: ringwood 1.2.3 at http://", "resp: ringwood 1.2.3 at resp://"+resp+"/3 (durability os, memory 16 MiB)")
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), `"resident_bytes":1048576`) {
		t.Errorf("%v: no memory of the node in %s", err, text)
	}
	// One database under two names.
	status, _, errs := kvbench(t, fmt.Sprintf("compare -w c -n 100 --rounds 1 --target a=resp://%s --target b=http://%s", resp, web))
	if status != exitFailed || !strings.Contains(errs, "b: this is the same database as a") {
		t.Errorf("status %d: %s", status, errs)
	}
	if status, _, errs := kvbench(t, "run -w c --target a=http://"+web+"/orders"); status != exitFailed || !strings.Contains(errs, "kvctl buckets create orders") {
		t.Errorf("status %d: %s", status, errs)
	}
}

// A login is as over RESP, and shown nowhere.
func TestRunOnNodeWithUsers(t *testing.T) {
	_, web := startNode(t, "opensesame")
	if status, _, errs := kvbench(t, "run -w c -n 10 --target a=http://"+web); status != exitFailed || !strings.Contains(errs, "unauthorized") {
		t.Errorf("status %d: %s", status, errs)
	}
	t.Setenv("KVBENCH_PASSWORD_A", "opensesame")
	if out := must(t, "run -w c -n 10 --target a=http://admin@"+web); strings.Contains(out, "opensesame") {
		t.Error(out)
	}
}
