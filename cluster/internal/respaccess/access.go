package respaccess

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/resp"
	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// Options of an Access. All fields must be set.
type Options struct {
	// Policy returns the one of this moment.
	Policy func() *access.Policy
	// Exists reports whether there is a user of that name.
	Exists func(name string) bool
	// Door judges logins.
	Door *access.Door
	// Open reports whether a client at an address need not log in as long as there are no
	// users: it is on the loopback interface, or the operator has said so.
	Open func(net.Addr) bool
	// Databases is the bucket of each database.
	Databases []string
	// Context ends when the server does. LoginTimeout is how long a login may wait for
	// its turn.
	Context      context.Context
	LoginTimeout time.Duration
	// Clock tells the time. It may be late by as much as a session may go on after it
	// has expired.
	Clock func() time.Time
}

// Access implements resp.Access. It is safe for concurrent use.
type Access struct {
	o     Options
	needs []Need // by the ID of the command
}

var _ resp.Access = (*Access)(nil)

// New returns an Access.
func New(o Options) *Access {
	a := &Access{o: o}
	table, needs := command.New(), Needs()
	a.needs = make([]Need, len(table.Commands()))
	for _, c := range table.Commands() {
		a.needs[c.ID] = needs[c.Name] // what is not there is Nobody
	}
	return a
}

// Default implements resp.Access.
func (a *Access) Default(addr net.Addr) resp.User {
	p := a.o.Policy().Anonymous(a.o.Open(addr))
	if p == nil {
		return nil
	}
	return a.user(p)
}

// Exists implements resp.Access.
func (a *Access) Exists(name []byte) bool { return a.o.Exists(string(name)) }

// Login implements resp.Access.
func (a *Access) Login(addr net.Addr, name, password []byte) (resp.User, error) {
	if policy := a.o.Policy(); !policy.LoginRequired() {
		if u := a.Default(addr); u != nil && string(name) == access.DefaultUser {
			return u, nil // as Redis: any password is right for a user who needs none
		}
		// There is nobody whose password could be guessed: no hash, and no brake.
		return nil, told(&access.LoginError{User: string(name), Reason: access.UnknownUser})
	}
	ctx, cancel := context.WithTimeout(a.o.Context, a.o.LoginTimeout)
	defer cancel()
	secret, user := access.NewSecret(string(password)), string(name)
	if user == access.DefaultUser && access.IsToken(secret.Reveal()) {
		user = "" // AUTH TOKEN: whoever it belongs to
	}
	p, err := a.o.Door.Login(ctx, a.o.Policy(), AddrOf(addr), user, secret, a.o.Clock())
	if err != nil {
		return nil, told(err)
	}
	return a.user(p), nil
}

// told adds what the client is told of a login that was not judged.
func told(err error) error {
	var limited *access.LimitedError
	switch {
	case errors.As(err, &limited):
		return fmt.Errorf("%w: %w", wire.Error(fmt.Sprintf("ERR too many failed logins, try again in %d s", int(limited.RetryAfter.Seconds())+1)), err)
	case errors.Is(err, access.ErrBusy), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", errBusy, err)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: %w", errClosing, err)
	}
	var refused *access.LoginError
	if errors.As(err, &refused) { // for the log, which has to know why
		return fmt.Errorf("%w (user %q, %v)", err, cut(refused.User), refused.Reason)
	}
	return err
}

const (
	errBusy    wire.Error = "ERR too many logins at once, try again"
	errClosing wire.Error = "ERR the server is shutting down"
)

// cut bounds what a stranger can write into the log.
func cut(name string) string {
	if len(name) > access.MaxName {
		name = name[:access.MaxName]
	}
	return name
}

// AddrOf returns the IP address of a client, the zero one for others, as of sockets in
// the file system.
func AddrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// Loopback reports whether a client is on this machine.
func Loopback(a net.Addr) bool {
	if _, ok := a.(*net.UnixAddr); ok {
		return true
	}
	return AddrOf(a).IsLoopback()
}
