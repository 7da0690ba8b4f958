// Package page draws a comparison as one HTML page, complete in itself: no scripts, no
// fonts, no images, nothing that is loaded from elsewhere. Plots are inline SVG. The
// page is well-formed XML, follows the reader's choice of light or dark, and can be
// read on a phone and printed.
//
// An engine has one colour on the whole page, of a palette that the colour-blind tell
// apart, and its name stands beside whatever is drawn of it. Axes of bars begin at 0;
// those of ratios and latencies are logarithmic.
package page

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ringwood-kv/ringwood/bench/compare"
	"github.com/ringwood-kv/ringwood/bench/report"
)

//go:embed page.html history.html style.css
var files embed.FS

// Write writes the page.
func Write(w io.Writer, a *compare.Analysis) error {
	style, err := files.ReadFile("style.css")
	if err != nil {
		return err
	}
	p := &view{Analysis: a, Style: template.CSS(style), c: newColours(a)}
	t, err := template.New("page.html").Funcs(template.FuncMap{
		"three": report.Three, "count": report.Rate, "join": strings.Join,
	}).ParseFS(files, "page.html")
	if err != nil {
		return err
	}
	return t.Execute(w, p)
}

// view is what the template sees.
type view struct {
	*compare.Analysis
	Style template.CSS
	c     colours
}

// colours gives each engine the number of its colour: 0 for the subject, the last for
// what keeps nothing, the others in their order.
type colours map[string]int

const gray = 7

func newColours(a *compare.Analysis) colours {
	c, next := make(colours), 1
	for _, e := range a.Comparison.Engines {
		switch {
		case e.Name == a.Comparison.Config.Subject:
			c[e.Name] = 0
		case e.Forgetful:
			c[e.Name] = gray
		default:
			c[e.Name] = next
			next = next%(gray-1) + 1
		}
	}
	return c
}

func (v *view) Subject() string { return v.Comparison.Config.Subject }

func (v *view) Note() string { return compare.IntervalNote(v.Analysis) }

// Colour returns the class of an engine's colour.
func (v *view) Colour(engine string) string { return v.c.class(engine) }

func (c colours) class(engine string) string { return fmt.Sprintf("e%d", c[engine]) }

// Role says what an engine is in the comparison.
func (v *view) Role(e compare.Engine) string {
	switch {
	case e.Name == v.Subject():
		return "subject"
	case e.Forgetful:
		return "harness only"
	case e.Peer:
		return "peer"
	}
	return "roof: shown, not a peer"
}

// Others are the engines that the subject is compared with.
func (v *view) Others() (list []compare.Engine) {
	for _, e := range v.Comparison.Engines {
		if e.Name != v.Subject() && !e.Forgetful {
			list = append(list, e)
		}
	}
	return list
}

// Verdict is a cell of the summary.
type Verdict struct {
	Class, Text, Detail       string
	SettledClass, SettledText string // with settling
	Best                      bool
}

// Cell compares the subject with an engine in a row.
func (v *view) Cell(row compare.Row, engine string) Verdict {
	l := row.Line(engine)
	if l == nil {
		return Verdict{Class: "none", Text: "–"}
	}
	r, ok := l.Ratios[compare.Speed]
	if !ok {
		return Verdict{Class: "none", Text: "–"}
	}
	c := Verdict{
		Class: string(r.Verdict), Text: fmt.Sprintf("%s× %s", report.Three(r.Median), r.Verdict),
		Detail: fmt.Sprintf("%s to %s", report.Three(r.Low), report.Three(r.High)), Best: engine == row.Best,
	}
	if s, ok := l.Ratios[compare.Settled]; ok {
		c.SettledClass = string(s.Verdict)
		c.SettledText = fmt.Sprintf("settled %s× %s", report.Three(s.Median), s.Verdict)
	}
	return c
}

// Heading is what stands above the i-th row, if it is the first of its group.
func (v *view) Heading(i int) string {
	if group := v.Rows[i].Group; i == 0 || group != v.Rows[i-1].Group {
		return v.Headings()[group]
	}
	return ""
}

// Columns is how many the summary has.
func (v *view) Columns() int { return 3 + len(v.Others()) }

// HasGoals tells whether a row has one.
func (v *view) HasGoals() bool {
	return slices.ContainsFunc(v.Rows, func(r compare.Row) bool { return r.Wanted > 0 })
}

// Against is the subject beside the best peer, nil where there is none.
func (v *view) Against(row compare.Row) *compare.Duel {
	if d, ok := v.Duel(row); ok && row.Best != "" {
		return &d
	}
	return nil
}

// Speed is the subject's median speed in a row.
func (v *view) Speed(row compare.Row) string {
	if l := row.Line(v.Subject()); l != nil {
		return compare.Speed.Write(l.Medians[compare.Speed])
	}
	return "–"
}

// OfLimit is the subject's share of the rough limit.
func (v *view) OfLimit(row compare.Row) string {
	if l := row.Line(v.Subject()); l != nil {
		if share, ok := row.OfLimit(*l); ok {
			return fmt.Sprintf("%.0f%%", share*100)
		}
	}
	return "–"
}

// Tallies are sentences on the verdicts.
func (v *view) Tallies() (list []string) {
	for _, m := range []compare.Metric{compare.Speed, compare.Settled, compare.CPU} {
		if t := v.Tally(m); len(t.Counts) > 0 {
			list = append(list, fmt.Sprintf("%s: %s", m.Name(), t))
		}
	}
	return list
}

// Figures are the columns of the table of a row.
func (v *view) Figures() []compare.Metric {
	return append([]compare.Metric{compare.Speed, compare.Settled, compare.CPU}, compare.Costs...)
}

// Value writes a figure of a line.
func (v *view) Value(l compare.Line, m compare.Metric) string { return m.Write(l.Medians[m]) }

// Percents are the heads of Times.
func (v *view) Percents() []string { return percents }

// Times writes the latencies of a kind of calls.
func (v *view) Times(l compare.Line, kind string) (list []string) {
	c, _ := l.Call(kind)
	for _, d := range times(c) {
		list = append(list, report.Duration(d))
	}
	return list
}

// Modules lists versions.
func (v *view) Modules() (list []string) {
	for _, path := range slices.Sorted(maps.Keys(v.Comparison.Modules)) {
		list = append(list, path+" "+v.Comparison.Modules[path])
	}
	return list
}

// Machine describes it in pairs of name and value.
func (v *view) Machine() (list [][2]string) {
	e := v.Environment
	memory := ""
	if e.Memory > 0 {
		memory = report.Bytes(e.Memory)
	}
	for _, p := range [][2]string{
		{"Measured", e.Time.Format("2006-01-02 15:04 MST")}, {"Processor", e.CPU},
		{"Processors", fmt.Sprintf("%d, GOMAXPROCS %d", e.CPUs, e.GOMAXPROCS)}, {"Memory", memory},
		{"System", strings.TrimSpace(e.OS + "/" + e.Arch + " " + e.Kernel)}, {"File system", e.FileSystem},
		{"Go", e.Go}, {"Revision", e.Revision},
	} {
		if p[1] != "" {
			list = append(list, p)
		}
	}
	return list
}

// BarMetrics are the metrics that are drawn as bars.
func (v *view) BarMetrics() []compare.Metric {
	return []compare.Metric{
		compare.Speed, compare.Settled, compare.CPU, compare.WriteAmp, compare.OSWriteAmp, compare.Space, compare.Memory,
	}
}

// Better says which way is better.
func (v *view) Better(m compare.Metric) string {
	if m == compare.Speed || m == compare.Settled {
		return "more is better"
	}
	return "less is better"
}
