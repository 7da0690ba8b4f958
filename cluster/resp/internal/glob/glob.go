// Package glob matches the patterns of KEYS, SCAN, CONFIG GET and COMMAND LIST as
// Redis does on x86.
//
// A star is any run of bytes, a question mark is one byte, [abc], [a-z] and [^a] are
// one byte of a set, a backslash takes the next byte as it is. A set that is not
// closed ends with the pattern. The bounds of a range may be swapped, and they are
// compared as signed bytes, so [a-\xff] is \xff to a. No pattern with a star matches
// the empty string, not even the star alone: the callers treat that one before they
// ask.
//
// A pattern is compiled once and matched against many strings. Matching goes back to
// the last star only, which is enough because all other elements take exactly one
// byte. So it needs at most len(s) times Len steps, never the exponential time of a
// recursive matcher (CVE-2022-36021), and no stack (CVE-2024-31228). The caller
// limits the sum over all strings with a budget, because a pattern is cheap to send
// and a key may be 64 KiB.
//
// Compile refuses patterns above MaxLen, Redis does not.
package glob

import (
	"errors"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"
)

// MaxLen is the longest pattern, in bytes.
const MaxLen = 4096

// The errors of Compile and Match.
var (
	ErrTooLong = errors.New("pattern is too long")
	ErrBudget  = errors.New("pattern takes too much work")
)

type op struct {
	kind opKind
	lit  byte // the byte of opByte
	set  uint16
}

type opKind uint8

const (
	opByte opKind = iota
	opAny
	opSet
	opStar
)

// set holds one bit for each byte.
type set [256 / 64]uint64

func (s *set) add(c byte)           { s[c/64] |= 1 << (c % 64) }
func (s *set) contains(c byte) bool { return s[c/64]>>(c%64)&1 != 0 }

// Pattern is a compiled pattern, safe for concurrent use.
type Pattern struct {
	ops    []op
	sets   []set
	fold   bool // literals are in lower case, sets hold both cases
	prefix []byte
}

// Len is the number of elements: the most steps that one byte of a string can cost.
func (p *Pattern) Len() int { return len(p.ops) }

// Prefix returns the bytes that every match begins with. A scan in key order may seek
// there. It is empty for a pattern that ignores case.
func (p *Pattern) Prefix() []byte { return p.prefix }

// All reports whether the pattern is one star, which the callers take for every
// string.
func (p *Pattern) All() bool { return len(p.ops) == 1 && p.ops[0].kind == opStar }

// Match reports whether all of s matches. Each step takes 1 from budget, and when that
// is negative the answer is ErrBudget. A nil budget has no end.
func (p *Pattern) Match(s []byte, budget *int) (bool, error) {
	matched, steps := p.match(s)
	if budget != nil {
		if *budget -= steps; *budget < 0 {
			return false, ErrBudget
		}
	}
	return matched, nil
}

func (p *Pattern) match(s []byte) (matched bool, steps int) {
	if len(s) == 0 {
		return len(p.ops) == 0, 1
	}
	// After a mismatch the last star takes one byte more: matching goes on after the
	// star and at the byte after resume.
	star, resume := -1, 0
	i, j := 0, 0
	for i < len(s) {
		steps++
		if j < len(p.ops) {
			o := &p.ops[j]
			if o.kind == opStar {
				if j == len(p.ops)-1 {
					return true, steps
				}
				star, resume = j, i
				j++
				continue
			}
			if p.accepts(o, s[i]) {
				i++
				j++
				continue
			}
		}
		if star < 0 {
			return false, steps
		}
		resume++
		i, j = resume, star+1
	}
	for j < len(p.ops) && p.ops[j].kind == opStar {
		j++
	}
	return j == len(p.ops), steps + 1
}

func (p *Pattern) accepts(o *op, c byte) bool {
	switch o.kind {
	case opByte:
		if p.fold {
			c = ascii.Lower(c)
		}
		return c == o.lit
	case opSet:
		return p.sets[o.set].contains(c)
	}
	return true
}
