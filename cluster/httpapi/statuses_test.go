package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// sample is a request for each operation that fits.
var sample = map[string]string{
	"PUT /v1/buckets/{bucket}/keys/{key}":  "value",
	"POST /v1/buckets/{bucket}/keys/{key}": `{"increment":1}`,
	"POST /v1/buckets/{bucket}/multi-get":  `{"keys":[{"key":"a"}]}`,
	"POST /v1/buckets/{bucket}/batch":      `{"operations":[{"op":"put","key":"a","value":"b"}]}`,
	"PUT /v1/buckets/{bucket}":             `{}`,
	"PATCH /v1/buckets/{bucket}":           `{}`,
	"PUT /v1/users/{user}":                 `{}`,
	"PATCH /v1/users/{user}":               `{}`,
	"PUT /v1/users/{user}/password":        `{"password":"long enough"}`,
	"POST /v1/users/{user}/tokens":         `{}`,
	"PUT /v1/roles/{role}":                 `{"verbs":["read"],"scopes":["*:*"]}`,
	"POST /v1/admin/checkpoint":            `{"name":"one"}`,
}

// fill makes a path of a pattern.
func fill(pattern string) string {
	return strings.NewReplacer("{bucket}", "available", "{key}", "a", "{user}", "reader", "{role}", "feeder", "{id}", "1").Replace(pattern)
}

// TestOpenAPIStatuses sees every status of every operation in the document, and do checks
// each answer against it.
func TestOpenAPIStatuses(t *testing.T) {
	d := document(t)
	d.mu.Lock()
	d.seen = make(map[string]bool)
	d.mu.Unlock()

	guarded := newServer(t, withUsers)
	bare := newServer(t, func(_ *server, o *httpapi.Options) {
		*o = httpapi.Options{Store: o.Store, Clock: o.Clock}
	})
	for _, r := range d.routes {
		path, body := fill(r.path), sample[r.method+" "+r.path]
		if r.op.Responses["401"] != nil {
			guarded.do(r.method, path, body).is(401, wire.Unauthorized)
		}
		if r.op.Responses["403"] != nil {
			guarded.do(r.method, path, body, "user: admin", "Host: evil.example.com").is(403, wire.HostDenied)
		}
		if r.op.Responses["415"] != nil {
			guarded.do(r.method, path, "text", "user: admin", "Content-Type: text/plain").is(415, wire.MediaType)
		}
		if r.op.Responses["501"] != nil {
			bare.do(r.method, path, body).is(501, wire.NotAvailable)
		}
	}

	s := newServer(t, func(s *server, o *httpapi.Options) {
		withUsers(s, o)
		o.Settings.Limits = httpapi.Limits{Key: 100, Value: 100, Keys: 3}
	})
	admin := func(method, path, body string, headers ...string) *response {
		t.Helper()
		return s.do(method, path, body, append(headers, "user: admin")...)
	}
	const b = "/v1/buckets/available"
	long := strings.Repeat("x", 101)

	// Keys.
	admin("PUT", keys+"a", "1").is(204)
	got := admin("GET", keys+"a", "").value("1")
	admin("GET", keys+"a", "", "Accept: application/json").is(200)
	admin("HEAD", keys+"a", "").is(200)
	admin("GET", keys+"a", "", "If-None-Match: "+got.Header.Get("ETag")).is(304)
	admin("GET", keys+"none", "").is(404, wire.NotFound)
	admin("GET", "/v1/buckets/none/keys/a", "").is(404, wire.NoBucket)
	admin("GET", keys+"a", "", `If-Match: "other"`).is(412, wire.Precondition)
	absent := admin("GET", keys+"two", "")
	admin("PUT", keys+"two", "x", absent.context()).is(204)
	admin("PUT", keys+"two", "y", absent.context()).is(204)
	admin("GET", keys+"two", "").is(300)
	admin("PUT", keys+"a", "1", "Ringwood-Context: rubbish").is(400, wire.BadContext)
	admin("PUT", "/v1/buckets/none/keys/a", "1").is(404, wire.NoBucket)
	admin("PUT", keys+"a", "1", "If-None-Match: *").is(412, wire.Precondition)
	admin("PUT", keys+"a", long).is(413, wire.TooLarge)
	admin("PUT", keys+"r", "1", "Ringwood-Request-Id: one").is(204)
	admin("PUT", keys+"r", "2", "Ringwood-Request-Id: one").is(422, wire.RequestIDReused)
	admin("PUT", "/v1/buckets/narrow", `{"max_siblings":1}`).is(201)
	absent = admin("GET", "/v1/buckets/narrow/keys/a", "")
	admin("PUT", "/v1/buckets/narrow/keys/a", "x", absent.context()).is(204)
	admin("PUT", "/v1/buckets/narrow/keys/a", "y", absent.context()).is(409, wire.TooManySiblings)
	admin("DELETE", keys+"a", "", `If-Match: "other"`).is(412, wire.Precondition)
	admin("DELETE", keys+"a", "", "Ringwood-Context: rubbish").is(400, wire.BadContext)
	admin("DELETE", "/v1/buckets/none/keys/a", "").is(404, wire.NoBucket)
	admin("DELETE", keys+"r", "").is(204)
	admin("POST", keys+"a", `{"increment":41}`).is(200)
	admin("POST", keys+"a", `{}`).is(400, wire.BadRequest)
	admin("POST", "/v1/buckets/none/keys/a", `{"increment":1}`).is(404, wire.NoBucket)
	admin("POST", keys+"two", `{"increment":1}`).is(409, wire.Siblings)
	admin("POST", keys+"a", `{"increment":1}`, `If-Match: "other"`).is(412, wire.Precondition)
	admin("POST", keys+"a", `{"increment":1}`, "Ringwood-Request-Id: one").is(422, wire.RequestIDReused)

	// Several keys.
	admin("GET", b+"/keys?values=true", "").is(200)
	admin("GET", b+"/keys?limit=0", "").is(400, wire.BadRequest)
	admin("GET", "/v1/buckets/none/keys", "").is(404, wire.NoBucket)
	admin("POST", b+"/multi-get", `{"keys":[{"key":"a"},{"key":"two"},{"key":"none"}]}`).is(200)
	admin("POST", b+"/multi-get", `{"keys":[]}`).is(400, wire.BadRequest)
	admin("POST", "/v1/buckets/none/multi-get", `{"keys":[{"key":"a"}]}`).is(404, wire.NoBucket)
	admin("POST", b+"/multi-get", `{"keys":[{"key":"a"},{"key":"a"},{"key":"a"},{"key":"a"}]}`).is(413, wire.TooLarge)
	admin("POST", b+"/batch", `{"operations":[{"op":"put","key":"c","value":"1","ttl":60},{"op":"increment","key":"c","by":1},{"op":"delete","key":"c","if_match":"\"x\""}]}`,
		"Ringwood-Request-Id: two").is(200)
	admin("POST", b+"/batch", `{"operations":[{"op":"jump","key":"c"}]}`).is(400, wire.BadRequest)
	admin("POST", "/v1/buckets/none/batch", sample["POST /v1/buckets/{bucket}/batch"]).is(404, wire.NoBucket)
	admin("POST", b+"/batch", `{"atomic":true,"operations":[{"op":"increment","key":"two","by":1}]}`).is(409, wire.Siblings)
	admin("POST", b+"/batch", `{"atomic":true,"operations":[{"op":"put","key":"a","value":"1","if_none_match":"*"}]}`).is(412, wire.Precondition)
	admin("POST", b+"/batch", `{"operations":[{"op":"put","key":"a","value":"`+long+`"}]}`).is(413, wire.TooLarge)
	admin("POST", b+"/batch", `{"operations":[{"op":"delete","key":"a"}]}`, "Ringwood-Request-Id: two").is(422, wire.RequestIDReused)

	// Buckets.
	admin("GET", "/v1/buckets", "").is(200)
	admin("GET", b, "").is(200)
	admin("GET", "/v1/buckets/none", "").is(404, wire.NoBucket)
	admin("PUT", "/v1/buckets/other", `{"mode":"strange"}`).is(400, wire.BadRequest)
	admin("PUT", b, `{}`).is(409, wire.Exists)
	admin("PATCH", b, `{"durability":"none"}`).is(200)
	admin("PATCH", b, `{"last_writer_wins":true}`).is(400, wire.BadRequest)
	admin("PATCH", "/v1/buckets/none", `{}`).is(404, wire.NoBucket)
	admin("POST", "/v1/buckets/narrow/empty", "").is(204)
	admin("POST", "/v1/buckets/none/empty", "").is(404, wire.NoBucket)
	admin("DELETE", "/v1/buckets/narrow", "").is(204)
	admin("DELETE", "/v1/buckets/narrow", "").is(404, wire.NoBucket)

	// Users.
	const u = "/v1/users/"
	admin("GET", "/v1/whoami", "").is(200)
	admin("GET", "/v1/users", "").is(200)
	admin("GET", u+"clerk", "").is(200)
	admin("GET", u+"stranger", "").is(404, wire.NoSuch)
	admin("PUT", u+"new", `{"password":"long enough","grants":[{"role":"reader","on":"available:x*"}]}`).is(201)
	admin("PUT", u+"new", `{}`).is(409, wire.Exists)
	admin("PUT", u+"newer", `{"password":"short"}`).is(400, wire.BadRequest)
	admin("PATCH", u+"new", `{"grants":[{"role":"writer"}],"disabled":true,"expires":"2100-01-01T00:00:00Z"}`).is(200)
	admin("PATCH", u+"new", `{"grants":[{"role":"reader","on":"rubbish"}]}`).is(400, wire.BadRequest)
	admin("PATCH", u+"stranger", `{"disabled":true}`).is(404, wire.NoSuch)
	admin("PATCH", u+"admin", `{"disabled":true}`).is(409, wire.LastAdmin)
	admin("DELETE", u+"new", "").is(204)
	admin("DELETE", u+"new", "").is(404, wire.NoSuch)
	admin("DELETE", u+"admin", "").is(409, wire.LastAdmin)
	admin("PUT", u+"clerk/password", `{"password":"another one","keep_old":true}`).is(204)
	admin("PUT", u+"clerk/password", `{"password":"short"}`).is(400, wire.BadRequest)
	admin("PUT", u+"stranger/password", `{"password":"long enough"}`).is(404, wire.NoSuch)
	admin("DELETE", u+"clerk/password?old=true", "").is(204)
	admin("DELETE", u+"clerk/password?old=true", "").is(404, wire.NoSuch)
	admin("DELETE", u+"admin/password", "").is(409, wire.LastAdmin)
	var token wire.Token
	admin("POST", u+"clerk/tokens", `{"label":"ci"}`).is(201).json(&token)
	admin("POST", u+"clerk/tokens", `{"label":"`+long+`"}`).is(400, wire.BadRequest)
	admin("POST", u+"stranger/tokens", `{}`).is(404, wire.NoSuch)
	admin("DELETE", u+"clerk/tokens/x", "").is(400, wire.BadRequest)
	admin("DELETE", u+fmt.Sprintf("clerk/tokens/%d", token.ID), "").is(204)
	admin("DELETE", u+fmt.Sprintf("clerk/tokens/%d", token.ID), "").is(404, wire.NoSuch)
	admin("POST", u+"admin/tokens", `{"label":"for-ever"}`).is(201).json(&token)
	admin("DELETE", u+"admin/password", "").is(204)
	bearer := "Authorization: Bearer " + token.Token
	s.do("DELETE", u+fmt.Sprintf("admin/tokens/%d", token.ID), "", bearer).is(409, wire.LastAdmin)
	s.do("PUT", u+"admin/password", `{"password":"password-admin"}`, bearer).is(204)
	admin("GET", "/v1/roles", "").is(200)
	admin("PUT", "/v1/roles/mine", `{"verbs":["read","write"],"scopes":["available:a*"]}`).is(200)
	admin("PUT", "/v1/roles/mine", `{"verbs":["fly"],"scopes":["*:*"]}`).is(400, wire.BadRequest)
	all, _ := json.Marshal([]string{"read", "write", "delete", "scan", "status", "admin-clients", "admin-config", "admin-maintain", "admin-buckets", "admin-cluster", "admin-users"})
	admin("PUT", "/v1/roles/root", `{"verbs":`+string(all)+`,"scopes":["*:*"]}`).is(200)
	admin("PATCH", u+"admin", `{"grants":[{"role":"root"}]}`).is(200)
	admin("PUT", "/v1/roles/root", `{"verbs":["read"],"scopes":["*:*"]}`).is(409, wire.LastAdmin)
	admin("DELETE", "/v1/roles/root", "").is(409, wire.InUse)
	admin("DELETE", "/v1/roles/mine", "").is(204)
	admin("DELETE", "/v1/roles/mine", "").is(404, wire.NoSuch)

	// The node.
	for _, path := range []string{"status", "config", "slowlog", "top", "openapi.json"} {
		admin("GET", "/v1/"+path, "").is(200)
	}
	admin("POST", "/v1/admin/flush", "").is(204)
	admin("POST", "/v1/admin/compact", "").is(204)
	admin("POST", "/v1/admin/checkpoint", `{"name":"one"}`).is(201)
	admin("POST", "/v1/admin/checkpoint", `{"name":"one"}`).is(409, wire.Exists)
	admin("POST", "/v1/admin/checkpoint", `{"name":"../up"}`).is(400, wire.BadRequest)
	busy(t)

	var missing []string
	for _, r := range d.routes {
		for status := range r.op.Responses {
			if status != "default" && !d.seen[r.method+" "+r.path+" "+status] {
				missing = append(missing, r.method+" "+r.path+" "+status)
			}
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		t.Errorf("nobody has seen\n%s", strings.Join(missing, "\n"))
	}
}

// busy sees that maintenance is done by one at a time.
func busy(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	s := newServer(t, func(s *server, o *httpapi.Options) { o.Upkeep = &slowUpkeep{o.Upkeep, begun, end} })
	done := make(chan int)
	go func() {
		w := &statusOnly{header: make(http.Header)}
		s.handler.ServeHTTP(w, request("POST", "/v1/admin/compact", ""))
		done <- w.status
	}()
	<-begun
	s.do("POST", "/v1/admin/flush", "").is(409, wire.Busy)
	s.do("POST", "/v1/admin/compact", "").is(409, wire.Busy)
	close(end)
	if status := <-done; status != 204 {
		t.Errorf("the compaction answers %d", status)
	}
	s.do("POST", "/v1/admin/flush", "").is(204)
}

type statusOnly struct {
	header http.Header
	status int
}

func (w *statusOnly) Header() http.Header         { return w.header }
func (w *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (w *statusOnly) WriteHeader(status int)      { w.status = status }
