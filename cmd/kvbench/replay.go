package main

import (
	"context"
	"errors"
	"os"

	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/session"
	"github.com/ringwood-kv/ringwood/bench/trace"
)

// replay is `kvbench replay`.
func replay(ctx context.Context, args []string, c console) error {
	o := newOptions("replay", "TRACE [flags]", replayHelp, c)
	o.storeFlags()
	var m trace.Mapping
	o.StringVar(&m.Key, "key-column", "", "`NAME` or number (from 1) of the column with the key")
	o.StringVar(&m.Op, "op-column", "", "`NAME` or number of the column with the operation; - for none")
	o.StringVar(&m.Size, "size-column", "", "`NAME` or number of the column with the size; - for none, which makes all values --value-size")
	o.StringSliceVar(&m.Reads, "read-ops", nil, "operations that read, in place of the usual")
	o.StringSliceVar(&m.Writes, "write-ops", nil, "operations that write")
	o.StringSliceVar(&m.Deletes, "delete-ops", nil, "operations that delete")
	o.StringSliceVar(&m.Skips, "skip-ops", nil, "operations to leave out")
	check := o.Bool("check", true, "at the end, open the store again and read every key once more")
	o.loopFlags()
	o.outputFlags()
	if err := o.parse(args); err != nil {
		return err
	}
	if o.NArg() != 1 {
		return usagef("name one trace file, not %d", o.NArg())
	}
	path := o.Arg(0)
	if _, err := os.Stat(path); err != nil {
		return usagef("there is no trace to read: %w", err)
	}
	if o.rate.share > 0 {
		return usagef("--rate %s: a replay has no capacity to measure first; write operations a second", o.rate.String())
	}
	configs, err := o.configs()
	if err != nil {
		return err
	}
	m.DefaultSize = 100
	if o.valueSize > 0 {
		m.DefaultSize = int64(o.valueSize)
	}
	return measure(o, "replay", args, c, configs, func(s *session.Session, add func(...report.Result) error) error {
		r, err := s.Replay(ctx, path, m, *check)
		if err != nil {
			return err
		}
		return errors.Join(add(r), unsound([]report.Result{r}))
	})
}
