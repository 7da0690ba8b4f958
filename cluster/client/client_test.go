package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/client"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

func TestKeysAndValues(t *testing.T) {
	b := newClient(t, client.Options{}, newNode(t)).Bucket("available")
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	values := [][]byte{nil, []byte("v"), all, bytes.Repeat([]byte("x"), 100_000)}
	for i, key := range []string{"", "a", "a/b", "//", ".", "..", "...", "%", "?", "#", "ü", "\x00", "\xff", string(all)} {
		value := values[i%len(values)]
		e, err := b.Get(background, []byte(key))
		wantIs(t, err, client.ErrNotFound)
		if e.Found() || e.Context == "" || string(e.Key) != key {
			t.Fatalf("%q: %+v", key, e)
		}
		put, err := b.Put(background, []byte(key), value, client.After(e))
		must(t, err)
		e, err = b.Get(background, []byte(key))
		must(t, err)
		if !e.Found() || !bytes.Equal(e.Value, value) || e.ETag != put.ETag || e.TTL != 0 || !e.Expires.IsZero() {
			t.Fatalf("%q: %+v", key, e)
		}
		_, err = b.Delete(background, []byte(key), client.IfUnchanged(e))
		must(t, err)
		_, err = b.Get(background, []byte(key))
		wantIs(t, err, client.ErrNotFound)
	}
}

func TestTimeToLive(t *testing.T) {
	b := newClient(t, client.Options{}, newNode(t)).Bucket("available")
	_, err := b.Put(background, []byte("k"), []byte("v"), client.TTL(time.Hour))
	must(t, err)
	e, err := b.Get(background, []byte("k"))
	must(t, err)
	if e.TTL > time.Hour || e.TTL < time.Hour-time.Minute || time.Until(e.Expires) > time.Hour {
		t.Errorf("%v %v", e.TTL, e.Expires)
	}
	for _, d := range []time.Duration{0, -1, 101 * 365 * 24 * time.Hour} {
		_, err = b.Put(background, []byte("k"), nil, client.TTL(d))
		wantIs(t, err, client.ErrInvalid)
	}
	_, err = b.Delete(background, []byte("k"), client.TTL(time.Hour))
	wantIs(t, err, client.ErrInvalid)
}

func TestContextsAndSiblings(t *testing.T) {
	n := newNode(t)
	b := newClient(t, client.Options{}, n).Bucket("available")
	key := []byte("k")
	absent, err := b.Get(background, key)
	wantIs(t, err, client.ErrNotFound)
	first, err := b.Put(background, key, []byte("one"), client.After(absent))
	must(t, err)
	second, err := b.Put(background, key, []byte("two"), client.After(absent))
	must(t, err)
	if second.Context != "" || second.Others != 1 || first.Others != 0 {
		t.Errorf("who wrote beside another has a context that covers both, or is not told: %+v", second)
	}
	_, err = b.Put(background, key, []byte("x"), client.After(second))
	wantIs(t, err, client.ErrInvalid)
	// It would replace "one", which its writer has not read.
	_, err = b.Put(background, key, []byte("x"), client.IfUnchanged(second))
	wantIs(t, err, client.ErrInvalid)
	gone, err := b.Delete(background, key, client.After(absent))
	must(t, err)
	if gone.Others != 2 || gone.Context != "" || gone.ETag != "" {
		t.Errorf("%+v", gone)
	}
	e, err := b.Get(background, key)
	wantIs(t, err, client.ErrSiblings)
	if fmt.Sprintf("%s", e.Siblings) != "[two one]" || string(e.Value) != "two" {
		t.Errorf("%s %s", e.Siblings, e.Value)
	}
	// The writer of "one" replaces it, and nothing else.
	_, err = b.Put(background, key, []byte("one more"), client.After(first))
	must(t, err)
	e, err = b.Get(background, key)
	wantIs(t, err, client.ErrSiblings)
	if fmt.Sprintf("%s", e.Siblings) != "[one more two]" {
		t.Errorf("%s", e.Siblings)
	}
	many, err := b.GetMany(background, key, []byte("none"))
	must(t, err)
	wantIs(t, many[0].Err, client.ErrSiblings)
	wantIs(t, many[1].Err, client.ErrNotFound)
	if many[0].Entry.Context == "" || many[1].Entry.Context == "" {
		t.Error("no contexts")
	}

	resolving := newClient(t, client.Options{Resolve: func(key []byte, siblings [][]byte) ([]byte, error) {
		return bytes.Join(siblings, []byte("+")), nil
	}}, n).Bucket("available")
	e, err = resolving.Get(background, key)
	must(t, err)
	if string(e.Value) != "one more+two" || len(e.Siblings) != 2 {
		t.Errorf("%s", e.Value)
	}
	_, err = resolving.Resolve(background, key)
	must(t, err)
	e, err = b.Get(background, key)
	must(t, err)
	if string(e.Value) != "one more+two" {
		t.Errorf("%s", e.Value)
	}
	if e, err = resolving.Resolve(background, key); err != nil || string(e.Value) != "one more+two" {
		t.Errorf("%v %v", e, err)
	}
	_, err = resolving.Resolve(background, []byte("none"))
	wantIs(t, err, client.ErrNotFound)
	_, err = b.Resolve(background, key)
	wantIs(t, err, client.ErrInvalid)
	refuse := errors.New("refused")
	failing := newClient(t, client.Options{Resolve: func([]byte, [][]byte) ([]byte, error) { return nil, refuse }}, n).Bucket("available")
	_, err = b.Put(background, key, []byte("beside"), client.After(first))
	must(t, err)
	_, err = failing.Get(background, key)
	wantIs(t, err, refuse)
}

func TestConditions(t *testing.T) {
	b := newClient(t, client.Options{}, newNode(t)).Bucket("available")
	key := []byte("k")
	_, err := b.Put(background, key, []byte("1"), client.Create())
	must(t, err)
	_, err = b.Put(background, key, []byte("2"), client.Create())
	wantIs(t, err, client.ErrPrecondition)
	e, err := b.Get(background, key)
	must(t, err)
	_, err = b.Put(background, key, []byte("3"))
	must(t, err)
	_, err = b.Put(background, key, []byte("4"), client.IfUnchanged(e))
	wantIs(t, err, client.ErrPrecondition)
	var ce *client.Error
	if !errors.As(err, &ce) || ce.Indeterminate || ce.Attempts != 1 {
		t.Errorf("%+v", ce)
	}
	_, err = b.Delete(background, key, client.IfUnchanged(e))
	wantIs(t, err, client.ErrPrecondition)
	_, err = newClient(t, client.Options{}, newNode(t)).Bucket("none").Put(background, key, nil)
	wantIs(t, err, client.ErrNoBucket)
}

// Several clients read, resolve and write one key, some with old contexts: what each has
// added is there in the end.
func TestNothingIsLost(t *testing.T) {
	n := newNode(t)
	union := func(_ []byte, siblings [][]byte) ([]byte, error) {
		set := map[string]bool{}
		for _, s := range siblings {
			for _, e := range strings.Fields(string(s)) {
				set[e] = true
			}
		}
		var all []string
		for e := range set {
			all = append(all, e)
		}
		return []byte(strings.Join(all, " ")), nil
	}
	const clients, rounds = 6, 12
	key := []byte("set")
	var wg sync.WaitGroup
	for i := range clients {
		b := newClient(t, client.Options{Resolve: union}, n).Bucket("available")
		wg.Add(1)
		go func() {
			defer wg.Done()
			for r := range rounds {
				name := fmt.Sprintf("%d.%d", i, r)
				if i%2 == 0 { // optimistic
					if _, err := b.Update(background, key, func(e *client.Entry) ([]byte, error) {
						return []byte(string(e.Value) + " " + name), nil
					}); err != nil {
						t.Error(err)
					}
					continue
				}
				e, err := b.Get(background, key)
				if err != nil && !errors.Is(err, client.ErrNotFound) {
					t.Error(err)
					return
				}
				if _, err := b.Put(background, key, []byte(string(e.Value)+" "+name), client.After(e)); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	b := newClient(t, client.Options{Resolve: union}, n).Bucket("available")
	e, err := b.Resolve(background, key)
	must(t, err)
	if got := len(strings.Fields(string(e.Value))); got != clients*rounds {
		t.Errorf("%d additions of %d", got, clients*rounds)
	}
}

func TestUpdateCounts(t *testing.T) {
	n := newNode(t)
	b := newClient(t, client.Options{}, n).Bucket("available")
	var wg sync.WaitGroup
	for range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 10 {
				_, err := b.Update(background, []byte("n"), func(e *client.Entry) ([]byte, error) {
					n, _ := strconv.Atoi(string(e.Value))
					return []byte(strconv.Itoa(n + 1)), nil
				})
				if err != nil {
					t.Error(err)
				}
				if _, err := b.Increment(background, []byte("m"), 1); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	for _, key := range []string{"n", "m"} {
		e, err := b.Get(background, []byte(key))
		must(t, err)
		if string(e.Value) != "60" {
			t.Errorf("%s is %s, want 60", key, e.Value)
		}
	}
	stop := errors.New("stop")
	_, err := b.Update(background, []byte("n"), func(*client.Entry) ([]byte, error) { return nil, stop })
	wantIs(t, err, stop)
}

func TestBatchAndScan(t *testing.T) {
	b := newClient(t, client.Options{}, newNode(t)).Bucket("available")
	var ops []client.Op
	want := map[string]string{}
	for i := range 25 {
		k := fmt.Sprintf("p/%02d\xff", i)
		want[k] = fmt.Sprint(i)
		ops = append(ops, client.PutOp([]byte(k), []byte(want[k])))
	}
	ops = append(ops, client.IncrementOp([]byte("n"), 5), client.DeleteOp([]byte("none")), client.PutOp([]byte("n"), nil, client.Create()))
	res, err := b.Batch(background, client.Batch{Ops: ops})
	must(t, err)
	if res[25].Number != 5 || res[0].Context == "" || res[0].Err != nil {
		t.Errorf("%+v", res[25])
	}
	wantIs(t, res[27].Err, client.ErrPrecondition)
	_, err = b.Batch(background, client.Batch{Ops: ops, Atomic: true})
	wantIs(t, err, client.ErrPrecondition)
	if errors.Is(err, client.ErrIndeterminate) {
		t.Error(err)
	}
	_, err = b.Batch(background, client.Batch{Ops: []client.Op{client.PutOp(nil, nil, client.Once())}})
	wantIs(t, err, client.ErrInvalid)
	for _, page := range []int{0, 1, 7} {
		got := map[string]string{}
		for it, err := range b.Scan(background, client.ScanOptions{Prefix: []byte("p/"), Values: true, Page: page}) {
			must(t, err)
			got[string(it.Key)] = string(it.Value)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("page %d: %v", page, got)
		}
	}
	n, cursor := 0, ""
	for it, err := range b.Scan(background, client.ScanOptions{Page: 5}) {
		must(t, err)
		if n++; n == 5 {
			cursor = it.Cursor
			break
		}
	}
	for _, err := range b.Scan(background, client.ScanOptions{Cursor: cursor}) {
		must(t, err)
		n++
	}
	if n != 26 {
		t.Errorf("%d keys in two walks", n)
	}
	keys := make([][]byte, 2500)
	for i := range keys {
		keys[i] = []byte(fmt.Sprintf("p/%02d\xff", i))
	}
	many, err := b.GetMany(background, keys...)
	must(t, err)
	for i, r := range many {
		if i < 25 && (r.Err != nil || string(r.Entry.Value) != fmt.Sprint(i)) || i >= 25 && !errors.Is(r.Err, client.ErrNotFound) {
			t.Fatalf("%d: %+v", i, r)
		}
	}
	for it, err := range newClient(t, client.Options{}, newNode(t)).Bucket("none").Scan(background, client.ScanOptions{}) {
		wantIs(t, err, client.ErrNoBucket)
		if it != nil {
			t.Error("an item beside an error")
		}
	}
}

// What is repeated, and what is not.
func TestRetries(t *testing.T) {
	type call func(b *client.Bucket) error
	get := func(b *client.Bucket) error { _, err := b.Get(background, []byte("n")); return err }
	put := func(b *client.Bucket) error { _, err := b.Put(background, []byte("n"), []byte("new")); return err }
	once := func(b *client.Bucket) error {
		_, err := b.Put(background, []byte("n"), []byte("new"), client.Once())
		return err
	}
	increment := func(b *client.Bucket) error { _, err := b.Increment(background, []byte("n"), 1); return err }
	batch := func(b *client.Bucket) error {
		_, err := b.Batch(background, client.Batch{Ops: []client.Op{client.IncrementOp([]byte("n"), 1)}})
		return err
	}
	type handler = func(w http.ResponseWriter, r *http.Request, next http.Handler)
	before := func(w http.ResponseWriter, r *http.Request, next http.Handler) { drop(w) }
	after := func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&lost{make(http.Header)}, r)
		drop(w)
	}
	refused := func(code wire.Code, definite bool) handler {
		return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			w.WriteHeader(code.Status())
			fmt.Fprintf(w, `{"error":{"code":%q,"message":"m","definite":%v}}`, code, definite)
		}
	}
	proxy := func(w http.ResponseWriter, r *http.Request, next http.Handler) { w.WriteHeader(502) }
	for _, c := range []struct {
		name    string
		call    call
		fault   handler
		asked   int64 // with one fault
		perhaps bool  // the one fault makes it indeterminate
		value   string
	}{
		{"a read of which the answer is lost", get, after, 2, false, "1"},
		{"a read that a proxy fails", get, proxy, 2, false, "1"},
		{"a write that is lost", put, before, 1, true, "1"},
		{"a write of which the answer is lost", put, after, 1, true, "new"},
		{"a write that a proxy fails", put, proxy, 1, true, "1"},
		{"a write that is refused", put, refused(wire.Overloaded, true), 2, false, "new"},
		{"a write to a server that starts", put, refused(wire.Starting, true), 2, false, "new"},
		{"a write to a server that stops", put, refused(wire.Closing, true), 2, false, "new"},
		{"a write that perhaps happened", put, refused(wire.Indeterminate, false), 1, true, "1"},
		{"a write to a disk that failed", once, refused(wire.ReadOnly, false), 1, true, "1"},
		{"a write with an id that is lost", once, before, 2, false, "new"},
		{"a write with an id that a proxy fails", once, proxy, 2, false, "new"},
		{"an increment that is lost", increment, before, 2, false, "2"},
		{"an increment of which the answer is lost", increment, after, 2, false, "2"},
		{"a batch of which the answer is lost", batch, after, 2, false, "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, other := newNode(t), newNode(t)
			b := newClient(t, client.Options{}, n, other).Bucket("available")
			for _, x := range []*node{n, other} {
				_, err := newClient(t, client.Options{}, x).Bucket("available").Put(background, []byte("n"), []byte("1"))
				must(t, err)
				x.asked.Store(0)
			}
			var once sync.Once
			n.meddle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				failed := false
				once.Do(func() { failed = true })
				if failed {
					c.fault(w, r, next)
					return
				}
				next.ServeHTTP(w, r)
			})
			err := c.call(b)
			if got := errors.Is(err, client.ErrIndeterminate); got != c.perhaps || (err != nil) != c.perhaps {
				t.Errorf("the error is %v", err)
			}
			if got := n.asked.Load() + other.asked.Load(); got != c.asked {
				t.Errorf("%d requests, want %d", got, c.asked)
			}
			// A write that has perhaps happened stays with its node.
			e, err := newClient(t, client.Options{}, n).Bucket("available").Get(background, []byte("n"))
			must(t, err)
			o, err := newClient(t, client.Options{}, other).Bucket("available").Get(background, []byte("n"))
			must(t, err)
			if got := string(e.Value); got != c.value && string(o.Value) != c.value || got != "1" && string(o.Value) != "1" {
				t.Errorf("there is %s, and at the other node %s; want %s", got, o.Value, c.value)
			}
			if strings.Contains(c.name, "id") || strings.Contains(c.name, "increment") || strings.Contains(c.name, "batch") {
				if string(o.Value) != "1" {
					t.Errorf("a write with an id was repeated at another node, which has %s", o.Value)
				}
			}
		})
	}
}

// Sync says so in every kind of write.
func TestSync(t *testing.T) {
	n := newNode(t)
	var said []string
	n.meddle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		said = append(said, r.Header.Get("Ringwood-Durability"))
		next.ServeHTTP(w, r)
	})
	b, k := newClient(t, client.Options{}, n).Bucket("available"), []byte("k")
	_, err := b.Put(background, k, nil, client.Sync())
	must(t, err)
	_, err = b.Delete(background, k, client.Sync())
	must(t, err)
	_, err = b.Batch(background, client.Batch{Ops: []client.Op{client.DeleteOp(k)}, Sync: true})
	must(t, err)
	_, err = b.Put(background, k, nil)
	must(t, err)
	if fmt.Sprintf("%q", said) != `["sync" "sync" "sync" ""]` {
		t.Errorf("%q", said)
	}
	_, err = b.Batch(background, client.Batch{Ops: []client.Op{client.DeleteOp(k, client.Sync())}})
	wantIs(t, err, client.ErrInvalid)
}

// A node that cannot be reached has begun nothing: the next one is asked, for writes too.
func TestAddressesThatAreDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	down := l.Addr().String()
	must(t, l.Close())
	n := newNode(t)
	c := newClient(t, client.Options{Addresses: []string{down}}, n)
	for range 3 {
		_, err = c.Bucket("available").Put(background, []byte("k"), []byte("v"))
		must(t, err)
	}
	alone := newClient(t, client.Options{Addresses: []string{down}, Retries: 2})
	_, err = alone.Bucket("available").Put(background, []byte("k"), []byte("v"))
	var ce *client.Error
	if !errors.As(err, &ce) || ce.Indeterminate || ce.Attempts != 3 {
		t.Errorf("%+v", err)
	}
	never := newClient(t, client.Options{Addresses: []string{down}, Retries: -1})
	if _, err = never.Bucket("available").Get(background, []byte("k")); !errors.As(err, &ce) || ce.Attempts != 1 {
		t.Errorf("%+v", err)
	}
}

func TestDeadlines(t *testing.T) {
	n := newNode(t)
	hang := make(chan struct{})
	n.meddle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
		drop(w)
	})
	defer close(hang)
	b := newClient(t, client.Options{}, n).Bucket("available")
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	_, err := b.Get(ctx, []byte("k"))
	wantIs(t, err, context.DeadlineExceeded)
	ctx, cancel = context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	_, err = b.Increment(ctx, []byte("k"), 1)
	wantIs(t, err, context.DeadlineExceeded)
	wantIs(t, err, client.ErrIndeterminate)
	began := time.Now()
	short := newClient(t, client.Options{Timeout: 30 * time.Millisecond, Retries: 2}, n).Bucket("available")
	_, err = short.Get(background, []byte("k"))
	if err == nil || time.Since(began) > 5*time.Second || errors.Is(err, client.ErrIndeterminate) {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	// A pause is no reason to outlive the context.
	n.meddle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(503)
		fmt.Fprint(w, `{"error":{"code":"overloaded","message":"m","definite":true}}`)
	})
	ctx, cancel = context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	began = time.Now()
	_, err = b.Put(ctx, []byte("k"), nil)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, wire.Overloaded) || errors.Is(err, client.ErrIndeterminate) || time.Since(began) > 2*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// Answers that no node gives are errors, and nothing is followed or kept without bound.
func TestStrangeAnswers(t *testing.T) {
	n := newNode(t)
	b := newClient(t, client.Options{MaxAnswer: 1000, Retries: -1}, n).Bucket("available")
	evil := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { evil++ }))
	defer elsewhere.Close()
	for name, f := range map[string]func(w http.ResponseWriter){
		"long":     func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, 1001)) },
		"redirect": func(w http.ResponseWriter) { w.Header().Set("Location", elsewhere.URL); w.WriteHeader(302) },
		"html":     func(w http.ResponseWriter) { w.WriteHeader(404); fmt.Fprint(w, "<html>") },
		"siblings": func(w http.ResponseWriter) { w.WriteHeader(300); fmt.Fprint(w, `{"siblings":[{"value_base64":"*"}]}`) },
		"no json":  func(w http.ResponseWriter) { w.WriteHeader(300); fmt.Fprint(w, `{`) },
		"ttl":      func(w http.ResponseWriter) { w.Header().Set("Ringwood-TTL", "soon") },
	} {
		n.meddle(func(w http.ResponseWriter, r *http.Request, next http.Handler) { f(w) })
		if _, err := b.Get(background, []byte("k")); !errors.Is(err, client.ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if evil > 0 {
		t.Error("a redirect was followed")
	}
	for _, body := range []string{"", "{\"key\":\"a\"}\n", "{\"next\":", "{\"key\":\"a\",\"key_base64\":\"YQ==\"}\n{\"next\":\"\"}\n"} {
		n.meddle(func(w http.ResponseWriter, r *http.Request, next http.Handler) { fmt.Fprint(w, body) })
		for _, err := range b.Scan(background, client.ScanOptions{}) {
			wantIs(t, err, client.ErrAnswer)
		}
	}
	n.meddle(func(w http.ResponseWriter, r *http.Request, next http.Handler) { fmt.Fprint(w, `{"entries":[]}`) })
	_, err := b.GetMany(background, []byte("k"))
	wantIs(t, err, client.ErrAnswer)
	// Nobody says that a change was made who is no node, such as a proxy that redirects.
	for name, f := range map[string]func(w http.ResponseWriter){
		"redirect": func(w http.ResponseWriter) { w.Header().Set("Location", elsewhere.URL); w.WriteHeader(301) },
		"300":      func(w http.ResponseWriter) { w.WriteHeader(300); fmt.Fprint(w, "{}") },
		"a page":   func(w http.ResponseWriter) { fmt.Fprint(w, "<html>welcome") },
	} {
		n.meddle(func(w http.ResponseWriter, r *http.Request, next http.Handler) { f(w) })
		c := newClient(t, client.Options{Retries: -1}, n)
		b := c.Bucket("available")
		for what, change := range map[string]func() error{
			"flush": func() error { return c.Flush(background) }, "drop": func() error { return b.Drop(background) },
			"empty":    func() error { return b.Empty(background) },
			"password": func() error { return c.SetPassword(background, "u", "p", false) },
			"create":   func() error { _, err := b.Create(background, wire.BucketConfig{}); return err },
			"put":      func() error { _, err := b.Put(background, []byte("k"), nil); return err },
			"delete":   func() error { _, err := b.Delete(background, []byte("k")); return err },
			"add":      func() error { _, err := b.Increment(background, []byte("k"), 1); return err },
			"batch": func() error {
				_, err := b.Batch(background, client.Batch{Ops: []client.Op{client.DeleteOp([]byte("k"))}})
				return err
			},
		} {
			if err := change(); !errors.Is(err, client.ErrAnswer) || !errors.Is(err, client.ErrIndeterminate) {
				t.Errorf("%s, answered by %s: %v", what, name, err)
			}
		}
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []client.Options{
		{}, {Addresses: []string{"ftp://x"}}, {Addresses: []string{"http://x/path"}}, {Addresses: []string{"http://user:canary@x"}}, {Addresses: []string{"://"}},
		{Addresses: []string{"http://example.com"}, User: "u", Password: "canary"}, {Addresses: []string{"example.com:1"}, Token: "canary"},
		{Addresses: []string{"localhost"}, Token: "t", User: "u"}, {Addresses: []string{"localhost"}, Backoff: -1},
	} {
		_, err := client.New(o)
		wantIs(t, err, client.ErrInvalid)
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("the error has a secret: %v", err)
		}
	}
	for _, o := range []client.Options{
		{Addresses: []string{"http://example.com"}, Token: "t", Plaintext: true}, {Addresses: []string{"https://example.com"}, Token: "t"},
		{Addresses: []string{"localhost:1", "127.0.0.1:1", "[::1]:1", "http://127.1.2.3/"}, User: "u", Password: "p"}, {Addresses: []string{"example.com"}},
	} {
		_, err := client.New(o)
		must(t, err)
	}
	c := newClient(t, client.Options{}, newNode(t))
	must(t, c.Close())
	_, err := c.Bucket("available").Get(background, nil)
	wantIs(t, err, client.ErrClosed)
}

// When a client is closed, nothing of it runs on.
func TestNoGoroutineStays(t *testing.T) {
	n := newNode(t)
	before := runtime.NumGoroutine()
	for range 5 {
		c, err := client.New(client.Options{Addresses: []string{n.URL}})
		must(t, err)
		var wg sync.WaitGroup
		for range 10 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				_, _ = c.Bucket("available").Get(background, []byte("k"))
				for range c.Bucket("available").Scan(background, client.ScanOptions{}) {
					break
				}
			}()
		}
		wg.Wait()
		must(t, c.Close())
	}
	for range 300 {
		if runtime.NumGoroutine() <= before+2 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestAdministration(t *testing.T) {
	n := newNode(t)
	c := newClient(t, client.Options{}, n)
	who, err := c.WhoAmI(background)
	must(t, err)
	if who.User != "default" || who.Login {
		t.Errorf("%+v", who)
	}
	b := c.Bucket("orders")
	most, os := 5, "os"
	made, err := b.Create(background, wire.BucketConfig{MaxSiblings: &most, Durability: &os})
	must(t, err)
	if made.Name != "orders" || *made.MaxSiblings != 5 || *made.Durability != "os" || *made.Mode != "available" {
		t.Errorf("%+v", made)
	}
	_, err = b.Create(background, wire.BucketConfig{})
	wantIs(t, err, client.ErrExists)
	most = 6
	_, err = b.Alter(background, wire.BucketConfig{MaxSiblings: &most})
	must(t, err)
	_, err = b.Put(background, []byte("k"), []byte("v"))
	must(t, err)
	info, err := b.Info(background)
	must(t, err)
	if *info.Keys != 1 || *info.MaxSiblings != 6 || *info.Durability != "os" {
		t.Errorf("%+v", info)
	}
	must(t, b.Empty(background))
	_, err = b.Get(background, []byte("k"))
	wantIs(t, err, client.ErrNotFound)
	all, err := c.Buckets(background)
	must(t, err)
	if len(all) != 2 {
		t.Errorf("%+v", all)
	}
	must(t, b.Drop(background))
	_, err = b.Info(background)
	wantIs(t, err, client.ErrNoBucket)
	must(t, c.Flush(background))
	must(t, c.Compact(background))
	_, err = c.Status(background)
	wantIs(t, err, wire.NotAvailable)
	_, err = c.Users(background)
	wantIs(t, err, wire.NotAvailable)
}

// A write is not repeated when the server may have forgotten its id.
func TestOldIDs(t *testing.T) {
	defer client.SetIDLife(20 * time.Millisecond)()
	n := newNode(t)
	n.meddle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&lost{make(http.Header)}, r)
		time.Sleep(30 * time.Millisecond)
		drop(w)
	})
	_, err := newClient(t, client.Options{}, n).Bucket("available").Increment(background, []byte("n"), 1)
	wantIs(t, err, client.ErrIndeterminate)
	if n.asked.Load() != 1 {
		t.Errorf("%d requests", n.asked.Load())
	}
}

// What has perhaps happened stays so, whatever the later attempts say.
func TestPerhapsStays(t *testing.T) {
	n := newNode(t)
	n.meddle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if n.asked.Load() == 1 {
			next.ServeHTTP(&lost{make(http.Header)}, r)
			drop(w)
		}
		w.WriteHeader(503)
		fmt.Fprint(w, `{"error":{"code":"overloaded","message":"m","definite":true}}`)
	})
	_, err := newClient(t, client.Options{Retries: 2}, n).Bucket("available").Increment(background, []byte("n"), 1)
	wantIs(t, err, client.ErrIndeterminate)
	wantIs(t, err, wire.Overloaded)
}
