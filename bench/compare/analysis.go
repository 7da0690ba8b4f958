package compare

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// Analysis is what the rounds of a document say.
type Analysis struct {
	*Document
	Rows []Row `json:"summary"`
}

// Row is a workload with a number of threads, on all engines.
type Row struct {
	Group    string          `json:"group,omitempty"`
	Workload string          `json:"workload"`
	Threads  int             `json:"threads"`
	Settings report.Settings `json:"settings"`
	Best     string          `json:"best_peer,omitempty"` // of the highest median speed
	Lines    []Line          `json:"engines"`             // in the order of the configuration; those with results
	Bound    *Bound          `json:"rough_limit,omitempty"`
	// Wanted is the ratio to the best peer that the project promises for a row of a table
	// at least; 0 if there is no promise.
	Wanted float64 `json:"wanted_ratio,omitempty"`
}

func (r Row) String() string { return label(r.Workload, r.Threads) }

// Label is the name of the row with that of its group before it.
func (r Row) Label() string { return grouped(r.Group, r.String()) }

// Line is an engine in a row.
type Line struct {
	Engine
	Rounds  int                 `json:"rounds"`  // measured
	Medians map[Metric]*float64 `json:"medians"` // null where nobody knows
	Latency []report.Latency    `json:"latency"` // medians of the percentiles
	// Ratios has what the subject reaches of this engine in Speed, Settled and CPU, more
	// than 1 being better for the subject. Empty for the subject, and for what keeps
	// nothing.
	Ratios map[Metric]Ratio `json:"subject_ratios,omitempty"`

	Results []report.Result `json:"-"` // by round
}

// compared are the metrics of Line.Ratios.
var compared = []Metric{Speed, Settled, CPU}

// Analyse sums up a document.
func Analyse(d *Document) *Analysis {
	a := &Analysis{Document: d}
	for _, p := range d.Comparison.Config.parts() {
		for _, name := range p.config.Workloads {
			for _, threads := range p.config.Threads {
				if row := newRow(d, p, name, threads); len(row.Lines) > 0 {
					a.Rows = append(a.Rows, row)
				}
			}
		}
	}
	return a
}

// syncs tells whether a workload syncs whatever the durability.
func syncs(name string) bool {
	w, err := workload.Find(name)
	return err == nil && w.Syncs
}

func newRow(d *Document, p part, name string, threads int) Row {
	row := Row{Group: p.name, Workload: name, Threads: threads}
	for _, e := range d.Comparison.Engines {
		e.Peer = e.Peer && !slices.Contains(p.config.Roofs, e.Name) && !(e.BelowOS && p.config.Durability == "os" && !syncs(name))
		l := Line{Engine: e, Medians: make(map[Metric]*float64)}
		for _, r := range d.Results {
			if r.Engine == e.Name && r.Group == p.name && r.Workload == name && r.Settings.Threads == threads {
				l.Results = append(l.Results, r)
			}
		}
		if l.Rounds = len(l.Results); l.Rounds == 0 {
			continue
		}
		row.Settings = l.Results[0].Settings
		for _, m := range metrics {
			l.Medians[m.Metric] = median(l.Results, m.get)
		}
		l.Latency = latencies(l.Results)
		row.Lines = append(row.Lines, l)
	}
	row.compare(d.Comparison.Config.Subject)
	row.Bound = newBound(row, d.Environment.GOMAXPROCS, d.Comparison.Limits)
	if t := d.Comparison.Config.Table; t == "full" || t == "quick" {
		row.Wanted = wanted(row)
	}
	return row
}

// compare fills in the ratios and the best peer.
func (r *Row) compare(subject string) {
	s := r.Line(subject)
	for i := range r.Lines {
		l := &r.Lines[i]
		if l.Peer && (r.Best == "" || *l.Medians[Speed] > *r.Line(r.Best).Medians[Speed]) {
			r.Best = l.Name
		}
		if s == nil || l.Name == subject || l.Forgetful {
			continue
		}
		l.Ratios = make(map[Metric]Ratio)
		for _, m := range compared {
			if pairs := paired(s.Results, l.Results, m); len(pairs) > 0 {
				l.Ratios[m] = NewRatio(pairs)
			}
		}
	}
}

// Line returns the line of an engine, nil if it has none.
func (r *Row) Line(engine string) *Line {
	for i := range r.Lines {
		if r.Lines[i].Name == engine {
			return &r.Lines[i]
		}
	}
	return nil
}

// Against returns the ratio of the subject to the best peer, if there is one.
func (r *Row) Against(m Metric) (Ratio, bool) {
	l := r.Line(r.Best)
	if l == nil {
		return Ratio{}, false
	}
	ratio, ok := l.Ratios[m]
	return ratio, ok
}

// OfLimit returns the share of the row's rough limit that an engine reaches.
func (r *Row) OfLimit(l Line) (share float64, ok bool) {
	if r.Bound == nil || l.Forgetful {
		return 0, false
	}
	return *l.Medians[Speed] / r.Bound.OpsPerSecond, true
}

// paired returns the ratios of the rounds that both have.
func paired(subject, other []report.Result, m Metric) (pairs []float64) {
	get := m.find().get
	for _, s := range subject {
		i := slices.IndexFunc(other, func(o report.Result) bool { return o.Round == s.Round })
		if i < 0 {
			continue
		}
		a, b := get(s), get(other[i])
		if a == nil || b == nil || *a <= 0 || *b <= 0 {
			continue
		}
		if m == CPU { // less is better
			a, b = b, a
		}
		pairs = append(pairs, *a / *b)
	}
	return pairs
}

// Typical returns the result whose speed is closest to the median.
func (l Line) Typical() report.Result {
	middle := *l.Medians[Speed]
	return slices.MinFunc(l.Results, func(a, b report.Result) int {
		return cmp.Compare(math.Abs(a.OpsPerSecond-middle), math.Abs(b.OpsPerSecond-middle))
	})
}

// median is over the results that tell.
func median(results []report.Result, get func(report.Result) *float64) *float64 {
	var values []float64
	for _, r := range results {
		if v := get(r); v != nil {
			values = append(values, *v)
		}
	}
	if len(values) == 0 {
		return nil
	}
	m := Median(values)
	return &m
}

// latencies has the medians of each kind of call, of what ran beside too.
func latencies(results []report.Result) (list []report.Latency) {
	all := make(map[string][]report.Latency)
	add := func(kind string, l report.Latency) {
		if len(all[kind]) == 0 {
			list = append(list, report.Latency{Kind: kind})
		}
		all[kind] = append(all[kind], l)
	}
	for _, r := range results {
		for _, l := range r.Latency {
			add(l.Kind, l)
		}
		if r.Background != nil {
			for _, l := range r.Background.Latency {
				add("beside: "+l.Kind, l)
			}
		}
	}
	for i, l := range list {
		of := func(get func(report.Latency) time.Duration) time.Duration {
			var values []float64
			for _, x := range all[l.Kind] {
				values = append(values, float64(get(x)))
			}
			return time.Duration(Median(values))
		}
		list[i] = report.Latency{
			Kind: l.Kind, Count: int64(of(func(l report.Latency) time.Duration { return time.Duration(l.Count) })),
			Mean:  of(func(l report.Latency) time.Duration { return l.Mean }),
			P50:   of(func(l report.Latency) time.Duration { return l.P50 }),
			P95:   of(func(l report.Latency) time.Duration { return l.P95 }),
			P99:   of(func(l report.Latency) time.Duration { return l.P99 }),
			P999:  of(func(l report.Latency) time.Duration { return l.P999 }),
			P9999: of(func(l report.Latency) time.Duration { return l.P9999 }),
			Max:   of(func(l report.Latency) time.Duration { return l.Max }),
		}
	}
	return list
}
