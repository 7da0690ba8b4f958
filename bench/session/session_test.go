package session

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/bench/control"
	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/internal/mapengine"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/trace"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

func TestMain(m *testing.M) {
	control.RunIfChild()
	os.Exit(m.Run())
}

func open(t *testing.T, d *mapengine.Disk, change func(*Config)) *Session {
	t.Helper()
	cfg := Config{Kind: d.Kind(), Durability: engine.OS, Params: workload.Params{Records: 200, Seed: 1, Queue: 20}}
	if change != nil {
		change(&cfg)
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func find(t *testing.T, name string) workload.Workload {
	t.Helper()
	w, err := workload.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// run returns the names and phases of the results.
func run(t *testing.T, s *Session, names ...string) (phases []string, last report.Result) {
	t.Helper()
	for _, name := range names {
		results, err := s.Run(context.Background(), find(t, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, r := range results {
			phases = append(phases, r.Workload+":"+r.Phase)
			if r.Lost > 0 {
				t.Errorf("%s: %d lost", r.Workload, r.Lost)
			}
			last = r
		}
	}
	return phases, last
}

// Records are loaded when they are missing, of the wrong kind, spoiled, or, for what
// inserts, when there are more than there should be; and only then.
func TestRecordsAreLoadedWhenNeeded(t *testing.T) {
	s := open(t, &mapengine.Disk{}, nil)
	got, _ := run(t, s, "a", "b", "d", "c", "e", "readrandom", "overwrite", "scan", "deleterandom", "readhot", "fillseq", "readmissing", "deleteseq")
	want := "load:load a:run b:run d:run c:run " + // c does not mind the inserts of d
		"load:load e:run " +
		"load:load readrandom:run overwrite:run scan:run deleterandom:run " +
		"load:load readhot:run fillseq:run readmissing:run deleteseq:run"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}

func TestTemporaryStoreIsRemoved(t *testing.T) {
	s := open(t, &mapengine.Disk{}, nil)
	run(t, s, "a")
	if _, err := os.Stat(filepath.Join(s.Dir(), "MAP")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.root); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", s.root, err)
	}
}

// A store that was there before is used as it is, and never emptied without --fresh.
func TestExistingStore(t *testing.T) {
	d := &mapengine.Disk{}
	dir := filepath.Join(t.TempDir(), "store")
	in := func(fresh bool, records int64) func(*Config) {
		return func(c *Config) { c.Dir, c.Fresh, c.Params.Records = dir, fresh, records }
	}
	s := open(t, d, in(false, 200))
	if results, err := s.Load(context.Background(), workload.YCSB); err != nil || len(results) != 1 || results[0].Ops != 200 {
		t.Fatalf("%v, %v", results, err)
	}
	s.Close()

	s = open(t, d, in(false, 200))
	if got, r := run(t, s, "c", "d"); strings.Join(got, " ") != "c:run d:run" || r.Disk.UsedPerUserByte == nil {
		t.Errorf("%v", got)
	}
	for name, want := range map[string]string{"e": "others beyond", "readrandom": "does not have", "fillseq": "--fresh"} {
		if _, err := s.Run(context.Background(), find(t, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if _, err := s.Load(context.Background(), workload.YCSB); err == nil || !strings.Contains(err.Error(), "--fresh") {
		t.Errorf("load: %v", err)
	}
	s.Close()

	s = open(t, d, in(false, 300))
	if _, err := s.Run(context.Background(), find(t, "a")); err == nil || !strings.Contains(err.Error(), "--records") {
		t.Errorf("more records than there are: %v", err)
	}
	s.Close()

	s = open(t, d, in(true, 100))
	if got, _ := run(t, s, "a"); strings.Join(got, " ") != "load:load a:run" {
		t.Errorf("fresh: %v", got)
	}
	s.Close()
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("a directory that was named must stay: %v", err)
	}
}

// What one session left, the next one may use as its own, if it is told what it is.
func TestHolds(t *testing.T) {
	d := &mapengine.Disk{}
	dir := filepath.Join(t.TempDir(), "store")
	in := func(c *Config) { c.Dir = dir }
	s := open(t, d, in)
	if err := s.Prepare(context.Background(), find(t, "readrandom")); err != nil {
		t.Fatal(err)
	}
	left := s.Contents()
	s.Close()
	if left.State != workload.Loaded || left.Data != workload.Decimal || left.Records != 200 || left.Logical != 200*116 {
		t.Errorf("%+v", left)
	}
	if p, err := find(t, "scan").Complete(s.cfg.Params, false); err != nil || !left.Suit(find(t, "scan"), p) || left.Suit(find(t, "a"), p) {
		t.Errorf("what the store suits: %v", err)
	}
	s = open(t, d, func(c *Config) { in(c); c.Holds = &left })
	if got, _ := run(t, s, "scan", "deleterandom"); strings.Join(got, " ") != "scan:run deleterandom:run" {
		t.Errorf("%v", got)
	}
	left = s.Contents()
	s.Close()
	s = open(t, d, func(c *Config) { in(c); c.Holds = &left })
	if got, _ := run(t, s, "readrandom", "fillseq"); strings.Join(got, " ") != "load:load readrandom:run fillseq:run" {
		t.Errorf("after deletes: %v", got)
	}
}

// What is no store is never touched, whatever the flags say.
func TestForeignDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "thesis.tex")
	os.WriteFile(precious, []byte("x"), 0o644)
	for _, fresh := range []bool{false, true} {
		_, err := Open(Config{Kind: (&mapengine.Disk{}).Kind(), Dir: dir, Fresh: fresh})
		if err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("fresh %v: %v", fresh, err)
		}
	}
	if _, err := os.Stat(precious); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Kind: (&mapengine.Disk{}).Kind(), Dir: precious}); err == nil || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("a file as directory: %v", err)
	}
}

// fillsync syncs each write whatever the run asks for; loading for others does not.
func TestDurability(t *testing.T) {
	d := &mapengine.Disk{}
	s := open(t, d, func(c *Config) { c.Durability = engine.None })
	_, r := run(t, s, "fillsync")
	if r.OpenSeconds == nil || *r.OpenSeconds <= 0 {
		t.Errorf("the store was opened for this, in %v", r.OpenSeconds)
	}
	if r.Settings.Durability != "sync" || r.Ops != 2 {
		t.Errorf("fillsync: %s, %d operations", r.Settings.Durability, r.Ops)
	}
	run(t, s, "readrandom")
	s = open(t, d, func(c *Config) { c.Durability = engine.Sync })
	run(t, s, "a")
	var got []string
	for _, c := range d.Opened() {
		got = append(got, c.Durability.String())
	}
	if strings.Join(got, " ") != "sync none os sync" {
		t.Errorf("opened with %v", got)
	}
}

// A result has every figure that can be known.
func TestResult(t *testing.T) {
	s := open(t, &mapengine.Disk{}, func(c *Config) { c.Params.Threads = 2; c.Memory = 1 << 20; c.Params.Update = workload.Blind })
	_, r := run(t, s, "a")
	if r.Engine != "map" || r.Ops != 200 || r.Calls != 200 || r.OpsPerSecond <= 0 || r.SettleSeconds == nil || r.SettledOpsPerSecond == nil {
		t.Errorf("%+v", r)
	}
	if len(r.Latency) != 2 || r.Latency[0].Kind != "read" || r.Histograms[driver.Update].Count() != r.Latency[1].Count {
		t.Errorf("latency %+v", r.Latency)
	}
	want := report.Settings{Records: 200, ValueSize: 1000, Ratio: 0.5, Threads: 2, Durability: "os", Memory: 1 << 20, Seed: 1, Distribution: "scrambled", Update: "blind"}
	if r.Settings != want {
		t.Errorf("settings %+v", r.Settings)
	}
	// The map counts its writes once as log and twice as flushes.
	if wa := r.Disk.WriteAmplification; wa == nil || *wa != 3 || *r.Disk.Files != 1 {
		t.Errorf("disk %+v, write amplification %v", r.Disk, wa)
	}
	if r.OpenSeconds != nil {
		t.Error("the store was opened for the load, not for this")
	}
	if len(r.Tenths) != 10 || len(r.Series) == 0 {
		t.Errorf("%d tenths, %d seconds", len(r.Tenths), len(r.Series))
	}
	_, r = run(t, s, "c")
	if r.SettleSeconds != nil || r.Disk.WriteAmplification != nil {
		t.Error("what only reads has nothing to settle, and no write amplification")
	}
}

func TestReadWhileWritingReportsTheWriterApart(t *testing.T) {
	s := open(t, &mapengine.Disk{}, func(c *Config) { c.Params.WriteRate = 1000; c.Duration = 100 * time.Millisecond })
	_, r := run(t, s, "readwhilewriting")
	if r.Background == nil || r.Background.Ops < 10 || r.UserWritten != 0 || r.Background.Latency[0].Kind != "write" {
		t.Errorf("%+v", r.Background)
	}
}

// An engine that pauses for 150 ms: the open loop shows it, beside the control process.
func TestOpenLoopWithControl(t *testing.T) {
	var gets atomic.Int64
	d := &mapengine.Disk{Hook: func(op string, _ []byte) error {
		if op == "get" && gets.Add(1) == 150 {
			time.Sleep(150 * time.Millisecond)
		}
		return nil
	}}
	s := open(t, d, func(c *Config) { c.Rate, c.Control, c.Params.Operations = 500, true, 250 })
	_, r := run(t, s, "readrandom")
	p := r.Pauses
	if r.OpenLoop == nil || r.OpenLoop.Rate != 500 || p.Longest < 150*time.Millisecond || p.Count == 0 {
		t.Fatalf("%+v, %+v", r.OpenLoop, p)
	}
	if p.Control == nil || p.Control.Writes < 5 || p.Shared == nil || p.Own == nil {
		t.Errorf("control %+v", p)
	}
	q := p.Quiet
	if q == nil || q.Of < 2 || q.Of > 4 || q.Intervals > q.Of || q.Intervals == 0 != (q.Latency.Count == 0) {
		t.Errorf("quiet %+v", q)
	}
	if q != nil && q.Intervals == q.Of && (q.Latency.Count != 250 || q.Latency.Max < 150*time.Millisecond) {
		t.Errorf("all was quiet, but %+v", q.Latency)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(s.Dir()), "kvbench-control-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A share of the capacity is measured first, and is below it.
func TestShareOfTheCapacity(t *testing.T) {
	d := &mapengine.Disk{Hook: func(op string, _ []byte) error {
		if op == "put" {
			time.Sleep(200 * time.Microsecond)
		}
		return nil
	}}
	s := open(t, d, func(c *Config) { c.Share = 0.5 })
	results, err := s.Run(context.Background(), find(t, "fillseq"))
	if err != nil || len(results) != 2 || results[0].Phase != "capacity" || results[1].Phase != "run" {
		t.Fatalf("%d results, %v", len(results), err)
	}
	full, half := *results[0].SettledOpsPerSecond, results[1].OpenLoop.Rate
	if half < 0.45*full || half > 0.55*full || results[1].Ops != 200 {
		t.Errorf("capacity %.0f, rate %.0f", full, half)
	}
}

func TestWarmupIsNotMeasured(t *testing.T) {
	var gets atomic.Int64
	d := &mapengine.Disk{Hook: func(op string, _ []byte) error {
		if op == "get" {
			gets.Add(1)
		}
		return nil
	}}
	s := open(t, d, func(c *Config) { c.Warmup = 30 * time.Millisecond })
	_, r := run(t, s, "readrandom")
	if r.Ops != 200 || gets.Load() <= 200 {
		t.Errorf("%d operations measured, %d performed", r.Ops, gets.Load())
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var gets atomic.Int64
	d := &mapengine.Disk{Hook: func(op string, _ []byte) error {
		if op == "get" && gets.Add(1) >= 50 {
			cancel()
			time.Sleep(time.Millisecond)
		}
		return nil
	}}
	s := open(t, d, nil)
	results, err := s.Run(ctx, find(t, "readrandom"))
	if err != nil || len(results) != 2 || !results[1].Interrupted || results[1].Ops >= 200 || results[1].Ops < 49 {
		t.Fatalf("%v, %v", results, err)
	}
}

// Records that were loaded in part must not be used.
func TestInterruptedLoad(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	d := &mapengine.Disk{Hook: func(op string, _ []byte) error {
		cancel()
		time.Sleep(time.Millisecond)
		return nil
	}}
	if _, err := open(t, d, nil).Run(ctx, find(t, "a")); !errors.Is(err, errInterrupted) {
		t.Errorf("%v", err)
	}
}

func TestEngineErrorsNameTheWorkload(t *testing.T) {
	broken := errors.New("broken")
	d := &mapengine.Disk{Hook: func(op string, _ []byte) error {
		if op == "settle" {
			return broken
		}
		return nil
	}}
	_, err := open(t, d, nil).Run(context.Background(), find(t, "fillseq"))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "fillseq on map") {
		t.Errorf("%v", err)
	}
}

func TestProgressNamesThePhases(t *testing.T) {
	phases := make(map[string]bool)
	done := 0
	d := &mapengine.Disk{Hook: func(op string, _ []byte) error {
		if op == "settle" {
			time.Sleep(300 * time.Millisecond)
		}
		return nil
	}}
	s := open(t, d, func(c *Config) {
		c.Duration = 700 * time.Millisecond
		c.Progress = func(phase string, p driver.Progress) { phases[phase] = true }
		c.Done = func() { done++ }
	})
	run(t, s, "overwrite")
	for _, want := range []string{"load (settling)", "overwrite", "overwrite (settling)"} {
		if !phases[want] {
			t.Errorf("no progress for %q: %v", want, phases)
		}
	}
	if done < 4 {
		t.Errorf("Done was called %d times", done)
	}
}

const small = "op,key,size\nw,a,100\nr,a,0\nr,b,0\nw,a,50\nd,a,0\nw,c,10\n"

func traceFile(t *testing.T, content string) string {
	path := filepath.Join(t.TempDir(), "t.csv")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReplay(t *testing.T) {
	d := &mapengine.Disk{}
	s := open(t, d, nil)
	path := traceFile(t, small)
	r, err := s.Replay(context.Background(), path, trace.Mapping{}, true)
	if err != nil || r.Ops != 6 || r.Lost != 0 || r.Settings.Trace != path {
		t.Fatalf("%+v, %v", r, err)
	}
	if tr := r.Trace; tr.Hits != 1 || tr.Misses != 1 || tr.Final != 2 || tr.Wrong != 0 || len(d.Opened()) != 2 {
		t.Errorf("%+v, opened %d times", tr, len(d.Opened()))
	}
	// Once more: the store is emptied first, because the session made it.
	if r, err = s.Replay(context.Background(), path, trace.Mapping{}, false); err != nil || r.Trace.Wrong != 0 || r.Trace.Final != 0 {
		t.Errorf("%+v, %v", r.Trace, err)
	}
}

func TestReplayErrors(t *testing.T) {
	s := open(t, &mapengine.Disk{}, nil)
	path := traceFile(t, "op,key,size\nw,a,5000000\n")
	if _, err := s.Replay(context.Background(), path, trace.Mapping{}, true); err == nil || !strings.Contains(err.Error(), "t.csv:2") {
		t.Errorf("beyond the limit of the engine: %v", err)
	}
	if _, err := s.Replay(context.Background(), path+"x", trace.Mapping{}, true); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	noop, _ := Open(Config{Kind: engine.Noop})
	defer noop.Close()
	if _, err := noop.Replay(context.Background(), path, trace.Mapping{}, true); err == nil || !strings.Contains(err.Error(), "--engine") {
		t.Errorf("an engine that keeps nothing: %v", err)
	}
}

// The harness alone performs every workload.
func TestNoopEngine(t *testing.T) {
	for _, w := range workload.List() {
		s, err := Open(Config{Kind: engine.Noop, Params: workload.Params{Records: 100, Queue: 10}})
		if err != nil {
			t.Fatal(err)
		}
		results, err := s.Run(context.Background(), w)
		if err != nil || results[len(results)-1].Ops == 0 {
			t.Errorf("%s: %v", w.Name, err)
		}
		s.Close()
	}
}
