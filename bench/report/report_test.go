package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/trace"
)

func ptr[T any](v T) *T { return &v }

// sample is a result with two kinds of operations.
func sample() Result {
	read, update := driver.NewHistogram(), driver.NewHistogram()
	for i := 1; i <= 100; i++ {
		read.Record(time.Duration(i) * time.Microsecond)
		update.Record(time.Duration(i) * time.Millisecond)
	}
	h := map[driver.Kind]*driver.Histogram{driver.Update: update, driver.Read: read}
	return Result{
		Workload: "a", Phase: "run", Engine: "lsm", Settings: Settings{Records: 1000, Threads: 2, Durability: "os", Update: "row"},
		Ops: 200, Calls: 200, Seconds: 2, OpsPerSecond: 100, SettleSeconds: ptr(0.5), SettledOpsPerSecond: ptr(80.0),
		Latency: Latencies(h), Histograms: h,
		Process: Process{CPUPerOp: ptr(4.2), PeakMemory: ptr(int64(64 << 20)), AllocsPerOp: 0.5},
		Disk:    Disk{WriteAmplification: ptr(2.5)},
		Pauses:  Pauses{AtLeast: 10 * time.Millisecond, Count: 3, Longest: 100 * time.Millisecond},
		Series:  []Second{{0, 150, 1, 2, 3}, {1, 50, 4, 5, 6}},
	}
}

func printed(results ...Result) string {
	var out bytes.Buffer
	t := NewTable(&out)
	t.Environment(Environment{OS: "linux", Arch: "amd64", CPUs: 4, GOMAXPROCS: 2, Go: "go1"})
	for _, r := range results {
		t.Add(r)
	}
	t.Finish()
	return out.String()
}

// contains checks that the words come one after another, whatever spaces are between.
func contains(t *testing.T, text string, lines ...string) {
	t.Helper()
	flat := strings.Join(strings.Fields(text), " ")
	for _, line := range lines {
		if !strings.Contains(flat, line) {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
}

func TestTable(t *testing.T) {
	text := printed(sample())
	contains(t, text,
		"linux/amd64 · 4 CPUs (GOMAXPROCS 2) · go1",
		"workload op ops/s CPU µs/op p50 p95 p99 p99.9 max",
		"a all 100 4.20 read 50.0 50.0µs 95.0µs 99.0µs 100µs 100µs",
		"update 50.0 50.0ms 95.0ms 99.0ms 100ms 100ms",
		"a 500ms 80.0 0 2.50 - 64.0 MiB 0.500 0 100ms",
	)
	for line := range strings.Lines(text) {
		if len([]rune(line)) > 125 {
			t.Errorf("a line of %d characters: %s", len([]rune(line)), line)
		}
	}
	// One kind of operation takes one line.
	one := sample()
	one.Latency = one.Latency[:1]
	contains(t, printed(one), "a read 100 4.20 50.0µs")
	if (&Table{}).Finish(); len(printed()) > 200 {
		t.Error("nothing to report, and much is said")
	}
}

func TestNotes(t *testing.T) {
	r := sample()
	r.Lost, r.Interrupted = 7, true
	r.OpenLoop = &OpenLoop{Rate: 1000, Behind: 1.5}
	r.Pauses.Control = &Control{Longest: 60 * time.Millisecond}
	r.Pauses.Shared, r.Pauses.Own = ptr(2), ptr(40*time.Millisecond)
	r.Background = &Background{Ops: 10, OpsPerSecond: 5, Latency: []Latency{{Kind: "write", Count: 10}}}
	r.Tenths = []float64{300, 1, 1, 1, 1, 1, 1, 1, 1, 100}
	r.Seconds = 3
	contains(t, printed(r), "beside it write 5.00", "LOST: 7", "interrupted", "open loop at 1,000 ops/s", "beyond the capacity: the last calls began 1.50s late",
		"3 pauses of 10.0ms or more, the longest 100ms", "in 2 of them the machine paused too", "(its longest 60.0ms", "longest pause without those: 40.0ms",
		"300 ops/s in the first, 100 in the last")
	r.Pauses.Own = ptr(time.Duration(0))
	r.Pauses.Quiet = &Quiet{Intervals: 7, Of: 12, Latency: Latency{P999: 3 * time.Millisecond}}
	r.Process.Stolen = ptr(0.3)
	contains(t, printed(r), "in the 7 of 12 intervals in which the machine did not disturb: p99 0ns, p99.9 3.00ms", "others took 10% of a processor away")
	r.Pauses.Quiet.Intervals = 0
	contains(t, printed(r), "disturbed in each of the 12 intervals")
	r.Process.Stolen = ptr(0.03)
	if strings.Contains(printed(r), "others took") {
		t.Error("1% is nothing to speak of")
	}
	contains(t, printed(r), "without those, no pause of 10.0ms or more")

	r = sample()
	r.Workload = "replay"
	r.Trace = &trace.Report{Requests: 10, Reads: 5, Hits: 3, Misses: 2, Writes: 4, Deletes: 1, Keys: 3, Final: 3}
	contains(t, printed(r), "10 requests on 3 keys: 5 reads (3 hits, 2 misses, as expected), 4 writes, 1 deletes", "3 keys read back", "every read answered what the trace wrote")
	r.Trace.Wrong, r.Trace.Examples = 1, []string{"request 3: key \"x\": …"}
	contains(t, printed(r), "WRONG ANSWERS: 1", "request 3: key")
}

// What nobody knows is null, blank or a dash, never zero.
func TestUnknownIsNotZero(t *testing.T) {
	r := sample()
	r.SettleSeconds, r.Process.PeakMemory = nil, nil
	var out bytes.Buffer
	if err := WriteJSON(&out, Document{Results: []Result{r}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"settle_seconds": null`, `"peak_resident_bytes": null`, `"schema": 1`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in the JSON", want)
		}
	}
	out.Reset()
	if err := WriteCSV(&out, []Result{r}); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != 3 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	cells := make(map[string]string)
	for i, name := range lines[0] {
		cells[name] = lines[2][i]
	}
	for name, want := range map[string]string{"settle_seconds": "", "peak_resident_bytes": "", "op": "update", "count": "100", "p50_ns": "50003967", "workload": "a", "cpu_us_per_op": "4.2", "rate": ""} {
		if cells[name] != want && !(name == "p50_ns" && strings.HasPrefix(cells[name], "50")) {
			t.Errorf("%s is %q, want %q", name, cells[name], want)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	var out bytes.Buffer
	want := sample()
	want.Counts = engine.Stats{LogBytes: ptr(int64(5))}
	if err := WriteJSON(&out, Document{Command: []string{"kvbench"}, Results: []Result{want}}); err != nil {
		t.Fatal(err)
	}
	var d Document
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	got := d.Results[0]
	if got.Latency[1] != want.Latency[1] || *got.Counts.LogBytes != 5 || got.Series[1] != want.Series[1] || *got.Disk.WriteAmplification != 2.5 {
		t.Errorf("%+v", got)
	}
	out.Reset()
	WriteJSON(&out, Document{})
	if !strings.Contains(out.String(), `"results": []`) {
		t.Error("no results must be an empty list")
	}
}

func TestSeries(t *testing.T) {
	var out bytes.Buffer
	if err := WriteSeries(&out, []Result{sample()}); err != nil || !strings.Contains(out.String(), "a,run,lsm,1,50,4,5,6\n") {
		t.Errorf("%s, %v", out.String(), err)
	}
}

func TestHistogramFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	r := sample()
	r.Phase = "capacity"
	names, err := WriteHistograms(dir, r)
	if err != nil || len(names) != 2 {
		t.Fatalf("%v, %v", names, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "lsm-a-update-capacity.hgrm"))
	if err != nil || !strings.Contains(string(text), "1/(1-Percentile)") {
		t.Errorf("%v\n%s", err, text)
	}
}

// The lines are those of go test -bench: name, count, and pairs of value and unit.
func TestBenchmarkLines(t *testing.T) {
	var out bytes.Buffer
	if err := WriteBenchmarks(&out, Environment{OS: "linux", Arch: "amd64", GOMAXPROCS: 2, CPU: "x"}, []Result{sample()}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	f := strings.Fields(lines[len(lines)-1])
	if f[0] != "BenchmarkStore/workload=a/engine=lsm/threads=2/durability=os-2" || f[1] != "200" || f[2] != "10000000" || f[3] != "ns/op" || len(f)%2 != 0 {
		t.Errorf("%q", lines)
	}
}

func TestFormats(t *testing.T) {
	for want, got := range map[string]string{
		"0":         Count(0),
		"1,234,567": Count(1234567),
		"-1,000":    Count(-1000),
		"999ns":     Duration(999),
		"1.00µs":    Duration(1000),
		"999µs":     Duration(999_000),
		"1.00ms":    Duration(999_600),
		"12.3ms":    Duration(12_345_678),
		"-2.50s":    Duration(-2500 * time.Millisecond),
		"1h10m0s":   Duration(70 * time.Minute),
		"512 B":     Bytes(512),
		"1.50 KiB":  Bytes(1536),
		"270 MiB":   Bytes(270 << 20),
		"0.123":     Three(0.1234),
		"5e-05":     Three(0.00005),
		"1.00":      Three(0.9996),
		"10.0":      Three(9.996),
		"12,346":    Rate(12345.6),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLive(t *testing.T) {
	var out bytes.Buffer
	l := NewLive(&out, true)
	l.Show("a", driver.Progress{Elapsed: 2 * time.Second, Ops: 5000, Rate: 2600, Mean: 2500, Done: 0.25, Left: 6 * time.Second})
	if got := out.String(); got != "\r\x1b[Ka:  25%, 5,000 ops in 2.00s, now 2,600/s, mean 2,500/s, 6.00s left" {
		t.Errorf("%q", got)
	}
	l.Clear()
	l.Clear()
	if !strings.HasSuffix(out.String(), "left\r\x1b[K") {
		t.Errorf("the line is not cleared once: %q", out.String())
	}
	out.Reset()
	l = NewLive(&out, false)
	for range 3 {
		l.Show("a (settling)", driver.Progress{Elapsed: time.Second, Done: -1, Left: -1})
	}
	l.Clear()
	if got := out.String(); strings.Count(got, "\n") != 1 || strings.Contains(got, "\x1b") || strings.Contains(got, "%") {
		t.Errorf("without a terminal: %q", got)
	}
}

func TestEnvironment(t *testing.T) {
	e := Look(t.TempDir())
	if e.OS == "" || e.CPUs < 1 || e.Go == "" {
		t.Errorf("%+v", e)
	}
	mounts := "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /data xfs rw 0 0\n/dev/c /database zfs rw 0 0\n"
	for dir, want := range map[string]string{"/home": "ext4", "/tmp/x": "tmpfs", "/data": "xfs", "/data/y": "xfs", "/datab": "ext4"} {
		if got := fileSystem(mounts, dir); got != want {
			t.Errorf("%s is on %s, want %s", dir, got, want)
		}
	}
	if kilobytes("16 kB") != 16384 || kilobytes("odd") != 0 {
		t.Error("kilobytes")
	}
}
