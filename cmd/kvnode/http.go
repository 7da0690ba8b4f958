package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/ringwood-kv/ringwood/cluster"
	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/cmd/kvnode/internal/config"
	"github.com/ringwood-kv/ringwood/cmd/kvnode/internal/metrics"
)

// handler is all that a node answers over HTTP: the API, its metrics, and whether it is
// well.
func (p *program) handler(n *cluster.Node) http.Handler {
	m := metrics.New(n.Metrics, func() httpapi.Metrics { return p.api.Metrics() })
	p.api, p.apiErr = n.NewAPI(cluster.APIOptions{
		Settings: apiSettings(&p.loaded.Load().Config),
		Config:   func(context.Context) (wire.Config, error) { return wireConfig(p.loaded.Load()), nil },
		Numbers:  m.Numbers, Observe: m.Observe,
	})
	if p.apiErr != nil {
		return http.NotFoundHandler() // open returns the error
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.api.Guard(access.Status, m.Handler()))
	mux.Handle("GET /healthz", p.api.Guard(0, health("live", n.Live)))
	mux.Handle("GET /readyz", p.api.Guard(0, health("ready", n.Ready)))
	mux.Handle("/", p.api.Guard(0, http.HandlerFunc(elsewhere)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") { // a ServeMux would redirect some keys to others
			p.api.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// elsewhere tells somebody who tries the address where to go.
func elsewhere(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if r.URL.Path != "/" {
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = fmt.Fprint(w, "This is kvnode, a node of a Ringwood store.\n\n"+
		"  /v1/openapi.json   the API\n"+
		"  /v1/buckets        buckets with their keys\n"+
		"  /metrics           for Prometheus\n"+
		"  /healthz, /readyz  is it well, does it take requests\n")
}

// report is what /healthz and /readyz answer in JSON.
type report struct {
	Live    *bool    `json:"live,omitempty"`
	Ready   *bool    `json:"ready,omitempty"`
	Reasons []reason `json:"reasons"`
}

type reason struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// health answers 200, or 503 with the reasons, in text, and in JSON to those who ask for
// it. Everybody may ask, so reasons say nothing of files and errors: the log does.
func health(what string, reasons func() []cluster.Reason) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		why := reasons()
		well, status := len(why) == 0, http.StatusOK
		if !well {
			status = http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "1")
		}
		if strings.Contains(r.Header.Get("Accept"), "json") {
			answer := report{Reasons: []reason{}}
			if what == "live" {
				answer.Live = &well
			} else {
				answer.Ready = &well
			}
			for _, x := range why {
				answer.Reasons = append(answer.Reasons, reason{x.Code, publicText(x)})
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(answer)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		if well {
			_, _ = fmt.Fprintln(w, what)
			return
		}
		_, _ = fmt.Fprintf(w, "not %s\n", what)
		for _, x := range why {
			_, _ = fmt.Fprintf(w, "%s: %s\n", x.Code, publicText(x))
		}
	})
}

// publicText is a reason without what an error of the disk may name.
func publicText(r cluster.Reason) string {
	if r.Code == cluster.ReasonReadOnly {
		return "reads are served and writes refused until the node is started again; its log says why"
	}
	return r.Text
}

// wireConfig is the settings in effect, without secrets.
func wireConfig(l *config.Loaded) (c wire.Config) {
	for _, v := range l.Values() {
		s := wire.Setting{Name: v.Name, Value: v.Text, Source: v.Source.String(), Secret: v.Secret}
		if v.Secret {
			s.Value = ""
		}
		c.Settings = append(c.Settings, s)
	}
	return c
}
