package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// page reads one page of a scan.
func (s *server) page(query string, headers ...string) (lines []wire.ScanLine, next string) {
	s.t.Helper()
	got := s.do("GET", "/v1/buckets/available/keys?"+query, "", headers...).is(200)
	if got.Header.Get("Content-Type") != wire.NDJSON {
		s.t.Fatalf("a scan is %s", got.Header.Get("Content-Type"))
	}
	all := strings.Split(strings.TrimSuffix(got.text, "\n"), "\n")
	for i, text := range all {
		var l wire.ScanLine
		must(s.t, json.Unmarshal([]byte(text), &l))
		if last := i == len(all)-1; last != (l.Next != nil) || l.Error != nil {
			s.t.Fatalf("line %d of %d is %s", i+1, len(all), text)
		}
		if l.Next != nil {
			return lines, *l.Next
		}
		lines = append(lines, l)
	}
	return lines, ""
}

// scan reads all pages and fails if a key comes twice.
func (s *server) scan(query string, headers ...string) map[string]wire.ScanLine {
	s.t.Helper()
	found := map[string]wire.ScanLine{}
	for cursor, pages := "", 0; ; pages++ {
		lines, next := s.page(query+"&cursor="+cursor, headers...)
		for _, l := range lines {
			k, err := l.Key.Bytes()
			must(s.t, err)
			if _, twice := found[string(k)]; twice {
				s.t.Fatalf("key %q comes twice", k)
			}
			found[string(k)] = l
		}
		if cursor = next; next == "" {
			return found
		}
		if pages > 10_000 {
			s.t.Fatal("the scan does not end")
		}
	}
}

func TestScan(t *testing.T) {
	s := newServer(t, nil)
	want := map[string]string{}
	for i := range 700 { // more than one step of the store
		key := fmt.Sprintf("%s/%03d", []string{"a", "b", "\xff"}[i%3], i)
		want[key] = fmt.Sprint(i)
		s.do("PUT", keys+escape(key), want[key]).is(204)
	}
	s.siblings("two", "x", "y")
	s.do("PUT", keys+"short?ttl=1", "z").is(204)
	for _, limit := range []string{"", "1000", "333", "100", "7"} {
		got := s.scan("values=true&limit=" + limit)
		if len(got) != len(want)+2 {
			t.Fatalf("limit %s: %d keys", limit, len(got))
		}
		for key, value := range want {
			l := got[key]
			if v, err := l.Value.Bytes(); err != nil || string(v) != value || l.Siblings != 0 {
				t.Fatalf("limit %s: key %q is %q (%v)", limit, key, v, err)
			}
		}
		if l := got["two"]; l.Siblings != 2 || *l.ValueText != "y" {
			t.Fatalf("siblings in a scan: %+v", l)
		}
		if l := got["short"]; l.TTL != 1000 || l.Expires.IsZero() {
			t.Fatalf("expiry in a scan: %+v", l)
		}
	}
	if got := s.scan("prefix=a/"); len(got) != 234 || !got["a/000"].Value.IsZero() {
		t.Errorf("%d keys with the prefix a/", len(got))
	}
	if lines, _ := s.page("limit=3"); len(lines) != 3 {
		t.Errorf("a page of 3 has %d keys", len(lines))
	}
	s.now.Add(1000)
	if got := s.scan("prefix=s"); len(got) != 0 {
		t.Errorf("%d keys that have expired", len(got))
	}
	for _, bad := range []string{"cursor=x", "cursor=00000000000000000", "cursor=000000000000000G", "limit=0", "limit=-1", "limit=10001", "limit=x", "values=maybe", "from=a", "limit=1&limit=2"} {
		s.do("GET", "/v1/buckets/available/keys?"+bad, "").is(400)
	}
	s.do("GET", "/v1/buckets/available/keys?prefix="+strings.Repeat("x", 32<<10), "").is(200)
	s.do("GET", "/v1/buckets/available/keys?prefix="+strings.Repeat("x", 32<<10+1), "").is(413)
}

// A page ends before it is too large, and goes on where it ended.
func TestScanBytes(t *testing.T) {
	s := newServer(t, func(_ *server, o *httpapi.Options) { o.Settings.Limits.ScanBytes = 200_000 })
	for i := range 20 {
		s.do("PUT", fmt.Sprint(keys, "k", i), strings.Repeat("v", 50_000)).is(204)
	}
	lines, next := s.page("values=true")
	if len(lines) < 4 || len(lines) > 5 || next == "" {
		t.Errorf("a page of 200,000 bytes has %d values of 50,000, next %q", len(lines), next)
	}
	if got := s.scan("values=true"); len(got) != 20 {
		t.Errorf("%d keys in all pages", len(got))
	}
	if m := s.api.Metrics(); m.InFlight != 0 {
		t.Errorf("%d bytes are charged when nothing is under way", m.InFlight)
	}
}

func (s *server) batch(body string, headers ...string) wire.BatchResult {
	s.t.Helper()
	var out wire.BatchResult
	s.do("POST", "/v1/buckets/available/batch", body, headers...).is(200).json(&out)
	return out
}

func TestBatch(t *testing.T) {
	s := newServer(t, nil)
	const path = "/v1/buckets/available/batch"
	out := s.batch(`{"operations":[
		{"op":"put","key":"a","value":"1"},
		{"op":"put","key_base64":"/w==","value_base64":"AP8=","ttl":1.5},
		{"op":"increment","key":"a","by":2},
		{"op":"put","key":"a","value":"x","if_none_match":"*"},
		{"op":"delete","key":"none"},
		{"op":"put","key":"c","value":"x","context":"rubbish"}]}`)
	if out.Failed != 2 || *out.Results[2].Number != 3 || out.Results[0].ETag == "" || out.Results[0].Context == "" ||
		out.Results[3].Error.Code != wire.Precondition || out.Results[5].Error.Code != wire.BadContext || !out.Results[3].Error.Definite {
		t.Errorf("%+v", out)
	}
	s.do("GET", keys+"a", "").value("3")
	if got := s.do("GET", keys+"%FF", "").value("\x00\xff").Header.Get(wire.HeaderTTL); got != "1.5" {
		t.Errorf("%s seconds", got)
	}
	s.do("GET", keys+"c", "").is(404)
	// The context of an operation serves the next batch.
	body, _ := json.Marshal(wire.Batch{Operations: []wire.Operation{{Op: "put", Key: wire.KeyOf([]byte("a")), Value: wire.ValueOf([]byte("4")), Context: out.Results[2].Context, IfMatch: out.Results[2].ETag}}})
	if out := s.batch(string(body)); out.Failed != 0 {
		t.Errorf("%+v", out.Results[0].Error)
	}
	// All or nothing.
	e := s.do("POST", path, `{"atomic":true,"operations":[{"op":"put","key":"a","value":"no"},{"op":"put","key":"d","value":"no"},{"op":"put","key":"a","value":"no","if_none_match":"*"}]}`).
		is(412, wire.Precondition).failure()
	if e.Operation == nil || *e.Operation != 2 || !e.Definite {
		t.Errorf("%+v", e)
	}
	s.do("GET", keys+"a", "").value("4")
	s.do("GET", keys+"d", "").is(404)
	for _, bad := range []string{
		`{}`, `{"operations":[]}`, `{"operations":[{}]}`, `{"operations":[{"op":"put","key":"a"}]}`, `{"operations":[{"op":"put","value":"a"}]}`,
		`{"operations":[{"op":"put","key":"a","key_base64":"YQ==","value":"a"}]}`, `{"operations":[{"op":"put","key":"a","value_base64":"YQ"}]}`,
		`{"operations":[{"op":"put","key":"a","value":"a","by":1}]}`, `{"operations":[{"op":"delete","key":"a","value":"a"}]}`,
		`{"operations":[{"op":"delete","key":"a","ttl":1}]}`, `{"operations":[{"op":"increment","key":"a"}]}`, `{"operations":[{"op":"put","key":"a","value":"b","ttl":0}]}`,
		`{"operations":[{"op":"put","key":"a","value":"b","ttl":1e2}]}`, `{"operations":[{"op":"put","key":"a","value":"b","if_match":"x"}]}`,
		`{"operations":[{"op":"put","key":"a","value":"\ud800"}]}`, `{"operations":[{"op":"put","key":"\udc00\ud800","value":"x"}]}`, "{\"operations\":[{\"op\":\"put\",\"key\":\"\xff\",\"value\":\"x\"}]}",
		`{"operations":null}`, `[]`, `{"operations":[{"op":"put","key":"a","value":"x"}]}{}`, `{"operations":[{"op":"put","key":"a","value":"x","extra":1}]}`,
	} {
		got := s.do("POST", path, bad, "-: Content-Type", "Content-Type: application/json; charset=utf-8")
		if got.StatusCode != 400 || !got.failure().Definite {
			t.Errorf("%s: %d %s", bad, got.StatusCode, got.text)
		}
	}
	s.do("GET", keys+"a", "").value("4")
	s.do("POST", path, `{"operations":[{"op":"delete","key":"a"}]}`, "If-Match: *").is(400)
	s.do("POST", path, "").is(415)
	// Text beyond the basic plane, as a pair and as it is.
	s.batch(`{"operations":[{"op":"put","key":"\ud83d\ude00","value":"\\ud800 😀"}]}`)
	s.do("GET", keys+url.PathEscape("😀"), "").value(`\ud800 😀`)
}

func TestBatchReplayed(t *testing.T) {
	s := newServer(t, nil)
	const body = `{"operations":[{"op":"increment","key":"n","by":1},{"op":"put","key":"p","value":"x","if_match":"*"}]}`
	first := s.batch(body, "Ringwood-Request-Id: b")
	again := s.batch(body, "Ringwood-Request-Id: b")
	if first.Replayed || !again.Replayed || *again.Results[0].Number != 1 || again.Results[1].Error.Code != wire.Precondition || again.Failed != 1 {
		t.Errorf("%+v, then %+v", first, again)
	}
	s.do("GET", keys+"n", "").value("1")
}

func TestMultiGet(t *testing.T) {
	s := newServer(t, nil)
	s.do("PUT", keys+"a", "1").is(204)
	s.do("PUT", keys+"%FF", "\xff").is(204)
	s.siblings("two", "x", "y")
	var out wire.MultiGetResult
	s.do("POST", "/v1/buckets/available/multi-get", `{"keys":[{"key":"two"},{"key":"none"},{"key_base64":"/w=="},{"key":"a"},{"key":"a"}]}`).is(200).json(&out)
	var got []string
	for _, e := range out.Entries {
		k, _ := e.Key.Bytes()
		text := fmt.Sprintf("%q", k)
		for _, v := range e.Siblings {
			b, _ := v.Value.Bytes()
			text += fmt.Sprintf("=%q", b)
		}
		if e.Context == "" || (e.ETag == "") != (len(e.Siblings) == 0) {
			t.Errorf("%+v", e)
		}
		got = append(got, text)
	}
	if fmt.Sprint(got) != `["two"="y"="x" "none" "\xff"="\xff" "a"="1" "a"="1"]` {
		t.Errorf("%v", got)
	}
	s.do("POST", "/v1/buckets/available/multi-get", `{"keys":[{"key":"a"},{}]}`).is(400)
	s.do("POST", "/v1/buckets/available/multi-get?x=1", `{"keys":[{"key":"a"}]}`).is(400)
}
