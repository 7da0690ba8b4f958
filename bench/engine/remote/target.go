// Package remote is the servers that a measurement names, in place of engines: Redis and
// what else speaks RESP, by engine/resp, and a node of Ringwood through its Go client, by
// engine/node.
//
//	targets, passwords, err := remote.Parse([]string{"redis=resp://localhost:6379/3", "node=http://localhost:8379"}, os.LookupEnv)
//	kind := targets[0].Kind(remote.Options{Passwords: passwords})
//	e, err := kind.Open(engine.Config{Connections: 50, Pipeline: 16})
//
// # Passwords
//
// A Target has none: it can be printed and written into documents. Errors of this package
// do not quote URLs as they were given.
package remote

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/engine/node"
	"github.com/ringwood-kv/ringwood/bench/engine/resp"
)

// Target is a server to measure, under a name.
type Target struct {
	Name string `json:"name"`
	URL  string `json:"url"` // complete but for the password
}

// Passwords are those of targets, by their names. Printing them shows none.
type Passwords map[string]string

func (Passwords) String() string   { return "[hidden]" }
func (Passwords) GoString() string { return "[hidden]" }

// form is what a target looks like.
const form = "NAME=resp://[USER[:PASSWORD]@]HOST[:PORT][/DB] or NAME=http://[USER[:PASSWORD]@]HOST[:PORT][/BUCKET], with resps:// and https:// for TLS"

var (
	validName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)
	validBucket = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	noLetters   = regexp.MustCompile(`[^A-Z0-9]+`)
	secrets     = regexp.MustCompile(`((?:resp|http)s?://[^\s/@:]*):\S*@`)
)

// Redact takes the passwords out of the URLs in a text.
func Redact(text string) string { return secrets.ReplaceAllString(text, "$1:***@") }

// Variable is the variable of the environment with the password of a target.
func Variable(name string) string {
	return "KVBENCH_PASSWORD_" + noLetters.ReplaceAllString(strings.ToUpper(name), "_")
}

// Parse reads targets as they are written on a command line. A password that a URL does
// not have comes from the Variable of its name, which lookup finds, like os.LookupEnv. The
// errors quote no URL.
func Parse(texts []string, lookup func(string) (string, bool)) ([]Target, Passwords, error) {
	var targets []Target
	passwords := make(Passwords)
	for _, text := range texts {
		t, user, err := parse(text)
		if err != nil {
			return nil, nil, err
		}
		for _, o := range targets {
			switch {
			case o.Name == t.Name:
				return nil, nil, fmt.Errorf("the target %q is named twice", t.Name)
			case Variable(o.Name) == Variable(t.Name):
				return nil, nil, fmt.Errorf("the targets %q and %q share the variable %s for their passwords: give one another name", o.Name, t.Name, Variable(t.Name))
			case o.URL == t.URL:
				return nil, nil, fmt.Errorf("the targets %q and %q are the same database", o.Name, t.Name)
			}
		}
		password, ok := user.Password()
		if !ok {
			password, _ = lookup(Variable(t.Name))
		}
		switch {
		case password != "":
			passwords[t.Name] = password
		case user.Username() != "":
			return nil, nil, fmt.Errorf("the target %q has a user and no password: set %s", t.Name, Variable(t.Name))
		}
		targets = append(targets, t)
	}
	return targets, passwords, nil
}

// parse reads a target, and the user of its URL, which may be nil.
func parse(text string) (t Target, user *url.Userinfo, err error) {
	name, raw, ok := strings.Cut(text, "=")
	if !ok || strings.Contains(name, "/") {
		return t, nil, errors.New("a target is written as " + form)
	}
	if !validName.MatchString(name) {
		return t, nil, fmt.Errorf("the target %q: a name has letters, digits, dots, dashes and underscores, at most 32 of them", name)
	}
	wrong := func(why string) error {
		return fmt.Errorf("the target %q: %s; it is written as %s", name, why, form)
	}
	u, err := url.Parse(raw)
	if err != nil { // the error quotes what may be a password
		return t, nil, wrong("this is no URL (in a password, write other characters than letters and digits as %XX, or set " + Variable(name) + ")")
	}
	var usual, path string // port
	switch u.Scheme {
	case "resp", "resps":
		usual = "6379"
		path, err = database(u)
	case "http", "https":
		usual = "8379"
		path, err = bucket(u)
	default:
		return t, nil, wrong("the URL begins with resp:// or http://")
	}
	port := u.Port()
	if port == "" {
		port = usual
	}
	n, portErr := strconv.ParseUint(port, 10, 16)
	switch {
	case u.Hostname() == "":
		return t, nil, wrong("the URL has no host")
	case portErr != nil || n == 0:
		return t, nil, wrong("a port is a number from 1 to 65535")
	case err != nil:
		return t, nil, wrong(err.Error())
	case u.RawQuery != "" || u.Fragment != "":
		return t, nil, wrong("nothing follows the database")
	}
	clean := url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(strings.ToLower(u.Hostname()), port), Path: path}
	if name := u.User.Username(); name != "" {
		clean.User = url.User(name)
	}
	return Target{Name: name, URL: clean.String()}, u.User, nil
}

// database is the path of a URL for a database of RESP: none for the first one.
func database(u *url.URL) (path string, err error) {
	text := strings.TrimPrefix(u.Path, "/")
	if text == "" {
		return "", nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return "", errors.New("a database is a number, 0 if there is none")
	}
	if n == 0 {
		return "", nil
	}
	return fmt.Sprintf("/%d", n), nil
}

// bucket is the path of a URL for a bucket.
func bucket(u *url.URL) (path string, err error) {
	name := strings.Trim(u.Path, "/")
	if name == "" {
		name = node.FirstBucket
	}
	if !validBucket.MatchString(name) {
		return "", errors.New("behind the host is the name of a bucket, " + node.FirstBucket + " if there is none")
	}
	return "/" + name, nil
}

// Options are what a target does not say.
type Options struct {
	Passwords Passwords
	// Timeout is how long a server may be silent while a call waits; 0 means 10 seconds.
	Timeout time.Duration
	// Roots are the certificates to trust; nil means those of the system.
	Roots *x509.CertPool
}

// Pipelines reports whether several calls can be under way on one connection.
func (t Target) Pipelines() bool { return strings.HasPrefix(t.URL, "resp") }

// Kind returns the target as a kind of engine.
func (t Target) Kind(o Options) engine.Kind {
	r := engine.Remote{Name: t.Name, URL: t.URL, Password: o.Passwords[t.Name], Timeout: o.Timeout, Roots: o.Roots}
	if t.Pipelines() {
		return resp.Kind(r)
	}
	return node.Kind(r)
}

// Find returns a function that finds the targets, and what find knows.
func Find(targets []Target, o Options, find func(string) (engine.Kind, error)) func(string) (engine.Kind, error) {
	return func(name string) (engine.Kind, error) {
		i := slices.IndexFunc(targets, func(t Target) bool { return t.Name == name })
		if i < 0 {
			return find(name)
		}
		return targets[i].Kind(o), nil
	}
}
