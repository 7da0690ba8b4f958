package glob

import "github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"

// Compile translates a pattern. With fold, letters match in either case.
func Compile(pattern []byte, fold bool) (*Pattern, error) {
	if len(pattern) > MaxLen {
		return nil, ErrTooLong
	}
	p := &Pattern{fold: fold, ops: make([]op, 0, len(pattern))}
	for rest := pattern; len(rest) > 0; {
		switch c := rest[0]; {
		case c == '*':
			if n := len(p.ops); n == 0 || p.ops[n-1].kind != opStar {
				p.ops = append(p.ops, op{kind: opStar})
			}
			rest = rest[1:]
		case c == '?':
			p.ops = append(p.ops, op{kind: opAny})
			rest = rest[1:]
		case c == '[':
			var s set
			s, rest = compileSet(rest[1:], fold)
			p.ops = append(p.ops, op{kind: opSet, set: uint16(len(p.sets))})
			p.sets = append(p.sets, s)
		default:
			if c == '\\' && len(rest) > 1 {
				rest = rest[1:]
				c = rest[0]
			}
			if fold {
				c = ascii.Lower(c)
			}
			p.ops = append(p.ops, op{kind: opByte, lit: c})
			rest = rest[1:]
		}
	}
	if !fold {
		for i := 0; i < len(p.ops) && p.ops[i].kind == opByte; i++ {
			p.prefix = append(p.prefix, p.ops[i].lit)
		}
	}
	return p, nil
}

// compileSet reads a set from after its bracket and returns what follows it.
func compileSet(b []byte, fold bool) (s set, rest []byte) {
	not := len(b) > 0 && b[0] == '^'
	if not {
		b = b[1:]
	}
	for len(b) > 0 && b[0] != ']' {
		switch {
		case b[0] == '\\' && len(b) >= 2:
			s.add(b[1]) // in this case only
			b = b[2:]
		case len(b) >= 3 && b[1] == '-':
			s.addRange(b[0], b[2], fold)
			b = b[3:]
		default:
			s.add(b[0])
			if fold {
				s.add(ascii.Lower(b[0]))
				s.add(ascii.Upper(b[0]))
			}
			b = b[1:]
		}
	}
	if len(b) > 0 {
		b = b[1:] // the closing bracket
	}
	if not {
		for i := range s {
			s[i] = ^s[i]
		}
	}
	return s, b
}

// addRange adds what is between two bytes. They are ordered before their case is
// folded, so that a range from a capital to a small letter may end up empty.
func (s *set) addRange(from, to byte, fold bool) {
	lo, hi := int8(from), int8(to)
	if lo > hi {
		lo, hi = hi, lo
	}
	if fold {
		lo, hi = int8(ascii.Lower(byte(lo))), int8(ascii.Lower(byte(hi)))
	}
	for i := range 256 {
		c := byte(i)
		v := c
		if fold {
			v = ascii.Lower(c)
		}
		if int8(v) >= lo && int8(v) <= hi {
			s.add(c)
		}
	}
}
