package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ringwood-kv/ringwood/bench/compare"
	"github.com/ringwood-kv/ringwood/bench/compare/page"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/engine/remote"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// compareFlags are those that only `kvbench compare` has.
type compareFlags struct {
	engines, workloads, roofs []string
	subject                   string
	threads                   []int
	rounds                    int
	limits                    bool
}

func (f *compareFlags) add(o *options) {
	o.StringSliceVar(&f.engines, "engines", peers(), "what to compare, by `NAMES`; kvbench list shows them")
	o.StringVar(&f.subject, "subject", "", "the engine, by `NAME`, that is compared with the others (default: the first)")
	o.StringSliceVar(&f.roofs, "roof", nil, "`NAMES` of engines that are shown and never count as the best peer")
	o.StringSliceVarP(&f.workloads, "workloads", "w", nil, "what to run, by `NAMES`, in this order, or all; kvbench list shows them")
	o.IntVar(&f.rounds, "rounds", 5, "how often each engine is measured; below 5 there is no verdict")
	o.IntSliceVar(&f.threads, "threads", []int{1}, "operations under way at the same time; several numbers give a row each")
	o.BoolVar(&f.limits, "limits", true, "measure the limits of the machine first")
	o.StringVar(&o.dir, "dir", "", "where to put the stores: a new or empty directory, emptied afterwards (default: a temporary one)")
}

// peers are the engines that are compared by default: counting makes rocksdb-stats slower
// than rocksdb.
func peers() (names []string) {
	for _, k := range engine.Kinds() {
		if !k.Forgetful && !k.Variant {
			names = append(names, k.Name)
		}
	}
	return names
}

// config makes a configuration of the flags.
func (f *compareFlags) config(o *options) (c compare.Config, passwords remote.Passwords, err error) {
	if o.NArg() > 0 {
		return c, nil, usagef("unexpected argument %q: workloads are named by --workloads, engines by --engines", o.Arg(0))
	}
	targets, passwords, err := o.targets()
	if err != nil {
		return c, nil, err
	}
	all := workloadNames()
	if len(targets) > 0 {
		all = forServers()
	} else if o.fresh {
		return c, nil, usagef("--fresh deletes the keys of a --target: without one, stores are always fresh")
	}
	switch {
	case len(f.workloads) == 0:
		return c, nil, usagef("--workloads is missing: it is all, or one or more of %s", strings.Join(all, ", "))
	case len(f.workloads) == 1 && f.workloads[0] == "all":
		f.workloads = all
	}
	p, err := o.sizes()
	if err != nil {
		return c, nil, err
	}
	c = compare.Config{
		Engines: f.engines, Subject: f.subject, Roofs: f.roofs, Workloads: f.workloads, Threads: f.threads, Rounds: f.rounds,
		Memory: int64(o.memory), Durability: o.durability.String(), Params: p,
		Rate: o.rate.perSecond, Share: o.rate.share, Duration: o.duration, Warmup: o.warmup, PauseAt: o.pause, Control: o.control,
		Limits: f.limits,
	}
	if len(targets) > 0 {
		c.Engines, c.Targets, c.Pipeline, c.Timeout = nil, targets, o.servers.pipeline, o.servers.timeout
		c.Memory, c.Durability, c.Control, c.Limits = 0, "", false, false
	}
	if err := compare.Check(&c, compare.Options{}); err != nil {
		return c, nil, usageError{err}
	}
	return c, passwords, nil
}

func workloadNames() (names []string) {
	for _, w := range workload.List() {
		names = append(names, w.Name)
	}
	return names
}

// comparisonFlags say where a comparison goes.
func (o *options) comparisonFlags() {
	o.StringVar(&o.output.html, "html", "", "write one page with tables and plots to this `FILE`, or -")
	o.StringVar(&o.output.json, "json", "", "write everything, each round included, to this `FILE`, or to standard output for -; `kvbench report` reads it. Compressed if it ends in .gz")
	o.StringVar(&o.output.csv, "csv", "", "write a line for each round, row, engine and kind of operation to this `FILE`, or -")
	o.StringVar(&o.output.series, "series", "", "write a CSV line for each tenth of a second to this `FILE`, or -")
	o.StringVar(&o.output.benchfmt, "benchfmt", "", "write benchmark lines to this `FILE`, or -, for benchstat -col /engine")
	o.StringVar(&o.output.markdown, "markdown", "", "write the table of the best peers to this `FILE`, or -, in Markdown")
}

// measuringFlags are those of commands that measure a comparison.
func (o *options) measuringFlags() {
	o.BoolVar(&o.output.resume, "resume", false, "go on with what the --json file has; it is written after each round")
	o.BoolVar(&o.output.progress, "progress", false, "show the progress (default: on a terminal)")
}

// comparisonFiles opens the files; *a is written at the end. A JSON file is left as it is
// until there is something to write: see saveJSON.
func comparisonFiles(o *options, c console, a **compare.Analysis) (*files, error) {
	json := target{"json", "", func(w io.Writer) error { return compare.WriteJSON(w, *a) }}
	if path := o.output.json; path == "-" {
		json.path = path
	} else if path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
		if err != nil {
			return nil, usagef("output file: %w", err)
		}
		f.Close()
	}
	return openFiles(c,
		target{"html", o.output.html, func(w io.Writer) error { return page.Write(w, *a) }},
		json,
		target{"csv", o.output.csv, func(w io.Writer) error { return report.WriteCSV(w, (*a).Results) }},
		target{"series", o.output.series, func(w io.Writer) error { return report.WriteSeries(w, (*a).Results) }},
		target{"benchfmt", o.output.benchfmt, func(w io.Writer) error {
			return report.WriteBenchmarks(w, (*a).Environment, (*a).Results)
		}},
		target{"markdown", o.output.markdown, func(w io.Writer) error { return compare.WriteMarkdown(w, *a) }})
}

// saveJSON replaces the JSON file, if one was asked for, at once: whoever ends the program
// leaves the one before. A name that ends in .gz is compressed.
func saveJSON(o *options, a *compare.Analysis) (err error) {
	path := o.output.json
	if path == "" || path == "-" {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if strings.HasSuffix(path, ".gz") {
		z := gzip.NewWriter(f)
		err = errors.Join(compare.WriteJSON(z, a), z.Close())
	} else {
		err = compare.WriteJSON(f, a)
	}
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// compareEngines is `kvbench compare`.
func compareEngines(ctx context.Context, args []string, c console) error {
	o, f := newOptions("compare", "--workloads NAME[,NAME…] [flags]", compareHelp, c), new(compareFlags)
	f.add(o)
	o.BoolVar(&o.fresh, "fresh", false, "delete all keys in the databases of --target first; without it they must be empty. Afterwards they are emptied")
	o.engineFlags()
	o.serverFlags()
	o.recordFlags()
	o.workloadFlags()
	o.loopFlags()
	o.comparisonFlags()
	o.measuringFlags()
	if err := o.parse(args); err != nil {
		return err
	}
	cfg, passwords, err := f.config(o)
	if err != nil {
		return err
	}
	return measureAll(ctx, o, "compare", args, c, cfg, passwords)
}

// measureAll measures what cfg says, and writes the results.
func measureAll(ctx context.Context, o *options, name string, args []string, c console, cfg compare.Config, passwords remote.Passwords) error {
	live := report.NewLive(c.err, c.terminal)
	options := compare.Options{Dir: o.dir, Fresh: o.fresh, Passwords: passwords, Failed: func(f compare.Failure) {
		live.Clear()
		fmt.Fprintf(c.err, "FAILED: %s\n", f)
	}}
	if o.showProgress(c) {
		options.Progress = func(s compare.Status) { live.Line(s.String()) }
	}
	if o.output.resume {
		var err error
		if options.Resume, err = earlier(o.output.json); err != nil {
			return err
		}
	}
	var a *compare.Analysis
	out, err := comparisonFiles(o, c, &a)
	if err != nil {
		return err
	}
	analyse := func(d *compare.Document) *compare.Analysis {
		d.Command = redacted(name, args)
		return compare.Analyse(d)
	}
	var saved error
	options.Saved = func(d *compare.Document) { saved = saveJSON(o, analyse(d)) }
	d, err := compare.Run(ctx, cfg, options)
	live.Clear()
	if d == nil {
		return err
	}
	a = analyse(d)
	err = errors.Join(err, saved, compare.WriteTable(out.human, a), saveJSON(o, a), out.write())
	switch n := len(d.Comparison.Failures); {
	case d.Comparison.Interrupted:
		err = errors.Join(err, errors.New("interrupted"))
	case n > 0:
		err = errors.Join(err, fmt.Errorf("%d of the measurements failed", n))
	}
	return err
}

// earlier reads what was measured before, nil if the file is not there, or empty.
func earlier(path string) (*compare.Document, error) {
	if path == "" || path == "-" {
		return nil, usagef("--resume goes on with what --json has: name a file there")
	}
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil, nil
	}
	d, err := readOne(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// reportFiles is `kvbench report`.
func reportFiles(_ context.Context, args []string, c console) error {
	o := newOptions("report", "FILE.json… [flags]", reportHelp, c)
	o.comparisonFlags()
	if err := o.parse(args); err != nil {
		return err
	}
	if o.NArg() == 0 {
		return usagef("name one or more files that `kvbench compare --json` wrote")
	}
	d, err := readAll(o.Args())
	if err != nil {
		return err
	}
	a := compare.Analyse(d)
	out, err := comparisonFiles(o, c, &a)
	if err != nil {
		return err
	}
	return errors.Join(compare.WriteTable(out.human, a), saveJSON(o, a), out.write())
}

// readAll reads comparisons and merges their rounds.
func readAll(paths []string) (all *compare.Document, err error) {
	for _, path := range paths {
		d, err := readOne(path)
		if err == nil && all != nil {
			err = all.Merge(d)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if all == nil {
			all = d
		}
	}
	return all, nil
}

func readOne(path string) (*compare.Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return compare.Read(f)
}
