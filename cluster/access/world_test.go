package access

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// hooks are where a test plants its bugs: what a server calls.
type hooks struct {
	allow    func(p *Principal, v Verb, bucket string, key []byte) bool
	allowAll func(p *Principal, needs []Need) int
	filter   func(p *Principal, v Verb, bucket string, keys [][]byte) [][]byte
	cover    func(p *Principal, v Verb, bucket string, prefix []byte) Coverage
	exec     func(pol *Policy, p *Principal, needs []Need, now time.Time) bool // needs were allowed when p was fresh
	refresh  func(pol *Policy, p *Principal, now time.Time) *Principal
	login    func(d *Door, pol *Policy, user string, s Secret, now time.Time) (*Principal, error)
	change   func(before, after State, err error) (State, error)
	rotate   func(h *Hasher, text string, old Hash) (Hash, error)
	setPass  func(s State, name string, h Hash, keep bool) (State, error)
}

func honest() hooks {
	return hooks{
		allow:    (*Principal).Allow,
		allowAll: (*Principal).AllowAll,
		filter:   (*Principal).Filter,
		cover:    (*Principal).Cover,
		exec: func(pol *Policy, p *Principal, needs []Need, now time.Time) bool {
			return pol.Refresh(p, now).AllowAll(needs) == -1
		},
		refresh: (*Policy).Refresh,
		login: func(d *Door, pol *Policy, user string, s Secret, now time.Time) (*Principal, error) {
			return d.Login(context.Background(), pol, home, user, s, now)
		},
		change: func(_, after State, err error) (State, error) { return after, err },
		rotate: func(h *Hasher, text string, old Hash) (Hash, error) {
			return h.HashLike(context.Background(), NewSecret(text), old)
		},
		setPass: State.SetPassword,
	}
}

// world is a history of users and the model of it: what an honest bookkeeper with the
// oracle says.
type world struct {
	h      hooks
	rng    *rand.Rand
	random *rand.ChaCha8
	now    time.Time

	state    State
	policy   *Policy
	hasher   *Hasher
	runs     atomic.Int64 // of argon2id
	users    map[string]*modelUser
	roles    map[string]oracleRole
	serial   int
	sessions []session
}

type modelUser struct {
	disabled  bool
	expires   time.Time
	passwords []string // the newest first; all different, also over time
	token     string
	grants    []oracleGrant
}

type session struct {
	p      *Principal
	user   string
	secret string // with which the user logged in
}

// universe is every key that the world asks about. Scopes have no c in them: two
// prefixes never make up all keys.
var universe = func() []string {
	keys := []string{""}
	for i := 0; len(keys[i]) < 3; i++ {
		for _, c := range "abc" {
			keys = append(keys, keys[i]+string(c))
		}
	}
	return keys
}()

var (
	worldNames   = []string{"ann", "bob", "cyd", "default"}
	worldBuckets = []string{"x", "y"}
)

// run makes a history and returns what was wrong in it.
func run(seed uint64, h hooks) error {
	w := &world{
		h: h, rng: rand.New(rand.NewPCG(seed, 1)), random: source(seed), now: now,
		hasher: must(NewHasher(HasherOptions{Params: cheap})), users: map[string]*modelUser{}, roles: oracleRoles(),
	}
	counted(w.hasher, &w.runs)
	for _, name := range []string{"r1", "r2"} {
		w.setRole(name)
	}
	for step := range 40 {
		if err := w.step(); err != nil {
			return fmt.Errorf("seed %d, step %d: %w", seed, step, err)
		}
	}
	return nil
}

func (w *world) pick(list ...string) string { return list[w.rng.IntN(len(list))] }

func (w *world) scope() string {
	text := w.pick("x", "y", "*") + ":"
	for range w.rng.IntN(3) {
		text += w.pick("a", "b")
	}
	return text + w.pick("*", "*", "")
}

func (w *world) setRole(name string) {
	var verbs []string
	for _, v := range strings.Fields(oracleData) {
		if w.rng.IntN(2) == 0 {
			verbs = append(verbs, v)
		}
	}
	if len(verbs) == 0 {
		verbs = []string{"read"}
	}
	scopes := []string{w.scope(), w.scope()}
	slices.Sort(scopes)
	scopes = slices.Compact(scopes)
	w.roles[name] = oracleRole{strings.Join(verbs, " "), strings.Join(scopes, " ")}
	role := Role{Name: name}
	for _, v := range verbs {
		role.Verbs |= must(ParseVerb(v))
	}
	for _, s := range scopes {
		role.Scopes = append(role.Scopes, scope(s))
	}
	w.state = must(w.state.SetRole(role, true))
}

func (w *world) grant() oracleGrant {
	g := oracleGrant{w.pick("reader", "writer", "operator", "admin", "admin", "r1", "r2"), ""}
	if g.role != "operator" && g.role != "admin" && w.rng.IntN(2) == 0 {
		g.on = w.scope()
		// A grant that gives nothing is refused.
		r := w.roles[g.role]
		for _, s := range strings.Fields(r.scopes) {
			if _, ok := scope(s).Intersect(scope(g.on)); ok {
				return g
			}
		}
		g.on = ""
	}
	return g
}

func (w *world) newPassword() string {
	w.serial++
	return fmt.Sprintf("password %d", w.serial)
}

// admin is the model's idea of an administrator who can log in.
func (w *world) admin(u *modelUser) bool {
	if u.disabled || !u.expires.IsZero() || len(u.passwords) == 0 && u.token == "" {
		return false
	}
	for _, v := range verbNames {
		if !oracleAllows(w.roles, u.grants, v, "no-such-bucket", "zzz") {
			return false
		}
	}
	return true
}

func (w *world) admins(users map[string]*modelUser) int {
	n := 0
	for _, u := range users {
		if w.admin(u) {
			n++
		}
	}
	return n
}

// step changes something and looks at everything.
func (w *world) step() error {
	w.now = w.now.Add(time.Duration(w.rng.IntN(600)) * time.Second)
	if err := w.changeSomething(); err != nil {
		return err
	}
	again, err := DecodeState(w.state.Encode())
	if err != nil || string(again.Encode()) != string(w.state.Encode()) {
		return fmt.Errorf("the state is not what it was after decoding: %v", err)
	}
	w.policy = Compile(again, [16]byte{1})
	if err := w.tryLogins(); err != nil {
		return err
	}
	return w.trySessions()
}

func (w *world) changeSomething() error {
	name, force := w.pick(worldNames...), w.rng.IntN(8) == 0
	before := map[string]*modelUser{}
	for n, u := range w.users {
		c := *u
		c.passwords, c.grants = slices.Clone(u.passwords), slices.Clone(u.grants)
		before[n] = &c
	}
	after, err, want := w.apply(name, force)
	adminsBefore, adminsAfter := w.admins(before), w.admins(w.users)
	if want == nil && !force && adminsAfter == 0 && (adminsBefore > 0 || len(before) == 0 && len(w.users) > 0) {
		want = ErrLastAdmin
	}
	if want != nil {
		w.users = before
	}
	after, err = w.h.change(w.state, after, err)
	if !errors.Is(err, want) {
		return fmt.Errorf("a change of %s (force %v): %v, want %v", name, force, err, want)
	}
	w.state = after
	return nil
}

// apply makes one change to the state and to the model, and says which error must come
// but for the one about administrators.
func (w *world) apply(name string, force bool) (State, error, error) {
	s, u := w.state, w.users[name]
	if u == nil {
		text, g := w.newPassword(), w.grant()
		h := must(w.hasher.Hash(context.Background(), NewSecret(text), must(NewSalt(w.random))))
		w.users[name] = &modelUser{passwords: []string{text}, grants: []oracleGrant{g}}
		s, err := s.AddUser(NewUser{Name: name, Password: h, Grants: []Grant{grant(g.role, g.on)}}, force)
		return s, err, nil
	}
	switch w.rng.IntN(10) {
	case 0:
		delete(w.users, name)
		s, err := s.DeleteUser(name, force)
		return s, err, nil
	case 1:
		text := w.newPassword()
		h := must(w.hasher.Hash(context.Background(), NewSecret(text), must(NewSalt(w.random))))
		u.passwords = []string{text}
		s, err := w.h.setPass(s, name, h, false)
		return s, err, nil
	case 2:
		old, err := s.PasswordHash(name)
		if err != nil {
			return s, err, ErrNotFound
		}
		text := w.newPassword()
		h, err := w.h.rotate(w.hasher, text, old)
		if err != nil {
			return s, err, nil
		}
		u.passwords = []string{text, u.passwords[0]}
		s, err = w.h.setPass(s, name, h, true)
		return s, err, nil
	case 3:
		want := ErrNotFound
		if len(u.passwords) == 2 {
			u.passwords, want = u.passwords[:1], nil
		}
		s, err := s.DropOldPassword(name)
		return s, err, want
	case 4, 5:
		g := w.grant()
		if slices.Contains(u.grants, g) {
			s, err := s.Grant(name, grant(g.role, g.on))
			return s, err, ErrExists
		}
		u.grants = append(u.grants, g)
		s, err := s.Grant(name, grant(g.role, g.on))
		return s, err, nil
	case 6:
		if len(u.grants) == 0 {
			s, err := s.Revoke(name, Grant{Role: "reader"}, force)
			return s, err, ErrNotFound
		}
		i := w.rng.IntN(len(u.grants))
		g := u.grants[i]
		u.grants = slices.Delete(u.grants, i, i+1)
		s, err := s.Revoke(name, grant(g.role, g.on), force)
		return s, err, nil
	case 7:
		u.disabled = w.rng.IntN(2) == 0
		s, err := s.SetDisabled(name, u.disabled, force)
		return s, err, nil
	case 8:
		u.expires = time.Time{}
		if w.rng.IntN(2) == 0 {
			u.expires = w.now.Add(time.Duration(w.rng.IntN(2000)-300) * time.Second)
		}
		s, err := s.SetExpires(name, u.expires, force)
		return s, err, nil
	}
	if u.token != "" {
		u.token = ""
		i := slices.IndexFunc(s.Users(), func(v User) bool { return v.Name == name })
		s, err := s.DropToken(name, s.Users()[i].Tokens[0].ID, force)
		return s, err, nil
	}
	secret, sum, err := NewToken(w.random)
	if err != nil {
		return s, err, nil
	}
	u.token = secret.Reveal()
	s, err = s.AddToken(name, "t", sum, time.Time{})
	return s, err, nil
}

// live reports whether a credential of a user is good now.
func (w *world) live(name, secret string) bool {
	u := w.users[name]
	return u != nil && !u.disabled && (u.expires.IsZero() || w.now.Before(u.expires)) && secret != "" &&
		(slices.Contains(u.passwords, secret) || u.token == secret)
}

func (w *world) tryLogins() error {
	door := &Door{w.hasher, must(NewLimiter(LimiterOptions{}))}
	for range 4 {
		name := w.pick(append(worldNames, "ghost")...)
		secret := w.pick("wrong password", fmt.Sprintf("password %d", 1+w.rng.IntN(max(1, w.serial))), TokenPrefix)
		if u := w.users[name]; u != nil && w.rng.IntN(3) > 0 {
			if w.rng.IntN(4) == 0 && u.token != "" {
				secret = u.token
			} else if len(u.passwords) > 0 {
				secret = w.pick(u.passwords...)
			}
		}
		was := w.runs.Load()
		p, err := w.h.login(door, w.policy, name, NewSecret(secret), w.now)
		want := w.live(name, secret)
		if (err == nil) != want || (p != nil) != want || err != nil && err.Error() != ErrLogin.Error() {
			return fmt.Errorf("login of %s: %v, want %v", name, err, want)
		}
		if n := w.runs.Load() - was; n != 1 && !IsToken(secret) || n != 0 && IsToken(secret) {
			return fmt.Errorf("login of %s took %d runs of argon2id", name, n)
		}
		if p != nil {
			w.sessions = append(w.sessions, session{p, name, secret})
		}
	}
	// Nobody in particular.
	for _, local := range []bool{true, false} {
		if p := w.policy.Anonymous(local); (p != nil) != (local && len(w.users) == 0) {
			return fmt.Errorf("%d users, and somebody without login is %v", len(w.users), p)
		} else if p != nil {
			w.sessions = append(w.sessions, session{p, "", ""})
		}
	}
	return nil
}

// trySessions holds what every session may do against the oracle.
func (w *world) trySessions() error {
	if len(w.sessions) > 4 {
		w.sessions = slices.Delete(w.sessions, 0, len(w.sessions)-4)
	}
	for i := range w.sessions {
		s := &w.sessions[i]
		if s.p == nil {
			continue
		}
		var grants []oracleGrant
		live := w.live(s.user, s.secret)
		if s.user == "" {
			live, grants = len(w.users) == 0, []oracleGrant{{"admin", ""}}
		} else if live {
			grants = w.users[s.user].grants
		}
		// A transaction that was allowed when the session was last fresh.
		verb, bucket := w.rng.IntN(4), w.pick(worldBuckets...)
		needs := []Need{{Verb(1) << verb, bucket, []byte(w.pick(universe...))}, {Read, w.pick(worldBuckets...), []byte(w.pick(universe...))}}
		may := func(n Need) bool {
			return live && oracleAllowsSet(w.roles, grants, n.Verbs.Names(), n.Bucket, string(n.Key))
		}
		if s.p.AllowAll(needs) == -1 {
			if got, want := w.h.exec(w.policy, s.p, needs, w.now), may(needs[0]) && may(needs[1]); got != want {
				return fmt.Errorf("a transaction of %s is %v, want %v", s.user, got, want)
			}
		}
		s.p = w.h.refresh(w.policy, s.p, w.now)
		if (s.p != nil) != live {
			return fmt.Errorf("the session of %q is %v, want %v", s.user, s.p, live)
		}
		if s.p == nil {
			continue
		}
		if err := w.tryRights(s.p, grants); err != nil {
			return fmt.Errorf("%s with %v: %w", s.user, grants, err)
		}
		want := -1
		for i, n := range needs {
			if !may(n) {
				want = i
				break
			}
		}
		if got := w.h.allowAll(s.p, needs); got != want {
			return fmt.Errorf("%s: need %d of %v is denied, want %d", s.user, got, needs, want)
		}
	}
	return nil
}

func (w *world) tryRights(p *Principal, grants []oracleGrant) error {
	bucket := w.pick("x", "y", "z")
	allowed := make([]Verb, len(universe)) // by key
	for i, key := range universe {
		for v, name := range strings.Fields(oracleData) {
			if oracleAllows(w.roles, grants, name, bucket, key) {
				allowed[i] |= 1 << v
			}
		}
	}
	for range 4 {
		if err := w.tryVerbs(p, bucket, allowed, Verb(1+w.rng.IntN(15)), w.pick(universe[:13]...)); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) tryVerbs(p *Principal, bucket string, allowed []Verb, verbs Verb, prefix string) error {
	var want [][]byte
	under, allowedUnder := 0, 0
	for i, key := range universe {
		ok := verbs&^allowed[i] == 0
		if got := w.h.allow(p, verbs, bucket, []byte(key)); got != ok {
			return fmt.Errorf("%v on %s:%s is %v", verbs, bucket, key, got)
		}
		if ok {
			want = append(want, []byte(key))
		}
		if strings.HasPrefix(key, prefix) {
			under++
			if ok {
				allowedUnder++
			}
		}
	}
	if got := w.h.filter(p, verbs, bucket, bytesOf(universe...)); !equalKeys(got, want) {
		return fmt.Errorf("%v in %s leaves %q, want %q", verbs, bucket, got, want)
	}
	coverage := Some
	switch allowedUnder {
	case 0:
		coverage = None
	case under:
		coverage = All
	}
	if got := w.h.cover(p, verbs, bucket, []byte(prefix)); got != coverage {
		return fmt.Errorf("%v under %s:%s is %v, want %v", verbs, bucket, prefix, got, coverage)
	}
	return nil
}
