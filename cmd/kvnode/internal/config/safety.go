package config

import (
	"net/netip"
	"strings"
)

// Loopback reports whether nobody but the machine itself reaches an address. Names are
// not looked up: localhost is on loopback, all others are not. The empty host, and 0.0.0.0
// and ::, are all addresses of the machine.
func Loopback(addr string) bool {
	host, _, err := splitAddr(addr)
	if err != nil {
		return false
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// Unsafe says why the server must not listen on its addresses, nil if it may. Users says
// whether the store has users; at its first start there will be one if AdminPassword is
// set.
//
// On loopback everything is allowed. Elsewhere, clients need TLS and users, unless
// Insecure is set. Profiles are on loopback always.
func Unsafe(c *Config, users bool) []Problem {
	var problems []Problem
	users = users || !c.AdminPassword.IsEmpty()
	for _, p := range []struct {
		name, prefix, addr, local string
		tls                       TLS
	}{
		{"resp-addr", "resp", c.RESPAddr, "127.0.0.1:6379", c.RESP},
		{"http-addr", "http", c.HTTPAddr, "127.0.0.1:8379", c.HTTP},
	} {
		if p.addr == "" || Loopback(p.addr) || c.Insecure || p.tls.Enabled() && users {
			continue
		}
		var lacks, give []string
		if !p.tls.Enabled() {
			lacks = append(lacks, "TLS")
			give = append(give, "give --"+p.prefix+"-tls-cert-file and --"+p.prefix+"-tls-key-file")
		}
		if !users {
			lacks = append(lacks, "user")
			give = append(give, "set the password of the user admin by KVNODE_ADMIN_PASSWORD or --admin-password-file")
		}
		problems = append(problems, Problem{
			What: p.name + " " + p.addr + " can be reached from other machines, and there is no " + strings.Join(lacks, " and no "),
			Do: sentence(strings.Join(give, ", and ")) + ". Or listen on " + p.local +
				" only. Or, if everybody who reaches that address may read and change everything, start with --insecure.",
		})
	}
	if c.PprofAddr != "" && !Loopback(c.PprofAddr) {
		problems = append(problems, Problem{
			What: "pprof-addr " + c.PprofAddr + " can be reached from other machines, and profiles show what is in memory",
			Do:   "Listen on 127.0.0.1, and reach it through a tunnel, as by ssh -L.",
		})
	}
	return problems
}

// Exposed lists the settings of addresses that only Insecure lets the server listen on,
// for it to say so at the start and in its status.
func Exposed(c *Config, users bool) []string {
	if !c.Insecure {
		return nil
	}
	strict := *c
	strict.Insecure, strict.PprofAddr = false, ""
	var names []string
	for _, p := range Unsafe(&strict, users) {
		name, _, _ := strings.Cut(p.What, " ")
		names = append(names, name)
	}
	return names
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
