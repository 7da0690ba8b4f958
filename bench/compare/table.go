package compare

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/limits"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// WriteTable prints everything for people, in lines of at most 120 characters.
func WriteTable(w io.Writer, a *Analysis) error {
	t := &table{a: a}
	t.head()
	if len(a.Rows) > 0 {
		t.growth()
		t.best()
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
	if c.Table != "" {
		list = []string{"table " + c.Table, plural(c.Rounds, "round"), fmt.Sprintf("seed %d", c.Params.Seed)}
	}
	if len(c.Targets) > 0 {
		list = []string{plural(c.Rounds, "round"), fmt.Sprintf("pipeline %d", max(c.Pipeline, 1)), fmt.Sprintf("seed %d", c.Params.Seed)}
	}
	for _, s := range []struct {
		show bool
		text string
	}{
		{c.Params.Records > 0 && c.Table == "", report.Count(c.Params.Records) + " records"},
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

// Headings returns what stands above the first row of each group: its name and its
// settings. It is empty where there are no groups.
func (a *Analysis) Headings() map[string]string {
	list := make(map[string]string)
	for _, row := range a.Rows {
		if row.Group == "" {
			continue
		}
		for _, p := range a.Comparison.Config.parts() {
			if p.name == row.Group {
				list[row.Group] = p.String()
			}
		}
	}
	return list
}

// String says what the rows of a part have in common.
func (t part) String() string {
	c, s := t.config, ""
	if rows, err := t.rows(); err == nil {
		p := rows[0].params
		if w := rows[0].workload; w.Needs == workload.Empty && p.Operations < p.Records {
			p.Records = p.Operations // all that it writes
		}
		key := strconv.Itoa(p.KeySize)
		if rows[0].workload.Data == workload.YCSB {
			key = "about 23" // of its own
		}
		s = fmt.Sprintf(" · %s records of %s+%d bytes", report.Count(p.Records), key, p.ValueSize)
	}
	s = fmt.Sprintf("%s: durability %s · memory %s%s", t.name, c.Durability, report.Bytes(c.Memory), s)
	if c.Params.Operations > 0 {
		s += " · " + report.Count(c.Params.Operations) + " operations"
	}
	if c.Duration > 0 {
		s += " · " + c.Duration.String() + " each"
	}
	if c.Warmup > 0 {
		s += " · warm-up " + c.Warmup.String()
	}
	if t.revision != "" {
		s += " · measured at " + t.revision
	}
	return s
}

// rows calls a function for each row, after a line for its group where one begins.
func (t *table) rows(show func(Row)) {
	heads, group := t.a.Headings(), ""
	for _, row := range t.a.Rows {
		if row.Group != group {
			group = row.Group
			t.line("-- %s", heads[group])
		}
		show(row)
	}
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
	for _, e := range t.a.Comparison.Engines {
		if e.Server != (engine.Identity{}) {
			for _, part := range wrap(e.Name+": "+e.Server.String(), 120) {
				t.line("%s", part)
			}
		}
	}
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

// Duel is the subject beside the best peer of a row, in words. What nobody knows is empty.
type Duel struct {
	OpsPerSecond          string // the subject's
	Ratio                 string // with its interval
	Verdict               Verdict
	Wanted                string
	Settled, CPU          string // ratios
	Written, Disk, Memory string // subject/peer: bytes by user bytes, and MiB
}

// Duel returns it; not ok where the subject was not measured.
func (a *Analysis) Duel(row Row) (d Duel, ok bool) {
	own := row.Line(a.Comparison.Config.Subject)
	if own == nil {
		return d, false
	}
	d.OpsPerSecond = Speed.Write(own.Medians[Speed])
	peer := row.Line(row.Best)
	if peer == nil {
		return d, true
	}
	three := func(r Ratio) string { return report.Three(r.Median) }
	d.Ratio, d.Verdict = written(*peer, Speed, Ratio.Interval)
	d.Settled, _ = written(*peer, Settled, three)
	d.CPU, _ = written(*peer, CPU, three)
	if row.Wanted > 0 {
		d.Wanted = fmt.Sprintf("%.1f", row.Wanted)
	}
	d.Written, d.Disk = pair(own, peer, OSWriteAmp, brief), pair(own, peer, Space, brief)
	d.Memory = pair(own, peer, Memory, func(v float64) string { return fmt.Sprintf("%.0f", v/(1<<20)) })
	return d, true
}

// growth compares the rows of the same workload in different groups, for the table growth:
// what an operation costs with few records and with many.
func (t *table) growth() {
	if t.a.Comparison.Config.Table != "growth" {
		return
	}
	const format = "%-20s %-14s %-10s %s"
	t.line("\nGROWTH: what an operation costs as data grows, and how many times the first the last is")
	var sizes []string
	seen := make(map[string]bool)
	for _, row := range t.a.Rows {
		if n := report.Count(row.Settings.Records); !seen[n] {
			seen[n], sizes = true, append(sizes, fmt.Sprintf("%11s", n))
		}
	}
	t.line(format, "workload(threads)", "engine", "figure", strings.Join(sizes, " ")+"    last/first")
	for _, row := range t.a.Rows {
		if seen[row.String()] {
			continue
		}
		seen[row.String()] = true
		for _, l := range row.Lines {
			for _, m := range []Metric{Looked, Filters, OSWriteAmp} {
				var cells []string
				var first, last *float64
				for _, other := range t.a.Rows {
					if other.String() != row.String() {
						continue
					}
					last = nil
					if x := other.Line(l.Name); x != nil {
						last = x.Medians[m]
					}
					if len(cells) == 0 {
						first = last
					}
					cells = append(cells, fmt.Sprintf("%11s", m.Write(last)))
				}
				ratio := ""
				if first != nil && last != nil && *first > 0 {
					ratio = report.Three(*last / *first)
				}
				if first != nil {
					t.line(format, row.String(), l.Name, m.Name(), strings.Join(cells, " ")+fmt.Sprintf("    %10s", ratio))
				}
			}
		}
	}
	t.line("%s: %s", Looked.Name(), Looked.Help())
}

// best is the table of tables: the subject and the best peer of each row.
func (t *table) best() {
	if !slices.ContainsFunc(t.a.Rows, func(r Row) bool { return r.Best != "" }) {
		return
	}
	const format = "%-20s %10s %-12s %20s %-4s %4s %5s %5s %9s %9s %9s"
	subject := t.a.Comparison.Config.Subject
	goal := ""
	if slices.ContainsFunc(t.a.Rows, func(r Row) bool { return r.Wanted > 0 }) {
		goal = "goal"
	}
	t.line("\nBEST PEER: %s to the peer of the highest ops/s; ratios above 1 are better, pairs are %s/peer", subject, subject)
	t.line(format, "workload(threads)", "ops/s", "best peer", "ratio [interval]", "", goal, "incl.", "CPU", "written", "disk", "RSS MiB")
	t.rows(func(row Row) {
		if d, ok := t.a.Duel(row); ok {
			t.line(format, row.String(), d.OpsPerSecond, row.Best, d.Ratio, d.Verdict, d.Wanted, d.Settled, d.CPU, d.Written, d.Disk, d.Memory)
		}
	})
	t.line("incl.: ratio with the time of flushes and compactions that were left to do. CPU: ratio of CPU time for an operation,")
	t.line("the peer's by %s's. written, disk: bytes for each user byte, by the operating system. RSS: peak.", subject)
	t.servers()
	if names := t.a.noPeers(); len(names) > 0 {
		t.line("shown, but no peers: %s", strings.Join(names, ", "))
	}
	if goal != "" {
		t.line("goal: the ratio that this project wants to reach at least; it is no result.")
	}
}

// servers says whose costs are shown, where servers are compared.
func (t *table) servers() {
	if t.a.OfServers() {
		t.line("Of servers: CPU and RSS are the server's own, as it tells, RSS at the end. Nothing is known of their disks.")
	}
}

// OfServers tells whether servers were compared.
func (a *Analysis) OfServers() bool { return len(a.Comparison.Config.Targets) > 0 }

// noPeers lists the engines that were compared with, but never or not always as peers.
func (a *Analysis) noPeers() (names []string) {
	c := a.Comparison.Config
	for _, e := range a.Comparison.Engines {
		switch {
		case e.Name == c.Subject || e.Forgetful:
		case !e.Peer:
			names = append(names, e.Name)
		case slices.ContainsFunc(a.Rows, func(r Row) bool { l := r.Line(e.Name); return l != nil && !l.Peer }):
			names = append(names, e.Name+" at durability os, where it promises less")
		}
	}
	return names
}

// pair writes a figure of two engines, nothing where neither is known.
func pair(a, b *Line, m Metric, write func(float64) string) string {
	x, y := a.Medians[m], b.Medians[m]
	if x == nil && y == nil {
		return ""
	}
	return report.Known(x, write) + "/" + report.Known(y, write)
}

// brief writes a number in at most four characters, where it is below 10,000.
func brief(v float64) string {
	switch {
	case v < 9.995:
		return fmt.Sprintf("%.2f", v)
	case v < 99.95:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func (t *table) speed() {
	const format = "%-20s %-15s %11s %21s %-5s %11s %7s %-5s %9s %6s"
	subject := t.a.Comparison.Config.Subject
	short := subject + " is"
	t.line("\nSPEED: ratios are of %s to the engine of the line, more than 1 being better; * is the best peer of the row", subject)
	t.line(format, "workload(threads)", "engine", "ops/s", short, "", "settled", short, "", "CPU µs/op", "limit")
	t.rows(func(row Row) {
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
	})
	t.background()
	t.line("%s", IntervalNote(t.a))
	t.line("settled: with the time of flushes and compactions that were left to do. limit: share of the row's rough limit, below.")
	t.servers()
}

// background says how much was written beside reads.
func (t *table) background() {
	for _, row := range t.a.Rows {
		var parts []string
		for _, l := range row.Lines {
			if v := l.Medians[Background]; v != nil {
				parts = append(parts, l.Name+" "+Background.Write(v))
			}
		}
		if len(parts) > 0 {
			for _, line := range wrap(row.Label()+", writes a second beside the reads: "+strings.Join(parts, ", "), 120) {
				t.line("%s", line)
			}
		}
	}
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
	t.rows(func(row Row) {
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
	})
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
var Costs = []Metric{WriteAmp, OSWriteAmp, Blocks, Filters, DiskReads, Space, Memory, Allocs, Syncs, Pause}

func (t *table) cost() {
	costs := slices.DeleteFunc(slices.Clone(Costs), func(m Metric) bool { return m == DiskReads }) // for the width
	line := func(name, engine string, cells []string) {
		text := fmt.Sprintf("%-20s %-14s", name, engine)
		for i, c := range cells {
			text += fmt.Sprintf(" %*s", max(8, len(costs[i].Name())), c)
		}
		t.line("%s", text)
	}
	var heads []string
	for _, m := range costs {
		heads = append(heads, m.Name())
	}
	t.line("\nCOST: medians over the rounds; - is what nobody tells")
	line("workload(threads)", "engine", heads)
	t.rows(func(row Row) {
		name := row.String()
		for _, l := range row.Lines {
			var cells []string
			for _, m := range costs {
				cells = append(cells, m.Write(l.Medians[m]))
			}
			line(name, l.Name, cells)
			name = ""
		}
	})
	for _, m := range costs {
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
	t.rows(func(row Row) {
		if row.Bound == nil {
			t.line("%-20s %12s", row.String(), "unknown")
			return
		}
		for i, part := range wrap(row.Bound.Derivation, 120-34) {
			if i == 0 {
				t.line("%-20s %12s %s", row.String(), report.Rate(row.Bound.OpsPerSecond), part)
			} else {
				t.line("%34s%s", "", part)
			}
		}
	})
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
				t.Losses = append(t.Losses, row.Label())
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
