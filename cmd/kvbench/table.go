package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ringwood-kv/ringwood/bench/compare"
)

// measureTable is `kvbench table`.
func measureTable(ctx context.Context, args []string, c console) error {
	o := newOptions("table", "quick|full|cached|growth [flags]", tableHelp+tableList(), c)
	engines := o.StringSlice("engines", compare.TableEngines(peers()), "what to compare, by `NAMES`; kvbench list shows them")
	subject := o.String("subject", "", "the engine, by `NAME`, that is compared with the others (default: the first)")
	groups := o.StringSlice("groups", nil, "only these groups, by `NAMES`")
	rounds := o.Int("rounds", 0, "how often each engine is measured (default: the table's number)")
	limits := o.Bool("limits", true, "measure the limits of the machine first")
	o.StringVar(&o.dir, "dir", "", "where to put the stores: a new or empty directory, emptied afterwards (default: a temporary one)")
	o.comparisonFlags()
	o.measuringFlags()
	if err := o.parse(args); err != nil {
		return err
	}
	if o.NArg() != 1 {
		return usagef("name one table: quick, full, cached or growth")
	}
	t, err := compare.FindTable(o.Arg(0))
	if err != nil {
		return usageError{err}
	}
	cfg := t.Config
	cfg.Engines, cfg.Subject, cfg.Limits = *engines, *subject, cfg.Limits && *limits
	for _, name := range *engines {
		if slices.Contains(compare.TableRoofs, name) {
			cfg.Roofs = append(cfg.Roofs, name)
		}
	}
	if o.Changed("rounds") {
		cfg.Rounds = *rounds
	}
	if cfg.Groups, err = chosen(t, *groups); err != nil {
		return usageError{err}
	}
	if err := compare.Check(&cfg, compare.Options{}); err != nil {
		return usageError{err}
	}
	fmt.Fprintf(c.err, "table %s: %d measurements; all groups take %s\n", t.Name, compare.Cells(cfg), t.Takes)
	return measureAll(ctx, o, "table", args, c, cfg, nil)
}

// chosen returns the groups of a table with these names, all if there are none.
func chosen(t compare.Table, names []string) (list []compare.Group, err error) {
	if len(names) == 0 {
		return t.Groups, nil
	}
	var all []string
	for _, g := range t.Groups {
		if all = append(all, g.Name); slices.Contains(names, g.Name) {
			list = append(list, g)
		}
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("the table %s has no group %q: it has %s", t.Name, name, strings.Join(all, ", "))
		}
	}
	return list, nil
}

// tableList says what is in the tables.
func tableList() string {
	var b strings.Builder
	for _, t := range compare.Tables() {
		fmt.Fprintf(&b, "%s: %s (%s)\n", t.Name, t.Help, t.Takes)
		for _, line := range t.Describe() {
			fmt.Fprintf(&b, "  %s\n", line)
		}
		b.WriteString("\n")
	}
	return b.String()
}
