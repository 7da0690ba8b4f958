package httpnode

import (
	"context"
	"errors"
	"strconv"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
)

// transaction is a Write under way.
type transaction struct {
	n        *Node
	b        *replica.Bucket
	w        *httpapi.Write
	contexts []*vclock.Context // of each operation, nil for a blind one
	refused  []*wire.Error     // what was wrong before it began
	wall     int64
	done     httpapi.Written
	digest   [32]byte       // with an ID
	durable  lsm.Durability // at least
	absent   bool           // a key to be deleted was not there
	held     int            // bytes of values that stay beside what is written
	before   vclock.Vector  // memory for apply
}

// Write is that of httpapi.Store.
func (n *Node) Write(_ context.Context, bucket string, w httpapi.Write) (httpapi.Written, error) {
	b, err := n.bucket(bucket)
	if err != nil {
		return httpapi.Written{}, err
	}
	count := len(w.Operations)
	t := &transaction{n: n, b: b, w: &w, wall: n.wall(), contexts: make([]*vclock.Context, count), refused: make([]*wire.Error, count), durable: lsm.None}
	if w.Durability != "" {
		i, err := choose("the durability", w.Durability, durabilities)
		if err != nil {
			return httpapi.Written{}, err
		}
		t.durable = lsm.Durability(i)
	}
	refs := make([]replica.Ref, count, count+1)
	for i := range w.Operations {
		op := &w.Operations[i]
		refs[i] = replica.Ref{Bucket: b, Key: op.Key}
		if op.Context == "" {
			continue
		}
		t.contexts[i] = new(vclock.Context)
		if err := n.o.Keyring.Open(t.contexts[i], uint64(b.ID()), op.Key, []byte(op.Context)); err != nil {
			t.refused[i] = n.explainToken(err)
		}
	}
	if w.ID != "" {
		requests, err := n.requests()
		if err != nil {
			return httpapi.Written{}, n.explain(err)
		}
		t.digest = digest(bucket, &w)
		refs = append(refs, replica.Ref{Bucket: requests, Key: requestKey(&w)})
	}
	err = n.r.Update(t.wall, refs, t.run)
	if err == nil && t.absent && t.durable == lsm.Sync {
		// Nothing was written for it, and what deleted it before may have been less durable.
		err = n.r.Engine().Sync()
	}
	if err != nil {
		return httpapi.Written{}, n.explain(err)
	}
	return t.done, nil
}

// run does the operations. It may run more than once.
func (t *transaction) run(tx *replica.Tx) error {
	t.done, t.absent, t.held = httpapi.Written{Results: make([]httpapi.Result, len(t.w.Operations))}, false, 0
	tx.Durable(t.durable)
	if t.w.ID != "" {
		if found, err := t.replay(tx); found || err != nil {
			return err
		}
	}
	applied := 0
	for i := range t.w.Operations {
		res := &t.done.Results[i]
		err := t.apply(tx, i, res)
		if err == nil {
			applied++
			continue
		}
		tx.Forget(i)
		if errors.Is(err, hlc.ErrLease) || errors.Is(err, vclock.ErrLease) {
			return err // and again, with a longer lease
		}
		var e *wire.Error
		if !errors.As(t.n.explain(err), &e) {
			return err
		}
		if t.w.Atomic {
			failed := *e
			failed.Operation = &i
			return &failed
		}
		*res = httpapi.Result{Err: e}
	}
	if t.w.ID != "" && applied > 0 {
		return t.remember(tx)
	}
	return nil
}

// apply does operation i. After an error the transaction is as it was before.
func (t *transaction) apply(tx *replica.Tx, i int, res *httpapi.Result) error {
	if t.refused[i] != nil {
		return t.refused[i]
	}
	op := &t.w.Operations[i]
	o, err := t.read(tx, i)
	if err != nil {
		return err
	}
	if !op.If.Holds(tag(o, t.wall)) {
		return wire.Errorf(wire.Precondition, "If-Match or If-None-Match does not hold").WithHint("read the key again: somebody has changed it")
	}
	if t.contexts[i] != nil {
		if err := t.hold(o); err != nil {
			return err
		}
	}
	t.before = append(t.before[:0], o.Vector...)
	write := replica.Write{Value: op.Value, Context: t.contexts[i]}
	switch op.Kind {
	case httpapi.Put:
		if op.TTL > 0 {
			write.Expiry = t.wall + op.TTL
		}
		err = tx.Put(i, write)
	case httpapi.Delete:
		var existed bool
		existed, err = tx.Delete(i, t.contexts[i])
		t.absent = t.absent || !existed
	case httpapi.Increment:
		if write.Value, write.Expiry, res.Number, err = increment(tx, i, op.By); err == nil {
			err = tx.Put(i, write)
		}
	default:
		err = wire.Errorf(wire.BadRequest, "there is no operation %d", op.Kind)
	}
	if err != nil {
		return err
	}
	return t.tell(tx, i, res)
}

// read reads the record of operation i, and sees that there is memory for it.
func (t *transaction) read(tx *replica.Tx, i int) (*vclock.Object, error) {
	if t.w.Turn != nil {
		done, err := t.w.Turn()
		if err != nil {
			return nil, err
		}
		defer done()
	}
	o, err := tx.Read(i)
	if err == nil && t.w.Hold != nil {
		err = t.w.Hold(int64(tx.Held()))
	}
	return o, err
}

// maxHeld is how many bytes of old values a batch may have in memory, beyond those of one
// key. A write without a context lets go of what it replaces.
var maxHeld = 256 << 20

// hold counts what a write with a context may leave beside it.
func (t *transaction) hold(o *vclock.Object) error {
	n := 0
	for i := range o.Siblings {
		n += len(o.Siblings[i].Value)
	}
	if t.held > 0 && t.held+n > maxHeld {
		return wire.Errorf(wire.TooLarge, "the values that the keys of this batch have are too large together").WithHint("write these keys in several requests")
	}
	t.held += n
	return nil
}

// tell fills in what there is after operation i.
func (t *transaction) tell(tx *replica.Tx, i int, res *httpapi.Result) error {
	o, err := tx.Read(i)
	if err != nil {
		return err
	}
	_, res.Siblings = o.Latest(t.wall)
	// The writer has seen what it replaced and what it wrote. If something else is there
	// too, a context or a tag of all of it would make the next write erase what nobody has
	// read.
	blind := t.contexts[i] == nil
	alone := len(o.Siblings) == 1 && !t.before.Covers(o.Siblings[0].Dot)
	if blind || alone {
		res.Tag = tag(o, t.wall)
		res.Context, err = t.n.token(t.b, t.w.Operations[i].Key, o.Context())
	}
	return err
}

// increment returns the decimal number of declared key i plus by, and its expiry.
func increment(tx *replica.Tx, i int, by int64) (value []byte, expiry, sum int64, err error) {
	it, err := tx.Get(i)
	if err != nil {
		return nil, 0, 0, err
	}
	if it.Siblings > 1 {
		return nil, 0, 0, wire.Errorf(wire.Siblings, "the key has %d siblings", it.Siblings).
			WithHint("read it, make one value of them, and write that with the context of the read")
	}
	n := int64(0)
	if it.Found() {
		if n, err = strconv.ParseInt(string(it.Value[:min(len(it.Value), 32)]), 10, 64); err != nil || strconv.FormatInt(n, 10) != string(it.Value) {
			return nil, 0, 0, wire.Errorf(wire.NotNumber, "the value is no integer of 64 bits in decimal digits")
		}
	}
	sum = n + by
	if (sum > n) != (by > 0) && by != 0 {
		return nil, 0, 0, wire.Errorf(wire.NotNumber, "the sum does not fit into 64 bits")
	}
	return strconv.AppendInt(nil, sum, 10), it.Expiry, sum, nil
}
