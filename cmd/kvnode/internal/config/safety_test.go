package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/access"
)

// Every combination of address, certificate, user and --insecure, against the rule in
// other words.
func TestSafetyMatrix(t *testing.T) {
	addrs := map[string]bool{ // reached from elsewhere
		"": false, "127.0.0.1:1": false, "127.8.8.8:1": false, "[::1]:1": false, "localhost:1": false, "LocalHost:1": false, "[::ffff:127.0.0.1]:1": false,
		":1": true, "0.0.0.0:1": true, "[::]:1": true, "10.0.0.1:1": true, "192.168.0.1:1": true, "[fe80::1]:1": true, "kv.example:1": true, "localhost.example:1": true, "[::ffff:10.0.0.1]:1": true,
	}
	cells := 0
	for addr, outside := range addrs {
		if addr != "" && Loopback(addr) == outside {
			t.Errorf("%s: loopback is %v", addr, !outside)
		}
		for bits := range 64 {
			cert, key, ca := bits&1 != 0, bits&2 != 0, bits&4 != 0
			users, password, insecure := bits&8 != 0, bits&16 != 0, bits&32 != 0
			var tls TLS
			if cert {
				tls.Cert = "c"
			}
			if key {
				tls.Key = "k"
			}
			if ca {
				tls.CA = "a"
			}
			base := Config{RESPAddr: "127.0.0.1:6379", HTTPAddr: "127.0.0.1:8379", Insecure: insecure}
			if password {
				base.AdminPassword = access.NewSecret("a good password")
			}
			clients := !outside || insecure || cert && key && (users || password)
			for name, c := range map[string]struct {
				put  func(c *Config)
				want bool
			}{
				"resp":  {func(c *Config) { c.RESPAddr, c.RESP = addr, tls }, clients},
				"http":  {func(c *Config) { c.HTTPAddr, c.HTTP = addr, tls }, clients},
				"pprof": {func(c *Config) { c.PprofAddr = addr }, !outside},
			} {
				cells++
				config := base
				c.put(&config)
				ps := Unsafe(&config, users)
				if (len(ps) == 0) != c.want || len(ps) > 1 {
					t.Errorf("%s on %q with cert %v, key %v, ca %v, users %v, password %v, insecure %v: %v", name, addr, cert, key, ca, users, password, insecure, ps)
				}
				if len(ps) == 1 && !strings.HasPrefix(ps[0].What, name+"-addr "+addr) {
					t.Error(ps[0])
				}
				exposed := insecure && outside && !(cert && key && (users || password))
				if got := Exposed(&config, users); (len(got) > 0) != (exposed && name != "pprof") || len(got) > 0 && got[0] != name+"-addr" {
					t.Errorf("exposed: %q", got)
				}
			}
		}
	}
	t.Logf("%d cells", cells)
}

// The exact words: people search for them.
func TestSafetySentences(t *testing.T) {
	c := Config{RESPAddr: "0.0.0.0:6379", HTTPAddr: ":8379", PprofAddr: ":6060", HTTP: TLS{Cert: "c", Key: "k"}}
	want := []string{
		"resp-addr 0.0.0.0:6379 can be reached from other machines, and there is no TLS and no user. Give --resp-tls-cert-file and --resp-tls-key-file, and set the password of the user admin by KVNODE_ADMIN_PASSWORD or --admin-password-file. Or listen on 127.0.0.1:6379 only. Or, if everybody who reaches that address may read and change everything, start with --insecure.",
		"http-addr :8379 can be reached from other machines, and there is no user. Set the password of the user admin by KVNODE_ADMIN_PASSWORD or --admin-password-file. Or listen on 127.0.0.1:8379 only. Or, if everybody who reaches that address may read and change everything, start with --insecure.",
		"pprof-addr :6060 can be reached from other machines, and profiles show what is in memory. Listen on 127.0.0.1, and reach it through a tunnel, as by ssh -L.",
	}
	ps := Unsafe(&c, false)
	for i, p := range ps {
		if p.String() != want[i] {
			t.Errorf("got  %s\nwant %s", p, want[i])
		}
	}
	if len(ps) != len(want) {
		t.Error(len(ps))
	}
}

func TestSecrets(t *testing.T) {
	const canary = "canary secret"
	files := memFiles{
		content: map[string]string{"/good": canary + "\n", "/crlf": canary + "\r\n", "/plain": canary, "/open": canary, "/short": "canary", "/dir": "/", "/long": strings.Repeat("canary", 4096), "/lines": canary + "\n" + canary, "/empty": "", "/config": "admin-password-file: /good\n"},
		open:    map[string]bool{"/open": true},
	}
	for path, want := range map[string]string{
		"/good": "", "/crlf": "", "/plain": "", "/open": "mode 0644", "/short": "it has 6 bytes", "/dir": "no regular file", "/long": "too long", "/lines": "control characters", "/empty": "it has 0 bytes", "/none": "cannot be opened",
	} {
		l, ps := loadFrom(files, nil, "--admin-password-file="+path)
		if want == "" && (ps != nil || l.AdminPassword.Reveal() != canary || l.Source("admin-password").String() != "file "+path) || want != "" && (len(ps) != 1 || !has(ps, "admin-password-file (--admin-password-file)", want) || !l.AdminPassword.IsEmpty()) {
			t.Errorf("%s: %v", path, ps)
		}
		if strings.Contains(fmt.Sprint(ps), "canary") || strings.Contains(fmt.Sprintf("%v %+v %#v", l, l.Config, *l), "canary") {
			t.Errorf("%s: the secret is shown", path)
		}
	}
	if l, ps := loadFrom(files, nil, "--config=/config"); ps != nil || l.AdminPassword.Reveal() != canary {
		t.Error(ps)
	}
	if l, ps := loadFrom(files, []string{"KVNODE_ADMIN_PASSWORD=" + canary}); ps != nil || l.AdminPassword.Reveal() != canary {
		t.Error(ps)
	}
	if _, ps := loadFrom(files, []string{"KVNODE_ADMIN_PASSWORD=" + canary}, "--admin-password-file=/good"); !has(ps, "KVNODE_ADMIN_PASSWORD is set too") || strings.Contains(ps.Error(), "canary") {
		t.Error(ps)
	}
	if _, ps := loadFrom(files, []string{"KVNODE_ADMIN_PASSWORD=canary"}); len(ps) != 1 || strings.Contains(ps.Error(), "canary") {
		t.Error(ps)
	}
	// The key of a certificate too.
	files.content["/cert"], files.content["/key"] = "c", "k"
	files.open["/key"] = true
	if _, ps := loadFrom(files, nil, "--resp-tls-cert-file=/cert", "--resp-tls-key-file=/key"); len(ps) != 1 || !has(ps, "resp-tls-key-file", "mode 0644", "chmod 600") {
		t.Error(ps)
	}
}
