package main

import (
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/ringwood-kv/ringwood/cluster"
	"github.com/ringwood-kv/ringwood/cmd/internal/version"
)

// hello tells a newcomer how to go on, where a person reads the log.
func (p *program) hello(n *cluster.Node) {
	if textLog(p.loaded.Load(), p.stderr) {
		_, _ = fmt.Fprint(p.stderr, helloText(n))
	}
}

// helloText is what hello says. Commands in it can be copied as they are.
func helloText(n *cluster.Node) string {
	o, m := n.Options(), n.Metrics()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	state := "opened"
	if m.Opened.Created {
		state = "new"
	}
	line("\nRingwood %s serves the store in %s (%s).\n", version.Number, o.Dir, state)
	secured, bucket := m.Users > 0, n.Databases()[0]
	if a := n.RESPAddr(); a != nil {
		line("  Redis    %s SET greeting hello", redisCLI(a, o.RESP.TLS, secured))
	}
	if a := n.HTTPAddr(); a != nil {
		base, curl := urlOf(a, o.HTTP.TLS), "curl"+trust(o.HTTP.TLS, " --cacert CA.pem", " --cert CLIENT.pem --key CLIENT.key")
		if secured {
			curl += " --user " + cluster.AdminUser
		}
		line("  HTTP     %s -X PUT --data-binary hello %s/v1/buckets/%s/keys/greeting", curl, base, bucket)
		line("           %s %s/v1/buckets/%s/keys/greeting", curl, base, bucket)
		line("  Go       client.New(…): see go doc ./cluster/client")
		line("  Status   kvctl status --addr %s%s%s", base, trust(o.HTTP.TLS, " --ca-file CA.pem", " --cert-file CLIENT.pem --key-file CLIENT.key"), loginOption(secured))
		line("  Metrics  %s %s/metrics", curl, base)
	}
	line("")
	switch {
	case len(m.Insecure) > 0:
		line("INSECURE: whoever reaches the address for %s may read and change everything.\nGive it certificates and users, and start without --insecure.", strings.Join(m.Insecure, " and "))
	case !secured:
		line("Everybody on this machine may do everything, and nobody else connects. To change that, write a\npassword into a file and start with --admin-password-file FILE; for other machines, also with\n--resp-addr, --http-addr, and certificates (kvnode --help, under Security).")
	default:
		line("Clients log in. kvctl users list shows the users, and kvctl users --help tells how to add more.")
	}
	line("Control-C stops it in order, and so does kill %d.\n", os.Getpid())
	return b.String()
}

func redisCLI(a net.Addr, t cluster.TLS, secured bool) string {
	host, port, _ := net.SplitHostPort(reachable(a))
	s := "redis-cli -h " + host + " -p " + port
	s += trust(t, " --tls --cacert CA.pem", " --cert CLIENT.pem --key CLIENT.key")
	if secured {
		s += " --user " + cluster.AdminUser + " --askpass"
	}
	return s
}

// trust is the options of a client for the certificates of a listener: whom to believe, and
// its own where it is asked for one.
func trust(t cluster.TLS, ca, own string) string {
	switch {
	case t.Cert == "":
		return ""
	case t.ClientCA == "":
		return ca
	}
	return ca + own
}

func loginOption(secured bool) string {
	if !secured {
		return ""
	}
	return " --user " + cluster.AdminUser + " --password-file FILE"
}

func urlOf(a net.Addr, t cluster.TLS) string {
	if t.Cert != "" {
		return "https://" + reachable(a)
	}
	return "http://" + reachable(a)
}

// reachable is an address to connect to from this machine, for one to listen on.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// hostsOf is the host of an address to listen on as a name that clients may call it by.
func hostsOf(addr string) []string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "" || net.ParseIP(host) != nil {
		return nil
	}
	return []string{host}
}
