package compare

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/bench/limits"
	"github.com/ringwood-kv/ringwood/bench/report"
)

// WriteTable prints everything for people, in lines of at most 120 characters.
func WriteTable(w io.Writer, a *Analysis) error {
	t := &table{a: a}
	t.head()
	if len(a.Rows) > 0 {
		t.speed()
		t.latency()
		t.cost()
		t.bounds()
		t.verdicts()
	} else {
		t.line("\nnothing was measured")
	}
	t.failures()
	_, err := io.WriteString(w, t.String())
	return err
}

// table is a text under way.
type table struct {
	strings.Builder
	a *Analysis
}

func (t *table) line(format string, args ...any) {
	t.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// Summary is the configuration in words.
func (a *Analysis) Summary() []string {
	c := a.Comparison.Config
	memory := "default"
	if c.Memory > 0 {
		memory = report.Bytes(c.Memory)
	}
	list := []string{
		plural(c.Rounds, "round"), "durability " + c.Durability, "memory " + memory, fmt.Sprintf("seed %d", c.Params.Seed),
	}
	for _, s := range []struct {
		show bool
		text string
	}{
		{c.Params.Records > 0, report.Count(c.Params.Records) + " records"},
		{c.Params.KeySize > 0, fmt.Sprintf("keys of %d bytes", c.Params.KeySize)},
		{c.Params.ValueSize > 0, fmt.Sprintf("values of %d bytes", c.Params.ValueSize)},
		{c.Duration > 0, c.Duration.String() + " each"},
		{c.Warmup > 0, "warm-up " + c.Warmup.String()},
		{c.Rate > 0, "open loop at " + report.Rate(c.Rate) + " ops/s"},
		{c.Share > 0, fmt.Sprintf("open loop at %.0f%% of each engine's capacity", c.Share*100)},
	} {
		if s.show {
			list = append(list, s.text)
		}
	}
	return list
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func (t *table) head() {
	t.line("%s against %s", t.a.Comparison.Config.Subject, strings.Join(t.a.others(), ", "))
	t.line("%s", strings.Join(t.a.Summary(), " · "))
	report.NewTable(t).Environment(t.a.Environment)
}

// others are the engines beside the subject.
func (a *Analysis) others() (names []string) {
	for _, e := range a.Comparison.Engines {
		if e.Name != a.Comparison.Config.Subject {
			names = append(names, e.Name)
		}
	}
	return names
}

// Interval writes a ratio with its interval.
func (r Ratio) Interval() string {
	return fmt.Sprintf("%s [%s, %s]", report.Three(r.Median), report.Three(r.Low), report.Three(r.High))
}

func (t *table) speed() {
	const format = "%-20s %-15s %11s %21s %-5s %11s %7s %-5s %9s %6s"
	subject := t.a.Comparison.Config.Subject
	short := subject + " is"
	t.line("\nSPEED: ratios are of %s to the engine of the line, more than 1 being better; * is the best peer of the row", subject)
	t.line(format, "workload(threads)", "engine", "ops/s", short, "", "settled", short, "", "CPU µs/op", "limit")
	for _, row := range t.a.Rows {
		name := row.String()
		for _, l := range row.Lines {
			engine := l.Name
			if engine == row.Best {
				engine += "*"
			}
			ratio, verdict := written(l, Speed, Ratio.Interval)
			settled, settledVerdict := written(l, Settled, func(r Ratio) string { return report.Three(r.Median) })
			limit := ""
			if share, ok := row.OfLimit(l); ok {
				limit = fmt.Sprintf("%.0f%%", share*100)
			}
			t.line(format, name, engine, Speed.Write(l.Medians[Speed]), ratio, verdict,
				Settled.Write(l.Medians[Settled]), settled, settledVerdict, CPU.Write(l.Medians[CPU]), limit)
			name = ""
		}
	}
	t.line("%s", IntervalNote(t.a))
	t.line("settled: with the time of flushes and compactions that were left to do. limit: share of the row's rough limit, below.")
}

// written writes a ratio and its verdict, nothing where there is none.
func written(l Line, m Metric, write func(Ratio) string) (text string, verdict Verdict) {
	r, ok := l.Ratios[m]
	if !ok {
		return "", ""
	}
	return write(r), r.Verdict
}

// IntervalNote says what the intervals are.
func IntervalNote(a *Analysis) string {
	counts := make(map[int]float64)
	for _, row := range a.Rows {
		for _, l := range row.Lines {
			if r, ok := l.Ratios[Speed]; ok {
				counts[r.N] = r.Coverage
			}
		}
	}
	var parts []string
	for _, n := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%.4g%% with n = %d", counts[n]*100, n))
	}
	if len(parts) == 0 {
		return "There are no pairs to compare."
	}
	return "Median of n paired ratios, one a round, [exact interval by order statistics], which has the true median with a\n" +
		"probability of " + strings.Join(parts, ", ") + ". win, loss: 1 is not in it; tie: it is; few: fewer than 5 pairs."
}

func (t *table) latency() {
	const format = "%-20s %-14s %-14s %9s %9s %9s %9s %9s %9s"
	t.line("\nLATENCY of a call: medians over the rounds")
	t.line(format, "workload(threads)", "call", "engine", "p50", "p95", "p99", "p99.9", "p99.99", "max")
	for _, row := range t.a.Rows {
		name := row.String()
		for _, kind := range row.Kinds() {
			call := kind
			for _, l := range row.With(kind) {
				x, _ := l.Call(kind)
				t.line(format, name, call, l.Name, report.Duration(x.P50), report.Duration(x.P95), report.Duration(x.P99),
					report.Duration(x.P999), report.Duration(x.P9999), report.Duration(x.Max))
				name, call = "", ""
			}
		}
	}
}

// Kinds returns the kinds of calls of a row.
func (r Row) Kinds() (kinds []string) {
	for _, l := range r.Lines {
		for _, x := range l.Latency {
			if !slices.Contains(kinds, x.Kind) {
				kinds = append(kinds, x.Kind)
			}
		}
	}
	return kinds
}

// With returns the lines that have a kind of calls.
func (r Row) With(kind string) (lines []Line) {
	for _, l := range r.Lines {
		if _, ok := l.Call(kind); ok {
			lines = append(lines, l)
		}
	}
	return lines
}

// Call returns the latency of a kind of calls.
func (l Line) Call(kind string) (report.Latency, bool) {
	for _, x := range l.Latency {
		if x.Kind == kind {
			return x, true
		}
	}
	return report.Latency{}, false
}

// Costs are the metrics of the cost table.
var Costs = []Metric{WriteAmp, OSWriteAmp, Blocks, DiskReads, Space, Memory, Allocs, Syncs, Pause}

func (t *table) cost() {
	line := func(name, engine string, cells []string) {
		text := fmt.Sprintf("%-20s %-14s", name, engine)
		for i, c := range cells {
			text += fmt.Sprintf(" %*s", max(8, len(Costs[i].Name())), c)
		}
		t.line("%s", text)
	}
	var heads []string
	for _, m := range Costs {
		heads = append(heads, m.Name())
	}
	t.line("\nCOST: medians over the rounds; - is what nobody tells")
	line("workload(threads)", "engine", heads)
	for _, row := range t.a.Rows {
		name := row.String()
		for _, l := range row.Lines {
			var cells []string
			for _, m := range Costs {
				cells = append(cells, m.Write(l.Medians[m]))
			}
			line(name, l.Name, cells)
			name = ""
		}
	}
	for _, m := range Costs {
		t.line("%s: %s", m.Name(), m.Help())
	}
}

func (t *table) bounds() {
	if len(t.a.Comparison.Limits) == 0 {
		return
	}
	t.line("\nLIMITS of this machine, measured in the same run")
	_ = limits.Print(t, t.a.Comparison.Limits)
	t.line("\nROUGH LIMITS of the rows, in ops/s: the steps that no store can leave out, at those speeds")
	for _, row := range t.a.Rows {
		if row.Bound == nil {
			t.line("%-20s %12s", row.String(), "unknown")
			continue
		}
		for i, part := range wrap(row.Bound.Derivation, 120-34) {
			if i == 0 {
				t.line("%-20s %12s %s", row.String(), report.Rate(row.Bound.OpsPerSecond), part)
			} else {
				t.line("%34s%s", "", part)
			}
		}
	}
}

// wrap breaks a text into lines of at most width characters, at blanks.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

// Tally counts the verdicts against the best peers.
type Tally struct {
	Counts map[Verdict]int
	Losses []string // the rows
}

// Tally counts one metric.
func (a *Analysis) Tally(m Metric) Tally {
	t := Tally{Counts: make(map[Verdict]int)}
	for _, row := range a.Rows {
		if r, ok := row.Against(m); ok {
			if t.Counts[r.Verdict]++; r.Verdict == Loss {
				t.Losses = append(t.Losses, row.String())
			}
		}
	}
	return t
}

func (t Tally) String() string {
	var parts []string
	for _, v := range []Verdict{Win, Tie, Loss, Few} {
		if n := t.Counts[v]; n > 0 || v != Few {
			name := map[Verdict]string{Win: "won", Tie: "tied", Loss: "lost", Few: "with too few pairs"}[v]
			part := fmt.Sprintf("%d %s", n, name)
			if v == Loss && n > 0 {
				part += " (" + strings.Join(t.Losses, ", ") + ")"
			}
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

func (t *table) verdicts() {
	t.line("")
	for _, m := range compared {
		if tally := t.a.Tally(m); len(tally.Counts) > 0 {
			for _, part := range wrap(fmt.Sprintf("%s against the best peer of each row, %s: %s", t.a.Comparison.Config.Subject, m.Name(), tally), 120) {
				t.line("%s", part)
			}
		}
	}
}

func (t *table) failures() {
	for _, f := range t.a.Comparison.Failures {
		t.line("FAILED: %s", f)
	}
	if t.a.Comparison.Interrupted {
		t.line("INTERRUPTED after %s: the figures are of what was measured until then", t.a.measured().Round(time.Second))
	}
}

// measured is the time of all cells, without loading.
func (a *Analysis) measured() (sum time.Duration) {
	for _, r := range a.Results {
		sum += time.Duration(r.Seconds * 1e9)
		if r.SettleSeconds != nil {
			sum += time.Duration(*r.SettleSeconds * 1e9)
		}
	}
	return sum
}
