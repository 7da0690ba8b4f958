package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// sendStep is how many bytes of a long answer are collected before they are sent.
const sendStep = 64 << 10

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
	out := c.stream(wire.JSON)
	if err := out.text(`{"entries":[`); err != nil {
		return err
	}
	for i, key := range keys {
		c.note(bucket, key)
		if i > 0 {
			out.buf = append(out.buf, ',')
		}
		if err := out.value(c.readEntry(bucket, key)); err != nil {
			return err
		}
	}
	if err := out.text("]}\n"); err != nil {
		return err
	}
	return out.close()
}

// readEntry reads one key of several.
func (c *call) readEntry(bucket string, key []byte) wire.Entry {
	failed := func(err error) wire.Entry {
		return wire.Entry{Key: wire.KeyOf(key), Siblings: []wire.Sibling{}, Error: c.explain(err)}
	}
	if err := c.needKey(access.Read, bucket, key); err != nil {
		return failed(err)
	}
	rec, err := c.api.o.Store.Read(c.r.Context(), bucket, key)
	if err != nil {
		return failed(err)
	}
	// The bytes, and their JSON in the buffer.
	size := 3 * rec.size()
	if err := c.charge(size); err != nil {
		return failed(err)
	}
	c.charged -= size
	c.api.inFlight.give(size)
	return entry(key, &rec)
}

// stream is an answer whose length nobody knows yet. Up to sendStep bytes, and the
// largest part, are in memory.
type stream struct {
	c           *call
	contentType string
	buf         []byte
	charged     int64
	started     bool
}

func (c *call) stream(contentType string) *stream { return &stream{c: c, contentType: contentType} }

func (s *stream) text(t string) error {
	s.buf = append(s.buf, t...)
	return s.spill()
}

func (s *stream) value(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.buf = append(s.buf, b...)
	return s.spill()
}

// spill charges the buffer, and sends it when it is large.
func (s *stream) spill() error {
	if more := int64(cap(s.buf)) - s.charged; more > 0 {
		if err := s.c.charge(more); err != nil {
			return err
		}
		s.charged += more
	}
	if len(s.buf) < sendStep {
		return nil
	}
	return s.send()
}

// errGone says that the client takes nothing more. Nobody hears it.
var errGone = errors.New("httpapi: the client has gone")

func (s *stream) send() error {
	if !s.started {
		s.started = true
		s.c.out.Header().Set("Content-Type", s.contentType)
		s.c.head(http.StatusOK)
	}
	if err := s.c.push(s.buf); err != nil {
		return errGone
	}
	s.buf = s.buf[:0]
	if s.charged > 4*sendStep { // one part was large
		s.buf = nil
		s.c.charged -= s.charged
		s.c.api.inFlight.give(s.charged)
		s.charged = 0
	}
	return nil
}

// close sends the rest. What fits into the buffer has a length.
func (s *stream) close() error {
	if !s.started {
		return s.c.send(http.StatusOK, s.contentType, s.buf)
	}
	return s.send()
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
