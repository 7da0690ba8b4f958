package config

import "errors"

// check finds what is wrong between settings, and files that are not there.
func (l *Loaded) check() (problems []Problem) {
	add := func(name, what, do string) {
		problems = append(problems, Problem{name, l.sources[name], what, do})
	}
	for _, p := range []struct {
		prefix, ca, addr string
		tls              TLS
	}{
		{"resp", "resp-tls-client-ca-file", l.RESPAddr, l.RESP},
		{"http", "http-tls-client-ca-file", l.HTTPAddr, l.HTTP},
	} {
		cert, key := p.prefix+"-tls-cert-file", p.prefix+"-tls-key-file"
		switch {
		case p.tls.Cert != "" && p.tls.Key == "":
			add(cert, "there is no key for it", "Give "+asFlag(key)+" too.")
		case p.tls.Cert == "" && p.tls.Key != "":
			add(key, "there is no certificate for it", "Give "+asFlag(cert)+" too.")
		case p.tls.CA != "" && p.tls.Cert == "":
			add(p.ca, "there is no TLS without a certificate of this server", "Give "+asFlag(cert)+" and "+asFlag(key)+" too.")
		}
		for _, f := range [][2]string{{cert, p.tls.Cert}, {p.ca, p.tls.CA}} {
			if f[1] == "" {
				continue
			}
			if _, err := checkFile(l.files, f[1]); err != nil {
				add(f[0], faultOf(err).what, faultOf(err).do)
			}
		}
		if p.tls.Key != "" {
			if err := checkPrivate(l.files, p.tls.Key); err != nil {
				add(key, faultOf(err).what, faultOf(err).do)
			}
		}
	}

	if l.AdminReset && l.AdminPassword.IsEmpty() {
		add("admin-reset", "there is no password for admin", "Give --admin-password-file too.")
	}
	problems = append(problems, l.checkPorts()...)
	if l.RESPAddr == "" && l.HTTPAddr == "" {
		add("resp-addr", "nobody could reach the server", "Give --resp-addr or --http-addr.")
	}
	problems = append(problems, l.checkRing()...)
	if l.MaxRequestSize < l.MaxKeySize+l.MaxValueSize {
		add("max-request-size", "it is less than the longest key and value together", "Raise it, or lower --max-value-size.")
	}
	if l.MaxInflightSize < l.MaxRequestSize {
		add("max-inflight-size", "it is less than --max-request-size", "Raise it, or lower --max-request-size.")
	}
	return problems
}

// checkRing refuses what asks for more than a ring of one. Scripts for several nodes pass
// the three settings always; with one node they run.
func (l *Loaded) checkRing() (problems []Problem) {
	for _, peer := range l.Join {
		if peer != l.ClusterAddr {
			problems = append(problems, Problem{"join", l.sources["join"], "this version is a ring of one and cannot join " + quote(peer), "Remove --join, or name the node itself alone."})
			break
		}
	}
	if l.BootstrapExpect > 1 {
		problems = append(problems, Problem{"bootstrap-expect", l.sources["bootstrap-expect"], "this version is a ring of one and cannot form one with others", "Remove it, or write 1."})
	}
	if l.ClusterAddr != "" {
		l.Warnings = append(l.Warnings, "nobody listens on cluster-addr "+quote(l.ClusterAddr)+": this version is a ring of one.")
	}
	return problems
}

// checkPorts finds addresses that cannot be listened on together.
func (l *Loaded) checkPorts() (problems []Problem) {
	type listener struct {
		name, host string
		port       uint16
	}
	all := func(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }
	var taken []listener
	for _, a := range [][2]string{{"resp-addr", l.RESPAddr}, {"http-addr", l.HTTPAddr}, {"cluster-addr", l.ClusterAddr}, {"pprof-addr", l.PprofAddr}} {
		host, port, err := splitAddr(a[1])
		if err != nil || port == 0 { // none, or any free port
			continue
		}
		for _, t := range taken {
			if t.port == port && (t.host == host || all(t.host) || all(host)) {
				problems = append(problems, Problem{a[0], l.sources[a[0]], quote(a[1]) + " is taken by " + t.name, "Choose another port."})
				break
			}
		}
		taken = append(taken, listener{a[0], host, port})
	}
	return problems
}

func faultOf(err error) *fault {
	var f *fault
	if !errors.As(err, &f) {
		return &fault{what: quote(err.Error())}
	}
	return f
}
