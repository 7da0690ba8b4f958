package httpnode

import (
	"context"
	"slices"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
)

var (
	durabilities = []string{lsm.Sync: "sync", lsm.OS: "os", lsm.None: "none"}
	actions      = []string{vclock.Reject: "reject", vclock.Collapse: "collapse", vclock.Keep: "keep"}
)

// Buckets is that of httpapi.Store.
func (n *Node) Buckets(context.Context) ([]wire.Bucket, error) {
	var all []wire.Bucket
	for _, b := range n.r.Buckets() {
		if access.ValidName(b.Name()) {
			all = append(all, describe(b))
		}
	}
	return all, nil
}

// Bucket is that of httpapi.Store.
func (n *Node) Bucket(_ context.Context, name string) (wire.Bucket, error) {
	b, err := n.bucket(name)
	if err != nil {
		return wire.Bucket{}, err
	}
	return describe(b), nil
}

func describe(b *replica.Bucket) wire.Bucket {
	c, s := b.Config(), b.Stats()
	return wire.Bucket{
		Name: b.Name(),
		BucketConfig: wire.BucketConfig{
			Mode: ptr(c.Mode.String()), LastWriterWins: ptr(c.LastWriterWins), Durability: ptr(durabilities[c.Durability]),
			WarnSiblings: ptr(c.WarnSiblings), MaxSiblings: ptr(c.MaxSiblings), MaxSiblingBytes: ptr(c.MaxSiblingBytes),
			OnLimit: ptr(actions[c.OnLimit]), MaxValue: ptr(c.MaxValue),
		},
		Keys: ptr(s.Keys), Bytes: ptr(s.Bytes), Exact: ptr(s.Exact),
	}
}

func ptr[T any](v T) *T { return &v }

// choose returns which one of from a text is.
func choose(name, text string, from []string) (int, error) {
	i := slices.Index(from, text)
	if i < 0 {
		return 0, wire.Errorf(wire.BadRequest, "%s is %.40q; possible are %q", name, text, from)
	}
	return i, nil
}

// apply changes c as in says.
func apply(c *replica.BucketConfig, in *wire.BucketConfig) error {
	if in.Mode != nil {
		i, err := choose("mode", *in.Mode, []string{replica.Available.String(), replica.Consistent.String()})
		if err != nil {
			return err
		}
		c.Mode = replica.Mode(i)
	}
	if in.Durability != nil {
		i, err := choose("durability", *in.Durability, durabilities)
		if err != nil {
			return err
		}
		c.Durability = lsm.Durability(i)
	}
	if in.OnLimit != nil {
		i, err := choose("on_limit", *in.OnLimit, actions)
		if err != nil {
			return err
		}
		c.OnLimit = vclock.Action(i)
	}
	if in.LastWriterWins != nil {
		c.LastWriterWins = *in.LastWriterWins
	}
	for _, f := range []struct {
		to   *int
		from *int
	}{{&c.WarnSiblings, in.WarnSiblings}, {&c.MaxSiblings, in.MaxSiblings}, {&c.MaxSiblingBytes, in.MaxSiblingBytes}, {&c.MaxValue, in.MaxValue}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return nil
}

// CreateBucket is that of httpapi.Store.
func (n *Node) CreateBucket(_ context.Context, name string, in wire.BucketConfig) error {
	if !access.ValidName(name) {
		return wire.Errorf(wire.BadRequest, "%.80q cannot be the name of a bucket", name)
	}
	c := n.o.Bucket
	if err := apply(&c, &in); err != nil {
		return err
	}
	if _, err := n.r.CreateBucket(name, c); err != nil {
		return n.explain(err)
	}
	return nil
}

// AlterBucket is that of httpapi.Store.
func (n *Node) AlterBucket(_ context.Context, name string, in wire.BucketConfig) error {
	n.admin.Lock() // two changes at once would each forget the other
	defer n.admin.Unlock()
	b, err := n.bucket(name)
	if err != nil {
		return err
	}
	c := b.Config()
	if err := apply(&c, &in); err != nil {
		return err
	}
	if err := n.r.AlterBucket(b, c); err != nil {
		return n.explain(err)
	}
	return nil
}

// DropBucket is that of httpapi.Store.
func (n *Node) DropBucket(_ context.Context, name string) error {
	b, err := n.bucket(name)
	if err != nil {
		return err
	}
	if err := n.r.DropBucket(b); err != nil {
		return n.explain(err)
	}
	return nil
}

// EmptyBucket is that of httpapi.Store.
func (n *Node) EmptyBucket(_ context.Context, name string) error {
	b, err := n.bucket(name)
	if err != nil {
		return err
	}
	if err := n.r.FlushBuckets(b); err != nil {
		return n.explain(err)
	}
	return nil
}
