package client

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// Bucket is a bucket of the cluster. It is a handle, and costs nothing.
type Bucket struct {
	c    *Client
	name string
	path string
}

// Bucket returns a handle. Whether there is such a bucket shows when it is used.
func (c *Client) Bucket(name string) *Bucket {
	return &Bucket{c, name, "/v1/buckets/" + escape([]byte(name))}
}

// Name returns the name of the bucket.
func (b *Bucket) Name() string { return b.name }

// escape encodes bytes as one segment of a path that no software takes for something
// else.
func escape(b []byte) string {
	const digits = "0123456789ABCDEF"
	dots := true // "." and ".." would be taken for directories
	for _, c := range b {
		dots = dots && c == '.'
	}
	out := make([]byte, 0, len(b)+16)
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '~', c == '.' && !dots:
			out = append(out, c)
		default:
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(out)
}

func (b *Bucket) request(op, method string, key []byte) *request {
	return &request{op: fmt.Sprintf("%s %s/%.64q", op, b.name, key), method: method, path: b.path + "/keys/" + escape(key)}
}

// Entry is what is known of a key.
type Entry struct {
	Key []byte
	// Value is the value; of several siblings, what Resolve made of them, and without
	// that the latest.
	Value []byte
	// Siblings are all values, the latest first, if there are several.
	Siblings [][]byte
	// Expires is when the value does, zero for never; of several siblings, the latest.
	Expires time.Time
	// TTL is how long it was until then when the server read it, 0 for ever.
	TTL time.Duration
	// ETag names what there is, "" if the key has no value, or if others wrote at the same
	// time what this client has not read.
	ETag string
	// Context is what was read or written, for After. It is "" if others wrote at the same
	// time what this client has not read.
	Context string
	// Others is how many such values there are beside what a Put or Delete wrote, for who may
	// read them.
	Others int

	found bool
}

// Found says whether the key has a value.
func (e *Entry) Found() bool { return e != nil && e.found }

// Get reads a key. The errors are ErrNotFound, with an Entry whose context goes into the
// next write; ErrSiblings, with an Entry that has all of them; that of Resolve; and
// those of every request.
func (b *Bucket) Get(ctx context.Context, key []byte) (*Entry, error) {
	r := b.request("get", http.MethodGet, key)
	a, err := b.c.do(ctx, r)
	if a == nil {
		return nil, err
	}
	e := &Entry{Key: append([]byte(nil), key...), Context: a.header.Get(wire.HeaderContext), ETag: a.header.Get("ETag")}
	switch {
	case err != nil && a.status == http.StatusNotFound && e.Context != "":
		return e, err
	case err != nil:
		return nil, err
	case a.status == http.StatusMultipleChoices:
		var w wire.Entry
		if err := a.decode(r, &w); err != nil {
			return nil, err
		}
		return e, b.fill(r.op, e, &w)
	case a.status != http.StatusOK:
		return nil, r.senseless("status %d", a.status)
	}
	e.Value, e.found = a.body, true
	if t := a.header.Get(wire.HeaderTTL); t != "" {
		s, err := wire.ParseSeconds(t)
		if err != nil {
			return nil, r.senseless("%w", err)
		}
		e.TTL = s.Duration()
		e.Expires = time.Now().Add(e.TTL)
	}
	return e, nil
}

// fill takes over the siblings of an answer.
func (b *Bucket) fill(op string, e *Entry, w *wire.Entry) error {
	fail := func(err error) error { return &Error{Op: op, Attempts: 1, Err: err} }
	values := make([][]byte, len(w.Siblings))
	for i := range w.Siblings {
		v, err := w.Siblings[i].Value.Bytes()
		if err != nil {
			return fail(fmt.Errorf("%w: %w", ErrAnswer, err))
		}
		values[i] = v
	}
	e.Context, e.ETag = w.Context, w.ETag
	if len(values) == 0 {
		return fail(wire.Errorf(wire.NotFound, "the key has no value"))
	}
	latest := &w.Siblings[0]
	e.found, e.Value, e.Expires, e.TTL = true, values[0], latest.Expires, latest.TTL.Duration()
	if len(values) == 1 {
		return nil
	}
	e.Siblings = values
	if b.c.o.Resolve == nil {
		return fail(ErrSiblings)
	}
	v, err := b.c.o.Resolve(e.Key, values)
	if err != nil {
		return fail(fmt.Errorf("resolving %d siblings: %w", len(values), err))
	}
	e.Value = v
	return nil
}

// WriteOption says more about a write.
type WriteOption func(*write)

// write is what the options of a write say.
type write struct {
	ttl              wire.Seconds
	context          string
	match, noneMatch string
	id               string
	once             bool
	sync             bool
	err              error
}

// After replaces what e was read or written as, and nothing else. e must be of the same
// key.
func After(e *Entry) WriteOption {
	return func(w *write) {
		if e == nil || e.Context == "" {
			w.err = fmt.Errorf("%w: the entry has no context: read the key", ErrInvalid)
			return
		}
		w.context = e.Context
	}
}

// IfUnchanged lets a write happen only if the key is still as it was in e, and answers
// ErrPrecondition otherwise. An entry of a Put beside which others wrote is not what there
// is: read the key.
func IfUnchanged(e *Entry) WriteOption {
	return func(w *write) {
		switch {
		case e == nil:
			w.err = fmt.Errorf("%w: IfUnchanged without an entry", ErrInvalid)
		case e.ETag == "" && e.found:
			w.err = fmt.Errorf("%w: the entry does not say what there is: read the key", ErrInvalid)
		case e.ETag == "":
			w.noneMatch = "*"
		default:
			w.match = e.ETag
		}
	}
}

// Create lets a write happen only if the key has no value.
func Create() WriteOption { return func(w *write) { w.noneMatch = "*" } }

// TTL lets the value of a Put live for d, which is rounded up to milliseconds.
func TTL(d time.Duration) WriteOption {
	return func(w *write) {
		if w.ttl = wire.SecondsOf(d); w.ttl <= 0 || w.ttl > wire.MaxSeconds {
			w.err = fmt.Errorf("%w: a time to live of %v", ErrInvalid, d)
		}
	}
}

// Sync makes a write survive a power cut when it is acknowledged, also in a bucket that
// asks for less.
func Sync() WriteOption { return func(w *write) { w.sync = true } }

// Once gives a write an id, so that it is applied once however often it is repeated.
func Once() WriteOption { return func(w *write) { w.once = true } }

// WithID is Once with an id of the caller's: 1 to 64 visible characters, the same for the
// same write and never for another.
func WithID(id string) WriteOption {
	return func(w *write) {
		if w.id = id; id == "" || len(id) > wire.MaxRequestID {
			w.err = fmt.Errorf("%w: a request id of %d characters", ErrInvalid, len(id))
		}
	}
}

func (b *Bucket) options(opts []WriteOption) (*write, error) {
	w := &write{once: b.c.o.RequestIDs}
	for _, o := range opts {
		o(w)
	}
	return w, w.err
}

// apply puts what w says into the headers of r.
func (w *write) apply(r *request) {
	r.write = true
	for name, v := range map[string]string{wire.HeaderContext: w.context, "If-Match": w.match, "If-None-Match": w.noneMatch, wire.HeaderRequestID: w.id} {
		if v != "" {
			r.set(name, v)
		}
	}
	if w.ttl > 0 {
		r.set(wire.HeaderTTL, w.ttl.String())
	}
	if w.sync {
		r.sync()
	}
	if w.once {
		r.identify()
	}
}

// Put stores a value, which is not kept. It returns an Entry for the next write of the
// same key, whose Context is "" if After would not be right: see Entry.
func (b *Bucket) Put(ctx context.Context, key, value []byte, opts ...WriteOption) (*Entry, error) {
	r := b.request("put", http.MethodPut, key)
	r.body = value
	r.set("Content-Type", wire.Raw)
	e, err := b.write(ctx, r, key, opts)
	if err != nil {
		return nil, err
	}
	e.Value, e.found = append([]byte(nil), value...), true
	return e, nil
}

// Delete deletes a key. A key that has no value is no error. The Entry is as that of Put.
func (b *Bucket) Delete(ctx context.Context, key []byte, opts ...WriteOption) (*Entry, error) {
	return b.write(ctx, b.request("delete", http.MethodDelete, key), key, opts)
}

func (b *Bucket) write(ctx context.Context, r *request, key []byte, opts []WriteOption) (*Entry, error) {
	w, err := b.options(opts)
	if err == nil && w.ttl > 0 && r.method == http.MethodDelete {
		err = fmt.Errorf("%w: a deletion has no time to live", ErrInvalid)
	}
	if err != nil {
		return nil, &Error{Op: r.op, Err: err}
	}
	w.apply(r)
	a, err := b.c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusNoContent {
		return nil, r.senseless("status %d", a.status)
	}
	others, _ := strconv.Atoi(a.header.Get(wire.HeaderSiblings)) // 0 if it is not told
	if r.method == http.MethodPut {
		others = max(others-1, 0)
	}
	return &Entry{Key: append([]byte(nil), key...), Context: a.header.Get(wire.HeaderContext), ETag: a.header.Get("ETag"), Others: others, TTL: w.ttl.Duration()}, nil
}

// Increment adds to the decimal number that a key has, 0 if it has none, and returns the
// sum. It carries a request id. If the key has siblings, or no number, the error is
// wire.Siblings or wire.NotNumber.
func (b *Bucket) Increment(ctx context.Context, key []byte, by int64) (int64, error) {
	r := b.request("increment", http.MethodPost, key)
	r.write = true
	r.identify()
	var out wire.OperationResult
	if err := b.c.call(ctx, r, wire.Increment{By: by}, &out); err != nil {
		return 0, err
	}
	if out.Number == nil {
		return 0, r.senseless("there is no number")
	}
	return *out.Number, nil
}
