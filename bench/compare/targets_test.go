package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine/remote"
	"github.com/ringwood-kv/ringwood/bench/engine/resp/resptest"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// against returns a comparison of servers, by name and address in turn.
func against(workloads string, rounds int, servers ...string) Config {
	c := Config{
		Workloads: strings.Split(workloads, ","), Rounds: rounds, Pipeline: 4, Timeout: 2 * time.Second,
		Params: workload.Params{Records: 200, Seed: 1, Ratio: 0.5}, Threads: []int{2},
	}
	for i := 0; i < len(servers); i += 2 {
		c.Targets = append(c.Targets, remote.Target{Name: servers[i], URL: "resp://" + servers[i+1]})
	}
	return c
}

// Two servers side by side: every round on both, loaded once for what does not spoil the
// records, the password in no document, and nothing left behind.
func TestTargets(t *testing.T) {
	one := (&resptest.Server{Password: "opensesame"}).Start(t)
	two := (&resptest.Server{Info: "redis_version:7.0.0\r\nringwood_version:2.5\r\n"}).Start(t)
	c := against("fillrandom,readrandom,overwrite,deleterandom", 2, "one", one.Addr, "two", two.Addr)
	loads := 0
	d, err := Run(context.Background(), c, Options{Find: find, Passwords: remote.Passwords{"one": "opensesame"}, Progress: func(s Status) {
		if strings.HasPrefix(s.Phase, "loading") {
			loads++
		}
	}})
	if err != nil || len(d.Comparison.Failures) > 0 || len(d.Results) != 2*4*2 || loads > 0 {
		t.Fatalf("%v, %v, %d results, loaded %d times", err, d.Comparison.Failures, len(d.Results), loads)
	}
	for i, r := range d.Results {
		if r.Ops != 200 || r.Settings.Threads != 2 || r.Settings.Pipeline != 4 || r.Server == nil || r.Round != i/8+1 {
			t.Errorf("result %d: %+v", i, r.Settings)
		}
	}
	if n := len(one.Keys("0")) + len(two.Keys("0")); n > 0 {
		t.Errorf("%d keys are left", n)
	}
	a := Analyse(d)
	row := a.Rows[0]
	if row.Best != "two" || row.Bound != nil || row.Line("two").Ratios[Speed].N != 2 || row.Line("two").Ratios[CPU].N != 0 {
		t.Errorf("%+v", row)
	}
	if m := row.Line("one").Medians; *m[Memory] != 12345678 || m[CPU] == nil || m[Allocs] != nil || m[Space] != nil || m[Settled] == nil {
		t.Errorf("%+v", m)
	}
	if m := row.Line("two").Medians; m[Memory] != nil || m[CPU] != nil || m[Settled] != nil {
		t.Errorf("what nobody tells is known: %+v", m)
	}
	var table, doc, csv, lines, markdown bytes.Buffer
	err = errors.Join(WriteTable(&table, a), WriteJSON(&doc, a), report.WriteCSV(&csv, a.Results),
		report.WriteBenchmarks(&lines, a.Environment, a.Results), WriteMarkdown(&markdown, a))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{table.String(), doc.String(), csv.String(), lines.String(), markdown.String()} {
		if strings.Contains(text, "sesame") {
			t.Error("a password is in a document")
		}
	}
	for _, want := range []string{
		"one against two\n2 rounds · pipeline 4 · seed 1 · 200 records\n", "one: redis 7.0.0 at resp://" + one.Addr + " (appendfsync 'everysec')",
		"two: ringwood 2.5 at resp://", "of a server, its resident memory at the end", "CPU and RSS are the server's own",
	} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("%q is not in\n%s", want, table.String())
		}
	}
	for line := range strings.Lines(table.String()) {
		if n := len([]rune(strings.TrimSpace(line))); n > 120 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
	if !strings.Contains(lines.String(), "BenchmarkStore/workload=fillrandom/engine=one/threads=2/pipeline=4") {
		t.Errorf("%s", lines.String())
	}
	again, err := Read(&doc)
	if err != nil || again.Comparison.Engines[1].Server.Version != "2.5" || again.Comparison.Config.Targets[0] != c.Targets[0] {
		t.Errorf("%v, %+v", err, again)
	}
	// Rounds of another version of a server do not count together with these.
	again.Comparison.Engines[1].Server.Version = "2.6"
	if err := d.Merge(again); err == nil || !strings.Contains(err.Error(), "the servers differ") {
		t.Errorf("%v", err)
	}
	h := new(History)
	if h.Add("x", d); len(h.Series) > 0 {
		t.Error("a history of servers by the commits of kvbench")
	}
}

// A planted difference is found, records are loaded where they are missing, and what only
// reads is loaded once.
func TestSlowTarget(t *testing.T) {
	fast := new(resptest.Server).Start(t)
	slow := (&resptest.Server{Hook: resptest.Slow("GET", 2*time.Millisecond)}).Start(t)
	c := against("readrandom", 5, "fast", fast.Addr, "slow", slow.Addr)
	c.Params.Records, c.Params.Operations, c.Threads, c.Pipeline = 100, 40, []int{1}, 0
	var phases []string
	d, err := Run(context.Background(), c, Options{Find: find, Progress: func(s Status) {
		if s.Progress.Elapsed == 0 && s.Done < 0 {
			phases = append(phases, s.Phase)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := Analyse(d).Rows[0].Against(Speed); !ok || r.Verdict != Win || r.N != 5 || r.Median < 2 {
		t.Errorf("%+v, %v", r, d.Comparison.Failures)
	}
	if got := strings.Count(strings.Join(phases, ","), "loading"); got != 2 {
		t.Errorf("loaded %d times: %v", got, phases)
	}
	if fast.Count("SET") != 100 {
		t.Errorf("%d writes", fast.Count("SET"))
	}
}

// A server that answers wrongly fails and is left out, and the other is measured.
func TestWrongTargets(t *testing.T) {
	good := new(resptest.Server).Start(t)
	for want, s := range map[string]*resptest.Server{
		"answered to GET: OOM":   {Hook: resptest.Nth("GET", 50, true, "-OOM\r\n")},
		"was silent":             {Hook: resptest.Nth("GET", 50, false, "")},
		"did not find what must": {Hook: resptest.Nth("GET", 50, false, "$-1\r\n")},
		"loading: ":              {Hook: resptest.Nth("SET", 50, true, "-READONLY\r\n")},
	} {
		s.Start(t)
		c := against("readrandom", 2, "good", good.Addr, "bad", s.Addr)
		c.Timeout = 300 * time.Millisecond
		d, err := Run(context.Background(), c, Options{Find: find})
		if err != nil || len(d.Results) != 2 || len(d.Comparison.Failures) != 1 || !strings.Contains(d.Comparison.Failures[0].String(), want) {
			t.Errorf("want %q: %v, %+v", want, err, d)
		}
		if n := len(good.Keys("0")) + len(s.Keys("0")); n > 0 {
			t.Errorf("%d keys are left", n)
		}
	}
}

// A database with keys is refused and left alone, unless Fresh says otherwise.
func TestTargetWithKeys(t *testing.T) {
	empty, full := new(resptest.Server).Start(t), new(resptest.Server).Start(t)
	full.Set("0", "theirs", "x")
	c := against("fillseq", 1, "empty", empty.Addr, "full", full.Addr)
	if _, err := Run(context.Background(), c, Options{Find: find}); err == nil || !strings.Contains(err.Error(), "full: its database holds 1 keys: give --target an empty one, or --fresh") {
		t.Errorf("%v", err)
	}
	if len(full.Keys("0")) != 1 || empty.Count("FLUSHDB")+full.Count("FLUSHDB") > 0 {
		t.Error("it was emptied")
	}
	if d, err := Run(context.Background(), c, Options{Find: find, Fresh: true}); err != nil || len(d.Results) != 2 || len(full.Keys("0")) > 0 {
		t.Errorf("%v, %d keys", err, len(full.Keys("0")))
	}
	// The same server under two names, by what it says of itself.
	info := resptest.Server{Info: "redis_version:7.0.0\r\nrun_id:x\r\n"}
	other := &resptest.Server{Info: info.Info}
	c = against("fillseq", 1, "a", info.Start(t).Addr, "b", other.Start(t).Addr)
	if _, err := Run(context.Background(), c, Options{Find: find}); err == nil || !strings.Contains(err.Error(), "b: this is the same database as a") {
		t.Errorf("%v", err)
	}
	c.Targets[1].URL += "/1"
	if _, err := Run(context.Background(), c, Options{Find: find}); err != nil {
		t.Errorf("another database of the same server: %v", err)
	}
}

// An interrupt empties the databases.
func TestInterruptedTargets(t *testing.T) {
	s := (&resptest.Server{Hook: resptest.Slow("SET", 10*time.Millisecond)}).Start(t)
	ctx, cancel := context.WithCancel(context.Background())
	d, err := Run(ctx, against("fillseq", 3, "a", s.Addr), Options{Find: find, Progress: func(s Status) {
		if s.Progress.Elapsed > 0 {
			cancel()
		}
	}})
	if err != nil || !d.Comparison.Interrupted || len(s.Keys("0")) > 0 {
		t.Errorf("%v, %d keys", err, len(s.Keys("0")))
	}
}

func TestCheckTargets(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"needs an order|no order of keys": func(c *Config) { c.Workloads = []string{"c", "e"} },
		"syncs each write":                func(c *Config) { c.Workloads = []string{"fillsync"} },
		"own durability":                  func(c *Config) { c.Durability = "os" },
		"own durability and memory":       func(c *Config) { c.Memory = 1 },
		"say nothing of a server":         func(c *Config) { c.Limits = true },
		"control process":                 func(c *Config) { c.Control = true },
		"negative":                        func(c *Config) { c.Pipeline = -1 },
		"not on servers":                  func(c *Config) { c.Groups = []Group{{Name: "x", Workloads: []string{"c"}}} },
		"pipeline and a timeout":          func(c *Config) { c.Targets, c.Engines, c.Durability = nil, []string{"lsm"}, "os" },
		"not among the engines: a, b":     func(c *Config) { c.Subject = "lsm" },
		"named twice":                     func(c *Config) { c.Targets[1].Name = "a" },
	} {
		c := against("c", 1, "a", "localhost:1", "b", "localhost:2")
		change(&c)
		err := Check(&c, Options{})
		found := false
		for _, w := range strings.Split(want, "|") {
			found = found || err != nil && strings.Contains(err.Error(), w)
		}
		if !found {
			t.Errorf("%v, want %q", err, want)
		}
	}
	c := against("c", 1, "a", "localhost:1")
	if err := Check(&c, Options{}); err != nil || fmt.Sprint(c.Engines) != "[a]" {
		t.Errorf("%v, %v", c.Engines, err)
	}
	text, err := json.Marshal(c)
	if err != nil || !strings.Contains(string(text), `"targets":[{"name":"a","url":"resp://localhost:1"}]`) {
		t.Errorf("%s, %v", text, err)
	}
}
