package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// onLoopback returns options for a small store on fs, or in a directory if that is nil,
// with both protocols on ports of their own.
func onLoopback(t testing.TB, fs vfs.FS) Options {
	o := Options{
		Dir: "data", FS: fs, Memory: 8 << 20, Partitions: 16,
		RESP: Listen{Addr: "127.0.0.1:0"}, HTTP: Listen{Addr: "127.0.0.1:0"},
		Handler: func(n *Node) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = json.NewEncoder(w).Encode(map[string]any{"path": r.URL.Path, "ready": n.Ready()})
			})
		},
		Bucket: replica.BucketConfig{Durability: lsm.OS},
	}
	if fs == nil {
		o.Dir = filepath.Join(t.TempDir(), "store")
	}
	return o
}

// start opens a node and serves until the end of the test.
func start(t testing.TB, o Options) *Node {
	t.Helper()
	n, err := Open(short(t), o)
	must(t, err)
	serve(t, n)
	return n
}

func serve(t testing.TB, n *Node) {
	t.Helper()
	served := make(chan error, 1)
	go func() { served <- n.Serve() }()
	t.Cleanup(func() {
		_ = n.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	eventually(t, "the node serves", func() bool { return n.phase.Load() != phaseOpen })
}

// stop ends a node in order.
func stop(t testing.TB, n *Node) {
	t.Helper()
	must(t, n.Shutdown(short(t)))
}

func dial(t testing.TB, n *Node) *resptest.Client {
	t.Helper()
	return resptest.Dial(t, "tcp", n.RESPAddr().String())
}

// short is a context for what is done soon.
func short(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not within 10 s: %s", what)
}

// fetch gets a page over HTTP.
func fetch(t testing.TB, client *http.Client, url string) (status int, body string) {
	t.Helper()
	r, err := client.Get(url)
	must(t, err)
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(r.Body)
	must(t, err)
	return r.StatusCode, string(b)
}

// wantClosed sees that the server ends a connection.
func wantClosed(t testing.TB, c *resptest.Client) {
	t.Helper()
	_ = c.Conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := c.Conn.Read(make([]byte, 1))
	if n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection lives: %d bytes, %v", n, err)
	}
}

// root is who may do everything while there are no users.
func root(n *Node) *access.Principal {
	return n.Anonymous(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
}

// authority signs certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "ca"}})
	return a
}

func (a *authority) sign(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	must(a.t, err)
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	must(a.t, err)
	made, err := x509.ParseCertificate(der)
	must(a.t, err)
	return made, key
}

// write signs a certificate for 127.0.0.1 and writes it with its key into dir.
func (a *authority) write(dir, name string) TLS {
	c, key := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalECPrivateKey(key)
	must(a.t, err)
	files := TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	must(a.t, os.WriteFile(files.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o644))
	must(a.t, os.WriteFile(files.Key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600))
	return files
}

// writeCA writes the certificate of the authority.
func (a *authority) writeCA(dir string) string {
	name := filepath.Join(dir, "ca.pem")
	must(a.t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o644))
	return name
}

// client is the configuration of a client that trusts the authority.
func (a *authority) client() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool}
}
