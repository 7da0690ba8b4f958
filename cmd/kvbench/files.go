package main

import (
	"errors"
	"io"
	"os"
	"strings"
)

// target is a form of the results and where it goes: to a file, to standard output for
// "-", or nowhere.
type target struct {
	flag, path string
	write      func(w io.Writer) error
}

// files are the targets that were asked for, opened before anything is measured, so
// that what can't be written is known before hours are spent on it.
type files struct {
	human io.Writer // where what people read goes
	list  []open
}

type open struct {
	io.WriteCloser
	write func(w io.Writer) error
}

func openFiles(c console, targets ...target) (*files, error) {
	f := &files{human: c.out}
	var flags, stdout []string
	for _, t := range targets {
		flags = append(flags, "--"+t.flag)
		switch t.path {
		case "":
		case "-":
			stdout = append(stdout, t.flag)
			f.human = c.err // standard output is for the program that reads it
			f.list = append(f.list, open{unclosed{c.out}, t.write})
		default:
			file, err := os.Create(t.path)
			if err != nil {
				return nil, usagef("output file: %w", err)
			}
			f.list = append(f.list, open{file, t.write})
		}
	}
	if len(stdout) > 1 {
		last := len(flags) - 1
		return nil, usagef("only one of %s and %s can go to standard output", strings.Join(flags[:last], ", "), flags[last])
	}
	return f, nil
}

// write writes and closes them all, and returns all errors.
func (f *files) write() (err error) {
	for _, o := range f.list {
		err = errors.Join(err, o.write(o), o.Close())
	}
	return err
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }
