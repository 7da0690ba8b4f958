package cluster

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// withAPI returns options of a node with the API, where a token of a user is needed.
func withAPI(t testing.TB) Options {
	o := onLoopback(t, vfs.NewMem())
	o.Handler = func(n *Node) http.Handler {
		api, err := n.NewAPI(APIOptions{})
		must(t, err)
		return api
	}
	return o
}

// someone makes an administrator without a password, and returns a token.
func someone(t testing.TB, n *Node) string {
	t.Helper()
	secret, sum, err := access.NewToken(rand.Reader)
	must(t, err)
	_, err = n.ChangeUsers(root(n), func(s access.State) (access.State, error) {
		s, err := s.AddUser(access.NewUser{Name: "root", Grants: []access.Grant{{Role: access.RoleAdmin}}}, true)
		if err != nil {
			return s, err
		}
		return s.AddToken("root", "test", sum, time.Time{})
	})
	must(t, err)
	return secret.Reveal()
}

// httpConn is a connection of HTTP/1.1 that stays.
type httpConn struct {
	net.Conn
	r *bufio.Reader
}

func dialHTTP(t testing.TB, n *Node, config *tls.Config) *httpConn {
	t.Helper()
	c, err := net.Dial("tcp", n.HTTPAddr().String())
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	if config != nil {
		config.ServerName = "127.0.0.1"
		c = tls.Client(c, config)
	}
	return &httpConn{c, bufio.NewReader(c)}
}

// get returns the status of an answer, 0 if the connection ends.
func (c *httpConn) get(path, token string) int {
	auth := ""
	if token != "" {
		auth = "Authorization: Bearer " + token + "\r\n"
	}
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, auth); err != nil {
		return 0
	}
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, r.Body)
	return r.StatusCode
}

// Connections on which nobody has logged in are limited, and those of who has do not
// count for that.
func TestHTTPUnauthenticated(t *testing.T) {
	o := withAPI(t)
	o.Limits.Unauthenticated = 2
	n := start(t, o)
	free := dialHTTP(t, n, nil)
	if got := free.get("/v1/whoami", ""); got != 200 {
		t.Fatal(got)
	}
	token := someone(t, n)
	counts := func(open, unauthenticated int) {
		t.Helper()
		eventually(t, fmt.Sprint(open, " connections, ", unauthenticated, " not logged in"), func() bool {
			m := n.Metrics().HTTP
			return m.Open == open && m.Unauthenticated == unauthenticated
		})
	}
	counts(1, 0) // where nobody has to log in, nobody is counted
	a, b := dialHTTP(t, n, nil), dialHTTP(t, n, nil)
	counts(3, 2)
	if got := dialHTTP(t, n, nil).get("/v1/whoami", token); got != 0 {
		t.Errorf("one too many gets %d", got)
	}
	if got := a.get("/v1/whoami", "rwt_wrong"); got != 401 {
		t.Error(got)
	}
	if got := a.get("/v1/openapi.json", token); got != 200 {
		t.Error(got)
	}
	counts(3, 2)
	for range 2 {
		if got := a.get("/v1/whoami", token); got != 200 {
			t.Error(got)
		}
	}
	counts(3, 1)
	c := dialHTTP(t, n, nil)
	if got := c.get("/v1/whoami", token); got != 200 {
		t.Error(got)
	}
	for _, x := range []*httpConn{a, b, c, free} {
		_ = x.Close()
	}
	counts(0, 0)
	if m := n.Metrics().HTTP; m.Rejected != 1 {
		t.Errorf("%+v", m)
	}
}

// Who does not log in in time is cut off, whatever else is asked meanwhile, and who has
// logged in stays, also over TLS and HTTP/2.
func TestHTTPLoginTime(t *testing.T) {
	login := 150 * time.Millisecond
	for ; !loginTime(t, login); login *= 4 { // a machine that is busy
		if login > 5*time.Second {
			t.Fatal("who logs in at once is too late")
		}
	}
}

// loginTime reports whether there was time enough to log in.
func loginTime(t *testing.T, login time.Duration) bool {
	o := withAPI(t)
	ca := newAuthority(t)
	o.HTTP.TLS = ca.write(t.TempDir(), "server")
	o.Timeouts.Login = login
	n := start(t, o)
	token := someone(t, n)
	known := dialHTTP(t, n, ca.client())
	if got := known.get("/v1/whoami", token); got != 200 {
		return false
	}
	idle, silent, public := dialHTTP(t, n, nil), dialHTTP(t, n, ca.client()), dialHTTP(t, n, ca.client())
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: ca.client(), ForceAttemptHTTP2: true}}
	defer web.CloseIdleConnections()
	r, err := web.Get("https://" + n.HTTPAddr().String() + "/v1/openapi.json")
	if err != nil || silent.Conn.(*tls.Conn).Handshake() != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, r.Body)
	if _ = r.Body.Close(); r.ProtoMajor != 2 {
		t.Error(r.Proto)
	}
	for end := time.Now().Add(login + 5*time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if public.get("/v1/openapi.json", "") == 0 { // asks all the time
			break
		}
	}
	if got := public.get("/v1/openapi.json", ""); got != 0 {
		t.Errorf("who does not log in gets %d", got)
	}
	for _, c := range []*httpConn{idle, silent} {
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("it lives")
		}
	}
	eventually(t, "one connection is left", func() bool { m := n.Metrics().HTTP; return m.Open == 1 && m.Unauthenticated == 0 })
	if got := known.get("/v1/whoami", token); got != 200 {
		t.Errorf("who has logged in gets %d", got)
	}
	return true
}

// The header has its time and its size, and who is idle goes.
func TestHTTPHeaders(t *testing.T) {
	o := withAPI(t)
	o.Limits.Header = 8 << 10
	o.Timeouts.Header, o.Timeouts.Idle = 100*time.Millisecond, 100*time.Millisecond
	n := start(t, o)
	slow, kept, long, fits := dialHTTP(t, n, nil), dialHTTP(t, n, nil), dialHTTP(t, n, nil), dialHTTP(t, n, nil)
	_, _ = io.WriteString(slow, "GET /v1/buckets HTTP/1.1\r\nHost: localhost\r\nX-")
	if got := kept.get("/v1/buckets", ""); got != 200 {
		t.Error(got)
	}
	if got := fits.get("/v1/buckets?"+strings.Repeat("x", 7<<10), ""); got != 400 {
		t.Error(got)
	}
	if got := long.get("/v1/buckets?"+strings.Repeat("x", 16<<10), ""); got != 431 {
		t.Error(got)
	}
	for _, c := range []*httpConn{slow, kept} {
		if _, err := io.Copy(io.Discard, c.r); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the connection lives")
		}
	}
}
