package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// certificates is what a listener proves itself by, as the files were when they were
// read last. It is safe for concurrent use.
type certificates struct {
	name   string // of the listener, for errors
	files  TLS
	protos []string
	now    atomic.Pointer[tls.Config]

	mu     sync.Mutex
	stamps map[string]stamp
}

// stamp tells whether a file may have changed.
type stamp struct {
	time time.Time
	size int64
}

// newCertificates reads the files, and returns nil if there are none.
func newCertificates(name string, files TLS, protos ...string) (*certificates, error) {
	if files.Cert == "" {
		return nil, nil
	}
	c := &certificates{name: name, files: files, protos: protos}
	return c, c.reload()
}

// server returns the configuration of a listener. Each connection has the certificates
// of the moment when it begins.
func (c *certificates) server() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         c.protos,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.now.Load(), nil },
	}
}

// reload reads the files again. After an error everything is as before.
func (c *certificates) reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stamps = c.look() // before they are read: a change meanwhile is seen the next time
	config, err := c.load()
	if err != nil {
		return fmt.Errorf("cluster: TLS of %s: %w", c.name, err)
	}
	c.now.Store(config)
	return nil
}

// changed reports whether a file is another one than when it was read.
func (c *certificates) changed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, s := range c.look() {
		if old := c.stamps[name]; s.size != old.size || !s.time.Equal(old.time) {
			return true
		}
	}
	return false
}

func (c *certificates) look() map[string]stamp {
	stamps := make(map[string]stamp)
	for _, name := range []string{c.files.Cert, c.files.Key, c.files.ClientCA} {
		if info, err := os.Stat(name); name != "" && err == nil {
			stamps[name] = stamp{info.ModTime(), info.Size()}
		}
	}
	return stamps
}

func (c *certificates) load() (*tls.Config, error) {
	info, err := os.Stat(c.files.Key)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o027 != 0 {
		return nil, fmt.Errorf("%s has mode %#o: other users can read or change it. Run chmod 600 on it, and replace the key if somebody may have read it", c.files.Key, mode)
	}
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err == nil && pair.Leaf == nil { // so GODEBUG may have it
		pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0])
	}
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: c.protos, Certificates: []tls.Certificate{pair}}
	if c.files.ClientCA == "" {
		return config, nil
	}
	pem, err := os.ReadFile(c.files.ClientCA)
	if err != nil {
		return nil, err
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate in PEM", c.files.ClientCA)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	// A session that is resumed shows no certificate: it would outlive its authority.
	config.SessionTicketsDisabled = true
	return config, nil
}

// ReloadTLS reads the files of TLS again. Connections that there are keep what they have.
// After an error the certificates of before are used, of each listener on its own.
func (n *Node) ReloadTLS() error {
	var errs []error
	for _, c := range []*certificates{n.respCerts, n.httpCerts} {
		if c != nil {
			errs = append(errs, c.reload())
		}
	}
	return errors.Join(errs...)
}

// expiry is when the certificate that is shown ends, zero without TLS.
func (c *certificates) expiry() time.Time {
	if c == nil {
		return time.Time{}
	}
	return c.now.Load().Certificates[0].Leaf.NotAfter
}

// expiring warns of certificates that have ended, or are about to.
func (n *Node) expiring(now time.Time) (warnings []string) {
	for _, c := range []*certificates{n.respCerts, n.httpCerts} {
		if c == nil {
			continue
		}
		switch end := c.expiry(); {
		case now.After(end):
			warnings = append(warnings, fmt.Sprintf("the certificate of %s has expired on %s: no client connects that looks at it", c.name, end.UTC().Format(time.DateOnly)))
		case now.Add(expirySoon).After(end):
			warnings = append(warnings, fmt.Sprintf("the certificate of %s expires on %s", c.name, end.UTC().Format(time.DateOnly)))
		}
	}
	return warnings
}

// expirySoon is from when on an end of a certificate is worth a warning.
const expirySoon = 7 * 24 * time.Hour

// watchTLS reads files that have changed.
func (n *Node) watchTLS() {
	for _, c := range []*certificates{n.respCerts, n.httpCerts} {
		if c == nil || !c.changed() {
			continue
		}
		if err := c.reload(); err != nil {
			n.opts.Logger.Error("certificates have changed and cannot be read; those of before are used", "err", err)
		} else {
			n.opts.Logger.Info("certificates were read again", "listener", c.name)
		}
	}
}
