package respaccess

import (
	"context"
	"crypto/rand"
	"errors"
	mrand "math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/internal/respstore"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/resp"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

var databases = respstore.Default()

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func bytesOf(args []string) (all [][]byte) {
	for _, a := range args {
		all = append(all, []byte(a))
	}
	return all
}

// world is a server with users, who log in with tokens.
type world struct {
	t      *testing.T
	addr   string
	srv    *resp.Server
	state  access.State
	policy atomic.Pointer[access.Policy]
	now    atomic.Pointer[time.Time]
	tokens map[string]string
	door   *access.Door
}

func cheapDoor() *access.Door {
	return &access.Door{
		Hasher:  must(access.NewHasher(access.HasherOptions{Params: access.Params{Memory: 8, Passes: 1, Lanes: 1}})),
		Limiter: must(access.NewLimiter(access.LimiterOptions{})),
	}
}

// newWorld has the actors, and root, who may do everything.
func newWorld(t *testing.T) *world {
	w := emptyWorld(t)
	w.add("root", access.Grant{Role: access.RoleAdmin})
	for name, grants := range actors {
		var g []access.Grant
		for i, text := range grants {
			verbs, scope, _ := strings.Cut(text, " ")
			role := access.Role{Name: name + "-" + string(rune('a'+i)), Scopes: []access.Scope{must(access.ParseScope(scope + "*"))}}
			for _, v := range strings.Split(verbs, "+") {
				role.Verbs |= must(access.ParseVerb(v))
			}
			w.state = must(w.state.SetRole(role, false))
			g = append(g, access.Grant{Role: role.Name})
		}
		w.add(name, g...)
	}
	w.use()
	return w
}

func emptyWorld(t *testing.T) *world {
	r, err := replica.Open("data", time.Now().UnixMilli(), &replica.Options{
		Engine: lsm.Options{FS: vfs.NewMem(), Memory: 8 << 20},
		Create: replica.Creation{Partitions: 4, Bucket: replica.BucketConfig{Durability: lsm.None}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	w := &world{t: t, tokens: map[string]string{}, door: cheapDoor()}
	w.setClock(time.Now())
	w.use()
	a := New(Options{
		Policy: w.policy.Load, Door: w.door, Databases: databases, Context: t.Context(), LoginTimeout: 10 * time.Second,
		Exists: func(name string) bool {
			return slices.ContainsFunc(w.state.Users(), func(u access.User) bool { return u.Name == name })
		},
		Open: Loopback, Clock: func() time.Time { return *w.now.Load() },
	})
	s := respstore.New(r, respstore.Options{Databases: databases, Random: mrand.Uint64, Bucket: replica.BucketConfig{Durability: lsm.None}})
	w.srv = resp.New(s, resp.Options{Access: a})
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	w.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- w.srv.Serve(l) }()
	t.Cleanup(func() {
		_ = w.srv.Close()
		if err := <-done; !errors.Is(err, resp.ErrClosed) {
			t.Error(err)
		}
	})
	return w
}

func (w *world) setClock(t time.Time) { w.now.Store(&t) }

// use makes the state count.
func (w *world) use() { w.policy.Store(access.Compile(w.state, [16]byte{1})) }

// add adds a user with a token and the name and " password" as a password.
func (w *world) add(name string, grants ...access.Grant) {
	hash := must(w.door.Hasher.Hash(context.Background(), access.NewSecret(name+" password"), must(access.NewSalt(rand.Reader))))
	w.state = must(w.state.AddUser(access.NewUser{Name: name, Grants: grants, Password: hash}, false))
	secret, sum, err := access.NewToken(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	w.state = must(w.state.AddToken(name, "test", sum, time.Time{}))
	w.tokens[name] = secret.Reveal()
}

func (w *world) dial() *resptest.Client { return resptest.Dial(w.t, "tcp", w.addr) }

func (w *world) login(name string) *resptest.Client {
	w.t.Helper()
	c := w.dial()
	if got := c.Do("AUTH", name, w.tokens[name]).String(); got != "+OK" {
		w.t.Fatalf("login of %s: %s", name, got)
	}
	return c
}
