package page

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"time"

	"github.com/ringwood-kv/ringwood/bench/compare"
	"github.com/ringwood-kv/ringwood/bench/report"
)

// Forest draws the subject's ratio to the best peer of each row, with its interval, on
// a logarithmic axis.
func (v *view) Forest() template.HTML {
	type mark struct {
		row compare.Row
		r   compare.Ratio
	}
	var marks []mark
	low, high := 0.9, 1.1
	for _, row := range v.Rows {
		if r, ok := row.Against(compare.Speed); ok {
			marks = append(marks, mark{row, r})
			low, high = min(low, r.Low), max(high, r.High)
		}
	}
	if len(marks) == 0 {
		return ""
	}
	const left, right, top, step = 118, 236, 26, 21
	lines, group := len(marks), ""
	for _, m := range marks {
		if m.row.Group != group {
			lines, group = lines+1, m.row.Group
		}
	}
	s := &svg{height: top + step*float64(lines) + 8}
	x := func(r float64) float64 { return left + (right-left)*math.Log(r/low)/math.Log(high/low) }
	last := -100.0
	for _, t := range logTicks(low, high) {
		s.line(x(t), top-6, x(t), s.height-4, "grid")
		if x(t)-last > 24 {
			s.text(x(t), top-11, "middle", "tick", short(t)+"×")
			last = x(t)
		}
	}
	s.line(x(1), top-6, x(1), s.height-4, "axis")
	y := top - step/2.0
	group = ""
	for _, m := range marks {
		if m.row.Group != group {
			y, group = y+step, m.row.Group
			s.text(4, y+6, "start", "tick", group)
		}
		y += step
		s.text(left-8, y+4, "end", "label", m.row.String())
		s.line(x(m.r.Low), y, x(m.r.High), y, "whisker v-"+string(m.r.Verdict))
		s.circle(x(m.r.Median), y, 4, "dot v-"+string(m.r.Verdict))
		s.text(right+8, y+4, "start", "tick", report.Three(m.r.Median)+"× "+m.row.Best)
	}
	return s.drawing("ratio of " + v.Subject() + " to the best peer of each row, with intervals")
}

// drawn are the engines of a row that plots show: what keeps nothing is faster than all
// and would squeeze the others into a corner.
func drawn(row compare.Row) (list []compare.Line) {
	for _, l := range row.Lines {
		if !l.Forgetful {
			list = append(list, l)
		}
	}
	return list
}

// Bars draws a metric of all engines of a row; the small marks are the rounds. It is
// empty where no engine tells.
func (v *view) Bars(row compare.Row, m compare.Metric) template.HTML {
	high, lines := 0.0, drawn(row)
	for _, l := range lines {
		for _, r := range l.Results {
			if x := m.Of(r); x != nil {
				high = max(high, *x)
			}
		}
	}
	limit := m == compare.Speed && row.Bound != nil
	if high == 0 {
		return ""
	}
	if limit && row.Bound.OpsPerSecond < 1.5*high {
		high = max(high, row.Bound.OpsPerSecond)
	}
	const left, right, top, step = 92, 286, 4, 24
	bottom := top + step*float64(len(lines))
	s := &svg{height: bottom + 4}
	if limit {
		s.height += 14
	}
	x := func(value float64) float64 { return left + (right-left)*value/high }
	for i, l := range lines {
		y := top + step*float64(i)
		s.text(left-6, y+15, "end", "label", l.Name)
		value := l.Medians[m]
		if value == nil {
			s.text(left+4, y+15, "start", "muted", "unknown")
			continue
		}
		s.rect(left, y+4, x(*value)-left, step-9, "bar "+v.c.class(l.Name))
		reach := *value
		for _, r := range l.Results {
			if one := m.Of(r); one != nil {
				s.line(x(*one), y+2, x(*one), y+step-3, "round")
				reach = max(reach, *one)
			}
		}
		s.text(x(reach)+5, y+15, "start", "value", m.Write(value))
	}
	s.line(left, top, left, bottom, "axis")
	if limit {
		text := "rough limit " + report.Rate(row.Bound.OpsPerSecond)
		if b := row.Bound.OpsPerSecond; b <= high {
			s.line(x(b), top, x(b), bottom+3, "limit")
			s.text(min(x(b), right+60), s.height-3, "end", "muted", text)
		} else {
			s.text(width-4, s.height-3, "end", "muted", text+" →")
		}
	}
	return s.drawing(m.Name() + " on " + row.String())
}

// Percentiles draws the latency of one kind of calls, on a logarithmic axis.
func (v *view) Percentiles(row compare.Row, kind string) template.HTML {
	names := percents
	type curve struct {
		engine string
		values []float64
	}
	var curves []curve
	low, high := math.Inf(1), 0.0
	for _, l := range drawn(row) {
		if c, ok := l.Call(kind); ok {
			x := curve{engine: l.Name}
			for _, d := range times(c) {
				x.values = append(x.values, max(float64(d), 1))
			}
			low, high = min(low, x.values[0]), max(high, x.values[len(x.values)-1])
			curves = append(curves, x)
		}
	}
	if len(curves) == 0 {
		return ""
	}
	const left, right, top, bottom = 48, 262, 10, 190
	s := &svg{height: bottom + 20}
	low, high = low/1.2, high*1.2
	y := func(d float64) float64 { return bottom - (bottom-top)*math.Log(d/low)/math.Log(high/low) }
	x := func(i int) float64 { return left + (right-left)*float64(i)/float64(len(names)-1) }
	for _, t := range logTicks(low, high) {
		s.line(left, y(t), right, y(t), "grid")
		s.text(left-5, y(t)+4, "end", "tick", plain(time.Duration(t)))
	}
	for i, n := range names {
		s.text(x(i), bottom+14, "middle", "tick", n)
	}
	ends := make([]float64, len(curves))
	for i, c := range curves {
		var points [][2]float64
		for j, d := range c.values {
			points = append(points, [2]float64{x(j), y(d)})
			s.circle(x(j), y(d), 2.5, "dot "+v.c.class(c.engine))
		}
		s.path(points, "curve "+v.c.class(c.engine))
		ends[i] = y(c.values[len(c.values)-1])
	}
	for i, place := range apart(ends, 13, bottom) {
		s.line(right+3, ends[i], right+9, place, "lead "+v.c.class(curves[i].engine))
		s.text(right+11, place+4, "start", "label t-"+v.c.class(curves[i].engine), curves[i].engine)
	}
	return s.drawing(kind + " latency on " + row.String())
}

// percents are the names of what times returns.
var percents = []string{"p50", "p95", "p99", "p99.9", "p99.99", "max"}

func times(l report.Latency) []time.Duration {
	return []time.Duration{l.P50, l.P95, l.P99, l.P999, l.P9999, l.Max}
}

// plain writes a tick of a time axis.
func plain(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%dns", d.Nanoseconds())
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	}
	return fmt.Sprintf("%.0fs", d.Seconds())
}

// apart moves labels so that none covers another, and none lies below low.
func apart(places []float64, distance, low float64) []float64 {
	order := make([]int, len(places))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(places[a], places[b]) })
	moved := slices.Clone(places)
	for i := 1; i < len(order); i++ {
		moved[order[i]] = max(moved[order[i]], moved[order[i-1]]+distance)
	}
	for i, limit := len(order)-1, low; i >= 0; i-- {
		moved[order[i]] = min(moved[order[i]], limit)
		limit = moved[order[i]] - distance
	}
	return moved
}

// OverTime draws the throughput of one round of each engine, that of the median speed,
// below each other on the same axes. Marks below a strip are pauses.
func (v *view) OverTime(row compare.Row) template.HTML {
	var until, high float64
	lines := drawn(row)
	results := make([]report.Result, len(lines))
	for i, l := range lines {
		results[i] = l.Typical()
		until = max(until, results[i].Seconds)
		for _, r := range rates(results[i]) {
			high = max(high, r)
		}
	}
	if high == 0 || until == 0 {
		return ""
	}
	const left, right, top, strip, gap = 40, 352, 8, 34, 24
	s := &svg{height: top + (strip+gap)*float64(len(results)) + 16}
	x := func(seconds float64) float64 { return left + (right-left)*seconds/until }
	for i, r := range results {
		base := top + (strip+gap)*float64(i) + gap - 8 + strip
		y := func(rate float64) float64 { return base - strip*rate/high }
		class := v.c.class(lines[i].Name)
		s.text(left, base-strip-5, "start", "label t-"+class, lines[i].Name)
		s.text(left-4, base-strip+6, "end", "tick", short(high))
		s.text(left-4, base+3, "end", "tick", "0")
		s.line(left, base-strip, right, base-strip, "grid")
		v.area(s, r, x, y, base, class)
		s.line(left, base, right, base, "axis")
		for _, p := range r.Pauses.List {
			s.rect(x(p.Start), base+1, max(x(p.End)-x(p.Start), 1), 4, "pause")
		}
	}
	step := niceStep(until, 5)
	for t := 0.0; t <= until*1.0001; t += step {
		s.text(x(t), s.height-2, "middle", "tick", fmt.Sprintf("%gs", math.Round(t*1000)/1000))
	}
	return s.drawing("operations a second over time on " + row.String())
}

// area draws a step for each interval.
func (v *view) area(s *svg, r report.Result, x, y func(float64) float64, base float64, class string) {
	list := rates(r)
	if len(list) == 0 {
		return
	}
	points := [][2]float64{{x(0), base}}
	for i, rate := range list {
		end := r.Seconds
		if i+1 < len(r.Series) {
			end = r.Series[i+1].Second
		}
		points = append(points, [2]float64{x(r.Series[i].Second), y(rate)}, [2]float64{x(end), y(rate)})
	}
	s.path(append(points, [2]float64{points[len(points)-1][0], base}), "area "+class)
}

// rates are the operations a second of the intervals of a result.
func rates(r report.Result) (list []float64) {
	for i, p := range r.Series {
		end := r.Seconds
		if i+1 < len(r.Series) {
			end = r.Series[i+1].Second
		}
		length := end - p.Second
		// The end of a run is less than an interval: over a moment a rate says little.
		if i > 0 && length < 0.3*(r.Series[i].Second-r.Series[i-1].Second) {
			break
		}
		if length <= 0 {
			break
		}
		list = append(list, float64(p.Ops)/length)
	}
	return list
}
