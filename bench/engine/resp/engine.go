package resp

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine"
)

const (
	defaultTimeout = 10 * time.Second
	// clearTimeout is how long a server may take to delete all of its keys.
	clearTimeout = 10 * time.Minute
)

// errUnordered is what iterators of a server come to.
var errUnordered = errors.New("a server over RESP keeps its keys in no order: there is nothing to seek or to scan in")

// ReplyError is an error that the server answered.
type ReplyError struct {
	Command, Text string
}

func (e *ReplyError) Error() string {
	return fmt.Sprintf("the server answered to %s: %s", e.Command, e.Text)
}

// store is the engine: a database of a server. It is an engine.Server.
type store struct {
	remote engine.Remote
	url    *url.URL

	links    pool
	calls    sync.Pool
	identity engine.Identity
}

// Kind returns a server as a kind of engine. Its URL is resp:// or, for TLS, resps://, with
// a host, a port and perhaps the number of a database.
func Kind(r engine.Remote) engine.Kind {
	return engine.Kind{
		Name: r.Name, Help: r.URL, Server: true,
		Limits: engine.Limits{Key: maxString, Value: maxString},
		Open:   func(c engine.Config) (engine.Engine, error) { return open(r, c) },
	}
}

// open connects, and asks the server who it is.
func open(r engine.Remote, c engine.Config) (engine.Engine, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, fmt.Errorf("the target %q has no valid URL", r.Name)
	}
	if r.Timeout == 0 {
		r.Timeout = defaultTimeout
	}
	s := &store{remote: r, url: u}
	s.calls.New = func() any { return &call{replies: 1, done: make(chan struct{}, 1)} }
	s.links.depth = max(c.Pipeline, 1)
	s.links.dial = func() (link, error) {
		d, err := s.dial(s.remote.Timeout)
		if err != nil || s.links.depth == 1 {
			return d, err
		}
		return newPipeline(d, s.links.depth), nil
	}
	if err := s.with(r.Timeout, s.identify); err != nil {
		return nil, err
	}
	if err := s.links.open(max(c.Connections, 1)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// dial makes a connection to the target's database.
func (s *store) dial(timeout time.Duration) (*direct, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.remote.Timeout)
	defer cancel()
	var c net.Conn
	var err error
	if s.url.Scheme == "resps" {
		d := tls.Dialer{Config: &tls.Config{RootCAs: s.remote.Roots, ServerName: s.url.Hostname(), MinVersion: tls.VersionTLS12}}
		c, err = d.DialContext(ctx, "tcp", s.url.Host)
	} else {
		c, err = new(net.Dialer).DialContext(ctx, "tcp", s.url.Host)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.remote.URL, err)
	}
	d := newDirect(&stream{c, timeout})
	if err := s.greet(d); err != nil {
		d.close()
		return nil, fmt.Errorf("connect to %s: %w", s.remote.URL, err)
	}
	return d, nil
}

// greet logs in and selects the database.
func (s *store) greet(d *direct) error {
	if s.remote.Password != "" {
		args := [][]byte{[]byte(s.remote.Password)}
		if name := s.url.User.Username(); name != "" {
			args = [][]byte{[]byte(name), []byte(s.remote.Password)}
		}
		if _, err := d.ask("AUTH", args...); err != nil {
			// A server that does not know AUTH repeats what it was given.
			return errors.New(strings.ReplaceAll(err.Error(), s.remote.Password, "***"))
		}
	}
	if db := strings.TrimPrefix(s.url.Path, "/"); db != "" {
		if _, err := d.ask("SELECT", []byte(db)); err != nil {
			return err
		}
	}
	return check(d)
}

// ask sends a command and returns the reply, or a *ReplyError.
func (d *direct) ask(name string, args ...[]byte) (*reply, error) {
	c := &call{replies: 1, cmd: appendCommand(nil, name, args...)}
	if err := d.do(c); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &c.reply, c.refusal(name)
}

// refusal is the error that the server answered, nil if it answered none.
func (c *call) refusal(name string) error {
	if c.reply.mark == '-' {
		return &ReplyError{name, string(c.reply.data)}
	}
	return nil
}

// unexpected is the error for a reply that the command does not have.
func (c *call) unexpected(name string, at int) error {
	if c.reply.mark == '-' {
		return &ReplyError{name, string(c.reply.data[at:])}
	}
	what := fmt.Sprintf("%c%s", c.reply.mark, clip(c.reply.data[at:]))
	switch {
	case c.reply.null:
		what = "nothing"
	case c.reply.mark == ':' || c.reply.mark == '*':
		what = fmt.Sprintf("%c%d", c.reply.mark, c.reply.n)
	}
	return broken("the reply to %s is %q", name, what)
}

// check makes sure that the replies of a link are in step with its calls.
func check(l link) error {
	token := []byte("kvbench-" + rand.Text())
	c := &call{replies: 1, done: make(chan struct{}, 1), cmd: appendCommand(nil, "ECHO", token)}
	if err := l.do(c); err != nil {
		return fmt.Errorf("ECHO: %w", err)
	}
	if err := c.refusal("ECHO"); err != nil {
		return err // a server that is loading, or has too many clients
	}
	if c.reply.mark != '$' || string(c.reply.data) != string(token) {
		return fmt.Errorf("a reply was lost, or came twice: %w", c.unexpected("ECHO", 0))
	}
	return nil
}

// Check sends an ECHO over each connection.
func (s *store) Check() error {
	for _, l := range s.links.links() {
		if err := check(l); err != nil {
			return err
		}
	}
	return nil
}

// with calls a function with a connection of its own, beside those that are measured.
func (s *store) with(timeout time.Duration, do func(d *direct) error) error {
	d, err := s.dial(timeout)
	if err != nil {
		return err
	}
	defer d.close()
	return do(d)
}

// do performs a call on a free place.
func (s *store) do(c *call, name string) error {
	l, err := s.links.take()
	if err != nil {
		return err
	}
	err = l.do(c)
	s.links.give(l)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// begin returns a call with one reply, whose buffers are empty.
func (s *store) begin() *call {
	c := s.calls.Get().(*call)
	c.cmd, c.replies, c.reply.data = c.cmd[:0], 1, c.reply.data[:0]
	return c
}

func (c *call) isOK() bool { return c.reply.mark == '+' && string(c.reply.data) == "OK" }

func (s *store) Put(key, value []byte) error {
	c := s.begin()
	defer s.calls.Put(c)
	c.cmd = appendCommand(c.cmd, "SET", key, value)
	if err := s.do(c, "SET"); err != nil {
		return err
	}
	if !c.isOK() {
		return c.unexpected("SET", 0)
	}
	return nil
}

func (s *store) AppendGet(dst, key []byte) ([]byte, error) {
	c := s.begin()
	own := c.reply.data
	defer func() {
		c.reply.data = own // what was returned is the caller's
		s.calls.Put(c)
	}()
	c.cmd = appendCommand(c.cmd, "GET", key)
	c.reply.data = dst
	if err := s.do(c, "GET"); err != nil {
		return dst, err
	}
	switch {
	case c.reply.mark != '$':
		return dst, c.unexpected("GET", len(dst))
	case c.reply.null:
		return dst, engine.ErrNotFound
	}
	return c.reply.data, nil
}

func (s *store) Delete(key []byte) error {
	c := s.begin()
	defer s.calls.Put(c)
	c.cmd = appendCommand(c.cmd, "DEL", key)
	if err := s.do(c, "DEL"); err != nil {
		return err
	}
	if c.reply.mark != ':' || c.reply.n < 0 || c.reply.n > 1 {
		return c.unexpected("DEL", 0)
	}
	return nil
}

func (s *store) NewIter(_, _ []byte) (engine.Iter, error) { return nil, errUnordered }

// Sync makes sure that everything was answered. What an answer promises is the server's
// own business: nothing in the protocol asks for more.
func (s *store) Sync() error { return s.Check() }

func (s *store) Identity() engine.Identity { return s.identity }

func (s *store) Keys() (n int64, err error) {
	err = s.with(clearTimeout, func(d *direct) error {
		rep, err := d.ask("DBSIZE")
		if err != nil {
			return err
		}
		if n = rep.n; rep.mark != ':' || n < 0 {
			return broken("the reply to DBSIZE is no number of keys")
		}
		return nil
	})
	return n, err
}

func (s *store) Clear() error {
	return s.with(clearTimeout, func(d *direct) error {
		rep, err := d.ask("FLUSHDB")
		if err == nil && (rep.mark != '+' || string(rep.data) != "OK") {
			return broken("the reply to FLUSHDB is not OK")
		}
		return err
	})
}

func (s *store) Close() error {
	for _, l := range s.links.links() {
		l.close()
	}
	return nil
}
