package httpnode

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"

	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/lsm"
)

// requestBucket keeps the request ids. Clients cannot name it: access.ValidName has no
// such names.
const requestBucket = "_requests"

// requests returns the bucket of request ids, which it makes when there is none. It does
// not sync: a record in it is as durable as the write beside it.
func (n *Node) requests() (*replica.Bucket, error) {
	if b, err := n.r.Bucket(requestBucket); err == nil {
		return b, nil
	}
	b, err := n.r.CreateBucket(requestBucket, replica.BucketConfig{LastWriterWins: true, Durability: lsm.None})
	if errors.Is(err, replica.ErrBucketExists) { // somebody else was faster
		return n.r.Bucket(requestBucket)
	}
	return b, err
}

// requestKey is where the id of w is kept: ids of other users are other ids.
func requestKey(w *httpapi.Write) []byte {
	h := sha256.New()
	addText(h, w.User)
	addText(h, w.ID)
	return h.Sum(nil)
}

// digest is what w is: another w has another one.
func digest(bucket string, w *httpapi.Write) (sum [32]byte) {
	h := sha256.New()
	addText(h, bucket)
	addFlag(h, w.Atomic)
	for i := range w.Operations {
		op := &w.Operations[i]
		h.Write([]byte{byte(op.Kind)})
		addText(h, string(op.Key))
		addText(h, string(op.Value))
		addNumber(h, op.By)
		addNumber(h, op.TTL)
		addText(h, op.Context)
		for _, t := range []*httpapi.Tags{&op.If.Match, &op.If.NoneMatch} {
			addFlag(h, t.Set)
			addFlag(h, t.Any)
			addNumber(h, int64(len(t.Tags)))
			for _, x := range t.Tags {
				addText(h, x)
			}
		}
	}
	if w.Durability != "" {
		addText(h, w.Durability)
	}
	h.Sum(sum[:0])
	return sum
}

func addNumber(h hash.Hash, n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}

func addText(h hash.Hash, s string) {
	addNumber(h, int64(len(s)))
	h.Write([]byte(s))
}

func addFlag(h hash.Hash, b bool) {
	if b {
		h.Write([]byte{1})
	} else {
		h.Write([]byte{0})
	}
}

// remembered is the record of a request.
type remembered struct {
	Digest  []byte           `json:"digest"`
	Results []httpapi.Result `json:"results"`
}

// replay looks for a request of that id, and takes over its results.
func (t *transaction) replay(tx *replica.Tx) (found bool, err error) {
	it, err := tx.Get(len(t.w.Operations))
	if err != nil || !it.Found() {
		return false, err
	}
	var old remembered
	if err := json.Unmarshal(it.Value, &old); err != nil {
		return false, fmt.Errorf("%w: the record of a request: %w", replica.ErrCorruption, err)
	}
	if string(old.Digest) != string(t.digest[:]) {
		return false, wire.Errorf(wire.RequestIDReused, "another write had this request id").WithHint("make a new id for each write, such as a random UUID")
	}
	if len(old.Results) != len(t.w.Operations) {
		return false, fmt.Errorf("%w: the record of a request has %d results", replica.ErrCorruption, len(old.Results))
	}
	t.done = httpapi.Written{Results: old.Results, Replayed: true}
	return true, nil
}

// remember makes the id and the results part of the transaction.
func (t *transaction) remember(tx *replica.Tx) error {
	b, err := json.Marshal(remembered{Digest: t.digest[:], Results: t.done.Results})
	if err != nil {
		return err
	}
	return tx.Put(len(t.w.Operations), replica.Write{Value: b, Expiry: t.wall + t.n.o.Keep.Milliseconds()})
}
