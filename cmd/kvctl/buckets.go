package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

const bucketsHelp = `Usage: kvctl buckets list
       kvctl buckets show NAME
       kvctl buckets create NAME [--durability sync|os|none] [--last-writer-wins] …
       kvctl buckets alter NAME [--durability sync|os|none] …
       kvctl buckets empty NAME --force
       kvctl buckets drop NAME --force

A bucket is a name space for keys with rules of its own. Whether its last writer wins is
fixed when it is created; the rest can be altered, and what is not said stays as it is.
empty removes all keys, drop the bucket too; both cannot be undone, and ask for --force.
Databases of Redis are buckets: 0 is the first one, 1 to 15 are db1 to db15.

Examples:
  kvctl buckets list
  kvctl buckets create sessions --durability os --last-writer-wins
  kvctl buckets alter sessions --max-value 65536
  kvctl buckets show --json sessions | jq .keys
`

func bucketCommands() []command {
	config := func(c *call, set *pflag.FlagSet) {
		set.StringVar(&c.node.durability, "durability", "", "what a write has survived when it is acknowledged: sync, a power cut; os, the death of the process; none, nothing")
		set.IntVar(&c.node.warnSiblings, "warn-siblings", 0, "siblings that are worth a count in the metrics; -1 for never")
		set.IntVar(&c.node.maxSiblings, "max-siblings", 0, "most siblings of a key; -1 for no limit")
		set.IntVar(&c.node.maxSiblingBytes, "max-sibling-bytes", 0, "most bytes of two and more siblings together")
		set.StringVar(&c.node.onLimit, "on-limit", "", "what happens to a write beyond: reject, collapse or keep")
		set.IntVar(&c.node.maxValue, "max-value", 0, "longest value, in bytes")
	}
	force := func(c *call, set *pflag.FlagSet) {
		set.BoolVar(&c.node.force, "force", false, "do it, though it cannot be undone")
	}
	all := []command{
		{name: "buckets list", short: "all buckets", run: listBuckets},
		{name: "buckets show", args: "NAME", short: "one bucket with its rules", run: showBucket},
		{name: "buckets create", args: "NAME", short: "make a bucket", run: createBucket,
			flags: func(c *call, set *pflag.FlagSet) {
				config(c, set)
				set.BoolVar(&c.node.lastWriterWins, "last-writer-wins", false, "keep the latest write alone, no siblings")
			}},
		{name: "buckets alter", args: "NAME", short: "change the rules of a bucket", run: alterBucket, flags: config},
		{name: "buckets empty", args: "NAME", short: "remove all keys of a bucket", run: emptyBucket, flags: force},
		{name: "buckets drop", args: "NAME", short: "remove a bucket and all that is in it", run: dropBucket, flags: force},
	}
	for i := range all {
		all[i].help, all[i].online = bucketsHelp, true
	}
	return all
}

func listBuckets(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	all, err := node.Buckets(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.encode(wire.Buckets{Buckets: all})
	}
	t := c.table("BUCKET", "KEYS", "BYTES", "DURABILITY", "SIBLINGS")
	for _, b := range all {
		t.row(b.Name, numberOf(b.Keys), sizeOf(b.Bytes), text(b.Durability), siblingsOf(&b))
	}
	return t.flush()
}

// siblingsOf says what becomes of concurrent writes.
func siblingsOf(b *wire.Bucket) string {
	if b.LastWriterWins != nil && *b.LastWriterWins {
		return "last writer wins"
	}
	if b.MaxSiblings == nil || *b.MaxSiblings < 0 {
		return "kept"
	}
	return fmt.Sprintf("kept, up to %d", *b.MaxSiblings)
}

// What a bucket does not tell, because the client may not know, is a dash.

func numberOf(n *int64) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

func sizeOf(n *int64) string {
	if n == nil {
		return "-"
	}
	return size(float64(*n))
}

func text(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

func limitOf(n *int) string {
	switch {
	case n == nil:
		return "-"
	case *n < 0:
		return "none"
	}
	return fmt.Sprint(*n)
}

func (c *call) showBucket(b *wire.Bucket) error {
	if c.json {
		return c.encode(b)
	}
	t := c.table("bucket", b.Name)
	t.row("mode", text(b.Mode))
	t.row("keys", numberOf(b.Keys))
	t.row("bytes", sizeOf(b.Bytes))
	if b.Exact != nil && !*b.Exact {
		t.row("", "about: keys are counted again after an unclean end")
	}
	t.row("durability", text(b.Durability))
	t.row("concurrent writes", siblingsOf(b))
	t.row("most siblings", limitOf(b.MaxSiblings))
	t.row("warn from", limitOf(b.WarnSiblings))
	t.row("beyond", text(b.OnLimit))
	t.row("longest value", limitOf(b.MaxValue))
	t.row("longest siblings", limitOf(b.MaxSiblingBytes))
	return t.flush()
}

func showBucket(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	b, err := node.Bucket(c.arg(0)).Info(ctx)
	if err != nil {
		return err
	}
	return c.showBucket(&b)
}

// bucketConfig has what the flags say.
func (c *call) bucketConfig() (b wire.BucketConfig) {
	n := &c.node
	for _, s := range []struct {
		flag string
		to   **string
		from *string
	}{{"durability", &b.Durability, &n.durability}, {"on-limit", &b.OnLimit, &n.onLimit}} {
		if c.changed(s.flag) {
			*s.to = s.from
		}
	}
	for _, i := range []struct {
		flag string
		to   **int
		from *int
	}{
		{"warn-siblings", &b.WarnSiblings, &n.warnSiblings}, {"max-siblings", &b.MaxSiblings, &n.maxSiblings},
		{"max-sibling-bytes", &b.MaxSiblingBytes, &n.maxSiblingBytes}, {"max-value", &b.MaxValue, &n.maxValue},
	} {
		if c.changed(i.flag) {
			*i.to = i.from
		}
	}
	if c.changed("last-writer-wins") {
		b.LastWriterWins = &n.lastWriterWins
	}
	return b
}

func createBucket(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	b, err := node.Bucket(c.arg(0)).Create(ctx, c.bucketConfig())
	if err != nil {
		return err
	}
	return c.showBucket(&b)
}

func alterBucket(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	b, err := node.Bucket(c.arg(0)).Alter(ctx, c.bucketConfig())
	if err != nil {
		return err
	}
	return c.showBucket(&b)
}

func (c *call) forced(what string) error {
	if !c.node.force {
		return usage("%s of bucket %s cannot be undone: add --force if it is meant", what, c.arg(0))
	}
	return nil
}

func emptyBucket(c *call) error {
	if err := c.forced("removing all keys"); err != nil {
		return err
	}
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	if err := node.Bucket(c.arg(0)).Empty(ctx); err != nil {
		return err
	}
	return c.done("bucket %s is empty", c.arg(0))
}

func dropBucket(c *call) error {
	if err := c.forced("removal"); err != nil {
		return err
	}
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	if err := node.Bucket(c.arg(0)).Drop(ctx); err != nil {
		return err
	}
	return c.done("bucket %s is gone", c.arg(0))
}
