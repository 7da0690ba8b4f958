package page

import (
	"fmt"
	"html/template"
	"io"
	"math"

	"github.com/ringwood-kv/ringwood/bench/compare"
	"github.com/ringwood-kv/ringwood/bench/report"
)

// WriteHistory writes a page with a small plot for each row, in the style of Write.
func WriteHistory(w io.Writer, h *compare.History) error {
	style, err := files.ReadFile("style.css")
	if err != nil {
		return err
	}
	t, err := template.New("history.html").Funcs(template.FuncMap{
		"rate": report.Rate, "trend": trend,
	}).ParseFS(files, "history.html")
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		*compare.History
		Style template.CSS
	}{h, template.CSS(style)})
}

// trend draws the ratios of a series with their intervals, in the order of commits, on a
// logarithmic axis. The line at 1 is where both are equally fast.
func trend(s compare.Series) template.HTML {
	const left, right, top, bottom = 40, 340, 10, 120
	low, high := s.Range()
	low, high = low/1.05, high*1.05
	d := &svg{height: bottom + 34}
	y := func(r float64) float64 { return bottom - (bottom-top)*math.Log(r/low)/math.Log(high/low) }
	n := len(s.Points)
	x := func(i int) float64 { return left + (right-left)*(float64(i)+0.5)/float64(n) }
	last := math.Inf(1)
	for _, v := range logTicks(low, high) {
		if last-y(v) > 12 {
			d.line(left, y(v), right, y(v), "grid")
			d.text(left-5, y(v)+4, "end", "tick", short(v)+"×")
			last = y(v)
		}
	}
	d.line(left, y(1), right, y(1), "axis")
	var medians [][2]float64
	for i, p := range s.Points {
		medians = append(medians, [2]float64{x(i), y(p.Ratio.Median)})
	}
	if n > 1 {
		d.path(medians, "curve e0")
	}
	shown := math.Inf(-1)
	for i, p := range s.Points {
		class := "v-" + string(p.Ratio.Verdict)
		d.line(x(i), y(p.Ratio.Low), x(i), y(p.Ratio.High), "whisker "+class)
		d.circle(x(i), y(p.Ratio.Median), 4, "dot "+class)
		if x(i)-shown > 52 || i == 0 {
			d.text(x(i), bottom+14, "middle", "tick", p.Name())
			d.text(x(i), bottom+27, "middle", "tick", p.Date())
			shown = x(i)
		}
	}
	end := s.Points[n-1]
	d.text(min(x(n-1)+8, right-4), y(end.Ratio.Median)-6, "start", "value", report.Three(end.Ratio.Median)+"×")
	return d.drawing(fmt.Sprintf("ratio to the best peer on %s, by commit", s))
}
