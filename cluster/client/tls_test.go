package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/client"
)

// One connection for all is the slower way to many small requests.
func TestHTTP1(t *testing.T) {
	n := newNode(t)
	protocols := make(chan string, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocols <- r.Proto
		n.api.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for _, next := range [][]string{nil, {"h2", "http/1.1"}} {
		b := newClient(t, client.Options{Addresses: []string{server.URL}, TLS: &tls.Config{RootCAs: roots, NextProtos: next}}).Bucket("available")
		if _, err := b.Put(background, []byte("k"), nil); err != nil {
			t.Fatal(err)
		}
		if got := <-protocols; got != "HTTP/1.1" {
			t.Errorf("with %q: %s", next, got)
		}
	}
}

func TestTLS(t *testing.T) {
	n := newNode(t)
	server := httptest.NewUnstartedServer(n.api)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for name, c := range map[string]struct {
		config *tls.Config
		ok     bool
	}{
		"trusted":    {&tls.Config{RootCAs: roots}, true},
		"unknown":    {&tls.Config{RootCAs: x509.NewCertPool()}, false},
		"system":     {nil, false},
		"other name": {&tls.Config{RootCAs: roots, ServerName: "db.elsewhere.org"}, false},
		"old":        {&tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS12}, false},
	} {
		b := newClient(t, client.Options{Addresses: []string{server.URL}, TLS: c.config, Retries: -1, Token: "canary"}).Bucket("available")
		_, err := b.Put(background, []byte("k"), []byte(name))
		if (err == nil) != c.ok || errors.Is(err, client.ErrIndeterminate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
