package httpapi_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// escape writes a key as a path, every byte of it encoded.
func escape(key string) string {
	var b strings.Builder
	for i := range len(key) {
		fmt.Fprintf(&b, "%%%02X", key[i])
	}
	return b.String()
}

func TestKeys(t *testing.T) {
	s := newServer(t, nil)
	var all strings.Builder
	for i := range 256 {
		all.WriteByte(byte(i))
	}
	for i, key := range []string{"", "a", "a/b", "a//b", "/", ".", "..", "../x", "%", "+", "a b", "ü", "\x00", "\xff", all.String()} {
		value := fmt.Sprintf("value %d", i)
		s.do("PUT", keys+escape(key), value).is(204)
		s.do("GET", keys+escape(key), "").value(value)
		var e wire.Entry
		s.do("GET", keys+escape(key), "", "Accept: application/json").is(200).json(&e)
		if got, err := e.Key.Bytes(); err != nil || string(got) != key {
			t.Errorf("key %q is %q in JSON (%v)", key, got, err)
		}
	}
	// As people write them.
	s.do("GET", keys+"a/b", "").value("value 2")
	s.do("GET", keys+"a+b", "").is(404)
	s.do("GET", keys+"a%2Fb", "").value("value 2")
	s.do("GET", keys+"%C3%BC", "").value("value 11")
	for _, path := range []string{"a//b", "//", "./a", "a/..", "a/../b", "..", "."} {
		r := request("GET", keys+"x", "")
		r.URL = &url.URL{Path: keys + path}
		s.send(r).is(400, wire.BadRequest)
	}
	if hint := s.do("DELETE", keys, "").is(204); hint.text != "" {
		t.Error("a body")
	}
	if e := s.do("GET", keys, "").is(404, wire.NotFound).failure(); !strings.Contains(e.Hint, "empty key") {
		t.Errorf("the empty key has the hint %q", e.Hint)
	}
	s.do("GET", "/v1/buckets/_requests/keys/a", "").is(400, wire.BadRequest)
	s.do("GET", "/v1/nothing", "").is(404, wire.NoSuch)
	s.do("GET", "/v1/buckets/available/keysX", "").is(404, wire.NoSuch)
	s.do("PATCH", keys+"a", "").is(405, wire.MethodNotAllowed)
	if got := s.do("TRACE", keys+"a", "").is(405).Header.Get("Allow"); got != "GET, PUT, DELETE, POST" {
		t.Errorf("Allow: %s", got)
	}
	s.do("GET", keys+"a?sibling=first", "").is(400, wire.BadRequest)
	s.do("GET", keys+"a?siblings=latest", "").is(400, wire.BadRequest)
	s.do("GET", keys+"a?sibling=latest&sibling=latest", "").is(400, wire.BadRequest)
	s.do("PUT", keys+"a?limit=1", "").is(400, wire.BadRequest)
	s.do("PUT", keys+"a", "x", "Content-Encoding: gzip").is(415, wire.MediaType)
	s.do("PUT", keys+"a", "x", "Content-Range: bytes 0-0/5").is(400, wire.BadRequest)
	s.do("DELETE", keys+"a", "body").is(413, wire.TooLarge)
	s.do("GET", keys+"a", "").value("value 1")
}

func TestValuesAreBytes(t *testing.T) {
	s := newServer(t, nil)
	for _, value := range []string{"", "text", "\x00\xff\xfe", strings.Repeat("x", 200_000)} {
		s.do("PUT", keys+"k", value).is(204)
		got := s.do("GET", keys+"k", "").value(value)
		for name, want := range map[string]string{
			"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Content-Length": fmt.Sprint(len(value)), "Ringwood-Siblings": "1",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
		} {
			if got.Header.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
			}
		}
		head := s.do("HEAD", keys+"k", "").is(200)
		if head.Header.Get("ETag") != got.Header.Get("ETag") || head.Header.Get("Content-Length") != fmt.Sprint(len(value)) {
			t.Errorf("HEAD answers %v, GET %v", head.Header, got.Header)
		}
		var e wire.Entry
		s.do("GET", keys+"k", "", "Accept: application/json").is(200).json(&e)
		if v, err := e.Siblings[0].Value.Bytes(); err != nil || string(v) != value || len(e.Siblings) != 1 {
			t.Errorf("%d bytes are %d in JSON (%v)", len(value), len(v), err)
		}
	}
}

func TestSiblings(t *testing.T) {
	s := newServer(t, nil)
	s.siblings("k", "one", "two", "three")
	got := s.do("GET", keys+"k", "").is(300)
	var e wire.Entry
	got.json(&e)
	var values []string
	for _, x := range e.Siblings {
		values = append(values, *x.ValueText)
	}
	if fmt.Sprint(values) != "[three two one]" || got.Header.Get("Ringwood-Siblings") != "3" || e.ETag != got.Header.Get("ETag") || "Ringwood-Context: "+e.Context != got.context() {
		t.Errorf("siblings %v, headers %v", values, got.Header)
	}
	s.do("GET", keys+"k", "", "Accept: application/json").is(200)
	s.do("GET", keys+"k?sibling=latest", "").value("three")
	// A fourth that has read none of them: its writer has no context that covers the others.
	other := s.do("GET", keys+"x", "")
	s.do("PUT", keys+"k", "four", other.context()).is(400, wire.BadContext)
	put := s.do("PUT", keys+"k", "four", s.do("GET", keys+"k2", "").context())
	put.is(400, wire.BadContext)
	// Who has read all three replaces all three.
	put = s.do("PUT", keys+"k", "resolved", got.context()).is(204)
	if put.Header.Get("Ringwood-Siblings") != "1" {
		t.Errorf("siblings after the resolution: %v", put.Header)
	}
	s.do("GET", keys+"k", "").value("resolved")
	// And may go on from there.
	s.do("PUT", keys+"k", "next", put.context()).is(204)
	s.do("GET", keys+"k", "").value("next")
	// What was written by who had read the three only, beside "next".
	late := s.do("PUT", keys+"k", "late", got.context()).is(204)
	if late.Header.Get("Ringwood-Context") != "" || late.Header.Get("Ringwood-Siblings") != "2" {
		t.Errorf("a write beside another has a context: %v", late.Header)
	}
	// Nor has it a tag: a write with that would replace "next", which its writer never read.
	if late.Header.Get("ETag") != "" {
		t.Errorf("a write beside another has a tag: %v", late.Header)
	}
	gone := s.do("DELETE", keys+"k", "", put.context()).is(204)
	if gone.Header.Get("ETag") != "" || gone.Header.Get("Ringwood-Context") != "" || gone.Header.Get("Ringwood-Siblings") != "2" {
		t.Errorf("a deletion beside others has a context or a tag: %v", gone.Header)
	}
	s.do("GET", keys+"k", "").is(300)
	// A write without a context replaces all.
	s.do("PUT", keys+"k", "blind").is(204)
	s.do("GET", keys+"k", "").value("blind")
}

// A time to live that would have no effect is refused, in a header as in the query.
func TestOnlyPutsHaveATimeToLive(t *testing.T) {
	s := newServer(t, nil)
	s.do("POST", keys+"n", `{"increment":1}`, "Ringwood-TTL: 60").is(400, wire.BadRequest)
	s.do("POST", keys+"n?ttl=60", `{"increment":1}`).is(400, wire.BadRequest)
	s.do("GET", keys+"n", "").is(404)
	s.do("PUT", keys+"n", "1", "Ringwood-TTL: 60").is(204)
	s.do("DELETE", keys+"n", "", "Ringwood-TTL: 60").is(400, wire.BadRequest)
	s.do("POST", keys+"n", `{"increment":1}`).is(200)
	if got := s.do("GET", keys+"n", "").value("2").Header.Get("Ringwood-TTL"); got != "60" {
		t.Errorf("the expiry of an increment is %q", got)
	}
}

func TestDeletedKeysHaveAContext(t *testing.T) {
	s := newServer(t, nil)
	s.do("PUT", keys+"k", "v").is(204)
	read := s.do("GET", keys+"k", "").value("v")
	gone := s.do("DELETE", keys+"k", "", read.context()).is(204)
	absent := s.do("GET", keys+"k", "").is(404, wire.NotFound)
	if absent.Header.Get("Ringwood-Context") == "" || absent.Header.Get("Ringwood-Siblings") != "0" || absent.Header.Get("ETag") != "" {
		t.Errorf("headers of an absent key: %v", absent.Header)
	}
	s.do("PUT", keys+"k", "again", gone.context()).is(204)
	// A deletion does not remove what its client had not read.
	s.do("DELETE", keys+"k", "", absent.context()).is(204)
	s.do("GET", keys+"k", "").value("again")
	s.do("DELETE", keys+"k", "").is(204)
	s.do("GET", keys+"k", "").is(404)
	s.do("DELETE", keys+"never", "").is(204)
}

// A token that was altered, or is of something else, is refused, and nothing happens.
func TestForgedContexts(t *testing.T) {
	s := newServer(t, nil)
	s.do("PUT", keys+"k", "v").is(204)
	s.do("PUT", keys+"l", "v").is(204)
	good := s.do("GET", keys+"k", "").Header.Get(wire.HeaderContext)
	forged := []string{"x", strings.Repeat("A", 200), good + "A", good[:len(good)-1], good[1:], " " + good + "=", "ü",
		s.do("GET", keys+"l", "").Header.Get(wire.HeaderContext), strings.Repeat("A", 10_000)}
	for i := range good {
		b := []byte(good)
		if b[i] == 'A' {
			b[i] = 'B'
		} else {
			b[i] = 'A'
		}
		forged = append(forged, string(b))
	}
	for _, token := range forged {
		for _, method := range []string{"PUT", "DELETE"} {
			body := ""
			if method == "PUT" {
				body = "forged"
			}
			e := s.do(method, keys+"k", body, "Ringwood-Context: "+token).is(400, wire.BadContext).failure()
			if !e.Definite {
				t.Errorf("%s with %q is not definite", method, token)
			}
		}
	}
	s.do("PUT", keys+"k", "x", "Ringwood-Context: ").is(400, wire.BadRequest)
	s.do("PUT", keys+"k", "x", "Ringwood-Context: "+good, "Ringwood-Context: "+good).is(400, wire.BadRequest)
	s.do("GET", keys+"k", "").value("v")
	s.do("POST", "/v1/buckets/available/empty", "").is(204)
	s.do("PUT", keys+"k", "x", "Ringwood-Context: "+good).is(400, wire.BadContext)
	s.do("GET", keys+"k", "").is(404)
}

func TestPreconditions(t *testing.T) {
	for _, c := range []struct {
		exists bool
		header string // TAG is the entity tag of the value, OLD that of the one before
		status int
	}{
		{true, "If-Match: *", 204}, {false, "If-Match: *", 412},
		{true, "If-None-Match: *", 412}, {false, "If-None-Match: *", 204},
		{true, "If-Match: TAG", 204}, {true, "If-Match: OLD", 412}, {false, "If-Match: OLD", 412},
		{true, `If-Match: "x", TAG ,"y"`, 204}, {true, "If-Match: W/TAG", 412}, {true, "If-None-Match: W/TAG", 412},
		{true, "If-None-Match: TAG", 412}, {true, "If-None-Match: OLD", 204}, {false, "If-None-Match: OLD", 204},
		{true, "If-Match: TAG-json", 204}, {true, "If-None-Match: TAG-latest", 412},
		{true, "If-Match: tag", 400}, {true, `If-Match: "tag`, 400}, {true, `If-Match: "a""b"`, 400}, {true, "If-Match: ", 400},
		{true, "If-Match: " + strings.Repeat(`"x",`, 65) + `"x"`, 413},
		{true, `If-Match: "` + "a b" + `"`, 400},
	} {
		s := newServer(t, nil)
		s.do("PUT", keys+"k", "old").is(204)
		old := s.do("GET", keys+"k", "").Header.Get("ETag")
		s.do("PUT", keys+"k", "v").is(204)
		tag := s.do("GET", keys+"k", "").Header.Get("ETag")
		if old == tag || !strings.HasPrefix(tag, `"`) {
			t.Fatalf("entity tags %s and %s", old, tag)
		}
		if !c.exists {
			s.do("DELETE", keys+"k", "").is(204)
		}
		before := s.do("GET", keys+"k", "").text
		h := strings.NewReplacer("TAG-json", strings.TrimSuffix(tag, `"`)+`-json"`, "TAG-latest", strings.TrimSuffix(tag, `"`)+`-latest"`, "TAG", tag, "OLD", old).Replace(c.header)
		got := s.do("PUT", keys+"k", "new", h)
		if got.StatusCode != c.status {
			t.Errorf("PUT with %s, exists %v: %d, want %d", c.header, c.exists, got.StatusCode, c.status)
		}
		after := s.do("GET", keys+"k", "").text
		if (c.status == 204) != (after == "new") || c.status != 204 && after != before {
			t.Errorf("PUT with %s, exists %v: then there is %q", c.header, c.exists, after)
		}
	}
}

func TestConditionalReads(t *testing.T) {
	s := newServer(t, nil)
	s.do("PUT", keys+"k", "v").is(204)
	raw := s.do("GET", keys+"k", "").Header.Get("ETag")
	doc := s.do("GET", keys+"k", "", "Accept: application/json").Header.Get("ETag")
	if raw == doc {
		t.Fatal("two representations have one strong entity tag")
	}
	s.do("GET", keys+"k", "", "If-None-Match: "+raw).is(304)
	s.do("GET", keys+"k", "", "If-None-Match: "+doc).is(200)
	s.do("GET", keys+"k", "", "If-None-Match: "+doc, "Accept: application/json").is(304)
	s.do("GET", keys+"k", "", "If-None-Match: *").is(304)
	s.do("GET", keys+"k", "", `If-None-Match: "x", W/`+raw).is(304)
	s.do("GET", keys+"k", "", `If-None-Match: "x", `+doc).is(200)
	s.do("GET", keys+"k", "", `If-None-Match: "x"`, "If-None-Match: "+raw).is(304)
	s.do("HEAD", keys+"k", "", "If-None-Match: "+raw).is(304)
	s.do("GET", keys+"k", "", "If-Match: "+raw).is(200)
	s.do("GET", keys+"none", "", "If-Match: *").is(412)
	s.do("GET", keys+"none", "", "If-None-Match: *").is(404)
	for accept, status := range map[string]int{
		"application/json": 200, "*/*": 300, "text/html": 300, "application/octet-stream": 300, "application/json;q=0": 300,
		"application/octet-stream, application/json;q=0.5": 300, "application/octet-stream;q=0.5, application/json": 200, "a;q=x,,;": 300,
	} {
		u := newServer(t, nil)
		u.siblings("k", "one", "two")
		u.do("GET", keys+"k", "", "Accept: "+accept).is(status)
	}
}

func TestTimeToLive(t *testing.T) {
	s := newServer(t, nil)
	s.do("PUT", keys+"k", "v", "Ringwood-TTL: 60").is(204)
	s.do("PUT", keys+"l?ttl=0.5", "v").is(204)
	s.now.Add(499)
	if got := s.do("GET", keys+"k", "").value("v").Header.Get(wire.HeaderTTL); got != "59.501" {
		t.Errorf("there is left %s", got)
	}
	var e wire.Entry
	s.do("GET", keys+"k", "", "Accept: application/json").json(&e)
	if !e.Siblings[0].Expires.Equal(time.UnixMilli(start+60_000)) || e.Siblings[0].TTL != 59_501 {
		t.Errorf("%+v", e.Siblings[0])
	}
	s.do("GET", keys+"l", "").value("v")
	s.now.Add(1)
	s.do("GET", keys+"l", "").is(404)
	s.do("PUT", keys+"l", "v", "If-Match: *").is(412)
	s.do("PUT", keys+"l", "v", "If-None-Match: *").is(204)
	if got := s.do("GET", keys+"l", "").value("v").Header.Get(wire.HeaderTTL); got != "" {
		t.Errorf("a value without end has %s left", got)
	}
	for _, bad := range []string{"0", "-1", "1e3", "1.2345", "x", "60s", "3153600000.001", "99999999999", ".5", "1.", "+1", "0x10", "0.000"} {
		s.do("PUT", keys+"m", "v", "Ringwood-TTL: "+bad).is(400, wire.BadRequest)
		s.do("PUT", keys+"m?ttl="+url.QueryEscape(bad), "v").is(400, wire.BadRequest)
	}
	s.do("PUT", keys+"m?ttl=", "v").is(400, wire.BadRequest)
	s.do("PUT", keys+"m?ttl=1", "v", "Ringwood-TTL: 1").is(400, wire.BadRequest)
	s.do("GET", keys+"m", "").is(404)
	s.do("PUT", keys+"m?ttl=3153600000", "v").is(204)
	// The tag names the live siblings: it changes when one of them ends.
	absent := s.do("GET", keys+"n", "")
	s.do("PUT", keys+"n?ttl=1", "short", absent.context()).is(204)
	s.do("PUT", keys+"n", "long", absent.context()).is(204)
	two := s.do("GET", keys+"n", "").is(300)
	s.now.Add(1000)
	s.do("GET", keys+"n", "").value("long")
	s.do("PUT", keys+"n", "x", "If-Match: "+two.Header.Get("ETag")).is(412)
	s.do("PUT", keys+"n", "x", two.context()).is(204)
	s.do("GET", keys+"n", "").value("x")
}

func TestIncrements(t *testing.T) {
	s := newServer(t, nil)
	post := func(body string, headers ...string) *response { return s.do("POST", keys+"n", body, headers...) }
	var out wire.OperationResult
	post(`{"increment":5}`).is(200).json(&out)
	if *out.Number != 5 || out.ETag == "" || out.Context == "" {
		t.Errorf("%+v", out)
	}
	s.do("GET", keys+"n", "").value("5")
	s.do("PUT", keys+"n?ttl=10", "-3").is(204)
	post(`{"increment":-4}`).is(200).json(&out)
	if got := s.do("GET", keys+"n", "").value("-7").Header.Get(wire.HeaderTTL); got != "10" {
		t.Errorf("an increment leaves %q seconds of 10", got)
	}
	for _, value := range []string{"", "x", "1.5", " 1", "+1", "01", "9223372036854775808", strings.Repeat("1", 100)} {
		s.do("PUT", keys+"n", value).is(204)
		post(`{"increment":1}`).is(409, wire.NotNumber)
		s.do("GET", keys+"n", "").value(value)
	}
	for _, c := range []struct{ value, by string }{{"9223372036854775807", "1"}, {"-9223372036854775808", "-1"}, {"-1", "-9223372036854775808"}} {
		s.do("PUT", keys+"n", c.value).is(204)
		post(`{"increment":`+c.by+`}`).is(409, wire.NotNumber)
		s.do("GET", keys+"n", "").value(c.value)
	}
	post(`{"increment":0}`).is(200)
	post(`{"increment":9223372036854775808}`).is(400)
	post(`{"increment":1.5}`).is(400)
	post(`{"increment":1,"more":2}`).is(400)
	post(`{"increment":1} x`).is(400)
	post(`{"increment":1}`, "Ringwood-Context: x").is(400)
	s.siblings("two", "1", "2")
	s.do("POST", keys+"two", `{"increment":1}`).is(409, wire.Siblings)
	s.do("GET", keys+"two", "").is(300)
}

func TestRequestIDs(t *testing.T) {
	s := newServer(t, withUsers)
	const id = "Ringwood-Request-Id: 7d1f"
	inc := func(user string, by int, headers ...string) *response {
		t.Helper()
		return s.do("POST", keys+"n", fmt.Sprintf(`{"increment":%d}`, by), append(headers, "user: "+user)...)
	}
	number := func(r *response) int64 {
		t.Helper()
		var out wire.OperationResult
		r.is(200).json(&out)
		return *out.Number
	}
	first := inc("writer", 5, id)
	if number(first) != 5 || first.Header.Get(wire.HeaderReplayed) != "" || first.Header.Get(wire.HeaderRequestID) != "7d1f" {
		t.Errorf("%v %s", first.Header, first.text)
	}
	again := inc("writer", 5, id)
	if again.text != first.text || again.Header.Get(wire.HeaderReplayed) != "true" {
		t.Errorf("the repetition answers %v %s, not %s", again.Header, again.text, first.text)
	}
	inc("writer", 6, id).is(422, wire.RequestIDReused)
	if number(inc("admin", 1, id)) != 6 {
		t.Error("the id of another user")
	}
	s.do("PUT", keys+"n", "5", id, "user: writer").is(422, wire.RequestIDReused)
	s.do("POST", "/v1/buckets/available/keys/m", `{"increment":5}`, id, "user: writer").is(422, wire.RequestIDReused)
	// What failed as definite was not applied, and may be tried again.
	s.do("PUT", keys+"c", "x", "If-Match: *", "Ringwood-Request-Id: later", "user: writer").is(412)
	s.do("PUT", keys+"c", "y", "user: writer").is(204)
	s.do("PUT", keys+"c", "x", "If-Match: *", "Ringwood-Request-Id: later", "user: writer").is(204)
	s.do("PUT", keys+"c", "z", "user: writer").is(204)
	s.do("PUT", keys+"c", "x", "If-Match: *", "Ringwood-Request-Id: later", "user: writer").is(204)
	s.do("GET", keys+"c", "", "user: writer").value("z")
	// Nobody sees the ids as data.
	var buckets wire.Buckets
	s.do("GET", "/v1/buckets", "", "user: admin").json(&buckets)
	for _, b := range buckets.Buckets {
		if b.Name != "available" {
			t.Errorf("there is a bucket %s", b.Name)
		}
	}
	for _, bad := range []string{"", "a b", "ü", strings.Repeat("x", 65), "\x7f"} {
		inc("writer", 1, "Ringwood-Request-Id: "+bad).is(400, wire.BadRequest)
	}
	inc("writer", 0, "Ringwood-Request-Id: "+strings.Repeat("x", 64)).is(200)
	// A restart forgets nothing; time does.
	must(t, s.r.Close())
	s.r = openReplica(t, s.fs, s.now.Load())
	s.serve(func(again *server, o *httpapi.Options) { withUsers(again, o) })
	if number(inc("writer", 5, id)) != 5 {
		t.Error("after a restart the increment was applied again")
	}
	s.now.Add(10 * 60 * 1000)
	if n := number(inc("writer", 5, id)); n != 11 {
		t.Errorf("after ten minutes there is %d", n)
	}
}

func TestBase64InPrefix(t *testing.T) {
	s := newServer(t, nil)
	s.do("PUT", keys+escape("\xff\x00x"), "v").is(204)
	coded := base64.RawURLEncoding.EncodeToString([]byte("\xff\x00"))
	got := s.do("GET", "/v1/buckets/available/keys?prefix_base64="+coded, "").is(http.StatusOK)
	if !strings.Contains(got.text, "key_base64") {
		t.Errorf("%s", got.text)
	}
	s.do("GET", "/v1/buckets/available/keys?prefix_base64=*", "").is(400)
	s.do("GET", "/v1/buckets/available/keys?prefix_base64="+coded+"&prefix=x", "").is(400)
	s.do("GET", "/v1/buckets/available/keys?prefix=%zz", "").is(400)
}
