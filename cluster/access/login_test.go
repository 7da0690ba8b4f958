package access

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func reason(err error) Reason {
	var e *LoginError
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}

func TestLogin(t *testing.T) {
	s := withUser(t, withAdmin(t), "ann", Grant{Role: RoleReader})
	s = withUser(t, s, "default", Grant{Role: RoleReader})
	s = must(s.AddUser(NewUser{Name: "bot"}, false))
	token, sum, _ := NewToken(source(1))
	short, shortSum, _ := NewToken(source(2))
	stranger, _, _ := NewToken(source(3))
	s = must(s.AddToken("bot", "ci", sum, time.Time{}))
	s = must(s.AddToken("bot", "short", shortSum, now.Add(time.Minute)))
	off := withUser(t, s, "off")
	off = must(off.SetDisabled("off", true, false))
	off = withUser(t, off, "late")
	off = must(off.SetExpires("late", now.Add(time.Minute), false))

	for _, c := range []struct {
		what, user, secret string
		at                 time.Duration
		want               Reason
		name               string
	}{
		{"a password", "ann", "ann password", 0, 0, "ann"},
		{"no name", "", "default password", 0, 0, "default"},
		{"a wrong password", "ann", "ann  password", 0, WrongPassword, ""},
		{"no password", "ann", "", 0, WrongPassword, ""},
		{"a long password", "ann", strings.Repeat("x", MaxPassword+1), 0, WrongPassword, ""},
		{"no user", "bob", "ann password", 0, UnknownUser, ""},
		{"an impossible user", strings.Repeat("\xff", 1000), "ann password", 0, UnknownUser, ""},
		{"no password at all", "bot", "bot password", 0, WrongPassword, ""},
		{"a token", "bot", token.Reveal(), 0, 0, "bot"},
		{"a token without name", "", token.Reveal(), 0, 0, "bot"},
		{"a token of another", "ann", token.Reveal(), 0, UnknownToken, ""},
		{"a token of nobody", "bot", stranger.Reveal(), 0, UnknownToken, ""},
		{"a token, mistyped", "bot", token.Reveal()[:TokenLen-1] + "u", 0, WrongPassword, ""},
		{"a token in time", "bot", short.Reveal(), time.Minute - 1, 0, "bot"},
		{"a token too late", "bot", short.Reveal(), time.Minute, Expired, ""},
		{"disabled", "off", "off password", 0, Disabled, ""},
		{"disabled, and wrong", "off", "on password", 0, WrongPassword, ""},
		{"in time", "late", "late password", time.Minute - 1, 0, "late"},
		{"too late", "late", "late password", time.Minute, Expired, ""},
	} {
		p, err := newDoor(t).Login(context.Background(), Compile(off, [16]byte{}), home, c.user, NewSecret(c.secret), now.Add(c.at))
		if reason(err) != c.want || p.Name() != c.name || (err == nil) != (c.want == 0) {
			t.Errorf("%s: %v, %v", c.what, p, err)
		}
		if err != nil && (err.Error() != ErrLogin.Error() || !errors.Is(err, ErrLogin)) {
			t.Errorf("%s: the error tells %q", c.what, err)
		}
	}
}

// Who is not there costs what others cost, also when their hashes have different costs.
func TestLoginCostsTheSame(t *testing.T) {
	h := newCheap(t)
	var params []Params
	run := h.run
	h.run = func(p, s []byte, passes, m uint32, l uint8, k uint32) []byte {
		params = append(params, Params{m, passes, l})
		return run(p, s, passes, m, l, k)
	}
	cost := func(p *Policy, user string) Params {
		t.Helper()
		params = nil
		d := &Door{h, must(NewLimiter(LimiterOptions{}))}
		if _, err := d.Login(context.Background(), p, home, user, NewSecret("wrong password"), now); !errors.Is(err, ErrLogin) || len(params) != 1 {
			t.Fatalf("%s: %v, %d runs", user, err, len(params))
		}
		return params[0]
	}
	// Nobody has a password.
	if got := cost(Compile(State{}, [16]byte{}), "ann"); got != cheap {
		t.Error(got)
	}
	// All hashes are dearer than new ones would be.
	dear := Params{Memory: 64, Passes: 3, Lanes: 2}
	d := must(NewHasher(HasherOptions{Params: dear}))
	s := must(State{}.AddUser(NewUser{"root", must(d.Hash(context.Background(), NewSecret("root password"), make([]byte, saltLen))), []Grant{{Role: RoleAdmin}}, time.Time{}}, false))
	if a, b := cost(Compile(s, [16]byte{}), "root"), cost(Compile(s, [16]byte{}), "nobody"); a != dear || b != dear {
		t.Error(a, b)
	}
	// Some are.
	s = withUser(t, s, "ann")
	p := Compile(s, [16]byte{9})
	seen := map[Params]int{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
		got := cost(p, name)
		if got != cost(p, name) {
			t.Error("the same name costs something else the second time")
		}
		seen[got]++
	}
	if seen[dear] == 0 || seen[cheap] == 0 || len(seen) != 2 {
		t.Error(seen)
	}
	// Two passwords are one run, and so is a disabled user.
	s = must(s.SetPassword("ann", must(h.HashLike(context.Background(), NewSecret("second password"), must(s.PasswordHash("ann")))), true))
	s = must(s.SetDisabled("ann", true, false))
	if got := cost(Compile(s, [16]byte{}), "ann"); got != cheap {
		t.Error(got)
	}
}

func TestOutdated(t *testing.T) {
	ctx := context.Background()
	s := withAdmin(t)
	strong := must(NewHasher(HasherOptions{Params: Params{Memory: 16, Passes: 1, Lanes: 1}}))
	d := &Door{strong, must(NewLimiter(LimiterOptions{}))}
	p := must(d.Login(ctx, Compile(s, [16]byte{}), home, "root", NewSecret("root password"), now))
	if !p.Outdated() {
		t.Fatal("not outdated")
	}
	h := must(strong.Hash(ctx, NewSecret("root password"), must(NewSalt(source(1)))))
	s = must(s.Rehash("root", p.Credential(), h))
	again := Compile(s, [16]byte{})
	if again.Refresh(p, now) == nil {
		t.Error("the session ends with the old hash")
	}
	if p := must(d.Login(ctx, again, home, "root", NewSecret("root password"), now)); p.Outdated() {
		t.Error("still outdated")
	}
}

// Sessions of somebody with two passwords end with their own.
func TestRotation(t *testing.T) {
	ctx, d := context.Background(), newDoor(t)
	login := func(s State, text string) *Principal {
		p, _ := d.Login(ctx, Compile(s, [16]byte{}), home, "ann", NewSecret(text), now)
		return p
	}
	s := withUser(t, withAdmin(t), "ann", Grant{Role: RoleReader})
	old := login(s, "ann password")
	s = must(s.SetPassword("ann", must(d.Hasher.HashLike(ctx, NewSecret("new password"), must(s.PasswordHash("ann")))), true))
	fresh := login(s, "new password")
	if p := Compile(s, [16]byte{}); fresh == nil || p.Refresh(old, now) == nil || login(s, "ann password") == nil {
		t.Fatal("both must be valid")
	}
	s = must(s.DropOldPassword("ann"))
	if p := Compile(s, [16]byte{}); p.Refresh(fresh, now) == nil || p.Refresh(old, now) != nil || login(s, "ann password") != nil {
		t.Error("the old one must have ended, with its sessions")
	}
}

func TestAnonymous(t *testing.T) {
	open := Compile(State{}, [16]byte{})
	p := open.Anonymous(true)
	if open.LoginRequired() || !p.Allow(AllVerbs, "x", []byte("k")) || p.Name() != DefaultUser || p.Credential() != 0 {
		t.Error("on loopback, all is allowed")
	}
	if open.Anonymous(false) != nil {
		t.Error("elsewhere, nothing is")
	}
	s := withAdmin(t)
	closed := Compile(s, [16]byte{})
	if !closed.LoginRequired() || closed.Anonymous(true) != nil || closed.Refresh(p, now) != nil {
		t.Error("with the first user, that ends")
	}
	closed = Compile(must(s.SetDisabled("root", true, true)), [16]byte{})
	if !closed.LoginRequired() || closed.Anonymous(true) != nil {
		t.Error("a disabled user is a user")
	}
	// A user of that name is somebody else.
	named := Compile(withUser(t, s, DefaultUser), [16]byte{})
	if named.Refresh(p, now) != nil {
		t.Error("the anonymous became a user")
	}
}

// A storm of logins: runs and memory at a time stay within the budget, those who may wait
// are served, and the rest is refused at once.
func TestLoginStorm(t *testing.T) {
	const clients = 200
	h := must(NewHasher(HasherOptions{Params: Params{Memory: 1 << 10, Passes: 1, Lanes: 1}, Memory: 3 << 20, Parallel: 8, Waiting: 50}))
	var running, most, runs atomic.Int64
	gate := make(chan struct{})
	h.run = func(p, s []byte, passes, m uint32, l uint8, k uint32) []byte {
		runs.Add(1)
		n := running.Add(1)
		for o := most.Load(); n > o && !most.CompareAndSwap(o, n); o = most.Load() {
		}
		<-gate
		running.Add(-1)
		return make([]byte, k)
	}
	d := &Door{h, must(NewLimiter(LimiterOptions{PerAddress: 1000, PerUser: 1000}))}
	p := Compile(State{}, [16]byte{})
	var refused, busy atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			switch _, err := d.Login(context.Background(), p, home, "ann", NewSecret("some password"), now); {
			case errors.Is(err, ErrBusy):
				if busy.Add(1) == clients-53 {
					close(gate) // all others run or wait
				}
			case errors.Is(err, ErrLogin):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 3 || runs.Load() != 53 || refused.Load() != 53 || busy.Load() != clients-53 {
		t.Errorf("%d at a time, %d runs, %d refused, %d busy", most.Load(), runs.Load(), refused.Load(), busy.Load())
	}
	if h.budget.memory != 3<<20 || h.budget.places != 8 || len(h.budget.queue) != 0 {
		t.Error("something was not given back")
	}
}

// Whoever waits can be called off, and nothing is lost by it.
func TestLoginCalledOff(t *testing.T) {
	h := must(NewHasher(HasherOptions{Params: cheap, Parallel: 1}))
	gate, started := make(chan struct{}), make(chan struct{}, 10)
	h.run = func(p, s []byte, passes, m uint32, l uint8, k uint32) []byte {
		started <- struct{}{}
		<-gate
		return make([]byte, k)
	}
	p := Compile(State{}, [16]byte{})
	d := &Door{h, must(NewLimiter(LimiterOptions{}))}
	login := func(ctx context.Context) error {
		_, err := d.Login(ctx, p, home, "ann", NewSecret("some password"), now)
		return err
	}
	first := make(chan error)
	go func() { first <- login(context.Background()) }()
	<-started
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := login(ctx); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	cancel()
	wg.Wait()
	close(gate)
	if err := <-first; !errors.Is(err, ErrLogin) {
		t.Error(err)
	}
	if err := login(context.Background()); !errors.Is(err, ErrLogin) {
		t.Error(err)
	}
	if h.budget.memory != h.memory || h.budget.places != 1 || len(h.budget.queue) != 0 {
		t.Error("something was not given back")
	}
}

// A hash that needs more than the whole budget runs, alone.
func TestBudgetSmallerThanHash(t *testing.T) {
	h := must(NewHasher(HasherOptions{Params: cheap, Memory: 1 << 10}))
	if _, err := h.Hash(context.Background(), NewSecret("some password"), make([]byte, saltLen)); err != nil {
		t.Error(err)
	}
}
