package httpapi_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// model is what a bucket should be: for each key, the writes that nothing has replaced,
// the latest first.
type model struct {
	keys   map[string][]modelWrite
	writes int // so many there have been: the number of each names it
	now    int64
}

type modelWrite struct {
	number int
	value  string
	expiry int64
}

// seen is the context of a read or write: the numbers of writes that it covers.
type seen struct {
	key   string
	token string
	are   []int // those it has seen
}

func (m *model) live(key string) []modelWrite {
	var all []modelWrite
	for _, w := range m.keys[key] {
		if w.expiry == 0 || m.now < w.expiry {
			all = append(all, w)
		}
	}
	return all
}

// put adds a write that replaces what c has seen, or everything if c is nil.
func (m *model) put(key, value string, ttl int64, c *seen) {
	m.drop(key, c)
	m.writes++
	w := modelWrite{number: m.writes, value: value}
	if ttl > 0 {
		w.expiry = m.now + ttl
	}
	m.keys[key] = append([]modelWrite{w}, m.keys[key]...)
}

func (m *model) drop(key string, c *seen) {
	m.keys[key] = slices.DeleteFunc(slices.Clone(m.keys[key]), func(w modelWrite) bool { return c == nil || slices.Contains(c.are, w.number) })
}

func (m *model) numbers(key string) []int {
	var all []int
	for _, w := range m.keys[key] {
		all = append(all, w.number)
	}
	return all
}

// TestModel does random things and compares every answer with the model.
func TestModel(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := &history{t: t, s: newServer(t, nil), m: &model{keys: map[string][]modelWrite{}, now: start}, rng: rand.New(rand.NewPCG(seed, 7))}
			h.s.do("PATCH", "/v1/buckets/available", `{"max_siblings":-1}`).is(200)
			for range 300 {
				h.step()
			}
			h.everything()
		})
	}
}

type history struct {
	t        *testing.T
	s        *server
	m        *model
	rng      *rand.Rand
	contexts []seen
}

func (h *history) key() string { return []string{"a", "b", "a/c", "", "\xff\x00"}[h.rng.IntN(5)] }

// some returns an old context of key, or none.
func (h *history) some(key string) (*seen, []string) {
	var of []seen
	for _, c := range h.contexts {
		if c.key == key {
			of = append(of, c)
		}
	}
	if len(of) == 0 || h.rng.IntN(3) == 0 {
		return nil, nil
	}
	c := of[h.rng.IntN(len(of))]
	return &c, []string{"Ringwood-Context: " + c.token}
}

func (h *history) learn(key, token string) {
	if token == "" {
		h.t.Fatal("an answer has no context")
	}
	h.contexts = append(h.contexts, seen{key: key, token: token, are: h.m.numbers(key)})
	if len(h.contexts) > 40 {
		h.contexts = h.contexts[1:]
	}
}

func (h *history) step() {
	t, s, m := h.t, h.s, h.m
	key := h.key()
	path := keys + escape(key)
	switch h.rng.IntN(12) {
	case 0, 1, 2:
		c, headers := h.some(key)
		ttl := int64(0)
		if h.rng.IntN(4) == 0 {
			ttl = 1 + h.rng.Int64N(5000)
			headers = append(headers, "Ringwood-TTL: "+wire.Seconds(ttl).String())
		}
		value := strconv.Itoa(h.rng.IntN(100))
		got := s.do("PUT", path, value, headers...).is(204)
		m.put(key, value, ttl, c)
		h.after(key, got, c)
	case 3:
		c, headers := h.some(key)
		got := s.do("DELETE", path, "", headers...).is(204)
		m.drop(key, c)
		h.after(key, got, c)
	case 4: // a condition that holds, or does not
		read := h.read(key)
		tag := read.Header.Get("ETag")
		header := "If-None-Match: *"
		if tag != "" && h.rng.IntN(2) == 0 {
			header = "If-Match: " + tag
		}
		if h.rng.IntN(2) == 0 {
			h.s.do("PUT", path, "between").is(204)
			m.put(key, "between", 0, nil)
		}
		holds := len(m.live(key)) == 0
		if header != "If-None-Match: *" {
			holds = s.do("GET", path, "", "Accept: application/json").Header.Get("ETag") == tag
		}
		got := s.do("PUT", path, "conditional", header)
		if holds != (got.StatusCode == 204) {
			t.Fatalf("%q with %s answers %d", key, header, got.StatusCode)
		}
		if holds {
			m.put(key, "conditional", 0, nil)
		}
	case 5:
		h.increment(key, path)
	case 6:
		h.batch()
	case 7:
		h.s.now.Add(h.rng.Int64N(2000))
		m.now = h.s.now.Load()
	case 8:
		h.everything()
	case 9:
		_, err := s.r.Sweep(m.now, 100)
		must(t, err)
		if h.rng.IntN(10) == 0 {
			s.do("POST", "/v1/admin/flush", "").is(204)
		}
	default:
		h.read(key)
	}
}

// after learns the context of a write, which it has exactly if nothing is left beside it
// that its writer has not seen.
func (h *history) after(key string, got *response, c *seen) {
	h.t.Helper()
	if n := got.Header.Get(wire.HeaderSiblings); n != strconv.Itoa(len(h.m.live(key))) {
		h.t.Fatalf("a write of %q leaves %s siblings, want %d", key, n, len(h.m.live(key)))
	}
	token := got.Header.Get(wire.HeaderContext)
	if token == "" {
		if c == nil {
			h.t.Fatalf("a write of %q without a context has none after it", key)
		}
		return
	}
	h.learn(key, token)
}

// read compares a key with the model.
func (h *history) read(key string) *response {
	h.t.Helper()
	live := h.m.live(key)
	got := h.s.do("GET", keys+escape(key), "", "Accept: application/json")
	if len(live) == 0 {
		got.is(404, wire.NotFound)
		h.learn(key, got.Header.Get(wire.HeaderContext))
		return got
	}
	var e wire.Entry
	got.is(200).json(&e)
	h.compare(key, &e)
	h.learn(key, e.Context)
	raw := h.s.do("GET", keys+escape(key)+"?sibling=latest", "")
	raw.value(live[0].value)
	return got
}

func (h *history) compare(key string, e *wire.Entry) {
	h.t.Helper()
	var have, want []string
	for _, v := range e.Siblings {
		b, err := v.Value.Bytes()
		must(h.t, err)
		have = append(have, fmt.Sprint(string(b), " ", v.TTL))
	}
	for _, w := range h.m.live(key) {
		ttl := wire.Seconds(0)
		if w.expiry != 0 {
			ttl = wire.Seconds(w.expiry - h.m.now)
		}
		want = append(want, fmt.Sprint(w.value, " ", ttl))
	}
	if !slices.Equal(have, want) {
		h.t.Fatalf("key %q has %q, want %q", key, have, want)
	}
}

func (h *history) increment(key, path string) {
	live := h.m.live(key)
	got := h.s.do("POST", path, `{"increment":3}`)
	n, err := 0, error(nil)
	if len(live) == 1 {
		n, err = strconv.Atoi(live[0].value)
	}
	switch {
	case len(live) > 1:
		got.is(409, wire.Siblings)
	case err != nil:
		got.is(409, wire.NotNumber)
	default:
		got.is(200)
		ttl := int64(0)
		if len(live) == 1 && live[0].expiry != 0 {
			ttl = live[0].expiry - h.m.now
		}
		h.m.put(key, strconv.Itoa(n+3), ttl, nil)
	}
}

func (h *history) batch() {
	var ops []wire.Operation
	var do []func()
	for range 1 + h.rng.IntN(4) {
		key := h.key()
		c, _ := h.some(key)
		op := wire.Operation{Op: wire.OpPut, Key: wire.KeyOf([]byte(key)), Value: wire.ValueOf([]byte("batch"))}
		if c != nil {
			op.Context = c.token
		}
		if h.rng.IntN(3) == 0 {
			op.Op, op.Value = wire.OpDelete, wire.Value{}
			do = append(do, func() { h.m.drop(key, c) })
		} else {
			do = append(do, func() { h.m.put(key, "batch", 0, c) })
		}
		ops = append(ops, op)
	}
	fails := h.rng.IntN(3) == 0
	if fails {
		ops = append(ops, wire.Operation{Op: wire.OpPut, Key: wire.KeyOf([]byte("a")), Value: wire.ValueOf(nil), IfMatch: `"never"`})
	}
	body, err := json.Marshal(wire.Batch{Atomic: fails, Operations: ops})
	must(h.t, err)
	got := h.s.do("POST", "/v1/buckets/available/batch", string(body))
	if fails {
		got.is(412)
		return
	}
	got.is(200)
	for _, f := range do {
		f()
	}
}

// everything compares all keys, by scan and by multi-get.
func (h *history) everything() {
	h.t.Helper()
	var in wire.MultiGet
	var all []string
	for key := range h.m.keys {
		all = append(all, key)
		in.Keys = append(in.Keys, wire.KeyOf([]byte(key)))
	}
	if len(all) == 0 {
		return
	}
	body, err := json.Marshal(in)
	must(h.t, err)
	var out wire.MultiGetResult
	h.s.do("POST", "/v1/buckets/available/multi-get", string(body)).is(200).json(&out)
	found := h.s.scan("values=true&limit=2")
	for i, key := range all {
		h.compare(key, &out.Entries[i])
		live := h.m.live(key)
		l, ok := found[key]
		if ok != (len(live) > 0) {
			h.t.Fatalf("key %q in a scan: %v, want %v", key, ok, live)
		}
		if ok {
			if v, err := l.Value.Bytes(); err != nil || string(v) != live[0].value || max(l.Siblings, 1) != len(live) {
				h.t.Fatalf("key %q in a scan is %q with %d siblings, want %v", key, v, l.Siblings, live)
			}
		}
	}
}
