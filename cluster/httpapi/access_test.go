package httpapi_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// who may use each endpoint with its sample request, on the key "a" of the bucket
// "available" or on the user "reader". Everybody else is told 403.
var allowed = map[string]string{
	"GET /v1/buckets/{bucket}/keys/{key}":    "admin writer reader",
	"PUT /v1/buckets/{bucket}/keys/{key}":    "admin writer sensor",
	"DELETE /v1/buckets/{bucket}/keys/{key}": "admin writer sensor",
	"POST /v1/buckets/{bucket}/keys/{key}":   "admin writer",
	"GET /v1/buckets/{bucket}/keys":          "admin writer reader clerk",                        // filtered
	"POST /v1/buckets/{bucket}/multi-get":    "admin writer reader clerk",                        // by key
	"POST /v1/buckets/{bucket}/batch":        "admin writer sensor clerk",                        // by operation
	"GET /v1/buckets":                        "admin operator writer reader clerk sensor nobody", // filtered
	"GET /v1/buckets/{bucket}":               "admin operator writer reader clerk sensor",
	"PUT /v1/buckets/{bucket}":               "admin operator",
	"PATCH /v1/buckets/{bucket}":             "admin operator",
	"DELETE /v1/buckets/{bucket}":            "admin",
	"POST /v1/buckets/{bucket}/empty":        "admin writer sensor",
	"GET /v1/whoami":                         "admin operator writer reader clerk sensor nobody",
	"GET /v1/users":                          "admin",
	"GET /v1/users/{user}":                   "admin reader",
	"PUT /v1/users/{user}":                   "admin",
	"PATCH /v1/users/{user}":                 "admin",
	"DELETE /v1/users/{user}":                "admin",
	"PUT /v1/users/{user}/password":          "admin reader",
	"DELETE /v1/users/{user}/password":       "admin reader",
	"POST /v1/users/{user}/tokens":           "admin reader",
	"DELETE /v1/users/{user}/tokens/{id}":    "admin reader",
	"GET /v1/roles":                          "admin",
	"PUT /v1/roles/{role}":                   "admin",
	"DELETE /v1/roles/{role}":                "admin",
	"GET /v1/status":                         "admin operator",
	"GET /v1/config":                         "admin operator",
	"GET /v1/slowlog":                        "admin operator",
	"GET /v1/top":                            "admin operator",
	"POST /v1/admin/flush":                   "admin operator",
	"POST /v1/admin/compact":                 "admin operator",
	"POST /v1/admin/checkpoint":              "admin operator",
	"GET /v1/openapi.json":                   "admin operator writer reader clerk sensor nobody",
}

// TestAuthorization tries every endpoint as every user. A denied request changes nothing.
func TestAuthorization(t *testing.T) {
	cells := 0
	var s *server // served no request that was allowed
	for _, r := range document(t).routes {
		name := r.method + " " + r.path
		want, ok := allowed[name]
		if !ok {
			t.Errorf("nobody has said who may use %s", name)
			continue
		}
		for _, p := range people {
			if s == nil {
				s = newServer(t, withUsers)
				s.do("PUT", keys+"a", "1", "user: admin").is(204)
			}
			before := s.users.State().Seq()
			got := s.do(r.method, fill(r.path), sample[name], "user: "+p.name)
			may := slices.Contains(strings.Fields(want), p.name)
			if denied := got.StatusCode == 403; denied == may || got.StatusCode == 401 {
				// A user who is told of what is not there may have used the right to know.
				t.Errorf("%s as %s: %d %s", name, p.name, got.StatusCode, got.text)
			}
			if may {
				must(t, s.r.Close())
				s = nil
			} else {
				s.do("GET", keys+"a", "", "user: admin").value("1")
				if s.users.State().Seq() != before {
					t.Errorf("%s as %s has changed users", name, p.name)
				}
			}
			cells++
		}
	}
	t.Logf("%d cells", cells)
}

// What a user sees of keys beside those that are allowed: nothing.
func TestEverythingReturnedIsChecked(t *testing.T) {
	s := newServer(t, withUsers)
	admin := func(key string) { s.do("PUT", keys+key, "v "+key, "user: admin").is(204) }
	for _, k := range []string{"orders/1", "orders/2", "secret/1", "order"} {
		admin(k)
	}
	got := s.scan("values=true&limit=1", "user: clerk")
	if len(got) != 2 || *got["orders/1"].ValueText != "v orders/1" {
		t.Errorf("the clerk's scan has %v", got)
	}
	s.do("GET", "/v1/buckets/available/keys?prefix=secret", "", "user: clerk").is(403, wire.Forbidden)
	s.do("GET", "/v1/buckets/available/keys", "", "user: sensor").is(403, wire.Forbidden)
	// Whether it exists or not, the answer is the same.
	a := s.do("GET", keys+"secret/1", "", "user: clerk").is(403)
	b := s.do("GET", keys+"secret/none", "", "user: clerk").is(403)
	c := s.do("GET", "/v1/buckets/none/keys/x", "", "user: clerk").is(403)
	if a.text != b.text || fmt.Sprint(a.Header) != fmt.Sprint(b.Header) || c.failure().Code != wire.Forbidden {
		t.Errorf("%v %s, %v %s, %s", a.Header, a.text, b.Header, b.text, c.text)
	}
	for method, body := range map[string]string{"PUT": "x", "DELETE": "", "POST": `{"increment":1}`} {
		s.do(method, keys+"secret/1", body, "user: clerk").is(403)
	}
	var many wire.MultiGetResult
	s.do("POST", "/v1/buckets/available/multi-get", `{"keys":[{"key":"orders/1"},{"key":"secret/1"},{"key":"secret/none"}]}`, "user: clerk").is(200).json(&many)
	for i, e := range many.Entries[1:] {
		if e.Error == nil || e.Error.Code != wire.Forbidden || len(e.Siblings) > 0 || e.Context != "" || e.ETag != "" {
			t.Errorf("entry %d: %+v", i+1, e)
		}
	}
	if many.Entries[0].Error != nil || len(many.Entries[0].Siblings) != 1 {
		t.Errorf("%+v", many.Entries[0])
	}
	const both = `"operations":[{"op":"put","key":"orders/1","value":"new"},{"op":"put","key":"secret/1","value":"new"},{"op":"delete","key":"order"}]}`
	e := s.do("POST", "/v1/buckets/available/batch", `{"atomic":true,`+both, "user: clerk").is(403).failure()
	if e.Operation == nil || *e.Operation != 1 {
		t.Errorf("%+v", e)
	}
	s.do("GET", keys+"orders/1", "", "user: clerk").value("v orders/1")
	out := s.batch(`{`+both, "user: clerk")
	if out.Failed != 2 || out.Results[0].Error != nil || out.Results[1].Error.Code != wire.Forbidden || out.Results[2].Error.Code != wire.Forbidden {
		t.Errorf("%+v", out)
	}
	s.do("GET", keys+"orders/1", "", "user: clerk").value("new")
	s.do("GET", keys+"secret/1", "", "user: admin").value("v secret/1")
	s.do("GET", keys+"order", "", "user: admin").value("v order")
	// Who only writes learns nothing from the answer, and may set no condition.
	put := s.do("PUT", keys+"x", "1", "user: sensor").is(204)
	if put.Header.Get("ETag") != "" || put.Header.Get(wire.HeaderContext) != "" || put.Header.Get(wire.HeaderSiblings) != "" {
		t.Errorf("the sensor reads %v", put.Header)
	}
	out = s.batch(`{"operations":[{"op":"put","key":"x","value":"2"}]}`, "user: sensor")
	if out.Results[0] != (wire.OperationResult{}) {
		t.Errorf("the sensor reads %+v", out.Results[0])
	}
	s.do("PUT", keys+"x", "1", "If-Match: *", "user: sensor").is(403)
	s.do("DELETE", keys+"x", "", "If-None-Match: *", "user: sensor").is(403)
	out = s.batch(`{"operations":[{"op":"put","key":"x","value":"2","if_match":"*"}]}`, "user: sensor")
	if out.Results[0].Error == nil || out.Results[0].Error.Code != wire.Forbidden {
		t.Errorf("%+v", out.Results[0])
	}
	// Hot keys and slow requests without the keys.
	var top wire.Top
	s.do("GET", "/v1/top", "", "user: operator").json(&top)
	var slow wire.SlowLog
	s.do("GET", "/v1/slowlog", "", "user: operator").json(&slow)
	if len(top.Keys) != 0 || len(slow.Requests) != 2 || slow.Requests[0].Key != nil {
		t.Errorf("the operator sees %+v %+v", top, slow)
	}
	s.do("GET", "/v1/top", "", "user: admin").json(&top)
	s.do("GET", "/v1/slowlog", "", "user: admin").json(&slow)
	if len(top.Keys) != 2 || slow.Requests[0].Key == nil {
		t.Errorf("the administrator sees %+v %+v", top, slow)
	}
	var buckets wire.Buckets
	s.do("GET", "/v1/buckets", "", "user: clerk").json(&buckets)
	if len(buckets.Buckets) != 1 || buckets.Buckets[0].Keys != nil {
		t.Errorf("the clerk sees %+v", buckets)
	}
	s.do("GET", "/v1/buckets", "", "user: nobody").json(&buckets)
	if len(buckets.Buckets) != 0 {
		t.Errorf("nobody sees %+v", buckets)
	}
	if text := s.do("GET", "/v1/config", "", "user: admin").text; strings.Contains(text, "canary") {
		t.Errorf("the configuration has a secret: %s", text)
	}
}

func TestLogins(t *testing.T) {
	s := newServer(t, withUsers)
	get := func(headers ...string) *response { return s.do("GET", "/v1/whoami", "", headers...) }
	none := get().is(401, wire.Unauthorized)
	if got := none.Header.Values("WWW-Authenticate"); len(got) != 2 || !strings.HasPrefix(got[0], "Basic") {
		t.Errorf("%q", got)
	}
	basic := func(user, password string) string {
		r := request("GET", "/", "")
		r.SetBasicAuth(user, password)
		return "Authorization: " + r.Header.Get("Authorization")
	}
	if got := get("user: reader").is(200); !strings.Contains(got.text, `"user":"reader"`) {
		t.Errorf("%s", got.text)
	}
	var token wire.Token
	s.do("POST", "/v1/users/reader/tokens", `{"label":"ci"}`, "user: reader").is(201).json(&token)
	for _, h := range []string{
		basic("reader", "canary-wrong"), basic("nobody at all", "x"), basic("reader", ""), basic("", passwordOf("reader")), basic("writer", token.Token),
		"Authorization: Bearer " + token.Token[:len(token.Token)-1], "Authorization: Bearer ", "Authorization: Bearer " + passwordOf("admin"),
		"Authorization: Basic !", "Authorization: Digest x", "Authorization: ",
	} {
		s.now.Add(60_000) // the brake is for another test
		get(h).is(401, wire.Unauthorized)
	}
	get("user: reader", "Authorization: Bearer "+token.Token).is(401)
	get("Authorization: bearer " + token.Token).is(200)
	get(basic("reader", token.Token)).is(200)
	get(basic("", token.Token)).is(200)
	// A password of the default user is no bearer token.
	must(t, s.users.Change(context.Background(), func(st access.State) (access.State, error) {
		h, err := st.PasswordHash("reader")
		must(t, err)
		return st.AddUser(access.NewUser{Name: access.DefaultUser, Password: h, Grants: []access.Grant{{Role: access.RoleAdmin}}}, false)
	}))
	get("Authorization: Bearer " + passwordOf("reader")).is(401)
	get(basic("", passwordOf("reader"))).is(200)

	// What was taken back is gone with the next request, though the login is remembered.
	get("user: reader").is(200)
	s.do("PATCH", "/v1/users/reader", `{"disabled":true}`, "user: admin").is(200)
	get("user: reader").is(401)
	get("Authorization: Bearer " + token.Token).is(401)
	s.do("PATCH", "/v1/users/reader", `{"disabled":false}`, "user: admin").is(200)
	get("user: reader").is(200)
	s.do("PUT", keys+"a", "1", "user: writer").is(204)
	s.do("PATCH", "/v1/users/writer", `{"grants":[{"role":"reader"}]}`, "user: admin").is(200)
	s.do("PUT", keys+"a", "2", "user: writer").is(403)
	s.do("GET", keys+"a", "", "user: writer").value("1")
	s.do("PUT", "/v1/users/writer/password", `{"password":"something else"}`, "user: writer").is(204)
	get("user: writer").is(401)
	get(basic("writer", "something else")).is(200)
	expires := s.clock().Add(time.Minute).UTC().Format(time.RFC3339)
	s.do("PATCH", "/v1/users/clerk", `{"expires":"`+expires+`"}`, "user: admin").is(200)
	get("user: clerk").is(200)
	s.now.Add(61_000)
	get("user: clerk").is(401)

	// A stolen token makes no new ones, and nobody rises above themselves.
	s.do("POST", "/v1/users/reader/tokens", `{"label":"more"}`, "Authorization: Bearer "+token.Token).is(403)
	s.do("PUT", "/v1/users/admin/password", `{"password":"taken over"}`, "user: reader").is(403)
	s.do("PUT", "/v1/roles/reader2", `{"verbs":["read"],"scopes":["*:*"]}`, "user: operator").is(403)

	for range 20 {
		get(basic("reader", "canary-wrong"))
	}
	limited := get(basic("reader", "canary-wrong")).is(429, wire.TooManyLogins)
	if limited.Header.Get("Retry-After") == "" {
		t.Errorf("%v", limited.Header)
	}
	get("user: reader").is(200) // remembered: the brake is for those who guess
	get("Authorization: Bearer " + token.Token)

	for _, secret := range []string{token.Token, "password-", "something else", "taken over", "canary"} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, s.log.String())
		}
	}
}
