package compare

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// History is what documents of different commits say of the same rows.
type History struct {
	Subject string   `json:"subject"`
	Series  []Series `json:"series"`
}

// Series is a row over the commits: measured on the same kind of machine, of the same
// configuration, against the same engines. Only within one do figures compare.
type Series struct {
	Machine  string   `json:"machine"`
	Peers    []string `json:"peers"` // sorted; the best of them is another one at each point
	Settings string   `json:"settings"`
	Workload string   `json:"workload"`
	Threads  int      `json:"threads"`
	Points   []Point  `json:"points"` // in the order of commits
}

func (s Series) String() string { return label(s.Workload, s.Threads) }

// Heading is what series have in common that stand below each other.
func (s Series) Heading() string {
	return s.Settings + " · against " + strings.Join(s.Peers, ", ") + " · " + s.Machine
}

// Point is a row of one document.
type Point struct {
	Source    string    `json:"source"`             // the document
	Revision  string    `json:"revision,omitempty"` // "+" behind if the source was changed
	Committed time.Time `json:"committed,omitzero"`
	Measured  time.Time `json:"measured"`

	OpsPerSecond float64 `json:"ops_per_second"` // the subject's median
	Best         string  `json:"best_peer"`
	Ratio        Ratio   `json:"ratio"` // to it
}

// when is the place of a point in time: that of its commit, where the document knows it.
func (p Point) when() time.Time {
	if p.Committed.IsZero() {
		return p.Measured
	}
	return p.Committed
}

// Add adds the rows of a document that have a best peer. source names the document. One that
// was merged of several revisions is left out.
func (h *History) Add(source string, d *Document) {
	if slices.ContainsFunc(d.Comparison.Config.Groups, func(g Group) bool { return g.Revision != "" }) {
		return // it is of several commits, and does not tell of when; its parts do
	}
	if len(d.Comparison.Config.Targets) > 0 {
		return // its commit is that of kvbench, not of the servers
	}
	a := Analyse(d)
	h.Subject = cmp.Or(h.Subject, d.Comparison.Config.Subject)
	for _, row := range a.Rows {
		ratio, ok := row.Against(Speed)
		own := row.Line(h.Subject)
		if !ok || own == nil || d.Comparison.Config.Subject != h.Subject {
			continue
		}
		s := Series{Machine: machine(d.Environment), Workload: row.Workload, Threads: row.Threads, Settings: d.settings(row)}
		for _, l := range row.Lines {
			if l.Peer {
				s.Peers = append(s.Peers, l.Name)
			}
		}
		slices.Sort(s.Peers)
		e := d.Environment
		h.put(s, Point{source, e.Revision, e.Committed, e.Time, *own.Medians[Speed], row.Best, ratio})
	}
}

// put adds a point to the series like s.
func (h *History) put(s Series, p Point) {
	i := slices.IndexFunc(h.Series, func(o Series) bool { return o.Heading() == s.Heading() && o.String() == s.String() })
	if i < 0 {
		h.Series = append(h.Series, s)
		i = len(h.Series) - 1
	}
	points := &h.Series[i].Points
	at, _ := slices.BinarySearchFunc(*points, p, func(a, b Point) int {
		return cmp.Or(a.when().Compare(b.when()), a.Measured.Compare(b.Measured), cmp.Compare(a.Source, b.Source))
	})
	*points = slices.Insert(*points, at, p)
}

// Sections are the series with the same heading, in the order of the first of each.
func (h *History) Sections() (list [][]Series) {
	place := make(map[string]int)
	for _, s := range h.Series {
		i, ok := place[s.Heading()]
		if !ok {
			i = len(list)
			place[s.Heading()], list = i, append(list, nil)
		}
		list[i] = append(list[i], s)
	}
	return list
}

// machine describes what figures depend on: no kernel, and memory by the GiB, which is a
// little different after each start.
func machine(e report.Environment) string {
	parts := []string{e.OS + "/" + e.Arch, fmt.Sprintf("%d CPUs", e.GOMAXPROCS), e.CPU, "", e.FileSystem}
	if e.Memory > 0 {
		parts[3] = fmt.Sprintf("%.0f GiB", float64(e.Memory)/(1<<30))
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " · ")
}

// settings says how a row was measured, completely.
func (d *Document) settings(row Row) string {
	for _, t := range d.Comparison.Config.parts() {
		if t.name != row.Group {
			continue
		}
		c := t.config
		w, err := workload.Find(row.Workload)
		if err != nil {
			break
		}
		p := c.Params
		p.Threads = row.Threads
		if p, err = w.Complete(p, c.Duration > 0); err != nil {
			break
		}
		key := strconv.Itoa(p.KeySize)
		if w.Data == workload.YCSB {
			key = "23"
		}
		list := []string{
			"durability " + row.Settings.Durability, "memory " + report.Bytes(c.Memory),
			fmt.Sprintf("%s records of %s+%d bytes", report.Count(p.Records), key, p.ValueSize),
		}
		for _, x := range []struct {
			show bool
			text string
		}{
			{c.Params.Operations > 0, report.Count(p.Operations) + " operations"},
			{c.Duration > 0, c.Duration.String() + " each"},
			{c.Warmup > 0, "warm-up " + c.Warmup.String()},
			{c.Rate > 0, report.Rate(c.Rate) + " ops/s"},
			{c.Share > 0, fmt.Sprintf("%.0f%% of the capacity", c.Share*100)},
			{p.Ratio != 0.5, fmt.Sprintf("compressible to %g", p.Ratio)},
			{p.Distribution != "", p.Distribution},
			{p.Update == workload.Blind, "blind updates"},
			{p.HotSet != 0.2 || p.HotOps != 0.8, fmt.Sprintf("hot set %g, %g", p.HotSet, p.HotOps)},
			{p.Batch != 100, fmt.Sprintf("batch %d", p.Batch)},
			{p.Nexts != 10, fmt.Sprintf("nexts %d", p.Nexts)},
			{p.Queue != 10_000, fmt.Sprintf("queue %d", p.Queue)},
			{p.WriteRate > 0, fmt.Sprintf("%g writes/s", p.WriteRate)},
		} {
			if x.show {
				list = append(list, x.text)
			}
		}
		return strings.Join(list, " · ")
	}
	return "unknown settings"
}

// Name is how a point is called: by its revision, or by when it was measured.
func (p Point) Name() string {
	rev := strings.TrimSuffix(p.Revision, "+")
	if rev == "" {
		return "unknown"
	}
	return rev[:min(7, len(rev))] + p.Revision[len(rev):]
}

// Date is the day of the commit; in brackets that of the measurement where the document
// does not know it.
func (p Point) Date() string {
	if p.Committed.IsZero() {
		return "(" + p.Measured.Format(time.DateOnly) + ")"
	}
	return p.Committed.Format(time.DateOnly)
}

// WriteHistory prints a table for people, in lines of at most 120 characters.
func WriteHistory(w io.Writer, h *History) error {
	t := &table{}
	if len(h.Series) == 0 {
		t.line("there are no comparisons with a peer in these documents, or none of the workloads that were asked for")
	} else {
		t.line("%s to the best peer of each row, in the order of commits; ratios above 1 are better", h.Subject)
	}
	const format = "%-20s %-8s %-12s %20s %-4s %11s %-13s %s"
	for _, section := range h.Sections() {
		t.line("")
		for _, line := range wrap(section[0].Heading(), 118) {
			t.line("%s", line)
		}
		t.line(format, "workload(threads)", "revision", "committed", "ratio [interval]", "", h.Subject+" ops/s", "best peer", "interval and median")
		for _, s := range section {
			name := s.String()
			low, high := s.Range()
			for _, p := range s.Points {
				t.line(format, name, p.Name(), p.Date(), p.Ratio.Interval(), p.Ratio.Verdict, report.Rate(p.OpsPerSecond), p.Best, bar(p.Ratio, low, high))
				name = ""
			}
			if n := len(s.Points); n > 1 {
				t.line("%20s %s  %s -> %s", "trend", s.Spark(), report.Three(s.Points[0].Ratio.Median), report.Three(s.Points[n-1].Ratio.Median))
			}
		}
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// Range is from the lowest to the highest ratio of the points, with 1 in it.
func (s Series) Range() (low, high float64) {
	low, high = 0.9, 1.1
	for _, p := range s.Points {
		low, high = min(low, p.Ratio.Low), max(high, p.Ratio.High)
	}
	return low, high
}

// Spark draws the medians, a character each, on a logarithmic scale.
func (s Series) Spark() string {
	levels := []rune("▁▂▃▄▅▆▇█")
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range s.Points {
		low, high = min(low, p.Ratio.Median), max(high, p.Ratio.Median)
	}
	// Less than a tenth is no trend: it is drawn flat.
	if high < low*1.1 {
		middle := math.Sqrt(low * high)
		low, high = middle/1.05, middle*1.05
	}
	var b strings.Builder
	for _, p := range s.Points {
		share := math.Log(p.Ratio.Median/low) / math.Log(high/low)
		b.WriteRune(levels[min(int(share*float64(len(levels))), len(levels)-1)])
	}
	return b.String()
}

// bar draws a ratio in 24 characters, from low to high: its interval, its median, and a
// bar where the two are equally fast.
func bar(r Ratio, low, high float64) string {
	line := []rune(strings.Repeat(" ", 24))
	at := func(v float64) int { return int(math.Round(23 * math.Log(v/low) / math.Log(high/low))) }
	for i := at(r.Low); i <= at(r.High); i++ {
		line[i] = '-'
	}
	line[at(1)] = '|'
	line[at(r.Median)] = '●'
	return string(line)
}

// WriteHistoryCSV writes a line for each point.
func WriteHistoryCSV(w io.Writer, h *History) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{
		"workload", "threads", "revision", "committed", "measured", "ratio", "low", "high", "rounds", "verdict", "subject", "ops_per_second",
		"best_peer", "settings", "peers", "machine", "source",
	})
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	for _, s := range h.Series {
		for _, p := range s.Points {
			committed := ""
			if !p.Committed.IsZero() {
				committed = p.Committed.Format(time.RFC3339)
			}
			_ = out.Write([]string{
				s.Workload, strconv.Itoa(s.Threads), p.Revision, committed, p.Measured.Format(time.RFC3339),
				number(p.Ratio.Median), number(p.Ratio.Low), number(p.Ratio.High), strconv.Itoa(p.Ratio.N), string(p.Ratio.Verdict),
				h.Subject, number(p.OpsPerSecond), p.Best, s.Settings, strings.Join(s.Peers, " "), s.Machine, p.Source,
			})
		}
	}
	out.Flush()
	return out.Error()
}
