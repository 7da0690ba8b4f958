package httpapi

import (
	"context"
	"net/http"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// visible says whether the client may know that there is a bucket: it may do something in
// it, or run the server.
func (c *call) visible(bucket string) bool {
	for _, v := range []access.Verb{access.Read, access.Write, access.Delete, access.Scan} {
		if c.covers(v, bucket, nil) != access.None {
			return true
		}
	}
	return c.may(access.Status, "", nil) || c.may(access.AdminBuckets, "", nil)
}

// trim takes out of a bucket what the client may not know: how many keys there are.
func (c *call) trim(b wire.Bucket) wire.Bucket {
	if c.covers(access.Scan, b.Name, nil) != access.All && !c.may(access.Status, "", nil) {
		b.Keys, b.Bytes, b.Exact = nil, nil, nil
	}
	return b
}

func listBuckets(c *call) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	all, err := c.api.o.Store.Buckets(c.r.Context())
	if err != nil {
		return err
	}
	out := wire.Buckets{Buckets: []wire.Bucket{}}
	for _, b := range all {
		if c.visible(b.Name) {
			out.Buckets = append(out.Buckets, c.trim(b))
		}
	}
	return c.reply(http.StatusOK, out)
}

func getBucket(c *call) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	name, err := c.bucketName()
	if err != nil {
		return err
	}
	if !c.visible(name) {
		return denied(access.Read, name)
	}
	return c.replyBucket(http.StatusOK, name)
}

func (c *call) replyBucket(status int, name string) error {
	b, err := c.api.o.Store.Bucket(c.r.Context(), name)
	if err != nil {
		return err
	}
	return c.reply(status, c.trim(b))
}

// bucketBody reads what creating and changing a bucket take.
func (c *call) bucketBody() (name string, in wire.BucketConfig, err error) {
	if err := c.checkQuery(); err != nil {
		return "", in, err
	}
	if name, err = c.bucketName(); err != nil {
		return "", in, err
	}
	return name, in, c.json(&in)
}

func createBucket(c *call) error {
	name, in, err := c.bucketBody()
	if err != nil {
		return err
	}
	c.bucket, c.writes = name, true
	if err := c.api.o.Store.CreateBucket(c.r.Context(), name, in); err != nil {
		return err
	}
	c.audit("bucket created", "bucket", name)
	return c.replyBucket(http.StatusCreated, name)
}

func alterBucket(c *call) error {
	name, in, err := c.bucketBody()
	if err != nil {
		return err
	}
	c.bucket, c.writes = name, true
	if err := c.api.o.Store.AlterBucket(c.r.Context(), name, in); err != nil {
		return err
	}
	c.audit("bucket changed", "bucket", name)
	return c.replyBucket(http.StatusOK, name)
}

// dropBucket takes the right to the bucket as such, and to delete all that is in it.
func dropBucket(c *call) error {
	return c.deleteAll("bucket dropped", c.api.o.Store.DropBucket)
}

// emptyBucket takes the right to delete all that is in it.
func emptyBucket(c *call) error {
	return c.deleteAll("bucket emptied", c.api.o.Store.EmptyBucket)
}

func (c *call) deleteAll(what string, do func(ctx context.Context, name string) error) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	name, err := c.bucketName()
	if err != nil {
		return err
	}
	if c.covers(access.Delete, name, nil) != access.All {
		return denied(access.Delete, name).WithHint("the right has to be for all keys of the bucket")
	}
	if err := c.noBody(); err != nil {
		return err
	}
	c.bucket, c.writes = name, true
	if err := do(c.r.Context(), name); err != nil {
		return err
	}
	c.audit(what, "bucket", name)
	return c.empty()
}

// audit logs what an administrator did. There are no secrets in args.
func (c *call) audit(what string, args ...any) {
	c.api.o.Logger.Info("http: "+what, append(args, "by", c.who.Name(), "addr", c.addr.String())...)
}
