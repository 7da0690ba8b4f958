package access

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// now is the time of tests; nothing here looks at a clock.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var home = netip.MustParseAddr("10.0.0.1")

// cheap costs microseconds.
var cheap = Params{Memory: 8, Passes: 1, Lanes: 1}

// source makes random bytes from a seed.
func source(seed uint64) *rand.ChaCha8 {
	return rand.NewChaCha8(sha256.Sum256([]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}))
}

func newCheap(t testing.TB) *Hasher {
	t.Helper()
	return must(NewHasher(HasherOptions{Params: cheap}))
}

// must returns the value of a call that cannot fail here.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// counted makes h count the runs of argon2id.
func counted(h *Hasher, n *atomic.Int64) *Hasher {
	run := h.run
	h.run = func(p, s []byte, t, m uint32, l uint8, k uint32) []byte {
		n.Add(1)
		return run(p, s, t, m, l, k)
	}
	return h
}

func hashOf(t testing.TB, text string) Hash {
	t.Helper()
	salt := sha256.Sum256([]byte(text))
	return must(newCheap(t).Hash(context.Background(), NewSecret(text), salt[:saltLen]))
}

func newDoor(t testing.TB) *Door {
	t.Helper()
	return &Door{newCheap(t), must(NewLimiter(LimiterOptions{}))}
}

func scope(text string) Scope { return must(ParseScope(text)) }

// grant reads "role" or "role on scope".
func grant(role, on string) Grant {
	g := Grant{Role: role}
	if on != "" {
		g.On = scope(on)
	}
	return g
}

// withAdmin is a State with an administrator, root, whose password is "root password".
func withAdmin(t testing.TB) State {
	t.Helper()
	return must(State{}.AddUser(NewUser{Name: "root", Password: hashOf(t, "root password"), Grants: []Grant{{Role: RoleAdmin}}}, false))
}

// withUser adds a user whose password is the name and " password".
func withUser(t testing.TB, s State, name string, grants ...Grant) State {
	t.Helper()
	return must(s.AddUser(NewUser{Name: name, Password: hashOf(t, name+" password"), Grants: grants}, false))
}

// principal logs a user of withUser in.
func principal(t testing.TB, s State, name string) *Principal {
	t.Helper()
	return must(newDoor(t).Login(context.Background(), Compile(s, [16]byte{}), home, name, NewSecret(name+" password"), now))
}

func bytesOf(keys ...string) [][]byte {
	b := make([][]byte, len(keys))
	for i, k := range keys {
		b[i] = []byte(k)
	}
	return b
}

func equalKeys(a, b [][]byte) bool {
	return slices.EqualFunc(a, b, func(x, y []byte) bool { return string(x) == string(y) })
}
