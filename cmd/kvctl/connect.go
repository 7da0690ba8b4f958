package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/ringwood-kv/ringwood/cluster/client"
)

// login says which node to ask, and as whom. Each flag has an environment variable; a
// password and a token are in files or in the environment, never on the command line,
// where everybody on the machine sees them.
type login struct {
	addr         string
	user         string
	passwordFile string
	tokenFile    string
	caFile       string
	certFile     string
	keyFile      string
	plaintext    bool
	timeout      time.Duration
}

const defaultAddr = "http://127.0.0.1:8379"

func (l *login) flags(set *pflag.FlagSet) {
	env := func(p *string, name, help string) {
		set.StringVar(p, name, "", help+" ("+envName(name)+")")
	}
	env(&l.addr, "addr", "HTTP address of the node, HOST:PORT or URL; default "+defaultAddr)
	env(&l.user, "user", "user to log in as")
	env(&l.passwordFile, "password-file", "file with the password; KVCTL_PASSWORD may have it too")
	env(&l.tokenFile, "token-file", "file with a token, in place of user and password; KVCTL_TOKEN may have it too")
	env(&l.caFile, "ca-file", "certificates of which one has signed that of the node, in PEM; default those of the system")
	env(&l.certFile, "cert-file", "certificate of the client, in PEM, for a node that asks for one")
	env(&l.keyFile, "key-file", "private key of that certificate, in PEM")
	set.BoolVar(&l.plaintext, "plaintext", false, "send the login without TLS to another machine, where others may read it")
	set.DurationVar(&l.timeout, "timeout", 30*time.Second, "how long to wait for the node; 0 for ever. flush, compact and checkpoint wait for ever unless told")
}

func envName(flag string) string {
	return "KVCTL_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// settle fills in from the environment what no flag says. A login by flags is not mixed
// with another one from the environment.
func (l *login) settle() (password, token string, err error) {
	env := func(p *string, flag string) {
		if *p == "" {
			*p = os.Getenv(envName(flag))
		}
	}
	env(&l.addr, "addr")
	env(&l.caFile, "ca-file")
	env(&l.certFile, "cert-file")
	env(&l.keyFile, "key-file")
	if l.addr == "" {
		l.addr = defaultAddr
	}
	l.addr = withScheme(l.addr)
	byUser, byToken := l.user != "" || l.passwordFile != "", l.tokenFile != ""
	if byUser && byToken {
		return "", "", usage("--token-file takes the place of --user and --password-file: give one of them")
	}
	if !byUser {
		env(&l.tokenFile, "token-file")
		if token = os.Getenv("KVCTL_TOKEN"); l.tokenFile != "" {
			token, err = readSecret(l.tokenFile)
		}
		if token != "" || err != nil {
			return "", token, err
		}
	}
	env(&l.user, "user")
	env(&l.passwordFile, "password-file")
	if password = os.Getenv("KVCTL_PASSWORD"); l.passwordFile != "" {
		password, err = readSecret(l.passwordFile)
	}
	if err == nil && l.user != "" && password == "" {
		err = usage("there is a user and no password: name a file with it by --password-file, or set KVCTL_PASSWORD_FILE or KVCTL_PASSWORD")
	}
	return password, "", err
}

// withScheme makes a URL of HOST:PORT: a node that other machines reach has TLS.
func withScheme(addr string) string {
	if strings.Contains(addr, "://") {
		return addr
	}
	host := addr
	if h, _, err := net.SplitHostPort(addr); err == nil {
		host = h
	}
	if a, err := netip.ParseAddr(host); err == nil && a.Unmap().IsLoopback() || strings.EqualFold(host, "localhost") || host == "" {
		return "http://" + addr
	}
	return "https://" + addr
}

// maxSecret is the length of the longest file with a secret, in bytes.
const maxSecret = 4096

// readSecret reads a file with a secret and nothing else, which others cannot read.
func readSecret(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", fmt.Errorf("a file with a secret: %w", err)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && info.Mode().IsRegular() && mode&0o027 != 0 {
		return "", fmt.Errorf("%s has mode %#o: other users can read or change it: run chmod 600 on it, and replace the secret if somebody may have read it", name, mode)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	return secretOf(name, b)
}

// secretOf is what a file with a secret holds.
func secretOf(name string, b []byte) (string, error) {
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if text == "" || len(text) > maxSecret || strings.ContainsAny(text, "\r\n") {
		return "", fmt.Errorf("%s has to hold one line, the secret, and nothing else", name)
	}
	return text, nil
}

// tls returns what the flags say of certificates, nil if they say nothing.
func (l *login) tls() (*tls.Config, error) {
	if l.caFile == "" && l.certFile == "" && l.keyFile == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS13}
	if l.caFile != "" {
		pem, err := os.ReadFile(l.caFile)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM", l.caFile)
		}
	}
	if (l.certFile == "") != (l.keyFile == "") {
		return nil, usage("--cert-file and --key-file belong together")
	}
	if l.certFile != "" {
		pair, err := tls.LoadX509KeyPair(l.certFile, l.keyFile)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// connect returns a client, and a context that ends when --timeout does, or the command.
func (c *call) connect(change func(*client.Options)) (context.Context, *client.Client, error) {
	password, token, err := c.login.settle()
	if err != nil {
		return nil, nil, err
	}
	config, err := c.login.tls()
	if err != nil {
		return nil, nil, err
	}
	o := client.Options{
		Addresses: []string{c.login.addr}, User: c.login.user, Password: password, Token: token,
		Plaintext: c.login.plaintext, TLS: config, Retries: 2, Timeout: -1,
	}
	if token != "" {
		o.User = ""
	}
	if change != nil {
		change(&o)
	}
	node, err := client.New(o)
	if errors.Is(err, client.ErrInvalid) {
		return nil, nil, usage("%w", err)
	}
	if err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	c.end()
	if c.login.timeout > 0 && (!c.slow() || c.changed("timeout")) {
		ctx, c.cancel = context.WithTimeout(ctx, c.login.timeout)
	}
	return ctx, node, nil
}

// end gives back what connect has taken.
func (c *call) end() {
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
}

// slow reports whether a command takes as long as it takes.
func (c *call) slow() bool {
	return c.name == "flush" || c.name == "compact" || c.name == "checkpoint" || c.name == "scan"
}

// newPassword reads the password that a command is to set: from a file, or from stdin for
// "-".
func (c *call) newPassword(name string) (string, error) {
	if name == "-" {
		var b bytes.Buffer
		if _, err := b.ReadFrom(c.stdin); err != nil {
			return "", err
		}
		return secretOf("stdin", b.Bytes())
	}
	return readSecret(name)
}
