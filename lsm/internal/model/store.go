package model

import "fmt"

// Store is the order of commits. It remembers what is sure to survive a crash as a
// state, and each commit after it.
type Store struct {
	now   State
	safe  State  // what survives a power cut whatever happens
	tail  [][]Op // the commits since, oldest first
	files int    // how many of tail the operating system has
	all   [][]Op // every commit, since the beginning or the last crash
}

// Level is how far a commit has got.
type Level uint8

const (
	Disk    Level = iota // survives a power cut
	Kernel               // survives the death of the process
	Process              // may be lost
)

// Now is the state after every commit.
func (s *Store) Now() *State { return &s.now }

// Commits returns how many commits there were, for Since.
func (s *Store) Commits() int { return len(s.all) }

// Since lists the commits after the first n.
func (s *Store) Since(n int) [][]Op { return s.all[n:] }

// Commit adds a commit.
func (s *Store) Commit(ops []Op, l Level) {
	for i := range ops {
		s.now.Apply(&ops[i])
	}
	s.all = append(s.all, ops)
	s.tail = append(s.tail, ops)
	s.Reached(l)
}

// Reached takes note that every commit so far has got to l: what is true of one is
// true of all before it.
func (s *Store) Reached(l Level) {
	switch l {
	case Disk:
		for _, ops := range s.tail {
			for i := range ops {
				s.safe.Apply(&ops[i])
			}
		}
		s.tail, s.files = nil, 0
	case Kernel:
		s.files = len(s.tail)
	}
}

// Prefixes calls try with each state that a reopened store may have, the longest
// last: every commit that got to l, and of the others a prefix.
func (s *Store) Prefixes(l Level, try func(n int, state *State)) {
	least := 0
	if l == Kernel {
		least = s.files
	}
	state := s.safe.Clone()
	for n := 0; ; n++ {
		if n >= least {
			try(n, &state)
		}
		if n == len(s.tail) {
			return
		}
		for i := range s.tail[n] {
			state.Apply(&s.tail[n][i])
		}
	}
}

// Adopt makes the prefix with n commits of the tail the store, as it is after a crash
// that left them.
func (s *Store) Adopt(n int) {
	if n > len(s.tail) {
		panic(fmt.Sprintf("model: prefix %d of %d", n, len(s.tail)))
	}
	s.tail = s.tail[:n]
	s.Reached(Disk)
	s.now, s.all = s.safe.Clone(), nil
}

// Unsure returns how many commits a crash may take.
func (s *Store) Unsure() int { return len(s.tail) }
