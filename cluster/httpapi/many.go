package httpapi

import (
	"errors"
	"net/http"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// checkCount returns an error unless there are 1 to Limits.Keys.
func (c *call) checkCount(n int) error {
	if n == 0 {
		return wire.Errorf(wire.BadRequest, "there are no keys")
	}
	if n > c.set.Keys {
		return wire.Errorf(wire.TooLarge, "%d keys in one request; %d are possible", n, c.set.Keys)
	}
	return nil
}

// multiGet reads several keys. Each is read by itself, not all at one moment, and each
// that cannot be read, or may not, has its own error. The answer is sent as it is made.
func multiGet(c *call) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	bucket, err := c.bucketName()
	if err != nil {
		return err
	}
	// Whether there is a bucket is told to those only who may read something in it.
	if c.covers(access.Read, bucket, nil) == access.None {
		return denied(access.Read, bucket)
	}
	var in wire.MultiGet
	if err := c.json(&in); err != nil {
		return err
	}
	if err := c.checkCount(len(in.Keys)); err != nil {
		return err
	}
	keys := make([][]byte, len(in.Keys))
	for i, k := range in.Keys {
		if keys[i], err = k.Bytes(); err != nil {
			return atIndex(wire.Errorf(wire.BadRequest, "%v", err), i)
		}
		if err := c.checkKey(keys[i]); err != nil {
			return atIndex(err, i)
		}
	}
	if _, err := c.api.o.Store.Bucket(c.r.Context(), bucket); err != nil {
		return err
	}
	c.reads = true
	out := c.stream(http.StatusOK, wire.JSON)
	if err := out.text(`{"entries":[`); err != nil {
		return err
	}
	for i, key := range keys {
		c.note(bucket, key)
		if i > 0 {
			out.buf = append(out.buf, ',')
		}
		if err := c.readEntry(out, bucket, key); err != nil {
			return err
		}
	}
	if err := out.text("]}\n"); err != nil {
		return err
	}
	return out.close()
}

// readEntry sends one key of several.
func (c *call) readEntry(out *stream, bucket string, key []byte) error {
	err := c.needKey(access.Read, bucket, key)
	if err == nil {
		var rec Record
		if rec, err = c.read(bucket, key); err == nil {
			defer c.release(rec.size())
			return out.entry(key, &rec)
		}
	}
	return out.value(wire.Entry{Key: wire.KeyOf(key), Siblings: []wire.Sibling{}, Error: c.explain(err)})
}

// atIndex says which operation an error is about.
func atIndex(err error, i int) error {
	var e *wire.Error
	if errors.As(err, &e) {
		o := *e
		o.Operation = &i
		return &o
	}
	return err
}

// batch does several writes in one bucket.
func batch(c *call) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	bucket, err := c.bucketName()
	if err != nil {
		return err
	}
	if c.covers(access.Write, bucket, nil) == access.None && c.covers(access.Delete, bucket, nil) == access.None {
		return denied(access.Write, bucket)
	}
	var w Write
	if err := c.wholeWrite(&w); err != nil {
		return err
	}
	for _, h := range []string{wire.HeaderContext, "If-Match", "If-None-Match", wire.HeaderTTL} {
		if c.r.Header.Get(h) != "" {
			return wire.Errorf(wire.BadRequest, "in a batch, what %s says is a field of each operation", h)
		}
	}
	var in wire.Batch
	if err := c.json(&in); err != nil {
		return err
	}
	if err := c.checkCount(len(in.Operations)); err != nil {
		return err
	}
	w.Atomic, w.Operations = in.Atomic, make([]Operation, len(in.Operations))
	out := wire.BatchResult{Results: make([]wire.OperationResult, len(in.Operations))}
	var ask []int // the operations that the store is asked for
	for i := range in.Operations {
		op := &w.Operations[i]
		if err := c.operation(op, &in.Operations[i]); err != nil {
			return atIndex(err, i)
		}
		in.Operations[i] = wire.Operation{} // its value is in memory twice
		c.note(bucket, op.Key)
		if err := c.needKey(op.verbs(), bucket, op.Key); err != nil {
			if w.Atomic {
				return atIndex(err, i)
			}
			out.Results[i].Error = c.explain(err)
			out.Failed++
			continue
		}
		ask = append(ask, i)
	}
	if len(ask) < len(w.Operations) {
		allowed := make([]Operation, len(ask))
		for k, i := range ask {
			allowed[k] = w.Operations[i]
		}
		w.Operations = allowed
	}
	if len(ask) > 0 {
		c.writes = true
		done, err := c.write(bucket, w)
		if err != nil {
			return err
		}
		if out.Replayed = done.Replayed; out.Replayed {
			c.out.Header().Set(wire.HeaderReplayed, "true")
		}
		for k, i := range ask {
			out.Results[i] = c.result(bucket, &w.Operations[k], &done.Results[k])
			if out.Results[i].Error != nil {
				out.Failed++
			}
		}
	}
	return c.reply(http.StatusOK, &out)
}

// operation reads one of a batch.
func (c *call) operation(op *Operation, in *wire.Operation) (err error) {
	bad := func(format string, args ...any) error { return wire.Errorf(wire.BadRequest, format, args...) }
	if op.Key, err = in.Key.Bytes(); err != nil {
		return bad("%v", err)
	}
	if err := c.checkKey(op.Key); err != nil {
		return err
	}
	switch in.Op {
	case wire.OpPut:
		op.Kind = Put
		if op.Value, err = in.Value.Bytes(); err != nil {
			return bad("%v", err)
		}
		if len(op.Value) > c.set.Value {
			return wire.Errorf(wire.TooLarge, "a value of %d bytes; %d are possible", len(op.Value), c.set.Value)
		}
	case wire.OpDelete:
		op.Kind = Delete
	case wire.OpIncrement:
		op.Kind = Increment
		if in.By == nil || in.Context != "" {
			return bad(`an increment has "by", and no context: it replaces what it has read itself`)
		}
		op.By = *in.By
	default:
		return bad("there is no operation %.20q: put, delete, increment", in.Op)
	}
	switch {
	case op.Kind != Put && !in.Value.IsZero():
		return bad("%s has no value", in.Op)
	case op.Kind != Put && in.TTL != nil:
		return bad("%s has no time to live", in.Op)
	case op.Kind != Increment && in.By != nil:
		return bad(`%s has no "by"`, in.Op)
	}
	if in.TTL != nil {
		if *in.TTL <= 0 {
			return bad("a time to live of 0: leave it out for ever")
		}
		op.TTL = int64(*in.TTL)
	}
	op.Context = in.Context
	op.If, err = condition(in.IfMatch, in.IfNoneMatch)
	return err
}
