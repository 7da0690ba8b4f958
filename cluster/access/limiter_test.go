package access

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// guard is what an attack runs against.
type guard struct {
	check   func(from netip.Addr, user string, now time.Time) error
	failed  func(from netip.Addr, user string, now time.Time)
	success func(from netip.Addr, user string)
	size    func() int
}

func newGuard(o LimiterOptions) guard {
	l := must(NewLimiter(o))
	return guard{
		check:   l.Check,
		failed:  l.Failed,
		success: func(netip.Addr, string) {},
		size: func() int {
			return len(l.addresses.index) + len(l.users.index) + len(l.addresses.places) + len(l.users.places)
		},
	}
}

var guardOptions = LimiterOptions{PerAddress: 10, Recovery: 6 * time.Second, PerUser: 100, UserRecovery: time.Second, Entries: 64}

// attack lets somebody guess for an hour, and says what was wrong with the brake.
func attack(seed uint64, g guard) error {
	rng := rand.New(rand.NewPCG(seed, 3))
	at := now
	perAddress, perUser := map[string]int{}, map[string]int{}
	v6 := func(network, host int) netip.Addr {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:0:%x::%x", network, host))
	}
	guess := func(from netip.Addr, network, user string) {
		if g.check(from, user, at) == nil {
			g.failed(from, user, at)
			perAddress[network]++
			perUser[user]++
		}
	}
	const steps, every = 7200, 500 * time.Millisecond
	for i := range steps {
		at = at.Add(every)
		for range 4 {
			guess(netip.MustParseAddr("192.0.2.1"), "192.0.2.1", fmt.Sprint("user", rng.IntN(1000)))
			guess(v6(1, rng.IntN(1<<16)), "2001:db8:0:1", fmt.Sprint("user", rng.IntN(1000)))
			guess(netip.AddrFrom4([4]byte{198, 51, byte(rng.IntN(256)), byte(rng.IntN(256))}), "many", "victim")
		}
		// Somebody with an account logs in between the guesses.
		g.success(netip.MustParseAddr("192.0.2.1"), "own")
		// A person who mistypes now and then, from elsewhere, is not braked. The names
		// they use are their own.
		if i%240 == 0 {
			from := netip.MustParseAddr("203.0.113.5")
			if err := g.check(from, "person", at); err != nil {
				return fmt.Errorf("an innocent person after %v: %w", at.Sub(now), err)
			}
			g.failed(from, "person", at)
		}
	}
	hour := steps * every
	for who, n := range perAddress {
		most := 10 + int(hour/(6*time.Second))
		if who == "many" { // as many as have a place, and those who share
			continue
		}
		if n > most || n < most/2 {
			return fmt.Errorf("%s made %d guesses in an hour, at most %d are free", who, n, most)
		}
	}
	if n, most := perUser["victim"], 100+int(hour/time.Second); n > most || n < most/2 {
		return fmt.Errorf("%d guesses at one user in an hour, at most %d are free", n, most)
	}
	if n := g.size(); n > 4*guardOptions.Entries {
		return fmt.Errorf("%d entries", n)
	}
	return nil
}

func TestLimiterUnderAttack(t *testing.T) {
	for seed := range uint64(5) {
		if err := attack(seed, newGuard(guardOptions)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAttackSeesPlantedBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("many attacks, in one goroutine")
	}
	for name, plant := range map[string]func(g guard) guard{
		"addresses are not braked": func(g guard) guard {
			check := g.check
			g.check = func(_ netip.Addr, user string, now time.Time) error { return check(netip.Addr{}, user, now) }
			failed := g.failed
			g.failed = func(_ netip.Addr, user string, now time.Time) { failed(netip.Addr{}, user, now) }
			return g
		},
		"users are not braked": func(g guard) guard {
			check, failed := g.check, g.failed
			g.check = func(from netip.Addr, _ string, now time.Time) error { return check(from, "", now) }
			g.failed = func(from netip.Addr, _ string, now time.Time) { failed(from, "", now) }
			return g
		},
		"each address of a network by itself": func(g guard) guard {
			l := must(NewLimiter(guardOptions))
			l.addresses.most = 1 << 20
			narrow := func(from netip.Addr) netip.Addr {
				if from.Is6() { // the host part, where the network is looked for
					b := from.As16()
					copy(b[6:8], b[14:16])
					return netip.AddrFrom16(b)
				}
				return from
			}
			g.check = func(from netip.Addr, user string, now time.Time) error { return l.Check(narrow(from), user, now) }
			g.failed = func(from netip.Addr, user string, now time.Time) { l.Failed(narrow(from), user, now) }
			return g
		},
		"a success wipes failures out": func(g guard) guard {
			l := must(NewLimiter(guardOptions))
			g.check, g.failed = l.Check, l.Failed
			g.success = func(from netip.Addr, _ string) {
				if i, ok := l.addresses.index[network(from)]; ok {
					l.addresses.places[i].empty = time.Time{}
				}
			}
			return g
		},
		"an entry is thrown out for the next": func(g guard) guard {
			l := must(NewLimiter(guardOptions))
			g.check = l.Check
			g.failed = func(from netip.Addr, user string, now time.Time) {
				if len(l.addresses.index) == l.addresses.most {
					l.addresses = newBrakes[netip.Prefix](l.addresses.rate, l.addresses.most)
				}
				l.Failed(from, user, now)
			}
			return g
		},
		"memory without end": func(guard) guard {
			o := guardOptions
			o.Entries = 1 << 20
			return newGuard(o)
		},
		"everybody shares one bucket when it is crowded": func(guard) guard {
			o := guardOptions
			o.Entries = 1
			return newGuard(o)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3) {
				if err := attack(seed, plant(newGuard(guardOptions))); err != nil {
					t.Log(err)
					return
				}
			}
			t.Fatal("nobody has noticed")
		})
	}
}

func TestLimiter(t *testing.T) {
	l := must(NewLimiter(LimiterOptions{PerAddress: 3, Recovery: 10 * time.Second}))
	for i := range 3 {
		if err := l.Check(home, "ann", now); err != nil {
			t.Fatal(i, err)
		}
		l.Failed(home, "ann", now)
	}
	var e *LimitedError
	if err := l.Check(home, "bob", now); !errors.As(err, &e) || e.RetryAfter != 10*time.Second || !errors.Is(err, ErrLimited) {
		t.Error(err)
	}
	if err := l.Check(home, "", now.Add(9500*time.Millisecond)); err == nil || err.Error() != "access: too many failed logins: try again in 1 s" {
		t.Error(err)
	}
	for _, from := range []string{"::ffff:10.0.0.1", "10.0.0.2"} {
		err := l.Check(netip.MustParseAddr(from), "", now)
		if (err == nil) != (from == "10.0.0.2") {
			t.Error(from, err)
		}
	}
	if err := l.Check(home, "", now.Add(10*time.Second)); err != nil {
		t.Error(err)
	}
	// A clock that was wrong for a while.
	l.Failed(home, "", now.Add(1000*time.Hour))
	if err := l.Check(home, "", now); !errors.As(err, &e) || e.RetryAfter > time.Minute {
		t.Error(err)
	}
	if err := l.Check(home, "", now.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if err := l.Check(netip.Addr{}, "", now); err != nil {
		t.Error(err)
	}
	if _, err := NewLimiter(LimiterOptions{Entries: -1}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

// Guesses that wait for their turn together are not judged together: the brake is asked
// again, one by one.
func TestGuessesAtOnce(t *testing.T) {
	h := must(NewHasher(HasherOptions{Params: cheap, Parallel: 1}))
	var n atomic.Int64
	counted(h, &n)
	d := &Door{h, must(NewLimiter(LimiterOptions{PerAddress: 5}))}
	p := Compile(withAdmin(t), [16]byte{})
	h.budget.acquire(context.Background(), 1) // so that all of them wait
	errs := make(chan error)
	for range 50 {
		go func() {
			_, err := d.Login(context.Background(), p, home, "root", NewSecret("a guess, wrong"), now)
			errs <- err
		}()
	}
	for waiting := 0; waiting < 50; {
		h.budget.mu.Lock()
		waiting = len(h.budget.queue)
		h.budget.mu.Unlock()
	}
	h.budget.release(1)
	limited := 0
	for range 50 {
		if err := <-errs; errors.Is(err, ErrLimited) {
			limited++
		} else if !errors.Is(err, ErrLogin) {
			t.Error(err)
		}
	}
	if n.Load() != 5 || limited != 45 {
		t.Errorf("%d guesses were judged, %d stopped", n.Load(), limited)
	}
}

// Guessing tokens does not lock a user out, and a brake on the user does not stop tokens.
func TestTokensPassTheUsersBrake(t *testing.T) {
	d := &Door{newCheap(t), must(NewLimiter(LimiterOptions{PerAddress: 1000, PerUser: 1}))}
	token, sum, _ := NewToken(source(1))
	guess, _, _ := NewToken(source(2))
	s := must(withUser(t, withAdmin(t), "bot").AddToken("bot", "ci", sum, time.Time{}))
	p, ctx := Compile(s, [16]byte{}), context.Background()
	for range 10 {
		if _, err := d.Login(ctx, p, home, "bot", guess, now); !errors.Is(err, ErrLogin) {
			t.Fatal(err)
		}
	}
	for _, want := range []error{ErrLogin, ErrLimited} {
		if _, err := d.Login(ctx, p, home, "bot", NewSecret("wrong password"), now); !errors.Is(err, want) {
			t.Fatal(err)
		}
	}
	if _, err := d.Login(ctx, p, home, "bot", token, now); err != nil {
		t.Error(err)
	}
}
