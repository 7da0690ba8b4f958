// Package metrics shows a node to Prometheus.
//
//	m := metrics.New(node.Metrics, api.Metrics)
//	m.Observe(observation)    // for the times of requests over HTTP
//	mux.Handle("/metrics", m.Handler())
//	numbers := m.Numbers()    // the same by name, for the status of the node
//
// The names are in table.go, and METRICS.md of the program explains them: a test holds one
// against the other, and against what a node shows. A name keeps its meaning. All begin
// with ringwood_, but for go_ and process_, which the library adds. Labels are bounded:
// commands, routes, levels, reasons, and the names of buckets, which administrators give;
// never keys and users.
package metrics

import (
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"github.com/ringwood-kv/ringwood/cluster"
	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi"
)

// Metrics are those of one node.
type Metrics struct {
	node  func() *cluster.Metrics
	api   func() httpapi.Metrics // nil: there is none
	descs []*prometheus.Desc     // one for each line of the table

	registry *prometheus.Registry
	seconds  *prometheus.HistogramVec // of requests over HTTP
	commands *prometheus.Desc         // the same over RESP, which counts itself
}

// New returns the metrics of a node and its HTTP API.
func New(node func() *cluster.Metrics, api func() httpapi.Metrics) *Metrics {
	m := &Metrics{node: node, api: api, registry: prometheus.NewRegistry()}
	for _, f := range table {
		m.descs = append(m.descs, prometheus.NewDesc(prefix+f.name, f.help, f.labels, nil))
	}
	m.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: prefix + requestSeconds, Help: requestSecondsHelp,
		Buckets: []float64{.0001, .0003, .001, .003, .01, .03, .1, .3, 1, 3, 10, 30},
	}, []string{"method", "route"})
	m.commands = prometheus.NewDesc(prefix+commandSeconds, commandSecondsHelp, []string{"kind"}, nil)
	m.registry.MustRegister(m, m.seconds, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range m.descs {
		out <- d
	}
	out <- m.commands
}

// Collect implements prometheus.Collector. It takes one picture of the node for all.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	s := &source{Metrics: m.node()}
	// Those that no client can name are the node's own.
	s.Buckets = slices.DeleteFunc(s.Buckets, func(b cluster.BucketMetrics) bool { return !access.ValidName(b.Name) })
	if m.api != nil {
		api := m.api()
		s.api = &api
	}
	for i, f := range table {
		f.read(s, func(v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(m.descs[i], f.kind, v, labels...)
		})
	}
	for _, l := range s.RESP.Latency {
		buckets := make(map[float64]uint64, len(l.Buckets))
		for _, b := range l.Buckets {
			buckets[b.Bound.Seconds()] = b.Count
		}
		out <- prometheus.MustNewConstHistogram(m.commands, l.Count, l.Sum.Seconds(), buckets, l.Kind)
	}
}

// Observe counts a request over HTTP.
func (m *Metrics) Observe(x httpapi.Observation) {
	m.seconds.WithLabelValues(method(x.Method), route(x.Route)).Observe(x.Took.Seconds())
}

// route is one of those that there are: beside the API, it is a path as the client wrote
// it.
func route(pattern string) string {
	switch {
	case strings.HasPrefix(pattern, "/v1/"), pattern == "/metrics", pattern == "/healthz", pattern == "/readyz":
		return pattern
	}
	return "other"
}

// method is one of those that there are: a client can make up others without end.
func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return name
	}
	return "other"
}

// Handler answers in the formats of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Numbers returns the value of each series that is a number, by name and labels as in
// ringwood_bucket_keys{bucket="available"}. Those of the runtime and of times are left out.
func (m *Metrics) Numbers() map[string]float64 {
	families, err := m.registry.Gather()
	if err != nil && len(families) == 0 {
		return nil
	}
	all := make(map[string]float64)
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), prefix) && !strings.HasPrefix(f.GetName(), "process_") {
			continue
		}
		for _, x := range f.GetMetric() {
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				all[series(f.GetName(), x)] = x.GetCounter().GetValue()
			case dto.MetricType_GAUGE:
				all[series(f.GetName(), x)] = x.GetGauge().GetValue()
			}
		}
	}
	return all
}

// series is the name of one with its labels. Their values have no quotes: see the package
// comment.
func series(name string, x *dto.Metric) string {
	if len(x.GetLabel()) == 0 {
		return name
	}
	var parts []string
	for _, l := range x.GetLabel() {
		parts = append(parts, l.GetName()+`="`+l.GetValue()+`"`)
	}
	return name + "{" + strings.Join(parts, ",") + "}"
}
