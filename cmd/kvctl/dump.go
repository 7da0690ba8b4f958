package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ringwood-kv/ringwood/lsm/inspect"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

var dumpCommand = command{
	name: "dump", args: "wal|table|blob|manifest FILE_OR_DIR", short: "what is in a file, or in all of a store", run: dump,
	flags: func(c *call, set *pflag.FlagSet) {
		set.IntVar(&c.limit, "limit", 0, "stop after so many records; 0 means all")
	},
	help: `Usage: kvctl dump wal|table|blob|manifest [--json] [--limit N] FILE_OR_DIR

Shows what is in a file, or of a directory in all files of that kind, record by record
with offsets. Damage is shown in its place, and what follows it too. A record of kind BLOB
or BLOBTTL of a table has its value in a blob file: file, offset and length there, and the
length of the value.

Examples:
  kvctl dump wal data                      all logs of a store
  kvctl dump table --limit 20 data/000017.sst
  kvctl dump blob --json data/000018.blob | jq -r 'select(.op) | .op.key'
  kvctl dump manifest --json data | jq .added
`,
}

// errLimit ends a dump that has shown enough.
var errLimit = errors.New("limit")

// dumper shows records of one kind.
type dumper struct {
	*call
	w       *bufio.Writer
	n       int
	damaged bool
}

func dump(c *call) error {
	d := &dumper{call: c, w: bufio.NewWriter(c.out)}
	kind := c.given[0]
	file, owns := d.kind(kind)
	if file == nil {
		return usage("cannot dump %q: wal, table, blob or manifest", kind)
	}
	names := []string{c.given[1]}
	info, err := vfs.OS.Stat(c.given[1])
	if err != nil {
		return err
	}
	if info.IsDir {
		if names, err = vfs.OS.List(c.given[1]); err != nil {
			return err
		}
		names = slices.DeleteFunc(names, func(n string) bool { return !owns(n) })
		for i, n := range names {
			names[i] = filepath.Join(c.given[1], n)
		}
		if len(names) == 0 {
			return fmt.Errorf("%w in %s: no file for dump %s", inspect.ErrNoStore, c.given[1], kind)
		}
	}
	for _, name := range names {
		if !c.json && len(names) > 1 {
			fmt.Fprintf(d.w, "%s:\n", name)
		}
		if err = file(name); err != nil {
			break
		}
	}
	if ferr := d.w.Flush(); err == nil || errors.Is(err, errLimit) {
		err = ferr
	}
	if err == nil && d.damaged {
		err = errDamage
	}
	return err
}

// kind returns what dumps a file of a kind, and tells its files by their names.
func (d *dumper) kind(kind string) (dump func(string) error, owns func(string) bool) {
	o := d.opts
	switch kind {
	case "wal":
		return func(name string) error {
			return inspect.DumpLog(vfs.OS, name, o, func(r *inspect.LogRecord) error {
				d.damaged = d.damaged || r.Problem != ""
				return d.show(r)
			})
		}, func(n string) bool { return strings.HasSuffix(n, ".log") }
	case "table", "blob":
		suffix := map[string]string{"table": ".sst", "blob": ".blob"}[kind]
		return func(name string) error {
			return inspect.DumpTable(vfs.OS, name, o, func(r *inspect.TableRecord) error {
				d.damaged = d.damaged || r.Damage != nil
				return d.show(r)
			})
		}, func(n string) bool { return strings.HasSuffix(n, suffix) }
	case "manifest":
		return func(name string) error {
			return inspect.DumpManifest(vfs.OS, name, o, func(r *inspect.ManifestRecord) error {
				d.damaged = d.damaged || r.Problem != ""
				return d.show(r)
			})
		}, func(n string) bool { return strings.HasPrefix(n, "MANIFEST-") }
	}
	return nil, nil
}

func (d *dumper) show(r fmt.Stringer) error {
	if d.limit > 0 && d.n >= d.limit {
		return errLimit
	}
	d.n++
	if d.json {
		e := json.NewEncoder(d.w)
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	_, err := fmt.Fprintln(d.w, r)
	return err
}
