package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"
)

// table writes lines of cells in columns.
type table struct{ w *tabwriter.Writer }

func (c *call) table(heads ...string) *table {
	t := &table{tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)}
	t.row(heads...)
	return t
}

func (t *table) row(cells ...string) {
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

func (t *table) flush() error { return t.w.Flush() }

// show is bytes that somebody else has written, for a person: as they are if they are
// plain text, otherwise quoted. They could tell a terminal what to do.
func show(b []byte) string {
	s := string(b)
	if s != "" && utf8.Valid(b) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) &&
		strings.TrimSpace(s) == s && s[0] != '"' {
		return s
	}
	return strconv.Quote(s)
}

// short is show of the beginning.
func short(b []byte, most int) string {
	if len(b) <= most {
		return show(b)
	}
	return show(b[:most]) + fmt.Sprintf("… (%d bytes)", len(b))
}

// isTerminal reports whether a person sees what is written to w, or types what is read
// from it.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// size is bytes for a person.
func size(n float64) string {
	unit := "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if n < 1024 {
			break
		}
		n, unit = n/1024, u
	}
	if unit == "B" || n >= 100 {
		return fmt.Sprintf("%.0f %s", n, unit)
	}
	return fmt.Sprintf("%.1f %s", n, unit)
}

// ago is a time for a person: how long until then, or since.
func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// age is a duration without what nobody reads.
func age(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
	case d >= time.Minute:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}

func write(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}
