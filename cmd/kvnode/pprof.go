package main

import (
	"errors"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"time"
)

// startProfiles serves profiles of the process, if an address is set. It is on loopback:
// config.Unsafe sees to that.
func (p *program) startProfiles() error {
	addr := p.loaded.Load().PprofAddr
	if addr == "" {
		return nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	s := &http.Server{Handler: localOnly(mux), ReadHeaderTimeout: 5 * time.Second}
	p.profiles = s
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.log.Error("serving profiles has failed", "err", err)
		}
	}()
	p.log.Info("serving profiles", "url", "http://"+l.Addr().String()+"/debug/pprof/")
	return nil
}

func (p *program) stopProfiles() {
	if p.profiles != nil {
		_ = p.profiles.Close()
	}
}

// localOnly refuses requests by another name than localhost or an IP address: a web page
// can have a name of its own point here, and read what it gets.
func localOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		_, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if (err != nil && !strings.EqualFold(host, "localhost")) || r.Header.Get("Origin") != "" {
			http.Error(w, "profiles are served to 127.0.0.1 and localhost only", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}
