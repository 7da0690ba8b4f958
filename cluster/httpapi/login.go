package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// login finds out who the client is. Each request brings its login; a password is hashed
// once for as long as it stays among the sessions.
func (c *call) login() error {
	acc := c.api.o.Access
	if acc == nil {
		c.known()
		return nil
	}
	policy, now := acc.Policy(), c.api.o.Clock()
	user, secret, given, err := c.credentials()
	if err != nil {
		return err
	}
	if !given {
		c.who = policy.Anonymous(acc.Open || c.local())
		if c.who != nil {
			c.known()
			return nil
		}
		e := wire.Errorf(wire.Unauthorized, "this takes a login").WithHint("send a user and password (curl -u user), or a token (Authorization: Bearer rwt_…)")
		if !policy.LoginRequired() {
			e.Hint = "there are no users yet: only clients on the machine itself may use this server, and not through a proxy"
		}
		return e
	}
	c.api.sessions.follow(policy, now)
	id := c.api.sessions.id(user, secret.Reveal())
	if pr := policy.Refresh(c.api.sessions.get(id), now); pr != nil {
		c.who = pr
		c.known()
		return nil
	}
	pr, err := acc.Door.Login(c.r.Context(), policy, c.addr, user, secret, now)
	if err != nil {
		return c.loginFailed(err)
	}
	c.api.sessions.put(id, pr)
	c.who = pr
	c.known()
	return nil
}

// OnLogin returns a context that makes the API call known when somebody has logged in, or
// needs no login, in a request of it: for whoever limits connections on which nobody has.
// It is what http.Server.ConnContext returns. known is called for each such request.
func OnLogin(ctx context.Context, known func()) context.Context {
	return context.WithValue(ctx, onLoginKey{}, known)
}

type onLoginKey struct{}

// known tells the connection that somebody has logged in on it.
func (c *call) known() {
	if known, ok := c.r.Context().Value(onLoginKey{}).(func()); ok {
		known()
	}
}

// local reports whether the client is on this machine. Through a proxy there, everybody
// would be.
func (c *call) local() bool {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if c.r.Header.Get(h) != "" {
			return false
		}
	}
	return c.addr.IsLoopback()
}

// credentials reads the Authorization header.
func (c *call) credentials() (user string, secret access.Secret, given bool, err error) {
	values := c.r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", secret, false, nil
	}
	bad := wire.Errorf(wire.Unauthorized, "the Authorization header is neither Basic nor Bearer")
	if len(values) > 1 {
		return "", secret, false, bad
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	switch {
	case strings.EqualFold(scheme, "Basic"):
		name, password, ok := c.r.BasicAuth()
		if !ok {
			return "", secret, false, bad
		}
		return name, access.NewSecret(password), true, nil
	case strings.EqualFold(scheme, "Bearer"):
		text := strings.TrimSpace(rest)
		// Something else would be judged as the password of the default user.
		if !access.IsToken(text) {
			c.api.counters.loginFailures.Add(1)
			return "", secret, false, wire.Errorf(wire.Unauthorized, "the token is mistyped: it is rwt_ and %d characters", access.TokenLen-len(access.TokenPrefix))
		}
		return "", access.NewSecret(text), true, nil
	}
	return "", secret, false, bad
}

func (c *call) loginFailed(err error) error {
	var refused *access.LoginError
	var limited *access.LimitedError
	switch {
	case errors.As(err, &refused):
		c.api.counters.loginFailures.Add(1)
		// The user as the client wrote it may be a password in the wrong field.
		c.api.o.Logger.Warn("http: a login failed", "addr", c.addr.String(), "reason", refused.Reason.String())
		return wire.Errorf(wire.Unauthorized, "wrong user name, password or token, or the user is disabled")
	case errors.As(err, &limited):
		e := wire.Errorf(wire.TooManyLogins, "too many logins have failed")
		e.RetryAfter = limited.RetryAfter
		return e.WithHint("a token is not slowed down by failures of others")
	case errors.Is(err, access.ErrBusy):
		e := wire.Errorf(wire.TooManyLogins, "too many logins wait already")
		e.RetryAfter = time.Second
		return e
	}
	return err
}

// sessions remember logins, so that a password is not hashed for each request. A login
// that was taken back is refused all the same: Policy.Refresh judges each use. It has two
// generations of limited size, and forgets the older one.
type sessions struct {
	key [32]byte // of this process: nobody can compute an id from a password elsewhere

	mu         sync.Mutex
	policy     *access.Policy // of all of them, but for those who raced with a change
	young, old map[sessionID]*access.Principal
}

type sessionID [sha256.Size]byte

// generation is how many logins one generation has at most.
const generation = 2048

func newSessions() (*sessions, error) {
	s := &sessions{young: make(map[sessionID]*access.Principal)}
	if _, err := rand.Read(s.key[:]); err != nil {
		return nil, fmt.Errorf("httpapi: no random bytes: %w", err)
	}
	return s, nil
}

func (s *sessions) id(user, secret string) sessionID {
	m := hmac.New(sha256.New, s.key[:])
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(user))) // or "ab", "c" would be "a", "bc"
	m.Write(n[:])
	m.Write([]byte(user))
	m.Write([]byte(secret))
	return sessionID(m.Sum(nil))
}

// follow brings all sessions up to date when users have changed: each would keep its old
// Policy in memory.
func (s *sessions) follow(p *access.Policy, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.policy == p {
		return
	}
	s.policy = p
	for _, m := range []map[sessionID]*access.Principal{s.young, s.old} {
		for id, pr := range m {
			if pr = p.Refresh(pr, now); pr == nil {
				delete(m, id)
			} else {
				m[id] = pr
			}
		}
	}
}

// get returns the principal of a login, nil if it is not remembered.
func (s *sessions) get(id sessionID) *access.Principal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pr := s.young[id]; pr != nil {
		return pr
	}
	pr := s.old[id]
	if pr != nil {
		s.putLocked(id, pr)
	}
	return pr
}

func (s *sessions) put(id sessionID, pr *access.Principal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putLocked(id, pr)
}

func (s *sessions) putLocked(id sessionID, pr *access.Principal) {
	if len(s.young) >= generation {
		s.old, s.young = s.young, make(map[sessionID]*access.Principal)
	}
	s.young[id] = pr
}
