package main

import (
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/lsm/inspect"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

var checkCommand = command{
	name: "check", args: "DIR", short: "every checksum and invariant of a store", run: check,
	help: `Usage: kvctl check [--json] DIR

Reads every file of the store in DIR and reports all that is wrong, with file and
offset, and what to do next: CURRENT, manifest, logs, every block of every table,
the order of keys, filters, bounds, levels, every value in blob files and that each
reference of a table leads to the value of its key, files that are missing or left over.
Exit status 1 if anything is damaged, or unread: what the file system fails to read may
be whole. Notes, such as the torn end that a crash leaves in a log, are no damage. A
process may have the store open: damage counts only if a second look finds it too.

Examples:
  kvctl check data
  kvctl check --json data | jq .findings
`,
}

func check(c *call) error {
	r, err := inspect.Check(vfs.OS, c.given[0], c.opts)
	if err != nil {
		return err
	}
	if err := c.print(r); err != nil {
		return err
	}
	if !r.OK() {
		return errDamage
	}
	return nil
}

var statsCommand = command{
	name: "stats", args: "DIR", short: "levels, blob files, filters, amplifications", run: stats,
	help: `Usage: kvctl stats [--json] DIR

Shows the levels of the store in DIR: tables, bytes, entries, tombstones, what
compression saved, filters with their measured rate of false positives, blob files with
the share of garbage in them, and how much space and reading is amplified. Age is 0 for
the newest data, 1 for the oldest. Only indexes and filters are read, no data.

Examples:
  kvctl stats data
  kvctl stats --json data | jq .space_amplification,.blobs.garbage
`,
}

func stats(c *call) error {
	s, err := inspect.Stats(vfs.OS, c.given[0], c.opts)
	if err != nil {
		return err
	}
	if err := c.print(s); err != nil {
		return err
	}
	if len(s.Findings) > 0 {
		return errDamage
	}
	return nil
}

var salvageCommand = command{
	name: "salvage", args: "SRC DST", short: "a new store of what can be read of a damaged one", run: salvage,
	help: `Usage: kvctl salvage [--json] SRC DST

Writes a new store, in the new or empty directory DST, with everything that can be
read of the one in SRC, which no process may have open and which is not changed. The
newest version of a key wins; deletes and expiry are respected. Values in blob files are
saved as far as tables refer to them, also from files without footer or under the name of
another one; large ones get new blob files. What was lost is listed
with file, offset and keys: such a key may be missing or have an older value.
Exit status 1 if anything was lost; DST is a good store all the same. If the work itself
fails, for lack of room say, DST is left empty. A kvnode that is started on DST goes on
as a new incarnation, since it may have forgotten what it wrote; so a backup that was not
made by kvctl checkpoint goes through salvage too.

Examples:
  kvctl salvage broken saved
  kvctl check saved
`,
}

func salvage(c *call) error {
	r, err := inspect.Salvage(vfs.OS, c.given[0], c.given[1], c.opts)
	if err != nil {
		return err
	}
	if _, err := replica.MarkCopied(c.given[1], vfs.OS); err != nil {
		return err
	}
	if err := c.print(r); err != nil {
		return err
	}
	if len(r.Lost) > 0 {
		return errDamage
	}
	return nil
}
