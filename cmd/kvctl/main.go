// Command kvctl administers stores. It works on the files of a store, which need not
// be whole, and never writes to them; see kvctl --help.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/inspect"
)

// Exit statuses, fixed for scripts.
const (
	exitOK     = 0
	exitFailed = 1 // also: damage was found, or something could not be read
	exitUsage  = 2
)

const help = `kvctl looks after stores of lsm by their files. DIR is the directory that a program
gave to lsm.Open.

Usage:
  kvctl check DIR                                every checksum and invariant of a store
  kvctl dump wal|table|blob|manifest FILE_OR_DIR what is in a file, or in all of a store
  kvctl stats DIR                                levels, blob files, filters, amplifications
  kvctl salvage SRC DST                          a new store of what can be read of a damaged one

None of them writes to the store that it looks at. check, dump and stats may look at
a store that a process has open. kvctl COMMAND --help tells more.

Flags of all commands:
  --json    for machines: one JSON value on stdout (dump: one for each line)
  --quiet   no progress on stderr; there is none anyway if it is no terminal

Examples:
  kvctl check data
  kvctl check --json data | jq '.findings[] | select(.severity == "damage")'
  kvctl dump wal data/000012.log | less
  kvctl salvage data saved         lists what was lost; then: mv data data.old && mv saved data

Exit status: 0 done, 1 failed, damage found or something unread, 2 wrong usage.
`

// command is one of the commands.
type command struct {
	name string
	args int
	help string
	run  func(c *call) error
}

// call is one run of a command.
type call struct {
	args  []string
	json  bool
	out   io.Writer
	limit int
	opts  *inspect.Options
}

var commands = []command{checkCommand, dumpCommand, statsCommand, salvageCommand}

// errDamage ends a command that has said already what is wrong.
var errDamage = errors.New("damage was found")

// usageError is wrong usage.
type usageError struct{ error }

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, help)
		return exitUsage
	}
	if args[0] == "--help" || args[0] == "-h" || args[0] == "help" {
		fmt.Fprint(stdout, help)
		return exitOK
	}
	for i := range commands {
		if commands[i].name == args[0] {
			return exit(commands[i].start(args[1:], stdout, stderr), stderr)
		}
	}
	return exit(usageError{fmt.Errorf("there is no command %q; kvctl --help lists them", args[0])}, stderr)
}

// start parses the flags of a command and runs it.
func (c *command) start(args []string, stdout, stderr io.Writer) error {
	set := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	x := &call{out: stdout}
	set.BoolVar(&x.json, "json", false, "output for machines")
	quiet := set.Bool("quiet", false, "no progress on stderr")
	asked := set.BoolP("help", "h", false, "this text")
	if c.name == "dump" {
		set.IntVar(&x.limit, "limit", 0, "stop after so many records; 0 means all")
	}
	if err := set.Parse(args); err != nil {
		return usageError{fmt.Errorf("%w; kvctl %s --help tells which flags there are", err, c.name)}
	}
	if *asked {
		_, err := fmt.Fprintf(stdout, "%s\nFlags:\n%s", c.help, set.FlagUsages())
		return err
	}
	x.args = set.Args()
	if len(x.args) != c.args {
		return usageError{fmt.Errorf("%s needs %d of what its usage line names, and got %d; kvctl %s --help shows examples", c.name, c.args, len(x.args), c.name)}
	}
	bar := newProgress(stderr, *quiet)
	x.opts = &inspect.Options{Progress: bar.show}
	err := c.run(x)
	bar.clear()
	return err
}

// exit reports err and returns the status.
func exit(err error, stderr io.Writer) int {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errDamage):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "kvctl: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "kvctl: %v\n", err)
	if next := advice(err); next != "" {
		fmt.Fprintf(stderr, "next: %s\n", next)
	}
	return exitFailed
}

// advice says what to do about an error.
func advice(err error) string {
	switch {
	case errors.Is(err, lsm.ErrCorruption):
		return "kvctl check DIR lists all damage of a store and what to do; kvctl salvage DIR NEWDIR saves what can be read"
	case errors.Is(err, inspect.ErrNoStore), errors.Is(err, fs.ErrNotExist):
		return "check the path; a store is a directory with a file named CURRENT in it"
	case errors.Is(err, fs.ErrPermission):
		return "run kvctl as the user who owns the files"
	case errors.Is(err, inspect.ErrBusy):
		return "try again when less is written, or look at a checkpoint"
	case errors.Is(err, lsm.ErrNoSpace):
		return "make room, or name a directory on another disk"
	case errors.Is(err, syscall.EIO):
		return "the data may be whole: see what the log of the operating system says of the disk, and try again"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return "check the path; check, stats and salvage take the directory of a store"
	}
	return ""
}

// print shows v as JSON or as text.
func (c *call) print(v fmt.Stringer) error {
	if c.json {
		e := json.NewEncoder(c.out)
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	_, err := fmt.Fprint(c.out, v)
	return err
}
