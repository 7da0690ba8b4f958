// Package lcs computes the longest common subsequence of two strings for the command
// LCS, and takes the same one of several that Redis takes.
//
// Redis fills a table of 4 bytes for each pair of positions and walks it back from its
// end. The walk needs one bit of each cell only: whether to step back in a or in b
// where the bytes differ. So two rows of lengths and a bitmap are enough, a 32nd of
// the memory; the length alone needs two rows. Time is len(a)*len(b), which is why the
// caller limits it: with the accounting of Redis, so that the same inputs are refused.
//
// The functions are pure. They do not know of keys or replies.
package lcs

import "math"

// Match is a run of bytes that a and b have in common: a[AStart:AEnd+1] and
// b[BStart:BEnd+1].
type Match struct {
	AStart, AEnd int
	BStart, BEnd int
}

// Len is the number of bytes of the run.
func (m Match) Len() int { return m.AEnd - m.AStart + 1 }

// Fits reports whether the table of Redis for strings of these lengths is not larger
// than limit bytes.
func Fits(alen, blen int, limit int64) bool {
	if uint64(alen) >= math.MaxUint32-1 || uint64(blen) >= math.MaxUint32-1 {
		return false
	}
	rows, cols := uint64(alen)+1, uint64(blen)+1
	return limit >= 0 && rows <= uint64(limit)/4/cols
}

// Length returns the length of the longest common subsequence.
func Length(a, b []byte) int {
	return fill(a, b, nil)
}

// Sequence appends the longest common subsequence to dst.
func Sequence(dst, a, b []byte) []byte {
	start := len(dst)
	t := newTable(a, b)
	dst = append(dst, make([]byte, t.length)...)
	pos := len(dst)
	t.walk(func(i, _ int) {
		pos--
		dst[pos] = a[i]
	}, nil)
	return dst[:start+t.length]
}

// Matches calls emit for each run of at least minLen bytes, from the last to the
// first, and returns the length of the whole subsequence.
func Matches(a, b []byte, minLen int64, emit func(Match)) int {
	t := newTable(a, b)
	t.walk(nil, func(m Match) {
		if int64(m.Len()) >= minLen {
			emit(m)
		}
	})
	return t.length
}

// table is what the walk needs of the dynamic program.
type table struct {
	a, b   []byte
	up     []uint64 // bit i*len(b)+j: step back in a from the pair a[i], b[j]
	length int
}

func newTable(a, b []byte) *table {
	t := &table{a: a, b: b, up: make([]uint64, (len(a)*len(b)+63)/64)}
	t.length = fill(a, b, t.up)
	return t
}

// fill runs the dynamic program and records the directions in up if it is not nil.
func fill(a, b []byte, up []uint64) int {
	row := make([]uint32, len(b)+1) // lengths for a[:i+1], the part not yet written those for a[:i]
	bit := 0
	for _, c := range a {
		diagonal := uint32(0)
		for j, d := range b {
			above := row[j+1]
			switch {
			case c == d:
				row[j+1] = diagonal + 1
			case above > row[j]:
				if up != nil {
					up[bit/64] |= 1 << (bit % 64)
				}
			default:
				row[j+1] = row[j]
			}
			diagonal = above
			bit++
		}
	}
	return int(row[len(b)])
}

// walk goes back from the end of both strings. It calls common for each pair of equal
// bytes that it takes, run for each run of them that it leaves; both may be nil.
func (t *table) walk(common func(i, j int), run func(Match)) {
	var m Match
	open := false
	flush := func() {
		if open && run != nil {
			run(m)
		}
		open = false
	}
	i, j := len(t.a), len(t.b)
	for i > 0 && j > 0 {
		if t.a[i-1] != t.b[j-1] {
			flush()
			if bit := (i-1)*len(t.b) + j - 1; t.up[bit/64]>>(bit%64)&1 != 0 {
				i--
			} else {
				j--
			}
			continue
		}
		i--
		j--
		if !open {
			m, open = Match{AEnd: i, BEnd: j}, true
		}
		m.AStart, m.BStart = i, j
		if common != nil {
			common(i, j)
		}
	}
	flush()
}
