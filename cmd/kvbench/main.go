// Kvbench measures key-value engines, and servers over RESP or through the Go client of
// kvnode: it loads records, runs workloads (YCSB A to F, those of db_bench), replays traces of real requests, verifying
// what it reads, and compares engines, or servers, side by side.
//
//	kvbench run --workload a,b,c
//	kvbench run --workload fillrandom,readrandom --records 5M --threads 2
//	kvbench run --workload overwrite --rate 70% --duration 1m
//	kvbench replay trace.csv
//	kvbench compare --engines lsm,goleveldb --workloads fillrandom,readrandom --html page.html
//	kvbench compare --target kvnode=resp://localhost:6380 --target redis=resp://localhost:6379 --workloads a,c
//
// `kvbench help` and `kvbench run --help` say the rest. The exit status is 0 when all
// went well, 1 when something failed (a store that answers wrongly included) and 2
// when the command line is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/ringwood-kv/ringwood/bench/compare"
	"github.com/ringwood-kv/ringwood/bench/control"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/spf13/pflag"
)

// Exit statuses, fixed for scripts.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	control.RunIfChild()
	compare.RunIfChild(engine.Find)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	os.Exit(run(ctx, os.Args[1:], console{os.Stdout, os.Stderr, isTerminal(os.Stderr)}))
}

// console is where a command talks to.
type console struct {
	out, err io.Writer
	terminal bool // err is one
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// usageError is a wrong command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// command is one of kvbench's.
type command struct {
	name, args, short string
	run               func(ctx context.Context, args []string, c console) error
}

func commands() []command {
	return []command{
		{"load", "[flags]", "write the records of a workload into a store", load},
		{"run", "--workload NAME[,NAME…] [flags]", "run workloads, loading what they need", runWorkloads},
		{"replay", "TRACE [flags]", "replay a trace of requests and verify every read", replay},
		{"compare", "--workloads NAME[,NAME…] [flags]", "measure engines side by side, in rounds", compareEngines},
		{"table", "quick|full|cached|growth [flags]", "measure a fixed set of rows, in groups, as one table", measureTable},
		{"report", "FILE.json… [flags]", "tables and a page from what compare measured", reportFiles},
		{"history", "[DIR|FILE.json…] [flags]", "ratios to the best peers over the commits", drawHistory},
		{"limits", "[flags]", "measure what the machine itself can do", measureLimits},
		{"list", "", "list engines and workloads", list},
	}
}

// run is the whole program.
func run(ctx context.Context, args []string, c console) int {
	if len(args) == 0 {
		fmt.Fprint(c.err, overview())
		return exitUsage
	}
	name, rest := args[0], args[1:]
	if slices.Contains([]string{"help", "-h", "--help"}, name) {
		if name != "help" || len(rest) == 0 {
			fmt.Fprint(c.out, overview())
			return exitDone
		}
		name, rest = rest[0], []string{"--help"}
	}
	for _, cmd := range commands() {
		if cmd.name == name {
			return status(name, cmd.run(ctx, rest, c), c)
		}
	}
	var names []string
	for _, cmd := range commands() {
		names = append(names, cmd.name)
	}
	fmt.Fprintf(c.err, "kvbench: unknown command %q: it is one of %s. `kvbench help` says more.\n", name, strings.Join(names, ", "))
	return exitUsage
}

// status prints an error and returns the exit status.
func status(name string, err error, c console) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(c.err, "kvbench %s: %v\n`kvbench %s --help` shows the flags, with examples.\n", name, redactedError(err), name)
		return exitUsage
	}
	fmt.Fprintf(c.err, "kvbench %s: %v\n", name, redactedError(err))
	return exitFailed
}
