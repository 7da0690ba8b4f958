package ring

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
)

// The replicas of a partition stand on distinct nodes, and no more than spare of them in
// a rack beside another. Such sets of nodes are the independent sets of a matroid, which
// is why a row that keeps the rule can be completed, and why shortest paths find every
// placement that there is.

// excess returns how many replicas of a row stand beside another one in their rack.
func (s *site) excess(row []int) int {
	n := 0
	for i, a := range row {
		if s.inRack(row[:i], s.rack[a], none) {
			n++
		}
	}
	return n
}

// none stands for no node: a place in a row that is not taken yet.
const none = -1

// inRack says whether a row has a node in a rack, apart from one.
func (s *site) inRack(row []int, rack, apart int) bool {
	for _, a := range row {
		if a != apart && s.rack[a] == rack {
			return true
		}
	}
	return false
}

// fits says whether a row keeps the rule when in takes the place of out.
func (s *site) fits(row []int, out, in int) bool {
	if slices.Contains(row, in) {
		return false
	}
	if out != none && s.rack[out] == s.rack[in] || !s.inRack(row, s.rack[in], out) {
		return true
	}
	if s.spare == 0 {
		return false
	}
	excess := s.excess(row) + 1
	if out != none && s.inRack(row, s.rack[out], out) {
		excess--
	}
	return excess <= s.spare
}

// lack returns how many replicas the nodes are short of their quotas.
func (s *site) lack() int {
	n := 0
	for i, q := range s.quota {
		n += max(0, q-s.load[i])
	}
	return n
}

// tidy takes out of the rows what breaks a rule, and returns how many replicas they are
// short of then.
func (s *site) tidy() int {
	n := 0
	for p, row := range s.rows {
		s.held[p] = slices.Clone(row)
		s.crowded[p] = s.excess(row) > s.spare
		for len(row) > s.replicas || s.excess(row) > s.spare {
			row = s.drop(row)
			s.dropped = true
		}
		s.rows[p] = row
		n += s.replicas - len(row)
	}
	return n
}

// place fills the rows so that every node has its quota, and changes as little as it can.
func (s *site) place() error {
	if s.dropped {
		s.chains(true)
	}
	for p := range s.rows {
		for len(s.rows[p]) < s.replicas && s.give(p, none) {
		}
		for i := range s.rows[p] {
			if a := s.rows[p][i]; s.load[a] > s.quota[a] {
				s.give(p, a)
			}
		}
	}
	if !slices.Equal(s.load, s.quota) && !s.chains(false) {
		return errors.New("ring: no placement found in data centre " + s.dc + ", which cannot be: please report it with the nodes and the policy")
	}
	return nil
}

// drop takes a replica from a row that has too many: of the node that is furthest above
// its quota, and from a shared rack if too many are in those.
func (s *site) drop(row []int) []int {
	crowded := s.excess(row) > s.spare
	worst := none
	for i, a := range row {
		if crowded && !s.inRack(row, s.rack[a], a) {
			continue
		}
		if worst == none || s.load[a]-s.quota[a] > s.load[row[worst]]-s.quota[row[worst]] {
			worst = i
		}
	}
	s.load[row[worst]]--
	return slices.Delete(row, worst, worst+1)
}

// give lets a node below its quota take a place in a row, out's or a free one: a node by
// lot, with a chance that grows with what it lacks. It says whether there was one.
func (s *site) give(p, out int) bool {
	best, most := none, uint64(0)
	for b := range s.nodes {
		lacks := s.quota[b] - s.load[b]
		if lacks <= 0 {
			continue
		}
		score, _ := bits.Mul64(lot(s.nodes[b].ID, p), uint64(lacks)<<32)
		if (best == none || score > most) && s.fits(s.rows[p], out, b) {
			best, most = b, score
		}
	}
	if best == none {
		return false
	}
	s.put(p, out, best)
	s.load[best]++
	if out != none {
		s.load[out]--
	}
	return true
}

// put lets in take the place of out in a row, or one at its end.
func (s *site) put(p, out, in int) {
	if out == none {
		s.rows[p] = append(s.rows[p], in)
		return
	}
	s.rows[p][slices.Index(s.rows[p], out)] = in
}

// lot returns a number that looks random, and is the same whenever the same node and
// partition meet: tables are spread without order, and planned alike everywhere.
func lot(id NodeID, p int) uint64 {
	x := binary.BigEndian.Uint64(id[:8]) ^ bits.RotateLeft64(binary.BigEndian.Uint64(id[8:]), 29) + uint64(p)*0x9e3779b97f4a7c15
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	return x ^ x>>32
}
