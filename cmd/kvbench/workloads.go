package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/session"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// load is `kvbench load`.
func load(ctx context.Context, args []string, c console) error {
	o := newOptions("load", "[flags]", loadHelp, c)
	o.storeFlags()
	name := o.String("workload", "a", "the workload whose records to write; they differ between YCSB and the others")
	o.recordFlags()
	o.outputFlags()
	if err := o.parse(args); err != nil {
		return err
	}
	if o.NArg() > 0 {
		return usagef("unexpected argument %q", o.Arg(0))
	}
	w, err := workload.Find(*name)
	if err != nil {
		return usageError{err}
	}
	configs, err := o.configs()
	if err != nil {
		return err
	}
	if _, err := workload.Load(w.Data).Complete(configs[0].Params, false); err != nil {
		return usageError{err}
	}
	return measure(o, "load", args, c, configs, func(s *session.Session, add func(...report.Result) error) error {
		results, err := s.Load(ctx, w.Data)
		if err == nil {
			err = unsound(results)
		}
		return errors.Join(add(results...), err)
	})
}

// runWorkloads is `kvbench run`.
func runWorkloads(ctx context.Context, args []string, c console) error {
	o := newOptions("run", "--workload NAME[,NAME…] [flags]", runHelp, c)
	o.storeFlags()
	names := o.StringSliceP("workload", "w", nil, "what to run, by `NAMES`, in this order; kvbench list shows them")
	o.recordFlags()
	o.workloadFlags()
	o.loopFlags()
	o.outputFlags()
	if err := o.parse(args); err != nil {
		return err
	}
	if o.NArg() > 0 {
		return usagef("unexpected argument %q: workloads are named by --workload", o.Arg(0))
	}
	configs, err := o.configs()
	if err != nil {
		return err
	}
	workloads, err := findAll(*names, configs[0])
	if err != nil {
		return err
	}
	return measure(o, "run", args, c, configs, func(s *session.Session, add func(...report.Result) error) error {
		for _, w := range workloads {
			results, err := s.Run(ctx, w)
			if err == nil {
				err = unsound(results)
			}
			if err := errors.Join(add(results...), err); err != nil {
				return err
			}
		}
		return nil
	})
}

// findAll finds the workloads and checks that the parameters suit each of them.
func findAll(names []string, cfg session.Config) (list []workload.Workload, err error) {
	if len(names) == 0 {
		var all []string
		for _, w := range workload.List() {
			all = append(all, w.Name)
		}
		return nil, usagef("--workload is missing: it is one or more of %s", strings.Join(all, ", "))
	}
	for _, name := range names {
		w, err := workload.Find(strings.TrimSpace(name))
		if err != nil {
			return nil, usageError{err}
		}
		if err := w.On(cfg.Kind); err != nil {
			return nil, usageError{err}
		}
		if _, err := w.Complete(cfg.Params, cfg.Duration > 0); err != nil {
			return nil, usagef("%s: %w", w.Name, err)
		}
		list = append(list, w)
	}
	return list, nil
}

// unsound turns results that can't be trusted into an error.
func unsound(results []report.Result) error {
	for _, r := range results {
		switch {
		case r.Interrupted:
			return errors.New("interrupted")
		case r.Trace != nil && r.Trace.Wrong > 0:
			return fmt.Errorf("%d reads of the trace were answered wrongly", r.Trace.Wrong)
		case r.Lost > 0:
			return fmt.Errorf("%s: %d reads did not find what must be there: the store is wrong, and so are the figures", r.Workload, r.Lost)
		}
	}
	return nil
}

// measure runs what is to be measured in sessions, one after another, and writes the
// results.
func measure(o *options, name string, args []string, c console, configs []session.Config, what func(s *session.Session, add func(...report.Result) error) error) (err error) {
	out, err := newWriter(o, name, args, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.finish()) }()
	for _, cfg := range configs {
		if err := measureOne(out, cfg, what); err != nil {
			return err
		}
	}
	return nil
}

func measureOne(out *writer, cfg session.Config, what func(s *session.Session, add func(...report.Result) error) error) error {
	out.watch(&cfg)
	s, err := session.Open(cfg)
	if err != nil {
		return err
	}
	out.begin(s)
	return errors.Join(what(s, out.add), s.Close())
}
