package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// Result is one key of several.
type Result struct {
	Entry *Entry // nil if the key could not be read
	Err   error  // as that of Get
}

// getManyStep is how many keys are asked for in one request.
const getManyStep = 1000

// GetMany reads several keys, each by itself, and returns a result for each, in order.
// The error is that of a request, with which there are no results.
func (b *Bucket) GetMany(ctx context.Context, keys ...[]byte) ([]Result, error) {
	out := make([]Result, 0, len(keys))
	for len(keys) > 0 {
		step := keys[:min(len(keys), getManyStep)]
		keys = keys[len(step):]
		in := wire.MultiGet{Keys: make([]wire.Key, len(step))}
		for i, k := range step {
			in.Keys[i] = wire.KeyOf(k)
		}
		r := &request{op: fmt.Sprintf("get %d keys of %s", len(step), b.name), method: http.MethodPost, path: b.path + "/multi-get"}
		var answer wire.MultiGetResult
		if err := b.c.call(ctx, r, in, &answer); err != nil {
			return nil, err
		}
		if len(answer.Entries) != len(step) {
			return nil, r.senseless("%d entries for %d keys", len(answer.Entries), len(step))
		}
		for i := range answer.Entries {
			w := &answer.Entries[i]
			if w.Error != nil {
				out = append(out, Result{Err: &Error{Op: r.op, Attempts: 1, Err: w.Error}})
				continue
			}
			e := &Entry{Key: append([]byte(nil), step[i]...)}
			out = append(out, Result{Entry: e, Err: b.fill(r.op, e, w)})
		}
	}
	return out, nil
}

// Op is a write of a batch.
type Op struct {
	w   wire.Operation
	err error
}

// PutOp stores a value.
func PutOp(key, value []byte, opts ...WriteOption) Op {
	op := newOp(wire.OpPut, key, opts)
	op.w.Value = wire.ValueOf(value)
	return op
}

// DeleteOp deletes a key.
func DeleteOp(key []byte, opts ...WriteOption) Op { return newOp(wire.OpDelete, key, opts) }

// IncrementOp adds to the number that a key has.
func IncrementOp(key []byte, by int64, opts ...WriteOption) Op {
	op := newOp(wire.OpIncrement, key, opts)
	op.w.By = &by
	return op
}

func newOp(kind string, key []byte, opts []WriteOption) Op {
	var w write
	for _, o := range opts {
		o(&w)
	}
	op := Op{w: wire.Operation{Op: kind, Key: wire.KeyOf(key), Context: w.context, IfMatch: w.match, IfNoneMatch: w.noneMatch}, err: w.err}
	if w.ttl > 0 {
		op.w.TTL = &w.ttl
	}
	if w.once || w.id != "" || w.sync {
		op.err = fmt.Errorf("%w: a request id, and Sync, are of the whole batch", ErrInvalid)
	}
	return op
}

// Batch is several writes in one request.
type Batch struct {
	Ops []Op
	// Atomic: all or nothing. Otherwise each write succeeds or fails by itself.
	Atomic bool
	// Sync is as for a single write.
	Sync bool
	// ID is the request id, as in WithID. "" means a new one.
	ID string
}

// OpResult is what a write of a batch did.
type OpResult struct {
	ETag, Context string
	Number        int64 // of an IncrementOp
	Err           error // it was not applied
}

// Batch does several writes, with a request id. The error is that of the request, with
// which nothing was applied, unless it is ErrIndeterminate; of a batch that is not Atomic,
// each result has its own.
func (b *Bucket) Batch(ctx context.Context, batch Batch) ([]OpResult, error) {
	r := &request{op: fmt.Sprintf("batch of %d in %s", len(batch.Ops), b.name), method: http.MethodPost, path: b.path + "/batch", write: true}
	in := wire.Batch{Atomic: batch.Atomic, Operations: make([]wire.Operation, len(batch.Ops))}
	for i, op := range batch.Ops {
		if op.err != nil {
			return nil, &Error{Op: r.op, Err: fmt.Errorf("operation %d: %w", i, op.err)}
		}
		in.Operations[i] = op.w
	}
	if batch.Sync {
		r.sync()
	}
	if batch.ID != "" {
		r.set(wire.HeaderRequestID, batch.ID)
	} else {
		r.identify()
	}
	var answer wire.BatchResult
	if err := b.c.call(ctx, r, in, &answer); err != nil {
		return nil, err
	}
	if len(answer.Results) != len(batch.Ops) {
		return nil, r.senseless("%d results for %d operations", len(answer.Results), len(batch.Ops))
	}
	out := make([]OpResult, len(batch.Ops))
	for i, w := range answer.Results {
		out[i] = OpResult{ETag: w.ETag, Context: w.Context}
		if w.Number != nil {
			out[i].Number = *w.Number
		}
		if w.Error != nil {
			out[i].Err = &Error{Op: r.op, Attempts: 1, Err: w.Error, Indeterminate: !w.Error.Definite}
		}
	}
	return out, nil
}

// ScanOptions says what Scan shows. The zero value is the keys of the whole bucket.
type ScanOptions struct {
	Prefix []byte // only keys that begin with it
	Values bool   // with the latest value of each
	Page   int    // how many keys are asked for at a time; 0 means 1000
	// Cursor is where to begin: that of an Item, to go on behind its page.
	Cursor string
}

// Item is a key in a scan.
type Item struct {
	Key      []byte
	Value    []byte // with Values
	Expires  time.Time
	Siblings int // how many values there are, if several
	// Cursor is that of the next page, "" if this is of the last one.
	Cursor string
}

// Scan walks over keys, in an order that means nothing. A key that is there all the time
// is shown once. It reads a page at a time into memory, and holds no connection while
// the loop runs. After an error, which comes with a nil Item, it ends.
func (b *Bucket) Scan(ctx context.Context, o ScanOptions) iter.Seq2[*Item, error] {
	return func(yield func(*Item, error) bool) {
		for cursor := o.Cursor; ; {
			items, next, err := b.page(ctx, &o, cursor)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range items {
				if !yield(&items[i], nil) {
					return
				}
			}
			if next == "" {
				return
			}
			cursor = next
		}
	}
}

// page reads one page.
func (b *Bucket) page(ctx context.Context, o *ScanOptions, cursor string) ([]Item, string, error) {
	q := url.Values{}
	if len(o.Prefix) > 0 {
		q.Set("prefix_base64", base64.RawURLEncoding.EncodeToString(o.Prefix))
	}
	if o.Values {
		q.Set("values", "true")
	}
	if o.Page > 0 {
		q.Set("limit", strconv.Itoa(o.Page))
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	r := &request{op: "scan " + b.name, method: http.MethodGet, path: b.path + "/keys"}
	if len(q) > 0 {
		r.path += "?" + q.Encode()
	}
	a, err := b.c.do(ctx, r)
	if err != nil {
		return nil, "", err
	}
	fail := func(err error) ([]Item, string, error) {
		return nil, "", &Error{Op: r.op, Attempts: 1, Err: err}
	}
	var items []Item
	for d := json.NewDecoder(bytes.NewReader(a.body)); ; {
		var l wire.ScanLine
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return fail(fmt.Errorf("%w: the page has no last line: it was cut", ErrAnswer))
		} else if err != nil {
			return fail(fmt.Errorf("%w: %w", ErrAnswer, err))
		}
		if l.Error != nil {
			return fail(l.Error)
		}
		if l.Next != nil {
			for i := range items {
				items[i].Cursor = *l.Next
			}
			return items, *l.Next, nil
		}
		it := Item{Expires: l.Expires, Siblings: l.Siblings}
		if it.Key, err = l.Key.Bytes(); err != nil {
			return fail(fmt.Errorf("%w: %w", ErrAnswer, err))
		}
		if o.Values {
			if it.Value, err = l.Value.Bytes(); err != nil {
				return fail(fmt.Errorf("%w: %w", ErrAnswer, err))
			}
		}
		items = append(items, it)
	}
}
