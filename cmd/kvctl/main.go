// Command kvctl administers stores: the files of a store, which need not be whole and are
// never written to, and nodes that run, over HTTP. See kvctl --help.
//
// A command is a value of type command in one of the files: commands.go and dump.go for
// files, data.go, buckets.go, users.go and node.go for nodes. Its flags are made by one
// function, of which the help and the completion of shells come too.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ringwood-kv/ringwood/cmd/internal/version"
	"github.com/ringwood-kv/ringwood/lsm/inspect"
)

// Exit statuses, fixed for scripts.
const (
	exitOK     = 0
	exitFailed = 1 // also: damage was found, something could not be read, a node is not ready
	exitUsage  = 2
)

const help = `kvctl looks after stores: nodes that run, over HTTP, and the files of a store.

Usage: kvctl COMMAND …

For a node (kvnode) that runs:
  kvctl status                                   what it is, how it is, and how much is in it
  kvctl health                                   does it take requests, and if not, why
  kvctl get|put|del|incr BUCKET KEY …            read and write, with siblings and contexts
  kvctl scan BUCKET                              the keys of a bucket
  kvctl buckets list|show|create|alter|empty|drop
  kvctl users list|show|add|alter|password|drop
  kvctl roles list|set|drop
  kvctl tokens add|drop
  kvctl whoami                                   as whom kvctl is logged in
  kvctl top                                      hot keys and slow requests
  kvctl config                                   its settings, and where they come from
  kvctl flush|compact|checkpoint                 maintenance

For files (DIR is the directory that a program gave to lsm.Open, or --data-dir):
  kvctl check DIR                                every checksum and invariant of a store
  kvctl dump wal|table|blob|manifest FILE_OR_DIR what is in a file, or in all of a store
  kvctl stats DIR                                levels, blob files, filters, amplifications
  kvctl salvage SRC DST                          a new store of what can be read of a damaged one

None of these writes to the store that it looks at. check, dump and stats may look at
a store that a process has open. kvctl COMMAND --help tells more.

Flags of all commands, after the command:
  --json    for machines: one JSON value on stdout (dump and scan: one for each line)
  --quiet   no progress on stderr; there is none anyway if it is no terminal

Flags of all commands for a node, each with its variable:
  --addr            KVCTL_ADDR           HOST:PORT or URL; default http://127.0.0.1:8379
  --user            KVCTL_USER           with KVCTL_PASSWORD_FILE or KVCTL_PASSWORD
  --password-file   KVCTL_PASSWORD_FILE  file with the password
  --token-file      KVCTL_TOKEN_FILE     file with a token, in place of a password; or KVCTL_TOKEN
  --ca-file         KVCTL_CA_FILE        certificates to trust, in PEM; kvctl COMMAND --help has more

Examples:
  kvctl status --addr db1.example.com:8379 --user admin --password-file admin.password
  kvctl put available greeting hello && kvctl get available greeting
  kvctl check --json data | jq '.findings[] | select(.severity == "damage")'
  kvctl salvage data saved         lists what was lost; then: mv data data.old && mv saved data
  source <(kvctl completion bash)  kvctl completion --help has zsh and fish

Exit status: 0 done, 1 failed, damage found or something unread, 2 wrong usage.
`

// command is one of the commands.
type command struct {
	name   string // one word, or a group and a word
	args   string // what follows: words, in brackets what may be left out, a|b what is possible
	short  string // for the completion of shells
	help   string
	online bool // it asks a node
	flags  func(c *call, set *pflag.FlagSet)
	run    func(c *call) error
}

// call is one run of a command.
type call struct {
	*command
	given   []string
	json    bool
	stdin   io.Reader
	out     io.Writer
	errs    io.Writer
	changed func(flag string) bool // the flag was given

	// Of files.
	limit int
	opts  *inspect.Options

	// Of a node.
	login  login
	node   nodeFlags
	cancel func() // of the context; nil if there is none
}

// commands returns all commands. It is a function because completion asks for them too.
func commands() []command {
	return slices.Concat(
		[]command{checkCommand, dumpCommand, statsCommand, salvageCommand},
		nodeCommands(), dataCommands(), bucketCommands(), userCommands(),
		[]command{completionCommand(), versionCommand},
	)
}

var versionCommand = command{
	name: "version", short: "which kvctl this is",
	help: "Usage: kvctl version\n\nPrints the version of kvctl. kvctl status has that of a node.\n\nExamples:\n  kvctl version\n",
	run: func(c *call) error {
		_, err := fmt.Fprintln(c.out, version.Line("kvctl"))
		return err
	},
}

// errDamage ends a command that has said already what is wrong.
var errDamage = errors.New("damage was found")

// usageError is wrong usage.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, help)
		return exitUsage
	}
	switch args[0] {
	case "--help", "-h", "help":
		fmt.Fprint(stdout, help)
		return exitOK
	case "--version":
		args = []string{"version"}
	case completeName: // the scripts of shells ask
		complete(args[1:], stdout)
		return exitOK
	}
	cmd, rest, err := find(args)
	if err == nil {
		err = cmd.start(rest, stdin, stdout, stderr)
	}
	return exit(err, stderr)
}

// find returns the command of a command line and what follows it.
func find(args []string) (*command, []string, error) {
	all := commands()
	var inGroup []string
	for i := range all {
		group, word, two := strings.Cut(all[i].name, " ")
		switch {
		case group != args[0]:
		case !two:
			return &all[i], args[1:], nil
		case len(args) > 1 && args[1] == word:
			return &all[i], args[2:], nil
		case len(args) > 1 && (args[1] == "--help" || args[1] == "-h"):
			return &all[i], args[1:2], nil // the help is that of the group
		default:
			inGroup = append(inGroup, word)
		}
	}
	switch {
	case inGroup != nil:
		return nil, nil, usage("%s is followed by one of %s; kvctl %s --help tells more", args[0], strings.Join(inGroup, ", "), args[0])
	case strings.HasPrefix(args[0], "-"):
		return nil, nil, usage("flags come after the command, as in kvctl status %s; kvctl --help lists the commands", args[0])
	}
	return nil, nil, usage("there is no command %q; kvctl --help lists them", args[0])
}

// flagSet makes the flags of a command, which write into x.
func (c *command) flagSet(x *call) *pflag.FlagSet {
	set := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.BoolVar(&x.json, "json", false, "output for machines")
	set.Bool("quiet", false, "no progress on stderr")
	set.BoolP("help", "h", false, "this text")
	if c.flags != nil {
		c.flags(x, set)
	}
	if c.online {
		x.login.flags(set)
	}
	return set
}

// count returns how many arguments a command takes at least and at most.
func (c *command) count() (least, most int) {
	for word := range strings.FieldsSeq(c.args) {
		most++
		if word[0] != '[' {
			least++
		}
	}
	return least, most
}

// start parses the flags of a command and runs it.
func (c *command) start(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	x := &call{command: c, stdin: stdin, out: stdout, errs: stderr}
	set := c.flagSet(x)
	if err := set.Parse(args); err != nil {
		return usage("%w; kvctl %s --help tells which flags there are", err, c.name)
	}
	if asked, _ := set.GetBool("help"); asked {
		_, err := fmt.Fprintf(stdout, "%s\nFlags:\n%s", c.help, set.FlagUsages())
		return err
	}
	x.given, x.changed = set.Args(), set.Changed
	if least, most := c.count(); len(x.given) < least || len(x.given) > most {
		return usage("after %s come %s, and there are %d; kvctl %s --help shows examples", c.name, orNothing(c.args), len(x.given), c.name)
	}
	quiet, _ := set.GetBool("quiet")
	bar := newProgress(stderr, quiet)
	x.opts = &inspect.Options{Progress: bar.show}
	err := c.run(x)
	bar.clear()
	x.end()
	return err
}

func orNothing(args string) string {
	if args == "" {
		return "flags only"
	}
	return args
}

// arg returns an argument, "" if it was left out.
func (c *call) arg(i int) string {
	if i < len(c.given) {
		return c.given[i]
	}
	return ""
}

// print shows v as JSON or as text.
func (c *call) print(v fmt.Stringer) error {
	if c.json {
		return c.encode(v)
	}
	_, err := fmt.Fprint(c.out, v)
	return err
}

// encode writes v as a line of JSON.
func (c *call) encode(v any) error {
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// done says that something was done, which has no other result.
func (c *call) done(format string, args ...any) error {
	if c.json {
		return c.encode(map[string]bool{"done": true})
	}
	_, err := fmt.Fprintf(c.out, format+"\n", args...)
	return err
}
