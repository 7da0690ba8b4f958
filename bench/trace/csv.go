package trace

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// csvReader reads a trace of lines.
type csvReader struct {
	*source
	csv     *csv.Reader
	limits  Limits
	columns columns
	actions map[string]Action
	size    int64    // where there is no column for it
	first   []string // the first line, if it is a request
	key     []byte
	last    struct { // the operation column repeats itself
		text   string
		action Action
	}
}

func newCSV(s *source, m Mapping, l Limits) (*csvReader, error) {
	buffered := bufio.NewReaderSize(s.Reader, 1<<16)
	r := &csvReader{source: s, csv: csv.NewReader(buffered), limits: l, size: m.DefaultSize}
	r.csv.Comma = separator(buffered)
	r.csv.ReuseRecord = true
	r.csv.FieldsPerRecord = -1 // too short a line is told with its number below
	r.csv.TrimLeadingSpace = true
	var err error
	if r.actions, err = m.actions(); err != nil {
		return nil, err
	}
	first, err := r.csv.Read()
	if err == io.EOF {
		return nil, fmt.Errorf("%s: the trace is empty", s.name)
	}
	if err != nil {
		return nil, r.wrap(err)
	}
	var header bool
	if r.columns, header, err = m.resolve(first); err != nil {
		return nil, fmt.Errorf("%s:1: %w", s.name, err)
	}
	if !header {
		r.first = first
	}
	return r, nil
}

// separator guesses what separates the columns from the beginning of the file.
func separator(r *bufio.Reader) rune {
	head, _ := r.Peek(4096)
	line, _, _ := strings.Cut(string(head), "\n")
	best, most := ',', strings.Count(line, ",")
	for _, c := range "\t;|" {
		if n := strings.Count(line, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

func (r *csvReader) Next() (Op, error) {
	for {
		line := r.first
		r.first = nil
		if line == nil {
			var err error
			if line, err = r.csv.Read(); err == io.EOF {
				return Op{}, io.EOF
			} else if err != nil {
				return Op{}, r.wrap(err)
			}
		}
		op, err := r.parse(line)
		if err == nil && op.Action == skip {
			continue
		}
		if err == nil {
			err = r.limits.check(op)
		}
		if err != nil {
			n, _ := r.csv.FieldPos(0)
			return Op{}, fmt.Errorf("%s:%d: %w", r.name, n, err)
		}
		return op, nil
	}
}

// wrap adds the file to an error of the CSV reader, which has the line.
func (r *csvReader) wrap(err error) error { return fmt.Errorf("%s: %w", r.name, err) }

func (r *csvReader) parse(line []string) (op Op, err error) {
	if last := max(r.columns.key, r.columns.op, r.columns.size); last >= len(line) {
		return op, fmt.Errorf("the line has %d columns, and column %d is needed", len(line), last+1)
	}
	op = Op{Action: Reference, Size: r.size}
	if r.columns.op >= 0 {
		if op.Action, err = r.action(line[r.columns.op]); err != nil || op.Action == skip {
			return op, err
		}
	}
	if r.columns.size >= 0 && (op.Action == Write || op.Action == Reference) {
		text := strings.TrimSpace(line[r.columns.size])
		if op.Size, err = strconv.ParseInt(text, 10, 64); err != nil || op.Size < 0 {
			return op, fmt.Errorf("%q is no size in bytes", text)
		}
	}
	r.key = append(r.key[:0], line[r.columns.key]...)
	op.Key = r.key
	return op, nil
}

func (r *csvReader) action(text string) (Action, error) {
	if text == r.last.text && text != "" {
		return r.last.action, nil
	}
	a, ok := r.actions[normal(text)]
	if !ok {
		return 0, fmt.Errorf("unknown operation %q: say whether it reads, writes or deletes, or is to be skipped", text)
	}
	r.last.text, r.last.action = strings.Clone(text), a
	return a, nil
}
