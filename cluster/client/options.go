package client

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Options configures a Client. Addresses is needed; the zero value of every other field
// is a good default.
type Options struct {
	// Addresses of nodes of one cluster, as in https://db1.example.com:8379; http:// may be
	// left out.
	Addresses []string

	// User and Password, or Token, are the login.
	User, Password string
	Token          string
	// Plaintext allows to send a login without TLS to another machine.
	Plaintext bool

	// TLS is for https addresses. nil trusts what the system does.
	TLS *tls.Config

	// Resolve makes one value of the siblings of a key, the latest of which is the first.
	// It may be called for the same siblings more than once, and by several goroutines. An
	// error of it is returned by Get.
	Resolve func(key []byte, siblings [][]byte) ([]byte, error)

	// RequestIDs makes every write carry an id, so that it can be repeated.
	RequestIDs bool

	// Retries is how often a request is repeated. 0 means 4; negative, never.
	Retries int
	// Backoff is the first pause between two attempts. It doubles each time, up to 2 s,
	// and each is a random part longer or shorter. 0 means 50 ms.
	Backoff time.Duration
	// Timeout ends one attempt, answer included. 0 means 30 s; negative, never. The
	// context of a call ends all of them.
	Timeout time.Duration

	// MaxConnections is how many connections there are to an address at most. 0 means 64.
	MaxConnections int
	// MaxAnswer is the longest answer that is read, in bytes. 0 means 256 MiB.
	MaxAnswer int64
}

const maxBackoff = 2 * time.Second

// normal fills in defaults and returns the addresses as base URLs.
func (o *Options) normal() ([]string, error) {
	if len(o.Addresses) == 0 {
		return nil, fmt.Errorf("%w: there are no addresses", ErrInvalid)
	}
	if o.Token != "" && (o.User != "" || o.Password != "") {
		return nil, fmt.Errorf("%w: there are both a token and a password", ErrInvalid)
	}
	if o.Backoff < 0 || o.MaxConnections < 0 || o.MaxAnswer < 0 {
		return nil, fmt.Errorf("%w: negative options", ErrInvalid)
	}
	switch {
	case o.Retries == 0:
		o.Retries = 4
	case o.Retries < 0:
		o.Retries = 0
	}
	switch {
	case o.Timeout == 0:
		o.Timeout = 30 * time.Second
	case o.Timeout < 0:
		o.Timeout = 0
	}
	if o.Backoff == 0 {
		o.Backoff = 50 * time.Millisecond
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 64
	}
	if o.MaxAnswer == 0 {
		o.MaxAnswer = 256 << 20
	}
	bases := make([]string, len(o.Addresses))
	for i, a := range o.Addresses {
		if !strings.Contains(a, "://") {
			a = "http://" + a
		}
		u, err := url.Parse(a)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			// The text may have a password in it.
			return nil, fmt.Errorf("%w: address %d is not like https://db1.example.com:8379", ErrInvalid, i)
		}
		login := o.Token != "" || o.User != "" || o.Password != ""
		if login && u.Scheme == "http" && !o.Plaintext && !loopback(u.Hostname()) {
			return nil, fmt.Errorf("%w: the login would go to %s without TLS; use https://, or Plaintext", ErrInvalid, u.Host)
		}
		bases[i] = u.Scheme + "://" + u.Host
	}
	return bases, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// dialer has the time that a connection may take.
func dialer() *net.Dialer { return &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second} }
