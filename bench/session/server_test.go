package session

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine/remote"
	"github.com/ringwood-kv/ringwood/bench/engine/resp/resptest"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/trace"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// on returns a configuration for a server.
func on(addr string, change func(*Config)) Config {
	cfg := Config{
		Kind:   remote.Target{Name: "there", URL: "resp://" + addr}.Kind(remote.Options{Timeout: 200 * time.Millisecond}),
		Params: workload.Params{Records: 200, Seed: 1, Threads: 2},
	}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

func openServer(t *testing.T, addr string, change func(*Config)) *Session {
	t.Helper()
	s, err := Open(on(addr, change))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The same workloads run on a server, with as many connections as threads, and their
// results have the server's own account.
func TestServer(t *testing.T) {
	for _, server := range []string{"small", "redis"} {
		t.Run(server, func(t *testing.T) {
			addr := ""
			if server == "redis" {
				addr = resptest.StartRedis(t)
			} else {
				addr = new(resptest.Server).Start(t).Addr
			}
			for _, pipeline := range []int{1, 8} {
				s := openServer(t, addr, func(c *Config) { c.Pipeline, c.Fresh = pipeline, true })
				got, r := run(t, s, "fillrandom", "readrandom", "readhot", "readmissing", "overwrite", "fillbatch", "readwhilewriting", "a", "b", "c", "f", "d")
				want := "fillrandom:run readrandom:run readhot:run readmissing:run overwrite:run fillbatch:run readwhilewriting:run load:load a:run b:run c:run f:run d:run"
				if strings.Join(got, " ") != want {
					t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
				}
				set := report.Settings{Records: 200, ValueSize: 1000, Ratio: 0.5, Threads: 2, Pipeline: pipeline, Seed: 1, Distribution: "latest"}
				if r.Settings != set || r.Engine != "there" || r.Ops != 200 {
					t.Errorf("%+v", r.Settings)
				}
				if r.Server == nil || r.Server.Name != "redis" || r.Server.Resident == nil || r.Server.CPUPerOp == nil || r.Server.SettledCPU == nil || r.SettleSeconds == nil {
					t.Errorf("%+v", r.Server)
				}
				if r.Disk.Used != nil || r.Disk.Written != nil || r.OpenSeconds != nil || r.AllocsPerOp() != nil {
					t.Errorf("of the disk of a server nothing is known: %+v", r.Disk)
				}
				if _, err := s.Run(context.Background(), find(t, "e")); err == nil || !strings.Contains(err.Error(), "no order of keys") || !strings.Contains(err.Error(), "are a, b, c, d, f, fillseq") {
					t.Errorf("e: %v", err)
				}
				if err := s.Prepare(context.Background(), find(t, "fillsync")); err == nil || !strings.Contains(err.Error(), "fillrandom") {
					t.Errorf("fillsync: %v", err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A database that was not empty is used as it is, and never emptied without Fresh.
func TestServerWithKeys(t *testing.T) {
	server := new(resptest.Server).Start(t)
	s := openServer(t, server.Addr, nil)
	if results, err := s.Load(context.Background(), workload.YCSB); err != nil || results[0].Ops != 200 || results[0].Settings.Threads != 2 {
		t.Fatalf("%+v, %v", results, err)
	}
	s = openServer(t, server.Addr, nil)
	if got, _ := run(t, s, "c", "a"); strings.Join(got, " ") != "c:run a:run" {
		t.Errorf("%v", got)
	}
	for name, want := range map[string]string{"readrandom": "does not have", "fillseq": "--fresh"} {
		if _, err := s.Run(context.Background(), find(t, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if len(server.Keys("0")) != 200 || server.Count("FLUSHDB") > 0 {
		t.Errorf("%d keys are left", len(server.Keys("0")))
	}
	s = openServer(t, server.Addr, func(c *Config) { c.Fresh = true })
	if got, _ := run(t, s, "c"); strings.Join(got, " ") != "load:load c:run" || server.Count("FLUSHDB") != 1 {
		t.Errorf("%v", got)
	}
}

// Answers that are wrong are lost records, or end the run.
func TestWrongServer(t *testing.T) {
	for name, hook := range map[string]func(string, []string) (string, bool){
		"absent": resptest.Nth("GET", 100, false, "$-1\r\n"),
		"short":  resptest.Nth("GET", 100, false, "$3\r\nabc\r\n"),
	} {
		s := openServer(t, (&resptest.Server{Hook: hook}).Start(t).Addr, func(c *Config) { c.Pipeline = 4 })
		results, err := s.Run(context.Background(), find(t, "readrandom"))
		if err != nil || results[len(results)-1].Lost != 1 {
			t.Errorf("%s: %+v, %v", name, results, err)
		}
	}
	for name, c := range map[string]struct {
		hook func(string, []string) (string, bool)
		want string
	}{
		"error":   {resptest.Nth("GET", 100, true, "-OOM\r\n"), "readrandom on there: the server answered to GET: OOM"},
		"lost":    {resptest.Nth("GET", 100, false, ""), "readrandom on there: GET: the server was silent"},
		"load":    {resptest.Nth("SET", 100, true, "-READONLY\r\n"), "load on there: the server answered to SET: READONLY"},
		"missing": {resptest.Nth("GET", 100, false, "$3\r\nabc\r\n"), "which nobody wrote"},
	} {
		workload := "readrandom"
		if name == "missing" {
			workload = "readmissing"
		}
		s := openServer(t, (&resptest.Server{Hook: c.hook}).Start(t).Addr, func(c *Config) { c.Pipeline = 4 })
		if _, err := s.Run(context.Background(), find(t, workload)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A reply too many at the very end is found as well.
func TestReplyTooMany(t *testing.T) {
	value := "$100\r\n" + strings.Repeat("x", 100) + "\r\n"
	for _, pipeline := range []int{1, 4} {
		s := openServer(t, (&resptest.Server{Hook: resptest.Nth("GET", 200, false, value+value)}).Start(t).Addr, func(c *Config) { c.Pipeline = pipeline })
		if _, err := s.Run(context.Background(), find(t, "readrandom")); err == nil {
			t.Errorf("pipeline %d: a reply too many was not found", pipeline)
		}
	}
}

// What a server does not tell is unknown, and no reason not to measure it.
func TestServerThatTellsLittle(t *testing.T) {
	s := openServer(t, (&resptest.Server{Info: "redis_version:7.0.0\r\nringwood_version:9\r\n"}).Start(t).Addr, nil)
	_, r := run(t, s, "fillseq")
	if r.Server.Name != "ringwood" || r.Server.CPUPerOp != nil || r.CPUPerOp() != nil || r.Memory() != nil || r.SettleSeconds != nil || r.SettledOpsPerSecond != nil {
		t.Errorf("%+v, settled in %v", r.Server, r.SettleSeconds)
	}
	if id, ok := s.Server(); !ok || id.Version != "9" {
		t.Errorf("%+v", id)
	}
}

// In an open loop a reply that was late is late for all calls that it held up.
func TestServerInOpenLoop(t *testing.T) {
	slow := resptest.Nth("GET", 20, false, "")
	server := (&resptest.Server{Hook: func(name string, args []string) (string, bool) {
		if _, now := slow(name, args); now {
			time.Sleep(150 * time.Millisecond)
		}
		return "", false
	}}).Start(t)
	s := openServer(t, server.Addr, func(c *Config) {
		c.Rate, c.Params.Operations, c.Params.Threads, c.Pipeline = 500, 100, 1, 4
		c.Kind = remote.Target{Name: "there", URL: "resp://" + server.Addr}.Kind(remote.Options{Timeout: 5 * time.Second})
	})
	_, r := run(t, s, "readrandom")
	if r.OpenLoop == nil || r.Pauses.Longest < 140*time.Millisecond || r.Latency[0].P95 < 50*time.Millisecond {
		t.Errorf("%+v, %+v", r.OpenLoop, r.Latency)
	}
}

// A replay compares every byte, with several connections, and again after it has
// connected anew.
func TestReplayOnServer(t *testing.T) {
	path := traceFile(t, small)
	server := new(resptest.Server).Start(t)
	s := openServer(t, server.Addr, func(c *Config) { c.Pipeline = 3 })
	r, err := s.Replay(context.Background(), path, trace.Mapping{}, true)
	if err != nil || r.Ops != 6 || r.Trace.Wrong != 0 || r.Trace.Final != 2 || r.Server == nil || r.Settings.Pipeline != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	wrong := (&resptest.Server{Hook: resptest.Nth("GET", 1, false, "$100\r\n"+strings.Repeat("x", 100)+"\r\n")}).Start(t)
	s = openServer(t, wrong.Addr, func(c *Config) { c.Params.Threads = 1 })
	if r, err := s.Replay(context.Background(), path, trace.Mapping{}, true); err != nil || r.Trace.Wrong != 1 || r.Lost != 1 {
		t.Errorf("a value of the right size that is wrong: %+v, %v", r.Trace, err)
	}
	server.Set("0", "theirs", "x")
	s = openServer(t, server.Addr, nil)
	if _, err := s.Replay(context.Background(), path, trace.Mapping{}, true); err == nil || !strings.Contains(err.Error(), "--fresh") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
