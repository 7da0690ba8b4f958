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
	json, csv, series, benchfmt, hgrm, html, markdown string
	progress, counts, resume                          bool
	cpuprofile, memprofile                            string
}

func (o *options) outputFlags() {
	o.StringVar(&o.output.json, "json", "", "write everything to this `FILE`, or to standard output for -")
	o.StringVar(&o.output.csv, "csv", "", "write a line for each workload and kind of operation to this `FILE`, or -")
	o.StringVar(&o.output.series, "series", "", "write a CSV line for each second, or quarter of one in an open loop, to this `FILE`, or -")
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
	live    *report.Live
	files   *files
	close   []func() error
}

// newWriter opens the files, so that what can't be written is known before hours are
// spent on it.
func newWriter(o *options, name string, args []string, c console) (*writer, error) {
	w := &writer{options: o, c: c}
	w.doc.Command = redacted(name, args)
	var err error
	w.files, err = openFiles(c,
		target{"json", o.output.json, func(out io.Writer) error { return report.WriteJSON(out, w.doc) }},
		target{"csv", o.output.csv, func(out io.Writer) error { return report.WriteCSV(out, w.doc.Results) }},
		target{"series", o.output.series, func(out io.Writer) error { return report.WriteSeries(out, w.doc.Results) }},
		target{"benchfmt", o.output.benchfmt, func(out io.Writer) error {
			return report.WriteBenchmarks(out, w.doc.Environment, w.doc.Results)
		}})
	if err != nil {
		return nil, err
	}
	if err := w.profile(); err != nil {
		return nil, err
	}
	w.live = report.NewLive(c.err, c.terminal)
	return w, nil
}

// watch connects the progress to cfg.
func (w *writer) watch(cfg *session.Config) {
	if w.options.showProgress(w.c) {
		cfg.Progress, cfg.Done = w.live.Show, w.live.Clear
	}
}

// showProgress tells whether the progress is to be shown.
func (o *options) showProgress(c console) bool {
	return o.output.progress || c.terminal && !o.Changed("progress")
}

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
	if w.table != nil { // of the server before
		w.table.Finish()
		fmt.Fprintln(w.files.human)
	}
	w.table = report.NewTable(w.files.human)
	o := w.options
	threads := "1 thread"
	if o.threads > 1 {
		threads = fmt.Sprintf("%d threads", o.threads)
	}
	if id, ok := s.Server(); ok {
		w.doc.Environment.FileSystem = "" // the server's is not known
		fmt.Fprintf(w.files.human, "target %s: %s · %s, each with a connection · pipeline %d · seed %d\n", s.Name(), id, threads, o.servers.pipeline, o.seed)
		w.table.Environment(w.doc.Environment)
		return
	}
	fmt.Fprintf(w.files.human, "engine %s · durability %s · memory %s · %s · seed %d\n", o.engine, o.durability.Durability, o.memory.String(), threads, o.seed)
	w.table.Environment(w.doc.Environment)
}

// add takes results as they come.
func (w *writer) add(results ...report.Result) error {
	w.live.Clear()
	for _, r := range results {
		w.doc.Results = append(w.doc.Results, r)
		w.table.Add(r)
		if w.options.output.counts && r.Counts.Text != "" {
			fmt.Fprintf(w.files.human, "\n%s\n", r.Counts.Text)
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
	keep(w.files.write())
	for _, close := range w.close {
		keep(close())
	}
	return first
}
