package access

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// Policy is a State made ready for checks and logins. It is immutable and safe for
// concurrent use.
type Policy struct {
	*compiled // for fmt not to follow it, see hashData
}

type compiled struct {
	users  map[string]*account
	tokens map[sumBytes]*tokenAccount

	open *Principal // who everybody is when there are no users
	// decoys are the hashes that the names of nobody are checked against.
	decoys []Hash
	seed   [16]byte
}

// account is a user and what every Principal of that user shares.
type account struct {
	user
	rights []right
	table  ruleTable
}

type tokenAccount struct {
	token
	*account
}

// Compile returns the Policy of a State. Seed is random, from the start of the process;
// it decides which costs the names of nobody seem to have.
func Compile(s State, seed [16]byte) *Policy {
	d := s.get()
	p := &Policy{&compiled{
		users:  make(map[string]*account, len(d.users)),
		tokens: make(map[sumBytes]*tokenAccount),
		seed:   seed,
	}}
	for i := range d.users {
		a := &account{user: d.users[i], rights: d.rights(&d.users[i])}
		a.table = newRuleTable(a.rights)
		p.users[a.name] = a
		for _, t := range a.tokens {
			p.tokens[*t.sum.d.sumBytes] = &tokenAccount{t, a}
		}
		if len(a.passwords) > 0 {
			p.addDecoy(a.passwords[0].hash)
		}
	}
	if len(d.users) == 0 {
		all := []right{{AllVerbs, Everything()}}
		a := &account{user: user{name: DefaultUser}, rights: all, table: newRuleTable(all)}
		p.open = &Principal{name: DefaultUser, account: a, policy: p}
	}
	return p
}

// addDecoy adds a hash that costs as much as h.
func (p *Policy) addDecoy(h Hash) {
	same := func(d Hash) bool { return d.d.params == h.d.params && len(d.d.sum) == len(h.d.sum) }
	if !slices.ContainsFunc(p.decoys, same) {
		p.decoys = append(p.decoys, newHash(h.d.params, make([]byte, saltLen), make([]byte, len(h.d.sum))))
	}
}

// decoy returns the hash that a password is checked against for a user who is not there
// or has none. After new hashes have become more expensive, users have different costs:
// so have the names of nobody then, always the same for one name.
func (p *Policy) decoy(name string, fallback Params) Hash {
	if len(p.decoys) == 0 {
		return newHash(fallback, make([]byte, saltLen), make([]byte, sumLen))
	}
	sum := sha256.Sum256(append(p.seed[:], name...))
	return p.decoys[binary.BigEndian.Uint64(sum[:])%uint64(len(p.decoys))]
}

// Anonymous returns who a client is that has not logged in: somebody who may do
// everything, if there are no users and open is true, and otherwise nil. Open is true for
// clients on the loopback interface, and for all if the operator has said so explicitly
// (kvnode's --insecure).
func (p *Policy) Anonymous(open bool) *Principal {
	if open {
		return p.open
	}
	return nil
}

// LoginRequired reports whether there are users.
func (p *Policy) LoginRequired() bool { return p.open == nil }

// Refresh returns pr with the rights that it has by now, or nil if the session is over:
// the user was deleted or disabled or has expired, or the password or token with which
// the user had logged in is no longer valid. The Anonymous principal ends with the first
// user. It costs a comparison if pr is of p already.
func (p *Policy) Refresh(pr *Principal, now time.Time) *Principal {
	if pr == nil {
		return nil
	}
	if pr.policy != p {
		if pr = p.again(pr); pr == nil {
			return nil
		}
	}
	if pr.expires != 0 && now.Unix() >= pr.expires {
		return nil
	}
	return pr
}

func (p *Policy) again(pr *Principal) *Principal {
	if pr.credential == 0 {
		return p.open
	}
	a := p.users[pr.name]
	if a == nil || a.disabled {
		return nil
	}
	for i := range a.passwords {
		if a.passwords[i].id == pr.credential {
			return p.principal(a, a.passwords[i].id, 0, false)
		}
	}
	for i := range a.tokens {
		if a.tokens[i].id == pr.credential {
			return p.principal(a, a.tokens[i].id, a.tokens[i].expires, true)
		}
	}
	return nil
}

// principal returns the session of a user who has logged in. Expires is that of the
// credential.
func (p *Policy) principal(a *account, credential uint64, expires int64, byToken bool) *Principal {
	if expires == 0 || a.expires != 0 && a.expires < expires {
		expires = a.expires
	}
	return &Principal{name: a.name, account: a, policy: p, credential: credential, expires: expires, byToken: byToken}
}
