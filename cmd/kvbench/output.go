package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"

	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/session"
)

// outputs are the flags that say where results go.
type outputs struct {
	json, csv, series, benchfmt, hgrm string
	progress, counts                  bool
	cpuprofile, memprofile            string
}

func (o *options) outputFlags() {
	o.StringVar(&o.output.json, "json", "", "write everything to this `FILE`, or to standard output for -")
	o.StringVar(&o.output.csv, "csv", "", "write a line for each workload and kind of operation to this `FILE`, or -")
	o.StringVar(&o.output.series, "series", "", "write a CSV line for each second to this `FILE`, or -")
	o.StringVar(&o.output.benchfmt, "benchfmt", "", "write benchmark lines for benchstat to this `FILE`, or -")
	o.StringVar(&o.output.hgrm, "hgrm", "", "write a histogram for each kind of operation into this `DIR`")
	o.BoolVar(&o.output.counts, "counts", false, "print the engine's own table after each workload")
	o.BoolVar(&o.output.progress, "progress", false, "show the progress (default: on a terminal)")
	o.StringVar(&o.output.cpuprofile, "cpuprofile", "", "write a processor profile of the whole run to this `FILE`")
	o.StringVar(&o.output.memprofile, "memprofile", "", "write an allocation profile to this `FILE`")
}

// writer gathers results and writes them in the forms that were asked for.
type writer struct {
	options *options
	c       console
	doc     report.Document
	table   *report.Table
	human   io.Writer
	live    *report.Live

	files []form
	close []func() error
}

// form is a file to be written at the end.
type form struct {
	w     io.WriteCloser
	write func(w io.Writer, d report.Document) error
}

// newWriter opens the files, so that what can't be written is known before hours are
// spent on it, and connects the progress to cfg.
func newWriter(o *options, name string, args []string, c console, cfg *session.Config) (*writer, error) {
	w := &writer{options: o, c: c, human: c.out}
	w.doc.Command = append([]string{"kvbench", name}, args...)
	stdout := 0
	for _, f := range []struct {
		path  string
		write func(w io.Writer, d report.Document) error
	}{
		{o.output.json, report.WriteJSON},
		{o.output.csv, func(w io.Writer, d report.Document) error { return report.WriteCSV(w, d.Results) }},
		{o.output.series, func(w io.Writer, d report.Document) error { return report.WriteSeries(w, d.Results) }},
		{o.output.benchfmt, func(w io.Writer, d report.Document) error {
			return report.WriteBenchmarks(w, d.Environment, d.Results)
		}},
	} {
		switch f.path {
		case "":
		case "-":
			stdout++
			w.human = c.err // standard output is for the program that reads it
			w.files = append(w.files, form{unclosed{c.out}, f.write})
		default:
			file, err := os.Create(f.path)
			if err != nil {
				return nil, usagef("output file: %w", err)
			}
			w.files = append(w.files, form{file, f.write})
		}
	}
	if stdout > 1 {
		return nil, usagef("only one of --json, --csv, --series and --benchfmt can go to standard output")
	}
	if err := w.profile(); err != nil {
		return nil, err
	}
	w.live = report.NewLive(c.err, c.terminal)
	if show := o.output.progress; show || c.terminal && !o.Changed("progress") {
		cfg.Progress, cfg.Done = w.live.Show, w.live.Clear
	}
	return w, nil
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// profile starts the profiles that were asked for.
func (w *writer) profile() error {
	if path := w.options.output.cpuprofile; path != "" {
		f, err := os.Create(path)
		if err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		w.close = append(w.close, func() error {
			pprof.StopCPUProfile()
			return f.Close()
		})
	}
	if path := w.options.output.memprofile; path != "" {
		runtime.MemProfileRate = 64 << 10
		f, err := os.Create(path)
		if err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		w.close = append(w.close, func() error {
			err := pprof.Lookup("allocs").WriteTo(f, 0)
			if e := f.Close(); err == nil {
				err = e
			}
			return err
		})
	}
	return nil
}

// begin prints what is measured on.
func (w *writer) begin(s *session.Session) {
	w.doc.Environment = report.Look(s.Dir())
	w.table = report.NewTable(w.human)
	o := w.options
	threads := "1 thread"
	if o.threads > 1 {
		threads = fmt.Sprintf("%d threads", o.threads)
	}
	fmt.Fprintf(w.human, "engine %s · durability %s · memory %s · %s · seed %d\n", o.engine, o.durability.Durability, o.memory.String(), threads, o.seed)
	w.table.Environment(w.doc.Environment)
}

// add takes results as they come.
func (w *writer) add(results ...report.Result) error {
	w.live.Clear()
	for _, r := range results {
		w.doc.Results = append(w.doc.Results, r)
		w.table.Add(r)
		if w.options.output.counts && r.Counts.Text != "" {
			fmt.Fprintf(w.human, "\n%s\n", r.Counts.Text)
		}
		if dir := w.options.output.hgrm; dir != "" {
			if _, err := report.WriteHistograms(dir, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish prints the rest and writes the files. It is called after an error too, so
// that what was measured before is not lost.
func (w *writer) finish() (first error) {
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	w.live.Clear()
	if w.table != nil {
		w.table.Finish()
	}
	for _, f := range w.files {
		keep(f.write(f.w, w.doc))
		keep(f.w.Close())
	}
	for _, close := range w.close {
		keep(close())
	}
	return first
}
