package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/cluster/internal/httpnode"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

const start = 1_700_000_000_000 // some wall time

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// server is an API on a real replica, in memory, under a clock of its own.
type server struct {
	t       testing.TB
	fs      vfs.FS
	r       *replica.Replica
	node    *httpnode.Node
	api     *httpapi.API
	handler http.Handler
	users   *users
	now     *atomic.Int64
	log     *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (s *server) clock() time.Time { return time.UnixMilli(s.now.Load()) }

func openReplica(t testing.TB, fs vfs.FS, wall int64) *replica.Replica {
	t.Helper()
	r, err := replica.Open("data", wall, &replica.Options{
		Engine: lsm.Options{FS: fs, Memory: 8 << 20},
		Create: replica.Creation{Partitions: 16, Bucket: replica.BucketConfig{Durability: lsm.OS}},
	})
	must(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// newServer returns a server without users; change, if not nil, has the last word about
// its options.
func newServer(t testing.TB, change func(s *server, o *httpapi.Options)) *server {
	t.Helper()
	s := &server{t: t, fs: vfs.NewMem(), now: newClock(), log: new(syncBuffer)}
	s.r = openReplica(t, s.fs, start)
	s.serve(change)
	return s
}

func keyring(t testing.TB) *vclock.Keyring {
	t.Helper()
	k, err := vclock.NewKeyring([]byte(strings.Repeat("k", vclock.MinTokenKey)))
	must(t, err)
	return k
}

// serve makes the API on the replica that there is.
func (s *server) serve(change func(s *server, o *httpapi.Options)) {
	t := s.t
	t.Helper()
	logger := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	s.node, err = httpnode.New(s.r, httpnode.Options{Keyring: keyring(t), Clock: s.clock, Checkpoints: "copies", FS: s.fs, Logger: logger})
	must(t, err)
	o := httpapi.Options{
		Store: s.node, Upkeep: s.node, Clock: s.clock, Logger: logger,
		Status: func(context.Context) (wire.Status, error) {
			return wire.Status{Version: "test", Node: fmt.Sprintf("%x", s.r.Node()), Cluster: "c", Started: s.clock().UTC(), Ready: true, Metrics: map[string]float64{"keys": 1}}, nil
		},
		Config: func(context.Context) (wire.Config, error) {
			return wire.Config{Settings: []wire.Setting{{Name: "data-dir", Value: "data", Source: "flag"}, {Name: "admin-password", Value: "canary-config", Secret: true}}}, nil
		},
		SlowLog: func(context.Context) (wire.SlowLog, error) {
			k := wire.KeyOf([]byte("orders/1"))
			l := wire.KeyOf([]byte("secret/1"))
			return wire.SlowLog{Requests: []wire.SlowRequest{
				{Time: s.clock().UTC(), Took: 20, Protocol: "resp", Request: "SET", Bucket: "available", Key: &k, User: "writer"},
				{Time: s.clock().UTC(), Protocol: "http", Request: "GET", Bucket: "available", Key: &l},
			}}, nil
		},
		Top: func(context.Context) (wire.Top, error) {
			return wire.Top{Seconds: 60_000, Keys: []wire.HotKey{
				{Bucket: "available", Key: wire.KeyOf([]byte("orders/1")), Reads: 2},
				{Bucket: "available", Key: wire.KeyOf([]byte("secret/1")), Reads: 1},
			}}, nil
		},
	}
	if change != nil {
		change(s, &o)
	}
	s.api, err = httpapi.New(o)
	must(t, err)
	s.handler = s.api
}

// users is what keeps users: in memory, which is all that is left out.
type users struct {
	mu     sync.Mutex
	state  access.State
	policy atomic.Pointer[access.Policy]
}

func (u *users) State() access.State {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state
}

func (u *users) Change(_ context.Context, change func(access.State) (access.State, error)) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	after, err := change(u.state)
	if err != nil {
		return err
	}
	u.state = after
	u.policy.Store(access.Compile(after, [16]byte{1}))
	return nil
}

// The users of a test. Passwords are "password-" and the name.
var people = []struct {
	name   string
	grants []access.Grant
}{
	{"admin", []access.Grant{{Role: access.RoleAdmin}}},
	{"operator", []access.Grant{{Role: access.RoleOperator}}},
	{"writer", []access.Grant{{Role: access.RoleWriter}}},
	{"reader", []access.Grant{{Role: access.RoleReader}}},
	{"clerk", []access.Grant{{Role: access.RoleWriter, On: access.Scope{Bucket: "available", Prefix: "orders/"}}}},
	{"sensor", []access.Grant{{Role: "feeder"}}}, // writes, and reads nothing
	{"nobody", nil},
}

func passwordOf(name string) string { return "password-" + name }

// withUsers gives a server its people.
func withUsers(s *server, o *httpapi.Options) {
	t := s.t
	t.Helper()
	hasher, err := access.NewHasher(access.HasherOptions{Params: access.Params{Memory: 8, Passes: 1, Lanes: 1}})
	must(t, err)
	limiter, err := access.NewLimiter(access.LimiterOptions{})
	must(t, err)
	var state access.State
	for i, p := range people {
		h, err := hasher.Hash(context.Background(), access.NewSecret(passwordOf(p.name)), bytes.Repeat([]byte{byte(i)}, 16))
		must(t, err)
		if p.name == "sensor" {
			state, err = state.SetRole(access.Role{Name: "feeder", Verbs: access.Write | access.Delete, Scopes: []access.Scope{access.Everything()}}, false)
			must(t, err)
		}
		state, err = state.AddUser(access.NewUser{Name: p.name, Password: h, Grants: p.grants}, false)
		must(t, err)
	}
	s.users = &users{state: state}
	s.users.policy.Store(access.Compile(state, [16]byte{1}))
	o.Users = s.users
	o.Access = &httpapi.Access{Door: &access.Door{Hasher: hasher, Limiter: limiter}, Policy: s.users.policy.Load}
}

// response is an answer.
type response struct {
	t testing.TB
	*http.Response
	text string
}

// request builds one as a client on this machine sends it. Headers are "Name: value";
// "user: name" is a login.
func request(method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:8379", "127.0.0.1:40000"
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	if strings.HasPrefix(body, "{") && method != http.MethodPut || strings.HasPrefix(body, "{") && !strings.Contains(path, "/keys/") {
		r.Header.Set("Content-Type", wire.JSON)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		switch name {
		case "user":
			r.SetBasicAuth(value, passwordOf(value))
		case "Host":
			r.Host = value
		case "-":
			r.Header.Del(value)
		default:
			r.Header.Add(name, value)
		}
	}
	return r
}

// do sends a request and holds the answer against the OpenAPI document.
func (s *server) do(method, path, body string, headers ...string) *response {
	s.t.Helper()
	return s.send(request(method, path, body, headers...))
}

func (s *server) send(r *http.Request) *response {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	res := w.Result()
	b, err := io.ReadAll(res.Body)
	must(s.t, err)
	out := &response{s.t, res, string(b)}
	document(s.t).check(s.t, r, out)
	return out
}

// is fails unless the status is this one, and the error code if it is given.
func (r *response) is(status int, code ...wire.Code) *response {
	r.t.Helper()
	if r.StatusCode != status {
		r.t.Fatalf("status %d, want %d: %s", r.StatusCode, status, r.text)
	}
	for _, c := range code {
		if got := r.failure(); got.Code != c {
			r.t.Fatalf("code %s, want %s: %s", got.Code, c, r.text)
		}
	}
	return r
}

func (r *response) failure() *wire.Error {
	r.t.Helper()
	var f wire.Failure
	if err := json.Unmarshal([]byte(r.text), &f); err != nil || f.Error == nil {
		r.t.Fatalf("no error in %d %s", r.StatusCode, r.text)
	}
	return f.Error
}

func (r *response) context() string { return "Ringwood-Context: " + r.Header.Get(wire.HeaderContext) }

func (r *response) json(v any) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.text), v); err != nil {
		r.t.Fatalf("%v: %s", err, r.text)
	}
}

// value fails unless the answer is these bytes.
func (r *response) value(want string) *response {
	r.t.Helper()
	r.is(http.StatusOK)
	if r.text != want {
		r.t.Fatalf("value %q, want %q", r.text, want)
	}
	return r
}

const keys = "/v1/buckets/available/keys/"

// siblings writes a key such that all values are beside one another.
func (s *server) siblings(key string, values ...string) {
	s.t.Helper()
	absent := s.do("GET", keys+key, "").is(http.StatusNotFound)
	for _, v := range values {
		s.do("PUT", keys+key, v, absent.context()).is(http.StatusNoContent)
	}
}

// slowUpkeep compacts when it is told to.
type slowUpkeep struct {
	httpapi.Upkeep
	begun, end chan struct{}
}

func (u *slowUpkeep) Compact(ctx context.Context) error {
	close(u.begun)
	<-u.end
	return u.Upkeep.Compact(ctx)
}

// panicking is a store with a bug.
type panicking struct{ httpapi.Store }

func (panicking) Read(context.Context, string, []byte) (httpapi.Record, error) {
	panic("a bug")
}

// failing is a store that says what clients are not to hear.
type failing struct{ httpapi.Store }

func (failing) Read(context.Context, string, []byte) (httpapi.Record, error) {
	return httpapi.Record{}, errors.New("canary")
}

func (failing) Write(context.Context, string, httpapi.Write) (httpapi.Written, error) {
	return httpapi.Written{}, errors.New("canary")
}

func newClock() *atomic.Int64 {
	c := new(atomic.Int64)
	c.Store(start)
	return c
}
