package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster"
	"github.com/ringwood-kv/ringwood/cmd/internal/nodetest"
	"github.com/ringwood-kv/ringwood/cmd/kvnode/internal/config"
)

const password = "canary of the admin"

// secured starts a node with TLS and a user.
func secured(t *testing.T, cert nodetest.Cert, args ...string) *nodetest.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return nodetest.Start(t, nodetest.Options{TLS: cert.Client, Args: append([]string{
		"--admin-password-file", file, "--resp-tls-cert-file", cert.CertFile, "--resp-tls-key-file", cert.KeyFile,
		"--http-tls-cert-file", cert.CertFile, "--http-tls-key-file", cert.KeyFile, "--log-level", "debug"}, args...)})
}

func TestSecured(t *testing.T) {
	t.Parallel()
	p := secured(t, nodetest.NewCert(t, t.TempDir(), 1))
	c := p.Dial(t)
	c.Want(t, "-NOAUTH", "GET a")
	if v, err := c.Do("AUTH", "admin", "a wrong one"); err != nil || !strings.HasPrefix(v.Text, "WRONGPASS") {
		t.Error(v, err)
	}
	if v, err := c.Do("AUTH", "admin", password); err != nil || v.Kind != '+' {
		t.Fatal(v, err)
	}
	c.Want(t, "+OK", "SET a 1")
	request := func(path, user, pass string) int {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, p.URL(path), nil)
		if err != nil {
			t.Fatal(err)
		}
		if user != "" {
			r.SetBasicAuth(user, pass)
		}
		a, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: p.TLS()}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		return a.StatusCode
	}
	for _, x := range []struct {
		path, user, pass string
		want             int
	}{
		{"/v1/buckets/available/keys/a", "", "", 401}, {"/v1/buckets/available/keys/a", "admin", password, 200},
		{"/metrics", "", "", 401}, {"/metrics", "admin", password, 200}, {"/v1/status", "", "", 401}, {"/v1/config", "", "", 401},
		{"/healthz", "", "", 200}, {"/readyz", "", "", 200}, {"/v1/openapi.json", "", "", 200},
		{"/v1/status", "admin", "a wrong one", 401},
	} {
		if got := request(x.path, x.user, x.pass); got != x.want {
			t.Errorf("%s as %q: %d, want %d", x.path, x.user, got, x.want)
		}
	}
	// Nothing below TLS 1.3, and nothing without it.
	old := p.TLS()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if conn, err := tls.Dial("tcp", p.RESP, old); err == nil {
		_ = conn.Close()
		t.Error("RESP speaks TLS 1.2")
	}
	if a, err := http.Get("http://" + p.HTTP + "/v1/status"); err == nil {
		if a.StatusCode != http.StatusBadRequest {
			t.Errorf("HTTP without TLS: %d", a.StatusCode)
		}
		_ = a.Body.Close()
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.Cmd.Process.Pid)); err == nil && strings.Contains(string(b), "canary") {
		t.Error("the password is on the command line")
	}
	p.Stop(t)
	if strings.Contains(p.Log(), "canary") || strings.Contains(p.Log(), "a wrong one") {
		t.Errorf("a password is in the log:\n%s", p.Log())
	}
}

// SIGHUP changes what can be changed, says what cannot, and leaves everything as it was
// when the file is wrong.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert := nodetest.NewCert(t, dir, 1)
	file := filepath.Join(dir, "kvnode.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("slow-log-threshold: 0s\n")
	p := nodetest.Start(t, nodetest.Options{TLS: cert.Client, Args: []string{"--config", file,
		"--http-tls-cert-file", cert.CertFile, "--http-tls-key-file", cert.KeyFile, "--resp-tls-cert-file", cert.CertFile, "--resp-tls-key-file", cert.KeyFile}})
	kv := "Host: kv.example.com"
	if status, _ := p.Get(t, "/readyz", kv); status != 403 {
		t.Errorf("before: %d", status)
	}
	c := p.Dial(t)

	write("slow-log-threshold: 1ns\nhttp-allowed-hosts: [kv.example.com]\nlog-level: debug\nmax-pipeline: 7\n")
	p.Signal(t, syscall.SIGHUP)
	p.WaitFor(t, "the settings were read again", `"changes":4`)
	p.WaitFor(t, "takes effect at the next start", "max-pipeline")
	if status, _ := p.Get(t, "/readyz", kv); status != 200 {
		t.Errorf("the name is allowed, and the answer is %d", status)
	}
	c.Want(t, "+OK", "SET a 1")
	if _, body := p.Get(t, "/v1/slowlog"); !strings.Contains(body, `"protocol":"http"`) || !strings.Contains(body, `"protocol":"resp"`) {
		t.Errorf("the slow log is %s", body)
	}
	if _, body := p.Get(t, "/v1/config"); !strings.Contains(body, `{"name":"max-pipeline","value":"256","source":"default"}`) || !strings.Contains(body, `{"name":"log-level","value":"debug","source":"line 3 of `) {
		t.Errorf("the configuration in effect is %s", body)
	}

	write("http-allowed-hosts: []\nlog-level: loud\n")
	p.Signal(t, syscall.SIGHUP)
	p.WaitFor(t, "are wrong", "loud")
	if status, _ := p.Get(t, "/readyz", kv); status != 200 {
		t.Errorf("a wrong file changed something: %d", status)
	}

	// Certificates are read again, of files of the same names.
	write("log-level: debug\n")
	next := nodetest.NewCert(t, dir, 2)
	p.Signal(t, syscall.SIGHUP)
	p.WaitFor(t, "the settings were read again", `"changes":2`)
	for _, addr := range []string{p.RESP, p.HTTP} {
		conn, err := tls.Dial("tcp", addr, next.Client)
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(); got != 2 {
			t.Errorf("%s has certificate %d", addr, got)
		}
		_ = conn.Close()
	}
	c.Want(t, "$1", "GET a") // the connection goes on
}

// What is printed about a node with TLS and users has all that clients need.
func TestHelloSecured(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert := nodetest.NewCert(t, dir, 1)
	p := secured(t, cert, "--log-format", "text", "--http-tls-client-ca-file", cert.CertFile, "--log-level", "info")
	p.WaitFor(t, "Control-C")
	for _, want := range []string{
		"redis-cli -h 127.0.0.1 -p ", " --tls --cacert CA.pem --user admin --askpass SET",
		"curl --cacert CA.pem --cert CLIENT.pem --key CLIENT.key --user admin https://" + p.HTTP,
		"kvctl status --addr https://" + p.HTTP + " --ca-file CA.pem --cert-file CLIENT.pem --key-file CLIENT.key --user admin --password-file FILE",
		"kvctl users --help",
	} {
		if !strings.Contains(p.Log(), want) {
			t.Errorf("no %q in\n%s", want, p.Log())
		}
	}
}

// A node that would be unsafe only because it has no users says so in the names of the
// settings.
func TestUnsafeWithoutUsers(t *testing.T) {
	dir := t.TempDir()
	cert := nodetest.NewCert(t, dir, 1)
	loaded, err := config.Load(config.Input{Files: config.OS{}, Args: []string{
		"--resp-addr", "10.0.0.1:6379", "--resp-tls-cert-file", cert.CertFile, "--resp-tls-key-file", cert.KeyFile}})
	if err != nil || len(problemsOf(loaded, nil)) > 0 {
		t.Fatal(err)
	}
	var out strings.Builder
	log, level := newLog(loaded, &out)
	p := &program{log: log, level: level, stderr: &out}
	p.loaded.Store(loaded)
	if status := p.openFailed(errors.Join(cluster.ErrUnsafe)); status != exitUsage || !strings.Contains(out.String(), "KVNODE_ADMIN_PASSWORD") || strings.Contains(out.String(), "no TLS") {
		t.Errorf("%d: %s", status, out.String())
	}
}
