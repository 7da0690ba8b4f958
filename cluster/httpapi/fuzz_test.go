package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
)

// sound fails unless an answer is one that a server may give to anything.
func sound(t *testing.T, s *server, got *response) {
	t.Helper()
	if got.StatusCode >= 500 && got.StatusCode != 503 {
		t.Fatalf("%d %s", got.StatusCode, got.text)
	}
	if m := s.api.Metrics(); m.Panics > 0 || m.InFlight != 0 {
		t.Fatalf("%+v", m)
	}
}

// FuzzPath writes under any path, and reads it back under the same.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"a", "a/b", "%2F", "%2e%2E", "//", "..", "a%", "%00", "ü", "a?b", "keys/../../x", "\xff", "%ff%fe", "+", ";", "%20"} {
		f.Add(p)
	}
	s := newServer(f, nil)
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(keys + path)
		if err != nil {
			return
		}
		fuzz := *s
		fuzzed := &fuzz
		fuzzed.t = t
		send := func(method, body string) *response {
			r := request(method, keys+"x", body)
			r.URL = u
			return fuzzed.send(r)
		}
		put := send("PUT", "v")
		sound(t, s, put)
		if put.StatusCode != 204 {
			return
		}
		want, err := url.PathUnescape(strings.TrimPrefix(u.EscapedPath(), keys))
		if err != nil {
			t.Fatal(err)
		}
		send("GET", "").value("v")
		fuzzed.do("GET", keys+escape(want), "").value("v")
		send("DELETE", "").is(204)
		fuzzed.do("GET", keys+escape(want), "").is(404)
	})
}

// FuzzBatch sends anything as JSON. Texts that are taken are stored as they are.
func FuzzBatch(f *testing.F) {
	for _, b := range []string{
		`{"operations":[{"op":"put","key":"a","value":"b"}]}`, `{"operations":[{"op":"increment","key":"a","by":1}],"atomic":true}`, `{"operations":[{"op":"put","key":"\ud83d\ude00","value":"\u0000"}]}`,
		`{"operations":[{"op":"put","key":"\ud800","value":""}]}`, `{"keys":[{"key":"a"},{"key_base64":"/w=="}]}`, `[[[[`, `{"operations":[{"op":"put","key_base64":"/w==","value_base64":"","ttl":0.001}]}`, "{\"a\":\"\xff\"}",
	} {
		f.Add([]byte(b))
	}
	s := newServer(f, func(_ *server, o *httpapi.Options) { o.Settings.Limits.Keys = 100 })
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzz := *s
		fuzzed := &fuzz
		fuzzed.t = t
		for _, path := range []string{"batch", "multi-get", "keys/n"} {
			sound(t, s, fuzzed.do("POST", "/v1/buckets/available/"+path, string(body), "-: Content-Type", "Content-Type: application/json"))
		}
		sound(t, s, fuzzed.do("PATCH", "/v1/buckets/none", string(body), "-: Content-Type", "Content-Type: application/json"))
		if wire.CheckText(body) != nil {
			return
		}
		// What CheckText lets through is not altered: no text has U+FFFD that was not there.
		var v any
		if json.Unmarshal(body, &v) == nil {
			n := strings.Count(string(body), "\uFFFD") + strings.Count(strings.ToLower(string(body)), `\ufffd`)
			if got := replacements(v); got > n {
				t.Fatalf("%d replacement characters of %d", got, n)
			}
		}
	})
}

func replacements(v any) int {
	n := 0
	switch x := v.(type) {
	case string:
		if !utf8.ValidString(x) {
			return 1 << 20
		}
		n = strings.Count(x, "\uFFFD")
	case []any:
		for _, e := range x {
			n += replacements(e)
		}
	case map[string]any:
		for k, e := range x {
			n += replacements(k) + replacements(e)
		}
	}
	return n
}

// FuzzHeaders puts anything into the headers that are read.
func FuzzHeaders(f *testing.F) {
	f.Add("Ringwood-Context", "AQEB")
	f.Add("Ringwood-TTL", "1.5")
	f.Add("If-Match", `"a", W/"b"`)
	f.Add("If-None-Match", "*")
	f.Add("Ringwood-Request-Id", "x")
	f.Add("Accept", "application/json;q=0.1, */*")
	f.Add("Authorization", "Bearer rwt_x")
	f.Add("Origin", "http://localhost")
	f.Add("Content-Type", "application/json;;")
	f.Add("Range", "bytes=0-1")
	s := newServer(f, nil)
	f.Fuzz(func(t *testing.T, name, value string) {
		fuzz := *s
		fuzzed := &fuzz
		fuzzed.t = t
		for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
			r := request(method, keys+"k", map[string]string{"PUT": "v", "POST": `{"increment":1}`}[method])
			r.Header.Add(name, value)
			sound(t, s, fuzzed.send(r))
		}
	})
}

// FuzzToken writes with any context. Only one that is signed for the key does anything.
func FuzzToken(f *testing.F) {
	s := newServer(f, nil)
	s.do("PUT", keys+"k", "v").is(http.StatusNoContent)
	good := s.do("GET", keys+"k", "").Header.Get(wire.HeaderContext)
	ring := keyring(f)
	b, err := s.r.Bucket(replica.FirstBucket)
	must(f, err)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add("")
	f.Add(strings.Repeat("A", 100))
	f.Fuzz(func(t *testing.T, token string) {
		fuzz := *s
		fuzzed := &fuzz
		fuzzed.t = t
		// Seeds are made by another process, with the same key.
		if ring.Open(new(vclock.Context), uint64(b.ID()), []byte("k"), []byte(token)) == nil {
			return
		}
		fuzzed.do("PUT", keys+"k", "forged", "Ringwood-Context: "+token).is(400)
		fuzzed.do("DELETE", keys+"k", "", "Ringwood-Context: "+token).is(400)
		fuzzed.do("GET", keys+"k", "").value("v")
	})
}
