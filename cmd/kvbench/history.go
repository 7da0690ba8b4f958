package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ringwood-kv/ringwood/bench/compare"
	"github.com/ringwood-kv/ringwood/bench/compare/page"
)

// drawHistory is `kvbench history`.
func drawHistory(_ context.Context, args []string, c console) error {
	o := newOptions("history", "[DIR|FILE.json…] [flags]", historyHelp, c)
	workloads := o.StringSliceP("workloads", "w", nil, "only these workloads, by `NAMES`")
	o.StringVar(&o.output.html, "html", "", "write a page with a plot for each row to this `FILE`, or -")
	o.StringVar(&o.output.json, "json", "", "write all series to this `FILE`, or -")
	o.StringVar(&o.output.csv, "csv", "", "write a line for each result to this `FILE`, or -")
	if err := o.parse(args); err != nil {
		return err
	}
	paths := o.Args()
	if len(paths) == 0 {
		dir, err := resultsDir()
		if err != nil {
			return err
		}
		paths = []string{dir}
	}
	h := new(compare.History)
	for _, path := range paths {
		if err := gather(h, path); err != nil {
			return err
		}
	}
	if len(*workloads) > 0 {
		h.Series = slices.DeleteFunc(h.Series, func(s compare.Series) bool { return !slices.Contains(*workloads, s.Workload) })
	}
	out, err := openFiles(c,
		target{"html", o.output.html, func(w io.Writer) error { return page.WriteHistory(w, h) }},
		target{"json", o.output.json, func(w io.Writer) error { return json.NewEncoder(w).Encode(h) }},
		target{"csv", o.output.csv, func(w io.Writer) error { return compare.WriteHistoryCSV(w, h) }})
	if err != nil {
		return err
	}
	return errors.Join(compare.WriteHistory(out.human, h), out.write())
}

// resultsDir finds bench/results in this directory or one above.
func resultsDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		results := filepath.Join(dir, "bench", "results")
		if info, err := os.Stat(results); err == nil && info.IsDir() {
			return results, nil
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", usagef("this is not the repository, where bench/results has the documents: name a directory or files")
		}
		dir = above
	}
}

// gather adds a file, or all documents of comparisons below a directory.
func gather(h *compare.History, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		d, err := readOne(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		h.Add(filepath.Base(path), d)
		return nil
	}
	return filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(name, ".json") && !strings.HasSuffix(name, ".json.gz") {
			return err
		}
		d, err := readOne(name)
		switch {
		case errors.Is(err, compare.ErrOther): // of another command
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		}
		source, err := filepath.Rel(path, name)
		if err == nil {
			h.Add(filepath.ToSlash(source), d)
		}
		return err
	})
}
