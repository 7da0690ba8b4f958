package resp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
)

// A TLS listener is served like another one, and a client that does not finish the
// handshake is cut off.
func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"here"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	srv := New(memstore.New(16), Options{AuthTimeout: time.Second, MaxClients: 3})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(tls.NewListener(l, cfg)) }()
	roots := x509.NewCertPool()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(cert)
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "here"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	silent, plain := dial(t, l.Addr().String()), dial(t, l.Addr().String())
	_, _ = plain.Write([]byte("PING\r\n"))
	closed(t, plain)
	if got := closed(t, silent); got != "" {
		t.Errorf("got %q", got)
	}
	if _, err := c.Write([]byte("SET a 1\r\nGET a\r\n*1\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	if got := closed(t, c); !strings.HasPrefix(got, "+OK\r\n$1\r\n1\r\n-ERR Protocol error") {
		t.Errorf("got %q", got)
	}
	if err := srv.Shutdown(short(t)); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-served; !errors.Is(err, ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}
