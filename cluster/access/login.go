package access

import (
	"context"
	"net/netip"
	"time"
)

// Door is where logins come in: the brake, the budget for hashing and the check in their
// order. Both fields must be set. It is safe for concurrent use.
type Door struct {
	Hasher  *Hasher
	Limiter *Limiter
}

// Login checks a user's password or token, given by a client at an address. An empty user
// is DefaultUser with a password; with a token, it is whomever the token belongs to. The
// session may serve until Refresh ends it.
//
// The errors are *LoginError, for which the brake counts a failure, and, where nothing was
// judged, *LimitedError, ErrBusy and that of ctx, which should end when the client is no
// longer waited for. A token is checked within microseconds; a password waits for its
// turn and takes some tens of milliseconds of a core.
func (d *Door) Login(ctx context.Context, p *Policy, from netip.Addr, user string, secret Secret, now time.Time) (*Principal, error) {
	text := secret.Reveal()
	sum, isToken := sumToken(text)
	braked := user
	if isToken {
		braked = "" // guessing tokens is hopeless: it must not lock the user out
	} else if user == "" {
		user, braked = DefaultUser, DefaultUser
	}
	check := func() error { return d.Limiter.Check(from, braked, now) }
	if err := check(); err != nil {
		return nil, err
	}
	judge := func(pr *Principal, err error) (*Principal, error) {
		if _, refused := err.(*LoginError); refused {
			d.Limiter.Failed(from, braked, now)
		}
		return pr, err
	}
	if isToken {
		return judge(p.loginToken(user, sum, now))
	}
	if text == "" || len(text) > MaxPassword {
		return judge(nil, &LoginError{user, WrongPassword})
	}
	// Those that waited together ask again, one by one, and a failure counts before the
	// next one begins: otherwise as many guesses as can wait would be free.
	var pr *Principal
	var refused error
	err := d.Hasher.compute(ctx, text, p.base(user, d.Hasher), check, func(sum []byte) {
		pr, refused = judge(p.loginPassword(user, sum, d.Hasher, now))
	})
	if err != nil {
		return nil, err
	}
	return pr, refused
}

func (p *Policy) loginToken(user string, sum TokenSum, now time.Time) (*Principal, error) {
	// The lookup is by a hash that nobody can steer, so its time tells nothing.
	t := p.tokens[*sum.d.sumBytes]
	if t == nil || user != "" && user != t.name {
		return nil, &LoginError{user, UnknownToken}
	}
	return p.admit(t.account, t.id, t.expires, true, now)
}

// base is the hash that decides the costs of a login.
func (p *Policy) base(user string, h *Hasher) Hash {
	if a := p.users[user]; a != nil && len(a.passwords) > 0 {
		return a.passwords[0].hash
	}
	return p.decoy(user, h.params)
}

// loginPassword judges what was computed from a password and the base of the user.
func (p *Policy) loginPassword(user string, sum []byte, h *Hasher, now time.Time) (*Principal, error) {
	a := p.users[user]
	if a == nil {
		return nil, &LoginError{user, UnknownUser}
	}
	var found *password
	for i := range a.passwords { // all of them, whichever it is
		if a.passwords[i].hash.equal(sum) {
			found = &a.passwords[i]
		}
	}
	if found == nil {
		return nil, &LoginError{user, WrongPassword}
	}
	pr, err := p.admit(a, found.id, 0, false, now)
	if err == nil {
		pr.outdated = len(a.passwords) == 1 && h.outdated(found.hash)
	}
	return pr, err
}

// admit makes the session of somebody who has shown a valid credential.
func (p *Policy) admit(a *account, credential uint64, expires int64, byToken bool, now time.Time) (*Principal, error) {
	if a.disabled {
		return nil, &LoginError{a.name, Disabled}
	}
	pr := p.principal(a, credential, expires, byToken)
	if p.Refresh(pr, now) == nil {
		return nil, &LoginError{a.name, Expired}
	}
	return pr, nil
}
