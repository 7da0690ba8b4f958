package main

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/ringwood-kv/ringwood/bench/limits"
	"github.com/ringwood-kv/ringwood/bench/report"
)

// measureLimits is `kvbench limits`.
func measureLimits(ctx context.Context, args []string, c console) error {
	o := newOptions("limits", "[flags]", limitsHelp, c)
	dir := o.String("dir", "", "where to put the files, which are removed (default: the directory for temporary files)")
	each := o.Duration("each", 200*time.Millisecond, "how long to measure a figure")
	o.memory = 1 << 30
	o.Var(&o.memory, "memory", "largest area of memory to touch")
	o.StringVar(&o.output.json, "json", "", "write the figures to this `FILE`, or to standard output for -")
	if err := o.parse(args); err != nil {
		return err
	}
	switch {
	case o.NArg() > 0:
		return usagef("unexpected argument %q", o.Arg(0))
	case *each <= 0:
		return usagef("--each %v: write a time above 0", *each)
	}
	var figures []limits.Figure
	out, err := openFiles(c, target{"json", o.output.json, func(w io.Writer) error { return json.NewEncoder(w).Encode(figures) }})
	if err != nil {
		return err
	}
	live := report.NewLive(c.err, c.terminal)
	figures, err = limits.Measure(ctx, limits.Config{Dir: *dir, Each: *each, Memory: max(int64(o.memory), 1), Progress: func(what string) {
		if c.terminal {
			live.Line(what)
		}
	}})
	live.Clear()
	if err != nil {
		return err
	}
	report.NewTable(out.human).Environment(report.Look(*dir))
	if err := limits.Print(out.human, figures); err != nil {
		return err
	}
	return out.write()
}
