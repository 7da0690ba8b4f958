package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

func TestHosts(t *testing.T) {
	s := newServer(t, func(_ *server, o *httpapi.Options) { o.Settings.Hosts = []string{"Db1.example.com"} })
	for host, ok := range map[string]bool{
		"localhost": true, "localhost:8379": true, "LOCALHOST": true, "localhost.": true, "127.0.0.1:8379": true, "192.0.2.7": true,
		"[::1]:8379": true, "[::1]": true, "db1.example.com": true, "DB1.example.com:1": true, "": false, "evil.example.com": false,
		"db1.example.com.evil.org": false, "localhost:80:80": false, "localhost@evil.org": false, "127.0.0.1.evil.org": false, "0x7f.1": false,
		"localhost:x": false, ":8379": false,
	} {
		got := s.do("GET", "/v1/buckets", "", "Host: "+host)
		if ok != (got.StatusCode == 200) || !ok && got.failure().Code != wire.HostDenied {
			t.Errorf("Host %q: %d %s", host, got.StatusCode, got.text)
		}
	}
	must(t, s.api.Apply(httpapi.Settings{Hosts: []string{"*"}}))
	s.do("GET", "/v1/buckets", "", "Host: any.example.com").is(200)
	for _, bad := range []httpapi.Settings{{Hosts: []string{"http://x"}}, {Hosts: []string{""}}, {Origins: []string{"*"}}, {Origins: []string{"example.com"}}, {Limits: httpapi.Limits{Key: -1}}, {Limits: httpapi.Limits{InFlight: -1}}} {
		if s.api.Apply(bad) == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	s.do("GET", "/v1/buckets", "", "Host: any.example.com").is(200)
}

func TestOrigins(t *testing.T) {
	s := newServer(t, func(_ *server, o *httpapi.Options) { o.Settings.Origins = []string{"https://Admin.example.com"} })
	for _, c := range []struct {
		headers string
		ok      bool
	}{
		{"", true}, {"Sec-Fetch-Site: none", true}, {"Sec-Fetch-Site: same-origin", true}, {"Sec-Fetch-Site: cross-site", false}, {"Sec-Fetch-Site: same-site", false},
		{"Origin: http://127.0.0.1:8379", true}, {"Origin: http://127.0.0.1:8380", false}, {"Origin: https://127.0.0.1:8379", false}, {"Origin: null", false},
		{"Origin: http://evil.example.com", false}, {"Origin: https://admin.example.com", true}, {"Origin: http://admin.example.com", false},
		{"Origin: https://admin.example.com|Sec-Fetch-Site: cross-site", true}, {"Origin: https://admin.example.com|Origin: https://evil.org", false},
	} {
		var headers []string
		if c.headers != "" {
			headers = strings.Split(c.headers, "|")
		}
		for _, method := range []string{"GET", "PUT"} {
			got := s.do(method, keys+"k", map[string]string{"PUT": "v"}[method], headers...)
			if c.ok != (got.StatusCode < 400 || got.StatusCode == 404) {
				t.Errorf("%s with %s: %d %s", method, c.headers, got.StatusCode, got.text)
			}
			cors := got.Header.Get("Access-Control-Allow-Origin")
			if want := strings.Contains(c.headers, "https://admin") && c.ok; want != (cors == "https://admin.example.com") || !want && cors != "" {
				t.Errorf("%s with %s: Access-Control-Allow-Origin is %q", method, c.headers, cors)
			}
		}
	}
	pre := s.do("OPTIONS", keys+"k", "", "Origin: https://admin.example.com", "Access-Control-Request-Method: PUT").is(204)
	if !strings.Contains(pre.Header.Get("Access-Control-Allow-Methods"), "PUT") || pre.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%v", pre.Header)
	}
	s.do("OPTIONS", keys+"k", "", "Origin: https://evil.org", "Access-Control-Request-Method: PUT").is(403, wire.OriginDenied)
	s.do("OPTIONS", keys+"k", "").is(405)
}

// A form of a web page cannot send JSON, and what it can send is not taken for it.
func TestContentTypes(t *testing.T) {
	s := newServer(t, nil)
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/jsonx", "application/json, text/plain"} {
		s.do("POST", keys+"n", `{"increment":1}`, "-: Content-Type", "Content-Type: "+kind).is(415, wire.MediaType)
	}
	s.do("POST", keys+"n", `{"increment":1}`, "Content-Encoding: gzip").is(415, wire.MediaType)
	s.do("GET", keys+"n", "").is(404)
	s.do("PUT", keys+"n", `1`, "Content-Type: application/x-www-form-urlencoded").is(204) // curl -d
}

// Without users, clients on this machine may do everything, and nobody else anything.
func TestAnonymous(t *testing.T) {
	open := false
	none := func(s *server, o *httpapi.Options) {
		withUsers(s, o)
		var empty access.State
		s.users.state = empty
		s.users.policy.Store(access.Compile(empty, [16]byte{}))
		o.Access.Open = open
	}
	try := func(s *server, addr, header string, want int) {
		t.Helper()
		r := request("GET", "/v1/users", "")
		r.RemoteAddr = addr
		if header != "" {
			name, value, _ := strings.Cut(header, ": ")
			r.Header.Set(name, value)
		}
		s.send(r).is(want)
	}
	s := newServer(t, none)
	try(s, "127.0.0.1:1", "", 200)
	try(s, "[::1]:1", "", 200)
	try(s, "[::ffff:127.0.0.1]:1", "", 200)
	try(s, "192.0.2.1:1", "", 401)
	try(s, "@", "", 401)
	for _, h := range []string{"X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1", "Via: 1.1 proxy", "X-Real-IP: 192.0.2.1", "X-Forwarded-Host: x"} {
		try(s, "127.0.0.1:1", h, 401)
	}
	// The first user must be an administrator, and ends this.
	s.do("PUT", "/v1/users/first", `{"password":"password-first","grants":[{"role":"reader"}]}`).is(409, wire.LastAdmin)
	s.do("PUT", "/v1/users/first", `{"password":"password-first","grants":[{"role":"admin"}]}`).is(201)
	try(s, "127.0.0.1:1", "", 401)
	s.do("GET", "/v1/users", "", "user: first").is(200)
	open = true
	s = newServer(t, none)
	try(s, "192.0.2.1:1", "", 200)
}

func TestGuard(t *testing.T) {
	s := newServer(t, withUsers)
	page := s.api.Guard(access.Status, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("numbers")) }))
	health := s.api.Guard(0, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("ok")) }))
	mux := http.NewServeMux()
	mux.Handle("/metrics", page)
	mux.Handle("/healthz", health)
	all := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			s.api.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
	get := func(path string, headers ...string) *response {
		w := &recorder{header: make(http.Header)}
		all.ServeHTTP(w, request("GET", path, "", headers...))
		return &response{t, &http.Response{StatusCode: w.status, Header: w.header}, w.text.String()}
	}
	get("/metrics").is(401)
	get("/metrics", "user: reader").is(403)
	get("/metrics", "user: operator").value("numbers")
	get("/metrics", "user: operator", "Host: evil.org").is(403)
	get("/healthz").value("ok")
	get("/v1/whoami", "user: reader").is(200)
	get("/v1").is(404)
	get("/healthz", "Host: evil.org").is(403)
}

type recorder struct {
	header http.Header
	status int
	text   strings.Builder
}

func (w *recorder) Header() http.Header { return w.header }
func (w *recorder) WriteHeader(s int)   { w.status = s }
func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = 200
	}
	return w.text.Write(b)
}

// A handler that panics is answered, logged, and served on.
func TestPanics(t *testing.T) {
	s := newServer(t, func(_ *server, o *httpapi.Options) { o.Store = panicking{o.Store} })
	s.do("GET", keys+"k", "").is(500, wire.Internal)
	s.do("GET", "/v1/buckets", "").is(200)
	if m := s.api.Metrics(); m.Panics != 1 || m.ServerErrors != 1 || m.Requests != 2 {
		t.Errorf("%+v", m)
	}
	if !strings.Contains(s.log.String(), "panic") {
		t.Error("the panic is not in the log")
	}
}
