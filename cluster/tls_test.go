package cluster

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Both protocols speak TLS 1.3 and nothing older, and take new files for the
// connections to come.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t)
	files := ca.write(dir, "first")
	o := onLoopback(t, vfs.NewMem())
	o.RESP.TLS, o.HTTP.TLS = files, files
	n := start(t, o)
	connect := func(config *tls.Config) (string, error) {
		c, err := tls.Dial("tcp", n.RESPAddr().String(), config)
		if err != nil {
			return "", err
		}
		defer func() { _ = c.Close() }()
		if _, err := c.Write(resptest.Encode(nil, "PING")); err != nil {
			return "", err
		}
		b := make([]byte, 7)
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(b); err != nil || string(b) != "+PONG\r\n" {
			t.Errorf("%q, %v", b, err)
		}
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
	}
	want := func(name string) {
		t.Helper()
		if got, err := connect(ca.client()); err != nil || got != name {
			t.Errorf("%q, %v, want %q", got, err, name)
		}
		web := &http.Client{Transport: &http.Transport{TLSClientConfig: ca.client(), ForceAttemptHTTP2: true}}
		r, err := web.Get("https://" + n.HTTPAddr().String() + "/")
		must(t, err)
		_ = r.Body.Close()
		if r.TLS.PeerCertificates[0].Subject.CommonName != name || r.TLS.Version != tls.VersionTLS13 || r.ProtoMajor != 2 {
			t.Errorf("%v %v", r.TLS.PeerCertificates[0].Subject, r.Proto)
		}
		web.CloseIdleConnections()
	}
	want("first")
	if m := n.Metrics(); m.RESPCertificate.IsZero() || !m.HTTPCertificate.Equal(m.RESPCertificate) || len(n.expiring(n.now())) != 2 {
		t.Errorf("%v, %v, %q", m.RESPCertificate, m.HTTPCertificate, n.expiring(n.now()))
	}
	old := ca.client()
	old.MaxVersion = tls.VersionTLS12
	if _, err := connect(old); err == nil {
		t.Error("TLS 1.2 is spoken")
	}
	if _, err := connect(newAuthority(t).client()); err == nil {
		t.Error("a client trusts whomever")
	}
	ca.write(dir, "second")
	want("first")
	must(t, n.ReloadTLS())
	want("second")
	// What cannot be used changes nothing.
	must(t, os.WriteFile(files.Cert, []byte("nonsense"), 0o644))
	if err := n.ReloadTLS(); err == nil || !strings.Contains(err.Error(), "TLS of HTTP") {
		t.Error(err)
	}
	want("second")
	// The node finds new files by itself.
	must(t, os.Chtimes(files.Key, time.Now(), time.Now().Add(time.Second)))
	ca.write(dir, "third")
	must(t, os.Chtimes(files.Cert, time.Now(), time.Now().Add(2*time.Second)))
	n.watchTLS()
	want("third")
	if n.respCerts.changed() || n.httpCerts.changed() {
		t.Error("they have changed again")
	}
}

func TestClientCertificates(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	ca := newAuthority(t)
	o := onLoopback(t, vfs.NewMem())
	o.RESP.TLS = ca.write(dir, "server")
	o.RESP.TLS.ClientCA = ca.writeCA(dir)
	n := start(t, o)
	try := func(config *tls.Config) error {
		c, err := tls.Dial("tcp", n.RESPAddr().String(), config)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		if _, err := c.Write(resptest.Encode(nil, "PING")); err != nil {
			return err
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, err = c.Read(make([]byte, 7))
		return err
	}
	if err := try(ca.client()); err == nil {
		t.Error("a client without a certificate is let in")
	}
	for _, by := range []*authority{ca, newAuthority(t)} {
		files := by.write(other, "client")
		pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
		must(t, err)
		config := ca.client()
		config.Certificates = []tls.Certificate{pair}
		if err := try(config); (err == nil) != (by == ca) {
			t.Errorf("a client of the right authority %v: %v", by == ca, err)
		}
	}
}

// A key that others can read is refused.
func TestPrivateKey(t *testing.T) {
	dir := t.TempDir()
	o := onLoopback(t, vfs.NewMem())
	o.RESP.TLS = newAuthority(t).write(dir, "server")
	must(t, os.Chmod(o.RESP.TLS.Key, 0o644))
	if _, err := Open(short(t), o); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Fatal(err)
	}
	must(t, os.Chmod(o.RESP.TLS.Key, 0o640))
	n, err := Open(short(t), o)
	must(t, err)
	must(t, n.Close())
	o.RESP.TLS.ClientCA = filepath.Join(dir, "key.pem")
	if _, err := Open(short(t), o); err == nil || !strings.Contains(err.Error(), "no certificate in PEM") {
		t.Fatal(err)
	}
}

// The end of a certificate is told a week before.
func TestExpiring(t *testing.T) {
	o := onLoopback(t, vfs.NewMem())
	o.RESP.TLS = newAuthority(t).write(t.TempDir(), "server")
	n := start(t, o)
	end := n.Metrics().RESPCertificate
	if !n.Metrics().HTTPCertificate.IsZero() {
		t.Error("HTTP has a certificate")
	}
	for at, want := range map[time.Time]string{
		end.Add(-expirySoon - time.Second): "", end.Add(-expirySoon + time.Second): "the certificate of RESP expires on ", end.Add(time.Second): "the certificate of RESP has expired on ",
	} {
		if got := strings.Join(n.expiring(at), "; "); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("at %v: %q, want %q", at, got, want)
		}
	}
}
