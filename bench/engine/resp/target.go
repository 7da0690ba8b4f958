package resp

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
)

// Target is a server to measure, under a name.
type Target struct {
	Name string `json:"name"`
	URL  string `json:"url"` // resp:// or resps://, complete but for the password
}

// Passwords are those of targets, by their names. Printing them shows none.
type Passwords map[string]string

func (Passwords) String() string   { return "[hidden]" }
func (Passwords) GoString() string { return "[hidden]" }

// form is what a target looks like.
const form = "NAME=resp://[USER[:PASSWORD]@]HOST[:PORT][/DB], or resps:// for TLS"

var (
	validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)
	noLetters = regexp.MustCompile(`[^A-Z0-9]+`)
	secrets   = regexp.MustCompile(`(resps?://[^\s/@:]*):\S*@`)
)

// Redact takes the passwords out of the URLs in a text.
func Redact(text string) string { return secrets.ReplaceAllString(text, "$1:***@") }

// Variable is the variable of the environment with the password of a target.
func Variable(name string) string {
	return "KVBENCH_PASSWORD_" + noLetters.ReplaceAllString(strings.ToUpper(name), "_")
}

// Targets reads targets as they are written on a command line. A password that a URL does
// not have comes from the Variable of its name, which lookup finds, like os.LookupEnv. The
// errors quote no URL.
func Targets(texts []string, lookup func(string) (string, bool)) ([]Target, Passwords, error) {
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
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	n, portErr := strconv.ParseUint(port, 10, 16)
	db, dbErr := database(u)
	switch {
	case u.Scheme != "resp" && u.Scheme != "resps":
		return t, nil, wrong("the URL begins with resp:// or resps://")
	case u.Hostname() == "":
		return t, nil, wrong("the URL has no host")
	case portErr != nil || n == 0:
		return t, nil, wrong("a port is a number from 1 to 65535")
	case dbErr != nil:
		return t, nil, wrong("a database is a number, 0 if there is none")
	case u.RawQuery != "" || u.Fragment != "":
		return t, nil, wrong("nothing follows the database")
	}
	clean := url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(strings.ToLower(u.Hostname()), port)}
	if name := u.User.Username(); name != "" {
		clean.User = url.User(name)
	}
	if db > 0 {
		clean.Path = fmt.Sprintf("/%d", db)
	}
	return Target{Name: name, URL: clean.String()}, u.User, nil
}

// database is the number at the end of a URL.
func database(u *url.URL) (int, error) {
	text := strings.TrimPrefix(u.Path, "/")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err
}

// Options are what a target does not say.
type Options struct {
	Passwords Passwords
	// Timeout is how long a server may be silent while a call waits; 0 means 10 seconds.
	Timeout time.Duration
	// Roots are the certificates to trust; nil means those of the system.
	Roots *x509.CertPool
}

// Kind returns the target as a kind of engine.
func (t Target) Kind(o Options) engine.Kind {
	return engine.Kind{
		Name: t.Name, Help: t.URL, Server: true,
		Limits: engine.Limits{Key: maxString, Value: maxString},
		Open:   func(c engine.Config) (engine.Engine, error) { return open(t, o, c) },
	}
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
