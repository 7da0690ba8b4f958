package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/ringwood-kv/ringwood/cluster/client"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// nodeFlags are those of the commands for a node, which each takes its own of.
type nodeFlags struct {
	base64      bool
	latest      bool
	saveContext string
	context     string
	contextFile string
	file        string
	ttl         time.Duration
	ifAbsent    bool
	ifMatch     string

	prefix string
	limit  int
	values bool
	every  time.Duration

	force   bool
	grants  []string
	expires string
	secret  string
	keepOld bool
	dropOld bool
	disable bool
	enable  bool
	label   string
	verbs   []string
	scopes  []string

	durability                string
	lastWriterWins            bool
	maxSiblings, warnSiblings int
	onLimit                   string
	maxValue, maxSiblingBytes int
}

const dataHelp = `Usage: kvctl get [--save-context FILE] BUCKET KEY
       kvctl put [--ttl TIME] [--context-file FILE] BUCKET KEY [VALUE]
       kvctl del [--context-file FILE] BUCKET KEY
       kvctl incr BUCKET KEY [BY]
       kvctl scan [--prefix PREFIX] [--values] BUCKET

get writes the value as it is. If several clients have written at once, a key has
several values, its siblings: get shows all of them, the latest first, and fails, unless
--latest or --json. put replaces all that there is. With the context of a get, it replaces
what that get has read, and what others wrote meanwhile stays beside it: that is how
siblings are made one again, and how nothing is lost. Without VALUE or --file, put reads
stdin. incr adds BY, or 1, in one step. scan shows all keys, in no order that means anything.

Examples:
  kvctl put available greeting hello --ttl 1h
  kvctl get available greeting --save-context ctx
  kvctl put available greeting "hello again" --context-file ctx
  kvctl get --json available greeting | jq -r .context
  kvctl put available photos/1 --file photo.jpg
  kvctl scan available --prefix photos/
`

func dataCommands() []command {
	key := func(set *pflag.FlagSet, c *call) {
		set.BoolVar(&c.node.base64, "base64", false, "KEY and VALUE are in base64, for bytes that are no text")
	}
	contexts := func(set *pflag.FlagSet, c *call) {
		set.StringVar(&c.node.context, "context", "", "replace only what the read with this context has seen")
		set.StringVar(&c.node.contextFile, "context-file", "", "the same, with the file of get --save-context")
		set.StringVar(&c.node.ifMatch, "if-match", "", "only if the key still has this ETag")
	}
	return []command{
		{name: "get", args: "BUCKET KEY", short: "read a key", help: dataHelp, online: true, run: get,
			flags: func(c *call, set *pflag.FlagSet) {
				key(set, c)
				set.BoolVar(&c.node.latest, "latest", false, "of several siblings, the latest alone")
				set.StringVar(&c.node.saveContext, "save-context", "", "file to write the context to, for a put or del")
			}},
		{name: "put", args: "BUCKET KEY [VALUE]", short: "write a key", help: dataHelp, online: true, run: put,
			flags: func(c *call, set *pflag.FlagSet) {
				key(set, c)
				contexts(set, c)
				set.StringVar(&c.node.file, "file", "", "file with the value")
				set.DurationVar(&c.node.ttl, "ttl", 0, "how long the value is to live, like 90s or 1h")
				set.BoolVar(&c.node.ifAbsent, "if-absent", false, "only if the key has no value")
			}},
		{name: "del", args: "BUCKET KEY", short: "delete a key", help: dataHelp, online: true, run: del,
			flags: func(c *call, set *pflag.FlagSet) {
				key(set, c)
				contexts(set, c)
			}},
		{name: "incr", args: "BUCKET KEY [BY]", short: "add to a number", help: dataHelp, online: true, run: incr,
			flags: func(c *call, set *pflag.FlagSet) { key(set, c) }},
		{name: "scan", args: "BUCKET", short: "the keys of a bucket", help: dataHelp, online: true, run: scan,
			flags: func(c *call, set *pflag.FlagSet) {
				set.StringVar(&c.node.prefix, "prefix", "", "only keys that begin with it")
				set.BoolVar(&c.node.base64, "base64", false, "the prefix is in base64")
				set.BoolVar(&c.node.values, "values", false, "with the latest value of each")
				set.IntVar(&c.node.limit, "limit", 0, "stop after so many keys; 0 means all")
			}},
	}
}

// bytes is an argument as it is meant.
func (c *call) bytes(what, text string) ([]byte, error) {
	if !c.node.base64 {
		return []byte(text), nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, usage("the %s %q is no base64", what, text)
	}
	return b, nil
}

// entry is a key in JSON.
type entry struct {
	wire.Key
	Siblings []wireValue `json:"siblings"`
	Expires  time.Time   `json:"expires,omitzero"`
	Context  string      `json:"context,omitempty"`
	ETag     string      `json:"etag,omitempty"`
}

type wireValue struct{ wire.Value }

func entryOf(e *client.Entry) entry {
	x := entry{Key: wire.KeyOf(e.Key), Siblings: []wireValue{}, Expires: e.Expires, Context: e.Context, ETag: e.ETag}
	values := e.Siblings
	if len(values) == 0 && e.Found() {
		values = [][]byte{e.Value}
	}
	for _, v := range values {
		x.Siblings = append(x.Siblings, wireValue{wire.ValueOf(v)})
	}
	return x
}

func get(c *call) error {
	key, err := c.bytes("key", c.arg(1))
	if err != nil {
		return err
	}
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	e, err := node.Bucket(c.arg(0)).Get(ctx, key)
	several := errors.Is(err, client.ErrSiblings)
	if err != nil && !several && !(e != nil && errors.Is(err, client.ErrNotFound)) {
		return err
	}
	if name := c.node.saveContext; name != "" {
		if err := os.WriteFile(name, []byte(e.Context+"\n"), 0o600); err != nil {
			return err
		}
	}
	switch {
	case err != nil && !several:
		return err
	case c.json:
		return c.encode(entryOf(e))
	case several && !c.node.latest:
		fmt.Fprintf(c.errs, "kvctl: %s has %d siblings, the latest first\n", show(key), len(e.Siblings))
		for i, v := range e.Siblings {
			if _, err := fmt.Fprintf(c.out, "%d  %s\n", i+1, short(v, 1000)); err != nil {
				return err
			}
		}
		fmt.Fprintln(c.errs, "next: make one value of them, and put it with --context-file, which get --save-context has written; or see the latest alone by --latest")
		return errTold
	case isTerminal(c.out):
		_, err := fmt.Fprintln(c.out, show(e.Value))
		return err
	}
	return write(c.out, e.Value)
}

// conditions are what --context and --if-match say of a write.
func (c *call) conditions() (opts []client.WriteOption, err error) {
	token := c.node.context
	if name := c.node.contextFile; name != "" {
		if token != "" {
			return nil, usage("--context and --context-file are the same: give one of them")
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if token = strings.TrimSpace(string(b)); token == "" {
			return nil, fmt.Errorf("%s holds no context: get --save-context writes one", name)
		}
	}
	if token != "" {
		opts = append(opts, client.After(&client.Entry{Context: token}))
	}
	if tag := c.node.ifMatch; tag != "" {
		if tag != "*" && !strings.HasSuffix(tag, `"`) {
			tag = `"` + tag + `"` // its quotes are lost easily on a command line
		}
		opts = append(opts, client.IfUnchanged(&client.Entry{ETag: tag}))
	}
	if c.node.ifAbsent {
		opts = append(opts, client.Create())
	}
	return append(opts, client.Once()), nil
}

// value is what put is to write.
func (c *call) value() ([]byte, error) {
	given := len(c.given) == 3
	switch {
	case given && c.node.file != "":
		return nil, usage("there are both a value and --file")
	case given:
		return c.bytes("value", c.arg(2))
	case c.node.file != "":
		return os.ReadFile(c.node.file)
	case isTerminal(c.stdin):
		return nil, usage("there is no value: give one, or --file, or send it to stdin")
	}
	return io.ReadAll(c.stdin)
}

func put(c *call) error {
	key, err := c.bytes("key", c.arg(1))
	if err != nil {
		return err
	}
	opts, err := c.conditions()
	if err != nil {
		return err
	}
	if c.node.ttl != 0 || c.changed("ttl") {
		opts = append(opts, client.TTL(c.node.ttl))
	}
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	value, err := c.value()
	if err != nil {
		return err
	}
	e, err := node.Bucket(c.arg(0)).Put(ctx, key, value, opts...)
	if err != nil {
		return err
	}
	return c.written(e, "written")
}

func del(c *call) error {
	key, err := c.bytes("key", c.arg(1))
	if err != nil {
		return err
	}
	opts, err := c.conditions()
	if err != nil {
		return err
	}
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	e, err := node.Bucket(c.arg(0)).Delete(ctx, key, opts...)
	if err != nil {
		return err
	}
	return c.written(e, "deleted")
}

// written tells of a write. Siblings that it left are told: the next read meets them.
func (c *call) written(e *client.Entry, what string) error {
	if c.json {
		return c.encode(entry{Key: wire.KeyOf(e.Key), Siblings: []wireValue{}, Context: e.Context, ETag: e.ETag})
	}
	if e.Others > 0 {
		what += "; others have written at the same time, and the key has siblings"
	}
	_, err := fmt.Fprintln(c.out, what)
	return err
}

func incr(c *call) error {
	key, err := c.bytes("key", c.arg(1))
	if err != nil {
		return err
	}
	by := int64(1)
	if text := c.arg(2); text != "" {
		if by, err = strconv.ParseInt(text, 10, 64); err != nil {
			return usage("%q is no whole number", text)
		}
	}
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	sum, err := node.Bucket(c.arg(0)).Increment(ctx, key, by)
	if err != nil {
		return err
	}
	if c.json {
		return c.encode(map[string]int64{"number": sum})
	}
	_, err = fmt.Fprintln(c.out, sum)
	return err
}

// scan shows keys as they come: there may be many.
func scan(c *call) error {
	prefix, err := c.bytes("prefix", c.node.prefix)
	if err != nil {
		return err
	}
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	n := 0
	page := 0
	if c.node.limit > 0 {
		page = min(c.node.limit, 1000)
	}
	for it, err := range node.Bucket(c.arg(0)).Scan(ctx, client.ScanOptions{Prefix: prefix, Values: c.node.values, Page: page}) {
		if err != nil {
			return err
		}
		if err := c.item(it); err != nil {
			return err
		}
		if n++; n == c.node.limit {
			break
		}
	}
	return nil
}

// item shows a key of a scan.
func (c *call) item(it *client.Item) error {
	if c.json {
		l := wire.ScanLine{Key: wire.KeyOf(it.Key), Siblings: it.Siblings, Expires: it.Expires}
		if c.node.values {
			l.Value = wire.ValueOf(it.Value)
		}
		return c.encode(l)
	}
	line := show(it.Key)
	if c.node.values {
		line += "  " + short(it.Value, 200)
	}
	if it.Siblings > 1 {
		line += fmt.Sprintf("  (%d siblings)", it.Siblings)
	}
	if !it.Expires.IsZero() {
		line += "  (until " + ago(it.Expires) + ")"
	}
	_, err := fmt.Fprintln(c.out, line)
	return err
}
