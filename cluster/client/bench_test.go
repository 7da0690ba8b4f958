package client_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/client"
)

// BenchmarkClient is one client against a node in the same process, over loopback:
//
//	go test -run ^$ -bench Client -cpu 2
func BenchmarkClient(b *testing.B) {
	key, value := []byte("key"), bytes.Repeat([]byte("v"), 100)
	for _, op := range []struct {
		name string
		do   func(bucket *client.Bucket) error
	}{
		{"get", func(bucket *client.Bucket) error { _, err := bucket.Get(background, key); return err }},
		{"put", func(bucket *client.Bucket) error { _, err := bucket.Put(background, key, value); return err }},
		{"put-once", func(bucket *client.Bucket) error {
			_, err := bucket.Put(background, key, value, client.Once())
			return err
		}},
		{"increment", func(bucket *client.Bucket) error { _, err := bucket.Increment(background, []byte("n"), 1); return err }},
	} {
		b.Run("op="+op.name, func(b *testing.B) {
			bucket := newClient(b, client.Options{}, newNode(b)).Bucket("available")
			if _, err := bucket.Put(background, key, value); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := op.do(bucket); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// newTLSNode returns a node over TLS, which also speaks HTTP/2, and a client of it.
func newTLSNode(tb testing.TB) *client.Client {
	n := newNode(tb)
	server := httptest.NewUnstartedServer(n.api)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.EnableHTTP2 = true
	server.StartTLS()
	tb.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return newClient(tb, client.Options{Addresses: []string{server.URL}, TLS: &tls.Config{RootCAs: roots}})
}

// BenchmarkTLS is a client over TLS: one at a time, and many at once.
func BenchmarkTLS(b *testing.B) {
	for _, x := range []struct {
		name    string
		clients int
	}{{"1", 1}, {"50", 25}} {
		b.Run("clients="+x.name, func(b *testing.B) {
			bucket := newTLSNode(b).Bucket("available")
			value := make([]byte, 1000)
			b.SetParallelism(x.clients)
			do := func() {
				if _, err := bucket.Put(background, []byte("key"), value); err != nil {
					b.Error(err)
				}
			}
			do()
			b.ReportAllocs()
			b.ResetTimer()
			if x.clients == 1 {
				for range b.N {
					do()
				}
				return
			}
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					do()
				}
			})
		})
	}
}
