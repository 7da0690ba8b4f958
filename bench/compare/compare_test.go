package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/bench/control"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/internal/mapengine"
	"github.com/ringwood-kv/ringwood/bench/limits"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

func TestMain(m *testing.M) {
	control.RunIfChild()
	RunIfChild(find)
	os.Setenv("GORACE", "atexit_sleep_ms=0") // children of the race detector would sleep a second at their end
	os.Exit(m.Run())
}

// find knows engines that misbehave beside the real ones.
func find(name string) (engine.Kind, error) {
	kind := func(hook func(op string, key []byte) error) (engine.Kind, error) {
		k := (&mapengine.Disk{Hook: hook}).Kind()
		k.Name = name
		return k, nil
	}
	switch name {
	case "slow":
		return kind(func(op string, _ []byte) error {
			if op == "put" {
				time.Sleep(200 * time.Microsecond)
			}
			return nil
		})
	case "broken":
		return kind(func(op string, _ []byte) error { return errors.New("out of order") })
	case "crashing":
		return kind(func(op string, _ []byte) error { panic("out of bounds") })
	case "hanging":
		return kind(func(op string, _ []byte) error { time.Sleep(20 * time.Millisecond); return nil })
	}
	return engine.Find(name)
}

func config(engines string, workloads string, rounds int) Config {
	return Config{
		Engines: strings.Split(engines, ","), Workloads: strings.Split(workloads, ","), Rounds: rounds, Durability: "os",
		Memory: 16 << 20, Params: workload.Params{Records: 300, Seed: 1, Ratio: 0.5},
	}
}

// Two engines, end to end: every round of every row on both, in rotated order, each
// measurement in the right state, and nothing left behind.
func TestRun(t *testing.T) {
	c := config("lsm,goleveldb", "readrandom,deleterandom", 2)
	c.Threads = []int{1, 2}
	dir := filepath.Join(t.TempDir(), "stores")
	loads := make(map[string]int)
	d, err := Run(context.Background(), c, Options{Dir: dir, Find: find, Progress: func(s Status) {
		if strings.HasPrefix(s.Phase, "loading") {
			loads[s.Phase]++
		}
	}})
	if err != nil || len(d.Comparison.Failures) > 0 {
		t.Fatalf("%v, %v", err, d.Comparison.Failures)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there", dir)
	}
	if len(d.Results) != 2*4*2 {
		t.Fatalf("%d results", len(d.Results))
	}
	// What only reads is loaded once for each engine; what deletes, for each measurement.
	if want := map[string]int{"loading for readrandom": 2, "loading for deleterandom": 8}; !maps.Equal(loads, want) {
		t.Errorf("%v", loads)
	}
	var order []string
	for i, r := range d.Results {
		if r.Phase != "run" || r.Round != i/8+1 || r.Ops != 300 || r.Settings.Threads != 1+i/2%2 {
			t.Errorf("result %d: %s, round %d, %d operations, %d threads", i, r.Phase, r.Round, r.Ops, r.Settings.Threads)
		}
		if i%8 < 2 {
			order = append(order, r.Engine)
		}
	}
	if got := strings.Join(order, " "); got != "lsm goleveldb goleveldb lsm" {
		t.Errorf("order %s", got)
	}
	a := Analyse(d)
	if len(a.Rows) != 4 || a.Rows[0].Best != "goleveldb" || a.Rows[1].String() != "readrandom(2)" {
		t.Fatalf("rows %v", a.Rows)
	}
	row := a.Rows[2]
	if l := row.Line("lsm"); l.Rounds != 2 || l.Medians[WriteAmp] == nil || l.Ratios != nil {
		t.Errorf("%+v", l)
	}
	if l := row.Line("goleveldb"); l.Medians[WriteAmp] != nil || l.Ratios[Speed].N != 2 || l.Ratios[Speed].Verdict != Few {
		t.Errorf("what goleveldb does not tell is not unknown: %+v", l)
	}
	checkForms(t, a)
}

// checkForms checks all forms of a comparison.
func checkForms(t *testing.T, a *Analysis) {
	t.Helper()
	var table, doc, csv, bench bytes.Buffer
	err := errors.Join(WriteTable(&table, a), WriteJSON(&doc, a), report.WriteCSV(&csv, a.Results), report.WriteBenchmarks(&bench, a.Environment, a.Results))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(table.String()) {
		if n := len([]rune(strings.TrimSpace(line))); n > 120 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
	for _, want := range []string{"readrandom(1)        lsm ", "goleveldb*", "SPEED", "LATENCY", "COST", "with too few pairs"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("%q is not in\n%s", want, table.String())
		}
	}
	again, err := Read(&doc)
	if err != nil || !reflect.DeepEqual(Analyse(again).Rows[0].Lines[0].Medians, a.Rows[0].Lines[0].Medians) {
		t.Errorf("read again: %v", err)
	}
	if n := strings.Count(bench.String(), "BenchmarkStore/workload=readrandom/engine=lsm/threads=2"); n != 2 {
		t.Errorf("%d lines of benchmarks for two rounds", n)
	}
	if n := strings.Count(csv.String(), "\nreadrandom,run,"); n != 2*2*2 { // rounds, threads, engines
		t.Errorf("%d lines of CSV", n)
	}
}

// A planted difference is found.
func TestPlantedDifference(t *testing.T) {
	c := config("lsm,noop,slow", "fillseq", 5)
	c.Params.Records = 100
	d, err := Run(context.Background(), c, Options{Find: find})
	if err != nil {
		t.Fatal(err)
	}
	row := Analyse(d).Rows[0]
	if r, ok := row.Against(Speed); !ok || r.Verdict != Win || r.N != 5 || r.Median < 2 || row.Best != "slow" {
		t.Errorf("%+v", row.Lines)
	}
	if l := row.Line("noop"); l.Ratios != nil || l.Peer || !l.Forgetful {
		t.Errorf("compared with what keeps nothing: %+v", l)
	}
}

// What fails is reported with what it said, and left out later; the rest is measured.
func TestFailures(t *testing.T) {
	var told []string
	d, err := Run(context.Background(), config("noop,broken,crashing", "fillseq", 2), Options{Find: find, Failed: func(f Failure) {
		told = append(told, f.String())
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Results) != 2 || len(d.Comparison.Failures) != 2 {
		t.Fatalf("%d results, %v", len(d.Results), d.Comparison.Failures)
	}
	var table bytes.Buffer
	if err := WriteTable(&table, Analyse(d)); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{strings.Join(told, "\n"), table.String()} {
		for _, want := range []string{"round 1, fillseq(1) on broken: fillseq on broken: out of order", "on crashing:", "panic: out of bounds"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	}
}

// A group of a duration measures for that long, whatever the operations.
func TestGroupWithDuration(t *testing.T) {
	c := config("lsm,goleveldb", "", 1)
	c.Workloads, c.Table = nil, "quick"
	c.Groups = []Group{{Name: "mixed", Workloads: []string{"readrandom"}, Records: 100, Duration: 80 * time.Millisecond}}
	d, err := Run(context.Background(), c, Options{Find: find})
	if err != nil || len(d.Results) != 2 {
		t.Fatalf("%v, %d results, %v", err, len(d.Results), d.Comparison.Failures)
	}
	for _, r := range d.Results {
		if r.Seconds < 0.075 || r.Interrupted {
			t.Errorf("%s measured for %v s", r.Engine, r.Seconds)
		}
	}
	if h := Analyse(d).Headings()["mixed"]; !strings.Contains(h, "80ms each") {
		t.Error(h)
	}
}

// Groups have rows of their own, on engines of their own, each round is saved, and what
// was measured before is not measured again.
func TestGroups(t *testing.T) {
	c := config("lsm,noop,slow", "", 2)
	c.Workloads, c.Table = nil, "quick"
	c.Groups = []Group{
		{Name: "os", Workloads: []string{"fillseq"}, Roofs: []string{"slow"}, Operations: 50},
		{Name: "none", Workloads: []string{"fillseq", "readrandom"}, Threads: []int{1, 2}, Durability: "none", Without: []string{"noop", "slow"}, Records: 100, ValueSize: 10},
	}
	if Check(&c, Options{Find: find}) != nil || Cells(c) != 2*(3+4) {
		t.Fatalf("%d cells", Cells(c))
	}
	var saved []byte
	ctx, cancel := context.WithCancel(context.Background())
	rounds := 0
	options := Options{Find: find, Saved: func(d *Document) {
		var b bytes.Buffer
		if err := WriteJSON(&b, Analyse(d)); err != nil {
			t.Error(err)
		}
		saved = b.Bytes()
		if rounds++; rounds == 3 {
			cancel()
		}
	}}
	if d, err := Run(ctx, c, options); err != nil || !d.Comparison.Interrupted || len(d.Results) != 2*3+4 {
		t.Fatalf("%v, %d results", err, len(d.Results))
	}
	before, err := Read(bytes.NewReader(saved))
	if err != nil {
		t.Fatal(err)
	}
	// Of a round that was cut short nothing counts.
	half := before.Results[len(before.Results)-1]
	half.Round++
	before.Results = append(before.Results, half)
	cells := 0
	d, err := Run(context.Background(), c, Options{Find: find, Resume: before, Progress: func(s Status) {
		if !strings.HasPrefix(s.Phase, "loading") && s.Progress.Elapsed == 0 && s.Done < 0 {
			cells++
		}
	}})
	if err != nil || d.Comparison.Interrupted || len(d.Results) != Cells(c) || cells != 4 {
		t.Fatalf("%v, %d results, %d cells measured", err, len(d.Results), cells)
	}
	a := Analyse(d)
	var names []string
	for _, row := range a.Rows {
		names = append(names, row.Label())
	}
	if got := strings.Join(names, ", "); got != "os fillseq(1), none fillseq(1), none fillseq(2), none readrandom(1), none readrandom(2)" {
		t.Error(got)
	}
	if row := a.Rows[0]; row.Best != "" || row.Line("slow").Ratios[Speed].N != 2 || row.Wanted != 1.3 || row.Lines[0].Results[0].Ops != 50 {
		t.Errorf("%+v", row)
	}
	if s := a.Rows[1].Settings; s.Durability != "none" || s.ValueSize != 10 || len(a.Rows[1].Lines) != 1 {
		t.Errorf("%+v", s)
	}
	var table bytes.Buffer
	if err := WriteTable(&table, a); err != nil || !strings.Contains(table.String(), "-- none: durability none · memory 16.0 MiB · 100 records of 16+10 bytes\n") {
		t.Errorf("%v\n%s", err, table.String())
	}
	before.Comparison.Config.Memory++
	if _, err := Run(context.Background(), c, Options{Find: find, Resume: before}); err == nil || !strings.Contains(err.Error(), "configurations differ") {
		t.Errorf("resumed something else: %v", err)
	}
}

// Every table can be run on every engine, and promises something for each row.
func TestTables(t *testing.T) {
	for _, table := range Tables() {
		c := table.Config
		for _, k := range engine.Kinds() {
			c.Engines = append(c.Engines, k.Name)
		}
		if err := Check(&c, Options{}); err != nil || Cells(c) == 0 {
			t.Errorf("%s: %v", table.Name, err)
		}
		for _, line := range table.Describe() {
			if n := len([]rune(line)); n > 104 {
				t.Errorf("%d characters: %s", n, line)
			}
		}
	}
	for want, row := range map[float64]Row{
		1: {Workload: "fillsync", Threads: 1}, 1.1: {Workload: "fillsync", Threads: 16}, 1.3: {Workload: "e", Threads: 1},
		1.5: {Workload: "fillrandom", Settings: report.Settings{ValueSize: 16 << 10}},
	} {
		if got := wanted(row); got != want {
			t.Errorf("%s: %v", row, got)
		}
	}
	if _, err := FindTable("all"); err == nil || !strings.Contains(err.Error(), "quick, full, cached, growth") {
		t.Error(err)
	}
}

// The table growth says how many times the first figure the last is.
func TestGrowth(t *testing.T) {
	d := measured(map[string][]float64{"x": {1, 1}})
	d.Comparison.Config.Table = "growth"
	d.Comparison.Config.Groups = []Group{{Name: "1", Workloads: []string{"c"}}, {Name: "5", Workloads: []string{"c"}}}
	for i := range d.Results {
		r, n := &d.Results[i], int64(i+2)
		r.Group, r.Ops, r.Settings.Records = []string{"1", "5"}[i], 1, n*1000
		r.Counts.BlockReads, r.Counts.BlockHits = &n, &n
	}
	var b bytes.Buffer
	if err := WriteTable(&b, Analyse(d)); err != nil || !strings.Contains(b.String(), "looked at         4.00        6.00          1.50") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// An interrupt ends the child, removes the stores and keeps what was measured.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	dir := t.TempDir()
	rounds := 0
	c := config("noop,hanging", "fillseq", 3)
	start := time.Now()
	d, err := Run(ctx, c, Options{Dir: dir, Find: find, Progress: func(s Status) {
		if rounds = s.Round; s.Engine == "hanging" && s.Progress.Elapsed > 0 {
			cancel()
		}
	}})
	if err != nil || !d.Comparison.Interrupted || len(d.Results) != 1 || rounds != 1 || time.Since(start) > grace {
		t.Errorf("%v, %d results after %v", err, len(d.Results), time.Since(start))
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	var table bytes.Buffer
	if err := WriteTable(&table, Analyse(d)); err != nil || !strings.Contains(table.String(), "INTERRUPTED") {
		t.Errorf("%v\n%s", err, table.String())
	}
}

func TestCheck(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"unknown engine":         func(c *Config) { c.Engines = []string{"rocks"} },
		"unknown workload":       func(c *Config) { c.Workloads = []string{"zz"} },
		"at least one":           func(c *Config) { c.Rounds = 0 },
		"not among":              func(c *Config) { c.Subject = "goleveldb" },
		"unknown durability":     func(c *Config) { c.Durability = "max" },
		"engine \"lsm\" is na":   func(c *Config) { c.Engines = []string{"lsm", "noop", "lsm"} },
		"workload \"a\" is na":   func(c *Config) { c.Workloads = []string{"a", "ycsb-a"} },
		"0 threads":              func(c *Config) { c.Threads = []int{0} },
		"named once":             func(c *Config) { c.Threads = []int{2, 2} },
		"at least 2 records":     func(c *Config) { c.Params.Records = 1 },
		"no engines":             func(c *Config) { c.Engines = nil },
		"no workloads":           func(c *Config) { c.Workloads = nil },
		"\"bbolt\" is not among": func(c *Config) { c.Roofs = []string{"bbolt"} },
	} {
		c := config("lsm,noop", "a", 1)
		change(&c)
		if err := Check(&c, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), config("noop", "a", 1), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a directory of somebody: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "thesis.tex")); err != nil {
		t.Error(err)
	}
}

// A round has every engine once, and within five rounds each comes after several others.
func TestOrder(t *testing.T) {
	const engines = 7
	before := make([]map[int]bool, engines)
	for round := range 5 {
		list := order(engines, round)
		last := -1
		for _, e := range list {
			if before[e] == nil {
				before[e] = make(map[int]bool)
			}
			before[e][last], last = true, e
		}
		if slices.Sort(list); !slices.Equal(list, []int{0, 1, 2, 3, 4, 5, 6}) {
			t.Errorf("round %d: %v", round, list)
		}
	}
	for e, others := range before {
		if len(others) < 3 {
			t.Errorf("engine %d comes after %v only", e, others)
		}
	}
}

// measured makes a document of speeds by engine, one a round.
func measured(speeds map[string][]float64) *Document {
	d := &Document{}
	d.Schema = report.Schema
	d.Comparison.Config = Config{Subject: "x", Workloads: []string{"c"}, Threads: []int{1}}
	for _, name := range []string{"x", "y", "z"} {
		list, ok := speeds[name]
		if !ok {
			continue
		}
		d.Comparison.Config.Engines = append(d.Comparison.Config.Engines, name)
		d.Comparison.Config.Rounds = max(d.Comparison.Config.Rounds, len(list))
		d.Comparison.Engines = append(d.Comparison.Engines, Engine{Name: name, Peer: name != "x"})
		for i, v := range list {
			if v > 0 {
				d.Results = append(d.Results, report.Result{Engine: name, Workload: "c", Round: i + 1, OpsPerSecond: v, Settings: report.Settings{Threads: 1}})
			}
		}
	}
	return d
}

// The best peer has the highest median; rounds are paired by their numbers, and one
// that misses a side does not count.
func TestAnalysis(t *testing.T) {
	row := Analyse(measured(map[string][]float64{
		"x": {30, 36, 0, 33, 39, 27, 30}, "y": {10, 12, 99, 11, 13, 9, 10}, "z": {5, 5, 5, 5, 5, 5, 50},
	})).Rows[0]
	r, ok := row.Against(Speed)
	if want := (Ratio{6, 3, 3, 3, 0.96875, Win}); !ok || row.Best != "y" || r != want {
		t.Errorf("best %s, %+v, want %+v", row.Best, r, want)
	}
	if z := row.Line("z").Ratios[Speed]; z.N != 6 || z.High != 7.8 || z.Low != 0.6 || z.Verdict != Tie {
		t.Errorf("z: %+v", z)
	}
	if row.Line("x").Typical().OpsPerSecond != 30 {
		t.Error("the typical round is not of median speed")
	}
}

func TestMerge(t *testing.T) {
	d, o := measured(map[string][]float64{"x": {1, 2}, "y": {1, 1}}), measured(map[string][]float64{"x": {3}, "y": {1}})
	o.Comparison.Limits = []limits.Figure{{Name: limits.Append}}
	if err := d.Merge(o); err != nil || d.Comparison.Config.Rounds != 3 || len(d.Comparison.Limits) != 1 {
		t.Fatalf("%v, %+v", err, d.Comparison)
	}
	if r := Analyse(d).Rows[0].Line("y").Ratios[Speed]; r.N != 3 || r.Median != 2 {
		t.Errorf("%+v", r)
	}
	// Other groups of the same table are added.
	table := func(group string, rounds ...float64) *Document {
		d := measured(map[string][]float64{"x": rounds, "y": rounds})
		c := &d.Comparison.Config
		c.Table, c.Groups, c.Rounds = "quick", []Group{{Name: group, Workloads: c.Workloads}}, len(rounds)
		for i := range d.Results {
			d.Results[i].Group = group
		}
		return d
	}
	both := table("one", 1, 2, 3)
	if err := both.Merge(table("two", 4, 5)); err != nil || both.Comparison.Config.Rounds != 3 {
		t.Fatal(err, both.Comparison.Config)
	}
	a := Analyse(both)
	if len(a.Rows) != 2 || a.Rows[0].Group != "one" || a.Rows[1].Group != "two" || a.Rows[1].Line("y").Ratios[Speed].N != 2 {
		t.Errorf("%+v", a.Rows)
	}
	var text bytes.Buffer
	if err := WriteMarkdown(&text, a); err != nil || !strings.Contains(text.String(), "| **two** |") || strings.Count(text.String(), "\n| ") != 4 {
		t.Errorf("%v:\n%s", err, text.String())
	}
	if err := both.Merge(table("two", 4, 5)); err == nil {
		t.Error("a group that is there already was added")
	}
	// Of another revision, with other engines.
	third := measured(map[string][]float64{"x": {7}, "z": {8}})
	c := &third.Comparison.Config
	c.Table, c.Groups, c.Rounds = "quick", []Group{{Name: "three", Workloads: c.Workloads}}, 1
	for i := range third.Results {
		third.Results[i].Group = "three"
	}
	third.Environment.Revision = "abc"
	third.Comparison.Engines[0].Help = "differs"
	if err := both.Merge(third); err == nil || !strings.Contains(err.Error(), "engine x") {
		t.Error(err)
	}
	third.Comparison.Engines[0].Help = ""
	if err := both.Merge(third); err != nil {
		t.Fatal(err)
	}
	a = Analyse(both)
	if len(a.Rows) != 3 || a.Rows[2].Line("z") == nil || a.Rows[2].Line("y") != nil || a.Rows[0].Line("z") != nil ||
		!strings.Contains(a.Headings()["three"], "measured at abc") || both.Comparison.Config.Rounds != 3 {
		t.Errorf("%+v, %q", a.Rows, a.Headings())
	}
	o.Comparison.Config.Memory = 5
	if err := d.Merge(o); err == nil || !strings.Contains(err.Error(), "configurations differ") {
		t.Errorf("%v", err)
	}
	o.Comparison.Config.Memory, o.Environment.CPU = 0, "another"
	if err := d.Merge(o); err == nil || !strings.Contains(err.Error(), "machines or programs differ") {
		t.Errorf("%v", err)
	}
	var run bytes.Buffer
	if err := report.WriteJSON(&run, report.Document{}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{", run.String(), `{"schema":99,"comparison":{"config":{"engines":["x"]}}}`} {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q is taken for a comparison", text)
		}
	}
}

// The rough limits are the sums that they say they are.
func TestBound(t *testing.T) {
	figures := []limits.Figure{
		{Name: limits.SyncWritten, Value: 50e-6}, {Name: limits.Append, Value: 500e-9}, {Name: limits.Access1M, Value: 20e-9},
		{Name: limits.Access64M, Value: 200e-9}, {Name: limits.ReadPage, Value: 1e-6}, {Name: limits.Checksum, Value: 200e-9},
		{Name: limits.Decode, Value: 600e-9},
	}
	row := func(name string, threads int, records int64) Row {
		return Row{Workload: name, Threads: threads, Settings: report.Settings{Records: records, KeySize: 16, ValueSize: 84, Durability: "os", Memory: 50e6}}
	}
	for _, c := range []struct {
		row  Row
		want float64
	}{
		{row("fillsync", 1, 1000), 20_000},
		{row("fillsync", 16, 1000), 320_000},
		{row("readmissing", 2, 1e7), 10e6},
		{row("readrandom", 1, 1000), 1 / 40e-9},
		{row("readrandom", 1, 1e6), 1 / 1.3e-6}, // half of the blocks: 0.4 + (1 + 0.2 + 0.6) / 2
		{row("readwhilewriting", 2, 1e6), 1 / 1.3e-6},
	} {
		b := newBound(c.row, 2, figures)
		if b == nil || b.OpsPerSecond < c.want*0.999 || b.OpsPerSecond > c.want*1.001 || !strings.HasPrefix(b.Derivation, "1 / [") {
			t.Errorf("%v: %+v, want %.0f", c.row, b, c.want)
		}
	}
	if b := newBound(row("fillseq", 1, 10), 2, figures); b != nil {
		t.Errorf("a limit that was not measured: %+v", b)
	}
	// Every workload has one.
	for _, name := range []string{limits.Encode, limits.CopyMemory, limits.WriteFile, limits.Access1G} {
		figures = append(figures, limits.Figure{Name: name, Value: 1e-6})
	}
	for _, w := range workload.List() {
		if b := newBound(row(w.Name, 2, 1e7), 2, figures); b == nil || b.OpsPerSecond <= 0 {
			t.Errorf("%s has no rough limit", w.Name)
		}
	}
}

// The time that is left is foreseen from what cells took, and shrinks to nothing.
func TestClock(t *testing.T) {
	c := newClock(2, 1, 2)
	a, b := cell{0, 0}, cell{0, 1}
	if c.left(a, 0.5) >= 0 {
		t.Error("foreseen from nothing")
	}
	c.done(a, time.Second)
	if left := c.left(b, 0.5); left != 2500*time.Millisecond {
		t.Errorf("%v", left)
	}
	c.done(b, 3*time.Second)
	c.skip(b)
	if left := c.left(a, 0.25); left != 750*time.Millisecond {
		t.Errorf("%v", left)
	}
	s := Status{Round: 1, Rounds: 2, Engine: "lsm", Phase: "a", Threads: 16, Left: time.Minute}
	s.Done, s.Mean = 0.5, 12345
	if got := s.String(); got != "round 1/2 · lsm · a x16 50% · 12,345 ops/s · about 1m0s left" {
		t.Errorf("%q", got)
	}
}

// The limits are measured in a process of their own.
func TestLimitsChild(t *testing.T) {
	memory := int64(1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	seen := 0
	_, err := task{Dir: t.TempDir(), Limits: &memory}.run(ctx, func(p progress) {
		if seen++; seen > 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || seen == 0 {
		t.Errorf("%d figures, %v", seen, err)
	}
	b, _ := json.Marshal(Failure{Error: "x"})
	if string(b) != `{"round":0,"error":"x"}` {
		t.Errorf("%s", b)
	}
}
