package trace

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Mapping says which columns of a CSV trace mean what. The zero value finds them as
// the package comment says.
type Mapping struct {
	// Names of columns, or their numbers from 1. "" finds them by the usual names;
	// "-" says that there is none (not for Key).
	Key, Op, Size string
	// What stands in the column of the operation. nil means the usual.
	Reads, Writes, Deletes []string
	// Operations to leave out, for example those that neither read nor write.
	Skips []string
	// DefaultSize is the size of values where there is no column for it.
	DefaultSize int64
}

var (
	keyNames  = []string{"key", "lbn", "lba", "obj_id", "object", "id", "block"}
	opNames   = []string{"op", "operation", "opcode", "cmd", "command", "type"}
	sizeNames = []string{"size", "length", "len", "bytes", "value_size", "obj_size"}

	usualReads   = []string{"r", "read", "get", "gets", "08", "28", "a8", "88"}
	usualWrites  = []string{"w", "write", "put", "set", "add", "update", "0a", "2a", "aa", "8a", "2e", "ae", "8e"}
	usualDeletes = []string{"d", "del", "delete", "remove", "42"}
)

// columns are the places in a line, from 0; -1 for none.
type columns struct{ key, op, size int }

// skip is the action of an operation that is left out.
const skip Action = 255

// resolve finds the columns from the first line, and says whether that is a header.
func (m Mapping) resolve(first []string) (c columns, header bool, err error) {
	var byName [3]bool
	if c.key, byName[0], err = column(first, m.Key, "key", keyNames); err != nil {
		return c, false, err
	}
	if c.key < 0 {
		return c, false, fmt.Errorf("no column has the key: the first line has %q, and the usual names are %s; name it, or give its number",
			strings.Join(first, ","), strings.Join(keyNames, ", "))
	}
	if c.op, byName[1], err = column(first, m.Op, "operation", opNames); err != nil {
		return c, false, err
	}
	if c.size, byName[2], err = column(first, m.Size, "size", sizeNames); err != nil {
		return c, false, err
	}
	header = byName[0] || byName[1] || byName[2]
	if !header && c.size >= 0 {
		// All by number: a header is a line whose size is no number.
		_, err := strconv.ParseInt(strings.TrimSpace(first[c.size]), 10, 64)
		header = err != nil
	}
	return c, header, nil
}

// column finds one column: -1 for none.
func column(first []string, want, what string, usual []string) (at int, byName bool, err error) {
	if want == "-" {
		return -1, false, nil
	}
	if n, err := strconv.Atoi(want); err == nil {
		if n < 1 || n > len(first) {
			return -1, false, fmt.Errorf("there is no column %d for the %s: the first line has %d", n, what, len(first))
		}
		return n - 1, false, nil
	}
	names := usual
	if want != "" {
		names = []string{want}
	}
	for _, name := range names {
		for i, f := range first {
			if strings.EqualFold(strings.TrimSpace(f), name) {
				return i, true, nil
			}
		}
	}
	if want != "" {
		return -1, false, fmt.Errorf("there is no column %q for the %s: the first line has %q", want, what, strings.Join(first, ","))
	}
	return -1, false, nil
}

// actions maps what stands in the column of the operation.
func (m Mapping) actions() (map[string]Action, error) {
	table := make(map[string]Action)
	for _, group := range []struct {
		names, usual []string
		action       Action
	}{{m.Reads, usualReads, Read}, {m.Writes, usualWrites, Write}, {m.Deletes, usualDeletes, Delete}, {m.Skips, nil, skip}} {
		names := group.names
		if names == nil {
			names = group.usual
		}
		for _, name := range names {
			name = normal(name)
			if old, ok := table[name]; ok && old != group.action && group.names == nil {
				continue // said otherwise on purpose
			}
			table[name] = group.action
		}
	}
	// What was named on purpose wins over what is usual, and may be named once.
	seen := make(map[string]bool)
	for _, names := range [][]string{m.Reads, m.Writes, m.Deletes, m.Skips} {
		for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
			if seen[normal(name)] {
				return nil, fmt.Errorf("the operation %q is named twice", name)
			}
			seen[normal(name)] = true
		}
	}
	return table, nil
}

// normal makes opcodes comparable.
func normal(op string) string {
	op = strings.ToLower(strings.TrimSpace(op))
	return strings.TrimPrefix(op, "0x")
}
