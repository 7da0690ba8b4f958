package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/bench/compare"
	"github.com/ringwood-kv/ringwood/bench/limits"
	"github.com/ringwood-kv/ringwood/bench/report"
)

func ptr[T any](v T) *T { return &v }

// sample is a comparison of three engines with text that has to be escaped.
func sample() *compare.Analysis {
	d := &compare.Document{}
	d.Command = []string{"kvbench", "compare", "--json", `a<b&"c".json`}
	d.Environment = report.Environment{Time: time.Unix(0, 0), OS: "linux", Arch: "amd64", CPUs: 2, GOMAXPROCS: 2, Go: "go1"}
	d.Comparison = compare.Comparison{
		Config:   compare.Config{Engines: []string{"lsm", "other<", "noop"}, Subject: "lsm", Workloads: []string{"a", "c"}, Threads: []int{1, 2}, Rounds: 6, Durability: "os"},
		Engines:  []compare.Engine{{Name: "lsm", Help: "tree"}, {Name: "other<", Help: "a & b", Peer: true}, {Name: "noop", Forgetful: true}},
		Modules:  map[string]string{"example.org/m": "v1.0.0"},
		Limits:   []limits.Figure{{Name: limits.Access1M, What: "access", Unit: limits.Seconds, Value: 20e-9}},
		Failures: []compare.Failure{{Round: 1, Workload: "a", Threads: 2, Engine: "other<", Error: "<broken>", Stderr: "panic: a < b\n"}},
	}
	for round := range 6 {
		for i, e := range []string{"lsm", "other<", "noop"} {
			for _, w := range []string{"a", "c"} {
				speed := float64(1000 * (3 - i) * (round + 5))
				r := report.Result{
					Workload: w, Phase: "run", Engine: e, Round: round + 1, Ops: 5000, Seconds: 0.35, OpsPerSecond: speed,
					Settings: report.Settings{Threads: 1, Records: 100},
					Latency:  []report.Latency{{Kind: "read", Count: 10, P50: 100, P95: 2000, P99: 30_000, P999: 1e6, P9999: 1e7, Max: 1e8}},
					Pauses:   report.Pauses{Longest: 1e8, List: []report.Pause{{Start: 0.1, End: 0.2, Longest: 1e8}}},
				}
				if w == "a" {
					r.SettledOpsPerSecond = ptr(speed / 2)
				}
				for s := range 4 {
					r.Series = append(r.Series, report.Second{Second: float64(s) / 10, Ops: int64(100 * s)})
				}
				if e == "lsm" {
					r.Process.PeakMemory, r.Disk.WriteAmplification = ptr(int64(1<<20)), ptr(2.5)
				}
				d.Results = append(d.Results, r)
			}
		}
	}
	return compare.Analyse(d)
}

func write(t *testing.T, a *compare.Analysis) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, a); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The page is well-formed, loads nothing, and has what was measured.
func TestPage(t *testing.T) {
	text := write(t, sample())
	x := xml.NewDecoder(strings.NewReader(text))
	plots := 0
	for {
		token, err := x.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "svg":
			plots++
		case "script", "link", "img", "iframe", "image", "use", "object":
			t.Errorf("<%s> is in the page", start.Name.Local)
		}
		for _, a := range start.Attr {
			if a.Name.Local == "href" || a.Name.Local == "src" || strings.HasPrefix(a.Name.Local, "on") {
				t.Errorf("<%s %s=%q>", start.Name.Local, a.Name.Local, a.Value)
			}
			if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Errorf("<%s %s=%q>", start.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
	// The forest; and for both rows speed, processor time unless nobody tells, write
	// amplification, memory, latency, time; settled for one.
	if plots != 1+2*5+1 {
		t.Errorf("%d plots", plots)
	}
	for _, want := range []string{
		"1.50× win", "harness only", "a &amp; b", "&lt;broken&gt;", "unknown", "prefers-color-scheme: dark", "@media print",
		"viewport", "1 / [40.0 ns for 2 accesses in 1 MiB", "96.88% with n = 6", "example.org/m v1.0.0", "a&lt;b&amp;",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	if strings.Contains(text, "url(") || strings.Contains(text, "@import") || strings.Contains(text, "ZgotmplZ") {
		t.Error("the style loads something")
	}
}

// The page of a history is well-formed too, with a plot for each series.
func TestHistoryPage(t *testing.T) {
	h := new(compare.History)
	for i, revision := range []string{"abcdef012345", "", "fedcba543210+"} {
		a := sample()
		a.Environment.Revision, a.Environment.Time = revision, time.Unix(int64(i), 0)
		h.Add(fmt.Sprintf("%d.json", i), a.Document)
	}
	var out bytes.Buffer
	if err := WriteHistory(&out, h); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for x := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := x.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(text, "<svg "); n != 2 || strings.Count(text, "<circle ") != 6 || strings.Count(text, "curve e0") != 2 {
		t.Errorf("%d plots", n)
	}
	for _, want := range []string{"lsm over its commits", "abcdef0", "fedcba5+", "unknown", "other&lt;", "1.50 [1.50, 1.50] win"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	out.Reset()
	if err := WriteHistory(&out, new(compare.History)); err != nil || !strings.Contains(out.String(), "no comparisons") {
		t.Error(err, out.String())
	}
}

// Groups have headings, and the best peers a table.
func TestGroups(t *testing.T) {
	a := sample()
	a.Comparison.Config.Table = "quick"
	a.Comparison.Config.Groups = []compare.Group{{Name: "one", Workloads: []string{"a"}}, {Name: "two<", Workloads: []string{"c"}, Memory: 1 << 30}}
	for i, r := range a.Results {
		a.Results[i].Group = map[string]string{"a": "one", "c": "two<"}[r.Workload]
	}
	text := write(t, compare.Analyse(a.Document))
	for want, n := range map[string]int{"two&lt;: durability os · memory 1.00 GiB": 3, ">goal<": 1, ">1.3<": 2, ">two&lt;</text>": 1} {
		if got := strings.Count(text, want); got < n {
			t.Errorf("%q is %d times in the page", want, got)
		}
	}
}

// A comparison with nothing in it has a page too.
func TestEmptyPage(t *testing.T) {
	d := &compare.Document{}
	d.Comparison.Config.Subject, d.Comparison.Interrupted = "lsm", true
	if text := write(t, compare.Analyse(d)); !strings.Contains(text, "Nothing was measured") || !strings.Contains(text, "interrupted") {
		t.Error(text)
	}
}

func TestTicks(t *testing.T) {
	for want, got := range map[string][]float64{
		"[1 2 5 10]":      logTicks(0.9, 11),
		"[1 10 100 1000]": logTicks(1, 1000),
		"[0.5 1]":         logTicks(0.4, 1.5),
	} {
		for i := range got {
			got[i] = math.Round(got[i]*1000) / 1000
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	if niceStep(10, 5) != 2 || niceStep(0.35, 5) != 0.1 || niceStep(0, 5) != 1 {
		t.Error("niceStep")
	}
	if short(1_234_567) != "1.23M" || short(456_000) != "456k" || short(7) != "7" {
		t.Error("short")
	}
}

func TestApart(t *testing.T) {
	if got := fmt.Sprint(apart([]float64{50, 52, 10, 99}, 10, 100)); got != "[50 60 10 99]" {
		t.Error(got)
	}
	if got := fmt.Sprint(apart([]float64{99, 98, 97}, 10, 100)); got != "[100 90 80]" {
		t.Error(got)
	}
}
