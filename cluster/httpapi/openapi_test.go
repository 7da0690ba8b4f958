package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// openapi is the document, for answers to be held against.
type openapi struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct{ Schemas map[string]*schema }
	routes     []docRoute

	mu   sync.Mutex
	seen map[string]bool // "GET /v1/… 200", of all tests
}

type docRoute struct {
	method, path string
	segments     []string
	op           *operation
}

type operation struct {
	OperationID string `json:"operationId"`
	Summary     string
	Tags        []string
	Description string
	Parameters  []json.RawMessage
	RequestBody json.RawMessage
	Security    json.RawMessage
	Responses   map[string]*docResponse
}

type docResponse struct {
	Description string
	Headers     map[string]json.RawMessage
	Content     map[string]struct{ Schema *schema }
}

// schema is the part of JSON Schema that the document uses.
type schema struct {
	Ref                  string `json:"$ref"`
	Type                 string
	Properties           map[string]*schema
	Required             []string
	AdditionalProperties json.RawMessage
	Items                *schema
	Enum                 []string
	Format               string
}

var (
	theDocument *openapi
	loadOnce    sync.Once
)

func document(t testing.TB) *openapi {
	t.Helper()
	loadOnce.Do(func() {
		b, err := os.ReadFile("openapi.json")
		must(t, err)
		d := &openapi{seen: make(map[string]bool)}
		must(t, json.Unmarshal(b, d))
		for path, item := range d.Paths {
			for method, raw := range item {
				if method == "parameters" {
					continue
				}
				op := new(operation)
				must(t, json.Unmarshal(raw, op))
				d.routes = append(d.routes, docRoute{strings.ToUpper(method), path, strings.Split(path, "/"), op})
			}
		}
		theDocument = d
	})
	if theDocument == nil {
		t.Fatal("openapi.json cannot be read")
	}
	return theDocument
}

// find returns the operation of a request. Fixed segments go before those in braces, and
// {key} takes the rest.
func (d *openapi) find(method, path string) *docRoute {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	have := strings.Split(path, "/")
	var best *docRoute
	for i := range d.routes {
		r := &d.routes[i]
		if r.method != method || !matches(r.segments, have) {
			continue
		}
		if best == nil || strings.Count(r.path, "{") < strings.Count(best.path, "{") {
			best = r
		}
	}
	return best
}

func matches(want, have []string) bool {
	for i, w := range want {
		if w == "{key}" {
			return i < len(have)
		}
		if i >= len(have) || w != have[i] && !strings.HasPrefix(w, "{") {
			return false
		}
	}
	return len(want) == len(have)
}

// check fails the test if an answer is not in the document.
func (d *openapi) check(t testing.TB, r *http.Request, res *response) {
	t.Helper()
	rt := d.find(r.Method, r.URL.EscapedPath())
	what := fmt.Sprintf("%s %s answers %d", r.Method, r.URL.Path, res.StatusCode)
	if rt == nil {
		if res.StatusCode < 400 && r.Method != http.MethodOptions {
			t.Fatalf("%s, and the document has no such operation", what)
		}
		return
	}
	status := fmt.Sprint(res.StatusCode)
	doc := rt.op.Responses[status]
	if doc == nil {
		if res.StatusCode < 400 {
			t.Fatalf("%s, which is not in the document: %s", what, res.text)
		}
		doc = rt.op.Responses["default"]
	} else {
		d.mu.Lock()
		d.seen[rt.method+" "+rt.path+" "+status] = true
		d.mu.Unlock()
	}
	for name := range res.Header {
		if strings.HasPrefix(name, "Ringwood-") || name == "Etag" {
			named := slices.ContainsFunc(mapKeys(doc.Headers), func(h string) bool { return http.CanonicalHeaderKey(h) == name })
			if !named && res.StatusCode < 400 {
				t.Fatalf("%s with the header %s, which is not in the document", what, name)
			}
		}
	}
	if r.Method == http.MethodHead || res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotModified {
		if res.text != "" {
			t.Fatalf("%s with a body %q", what, res.text)
		}
		return
	}
	contentType := res.Header.Get("Content-Type")
	content, ok := doc.Content[contentType]
	if !ok {
		t.Fatalf("%s as %q, which is not in the document", what, contentType)
	}
	docs := []string{res.text}
	switch contentType {
	case wire.JSON:
	case wire.NDJSON:
		docs = strings.Split(strings.TrimSuffix(res.text, "\n"), "\n")
	default:
		return
	}
	for _, text := range docs {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%s with %v: %q", what, err, text)
		}
		if problem := d.validate(content.Schema, v, "the answer"); problem != "" {
			t.Fatalf("%s: %s: %s", what, problem, text)
		}
	}
}

func mapKeys[V any](m map[string]V) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// validate says what is wrong with v, "" if nothing is.
func (d *openapi) validate(s *schema, v any, where string) string {
	if s == nil {
		return where + " has no schema"
	}
	if s.Ref != "" {
		return d.validate(d.resolve(s.Ref), v, where)
	}
	switch x := v.(type) {
	case map[string]any:
		if s.Type != "object" {
			return where + " is an object"
		}
		for _, name := range s.Required {
			if _, ok := x[name]; !ok {
				return where + " has no " + name
			}
		}
		for name, field := range x {
			of := s.Properties[name]
			if of == nil {
				switch extra := string(s.AdditionalProperties); extra {
				case "false":
					return where + " has " + name + ", which is not in the document"
				case "":
					continue
				default:
					of = new(schema)
					if err := json.Unmarshal(s.AdditionalProperties, of); err != nil {
						return err.Error()
					}
				}
			}
			if p := d.validate(of, field, where+"."+name); p != "" {
				return p
			}
		}
	case []any:
		if s.Type != "array" {
			return where + " is an array"
		}
		for _, e := range x {
			if p := d.validate(s.Items, e, where+"[]"); p != "" {
				return p
			}
		}
	case string:
		if s.Type != "string" || s.Enum != nil && !slices.Contains(s.Enum, x) {
			return fmt.Sprintf("%s is the text %q", where, x)
		}
	case float64:
		if s.Type != "number" && (s.Type != "integer" || x != float64(int64(x))) {
			return fmt.Sprintf("%s is the number %v", where, x)
		}
	case bool:
		if s.Type != "boolean" {
			return where + " is a boolean"
		}
	default:
		return fmt.Sprintf("%s is %v", where, v)
	}
	return ""
}

func (d *openapi) resolve(ref string) *schema {
	if name, ok := strings.CutPrefix(ref, "#/components/schemas/"); ok {
		name, rest, _ := strings.Cut(name, "/")
		s := d.Components.Schemas[name]
		if rest, ok := strings.CutPrefix(rest, "properties/"); ok && s != nil {
			s = s.Properties[rest]
		}
		return s
	}
	return nil
}

// TestOpenAPIRoutes sees that the document and the server have the same operations.
func TestOpenAPIRoutes(t *testing.T) {
	d := document(t)
	var have, want []string
	for _, r := range d.routes {
		have = append(have, r.method+" "+r.path)
	}
	for _, r := range httpapi.Routes() {
		want = append(want, strings.Replace(r, "{key...}", "{key}", 1))
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Fatalf("the document has\n%s\nthe server\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
	ids := map[string]bool{}
	for _, r := range d.routes {
		if r.op.OperationID == "" || ids[r.op.OperationID] || r.op.Summary == "" {
			t.Errorf("%s %s: operationId %q is not unique, or there is no summary", r.method, r.path, r.op.OperationID)
		}
		ids[r.op.OperationID] = true
		for status, res := range r.op.Responses {
			for kind, c := range res.Content {
				if c.Schema == nil || c.Schema.Ref != "" && d.resolve(c.Schema.Ref) == nil {
					t.Errorf("%s %s %s %s has no schema", r.method, r.path, status, kind)
				}
			}
		}
	}
	var codes []string
	for _, c := range wire.Codes() {
		codes = append(codes, string(c))
	}
	if e := d.Components.Schemas["Error"].Properties["error"].Properties["code"].Enum; !slices.Equal(e, codes) {
		t.Errorf("the document has the codes %q, package wire %q", e, codes)
	}
	s := newServer(t, nil)
	if got := s.do("GET", "/v1/openapi.json", ""); got.StatusCode != 200 || !json.Valid([]byte(got.text)) {
		t.Errorf("the document is served as %d", got.StatusCode)
	}
}

// TestOpenAPIParameters sees that each operation takes the parameters and headers that the
// document has for it, and none that it has for others.
func TestOpenAPIParameters(t *testing.T) {
	d := document(t)
	type parameter struct{ Name, In string }
	of := make(map[string][]parameter) // by method and path
	all := map[parameter]bool{{"other", "query"}: true}
	for _, r := range d.routes {
		for _, raw := range r.op.Parameters {
			var p parameter
			must(t, json.Unmarshal(raw, &p))
			if p.In == "query" || p.In == "header" {
				of[r.method+" "+r.path] = append(of[r.method+" "+r.path], p)
				all[p] = true
			}
		}
	}
	s := newServer(t, nil)
	for _, r := range d.routes {
		name := r.method + " " + r.path
		for p := range all {
			path, headers := fill(r.path), []string{}
			if p.In == "query" {
				path += "?" + p.Name + "=%00" // is impossible, so that nothing happens
			} else {
				headers = []string{p.Name + ": \x7f", p.Name + ": \x7f"}
			}
			got := s.do(r.method, path, sample[name], headers...)
			taken := !strings.Contains(got.text, "there is no parameter")
			if p.In == "header" {
				taken = got.StatusCode == 400 && strings.Contains(got.text, p.Name) && !strings.Contains(got.text, "in a batch")
			}
			if want := slices.Contains(of[name], p); taken != want {
				t.Errorf("%s takes the %s %s: %v; the document: %v (%d %s)", name, p.In, p.Name, taken, want, got.StatusCode, got.text)
			}
			if got.StatusCode < 300 { // something may have happened
				must(t, s.r.Close())
				s = newServer(t, nil)
			}
		}
	}
}
