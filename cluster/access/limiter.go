package access

import (
	"net/netip"
	"sync"
	"time"
)

// LimiterOptions configures a Limiter. The zero value of every field is a good default.
type LimiterOptions struct {
	// PerAddress is how many logins may fail at once from one address, and Recovery how
	// long it takes until one more may. An IPv6 address counts with all of its /64. 0
	// means 10 and 6 s.
	PerAddress int
	Recovery   time.Duration
	// PerUser is the same for one user from all addresses. It is generous, because
	// whoever fails on purpose slows the user down. 0 means 100 and 1 s.
	PerUser      int
	UserRecovery time.Duration
	// Entries bounds how many addresses, and how many users, are remembered. When there
	// are more that have not recovered, the others share what one has, ten times over. 0
	// means 4096, about half a megabyte.
	Entries int
}

// Limiter is the brake on failed logins: per address and per user, in bounded memory.
// Names count whether or not there is such a user. Safe for concurrent use.
//
// Only failures count, once they are known, so that a pool of connections may log in at
// once; and a success does not wipe failures out, so that somebody with an account of
// their own guesses no faster.
type Limiter struct {
	mu        sync.Mutex
	addresses brakes[netip.Prefix]
	users     brakes[string]
}

// NewLimiter returns a Limiter. The error is ErrInvalid, for negative options.
func NewLimiter(o LimiterOptions) (*Limiter, error) {
	if o.PerAddress < 0 || o.PerUser < 0 || o.Entries < 0 || o.Recovery < 0 || o.UserRecovery < 0 {
		return nil, invalid("a limiter with negative options")
	}
	if o.PerAddress == 0 {
		o.PerAddress = 10
	}
	if o.Recovery == 0 {
		o.Recovery = 6 * time.Second
	}
	if o.PerUser == 0 {
		o.PerUser = 100
	}
	if o.UserRecovery == 0 {
		o.UserRecovery = time.Second
	}
	if o.Entries == 0 {
		o.Entries = 4096
	}
	return &Limiter{
		addresses: newBrakes[netip.Prefix](rate{o.PerAddress, o.Recovery}, o.Entries),
		users:     newBrakes[string](rate{o.PerUser, o.UserRecovery}, o.Entries),
	}, nil
}

// Check returns a *LimitedError if too many logins from that address or as that user
// have failed. An empty user is not looked at. Door.Login calls it.
func (l *Limiter) Check(from netip.Addr, user string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := l.addresses.wait(network(from), now)
	if user != "" {
		wait = max(wait, l.users.wait(brakeName(user), now))
	}
	if wait > 0 {
		return &LimitedError{wait}
	}
	return nil
}

// Failed counts a failed login. Door.Login calls it.
func (l *Limiter) Failed(from netip.Addr, user string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addresses.fail(network(from), now)
	if user != "" {
		l.users.fail(brakeName(user), now)
	}
}

// network is what counts as one address. What is none counts as one, too.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// brakeName bounds what is remembered of names that no user can have.
func brakeName(user string) string {
	if !ValidName(user) {
		return "\x00"
	}
	return user
}
