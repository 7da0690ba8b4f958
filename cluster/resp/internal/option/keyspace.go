package option

import (
	"fmt"
	"math"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/num"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// Scan is a request of SCAN.
type Scan struct {
	Cursor uint64
	Count  int64  // at least 1; 10 if it is not given
	Match  []byte // nil for every key; never a single star
	Type   []byte // nil for every type; compare with IsType
}

// defaultScanCount is what SCAN looks at in one call.
const defaultScanCount = 10

// ParseScan parses SCAN cursor [MATCH pattern] [COUNT n] [TYPE name].
func ParseScan(args [][]byte) (s Scan, err error) {
	s.Count = defaultScanCount
	var ok bool
	if s.Cursor, ok = parseCursor(args[1]); !ok {
		return s, wire.Error("ERR invalid cursor")
	}
	for i := 2; i < len(args); i += 2 {
		if i+1 == len(args) {
			return s, wire.ErrSyntax
		}
		switch a, v := args[i], args[i+1]; {
		case is(a, "COUNT"):
			if s.Count, ok = num.ParseInt(v); !ok {
				return s, wire.ErrNotInteger
			}
			if s.Count < 1 {
				return s, wire.ErrSyntax
			}
		case is(a, "MATCH"):
			s.Match = v
			if len(v) == 1 && v[0] == '*' {
				s.Match = nil
			}
		case is(a, "TYPE"):
			s.Type = v
		default:
			return s, wire.ErrSyntax
		}
	}
	return s, nil
}

// IsType reports whether the keys of a type, in capitals, are asked for.
func (s Scan) IsType(name string) bool { return s.Type == nil || is(s.Type, name) }

// parseCursor parses what strtoul does, without space before it: a sign, of which the
// minus wraps around, and digits, up to a NUL byte; nothing at all is 0.
func parseCursor(arg []byte) (n uint64, ok bool) {
	s := text(arg)
	if s == "" {
		return 0, true
	}
	negative := s[0] == '-'
	if negative || s[0] == '+' {
		s = s[1:]
	}
	for i := range len(s) {
		d := uint64(s[i] - '0')
		if d > 9 || n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	if negative {
		n = -n
	}
	return n, s != ""
}

// parseInt32 parses a number that Redis keeps in a C int.
func parseInt32(arg []byte) (n int32, err error) {
	v, ok := num.ParseInt(arg)
	if !ok {
		return 0, wire.ErrNotInteger
	}
	if v < math.MinInt32 || v > math.MaxInt32 {
		return 0, wire.Error(fmt.Sprintf("ERR value is out of range, value must between %d and %d", math.MinInt32, math.MaxInt32))
	}
	return int32(v), nil
}

// ParseDB parses the number of a database, for SELECT and MOVE. There are dbs.
func ParseDB(arg []byte, dbs int) (db int, err error) {
	n, err := parseInt32(arg)
	if err != nil {
		return 0, err
	}
	if n < 0 || int(n) >= dbs {
		return 0, wire.ErrDBRange
	}
	return int(n), nil
}

// Copy is a request of COPY.
type Copy struct {
	DB      int
	Replace bool
}

// ParseCopy parses COPY source destination [DB n] [REPLACE]. Without DB it is current.
// The same key in the same database is an error.
func ParseCopy(args [][]byte, current, dbs int) (c Copy, err error) {
	c.DB = current
	for i := 3; i < len(args); i++ {
		switch a := args[i]; {
		case is(a, "REPLACE"):
			c.Replace = true
		case is(a, "DB") && i+1 < len(args):
			i++
			if c.DB, err = ParseDB(args[i], dbs); err != nil {
				return c, err
			}
		default:
			return c, wire.ErrSyntax
		}
	}
	if c.DB == current && string(args[1]) == string(args[2]) {
		return c, wire.ErrSameObject
	}
	return c, nil
}

// ParseFlush parses FLUSHALL or FLUSHDB [ASYNC|SYNC].
func ParseFlush(args [][]byte) (async bool, err error) {
	switch {
	case len(args) == 1:
		return false, nil
	case len(args) == 2 && is(args[1], "SYNC"):
		return false, nil
	case len(args) == 2 && is(args[1], "ASYNC"):
		return true, nil
	}
	return false, wire.ErrSyntax
}

// ParseMemoryUsage parses MEMORY USAGE key [SAMPLES n]. The number of samples is
// checked and means nothing for strings.
func ParseMemoryUsage(args [][]byte) error {
	for i := 3; i < len(args); i++ {
		if !is(args[i], "SAMPLES") || i+1 == len(args) {
			return wire.ErrSyntax
		}
		i++
		n, ok := num.ParseInt(args[i])
		if !ok {
			return wire.ErrNotInteger
		}
		if n < 0 {
			return wire.ErrSyntax
		}
	}
	return nil
}

// Wait is a request of WAIT.
type Wait struct {
	Replicas int64
	Timeout  int64 // milliseconds, 0 for no end
}

// ParseWait parses WAIT numreplicas timeout.
func ParseWait(args [][]byte, now int64) (w Wait, err error) {
	var ok bool
	if w.Replicas, ok = num.ParseInt(args[1]); !ok {
		return w, wire.ErrNotInteger
	}
	if w.Timeout, ok = num.ParseInt(args[2]); !ok {
		return w, wire.Error("ERR timeout is not an integer or out of range")
	}
	if w.Timeout < 0 {
		return w, wire.Error("ERR timeout is negative")
	}
	if w.Timeout > 0 {
		if _, ok = num.Add(w.Timeout, now); !ok {
			return w, wire.Error("ERR timeout is out of range")
		}
	}
	return w, nil
}
