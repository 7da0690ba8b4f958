package ring

import (
	"fmt"
	"math"
	"slices"
)

// site is one data centre while a plan is made. Its nodes are those with a weight,
// ascending by id, and are named by their index; its racks are numbered.
type site struct {
	dc         string
	partitions int // Q
	replicas   int // of each partition: as the policy says, or one on each node
	racks      int
	// spare is how many replicas of a partition may stand in a rack beside another one:
	// so many are more than there are racks.
	spare int

	nodes []Node
	rack  []int // of each node
	// rows are the nodes of each partition: those of the current table, then of the new.
	rows    [][]int
	held    [][]int // the rows of the current table
	dropped bool    // whether tidy took something out of a row
	load    []int   // rows that have the node
	first   []int   // of each partition, the first node in the current table that is here
	crowded []bool  // of each partition, whether the current row broke the rule of racks

	fair  []float64 // replicas that the weight alone asks for
	share []share   // what the rules leave of that
	quota []int     // the share, rounded
}

// newSite returns the part of a plan that is about one data centre, without rows.
func newSite(nodes []Node, r Replication, q int) (*site, error) {
	s := &site{dc: r.DC, partitions: q}
	racks := map[string]int{}
	leaving := 0
	for _, n := range nodes {
		switch {
		case n.DC != r.DC:
			continue
		case n.Weight == 0:
			leaving++
			continue
		}
		if _, ok := racks[n.Rack]; !ok {
			racks[n.Rack] = len(racks)
		}
		s.nodes = append(s.nodes, n)
		s.rack = append(s.rack, racks[n.Rack])
	}
	if len(s.nodes) == 0 {
		return nil, invalid("the policy wants %d replicas in data centre %q, which has no node with a weight (%d without): add one, or take the data centre out of the policy", r.Replicas, r.DC, leaving)
	}
	s.replicas, s.racks = min(r.Replicas, len(s.nodes)), len(racks)
	s.spare = max(0, s.replicas-s.racks)
	s.rows, s.held = make([][]int, q), make([][]int, q)
	s.first, s.crowded = make([]int, q), make([]bool, q)
	s.load = make([]int, len(s.nodes))
	return s, nil
}

// take takes over what stands in the current table of this data centre.
func (s *site) take(current *Table) {
	index := make(map[NodeID]int, len(s.nodes))
	for i, n := range s.nodes {
		index[n.ID] = i
	}
	for p := range s.rows {
		s.first[p] = none
		s.rows[p] = make([]int, 0, s.replicas)
		if current == nil {
			continue
		}
		for _, id := range current.Replicas(uint16(p)) {
			if i, ok := index[id]; ok {
				s.rows[p] = append(s.rows[p], i)
				s.load[i]++
			}
		}
		if len(s.rows[p]) > 0 {
			s.first[p] = s.rows[p][0]
		}
	}
}

// exceptions says what of the policy and the weights this data centre cannot have.
func (s *site) exceptions(wanted int) []Exception {
	var list []Exception
	if s.replicas < wanted {
		list = append(list, Exception{Rule: Replicas, DC: s.dc,
			Why: fmt.Sprintf("each partition has %d of %d replicas: there are no more nodes with a weight", s.replicas, wanted)})
	}
	named := slices.ContainsFunc(s.nodes, func(n Node) bool { return n.Rack != "" })
	if s.spare > 0 && named {
		list = append(list, Exception{Rule: Racks, DC: s.dc,
			Why: fmt.Sprintf("%d racks for %d replicas: each has one of them at least", s.racks, s.replicas)})
	}
	fair, share, name := make([]float64, s.racks), make([]float64, s.racks), make([]string, s.racks)
	for i, n := range s.nodes {
		r := s.rack[i]
		fair[r] += s.fair[i]
		share[r] += s.share[i].float()
		name[r] = n.Rack
		if s.spare > 0 && s.share[i].floor() == s.partitions && s.fair[i] > s.share[i].float() {
			list = append(list, Exception{Rule: Weights, DC: s.dc, Node: n.ID,
				Why: fmt.Sprintf("its weight asks for %.1f replicas, but it holds each of %d partitions once at most", s.fair[i], s.partitions)})
		}
	}
	const tiny = 1e-6 // sums of floats
	q := float64(s.partitions)
	for r := range name {
		at := ""
		switch {
		case math.Abs(share[r]-q) > tiny:
		case s.racks <= s.replicas && fair[r] < q-tiny:
			at = "at least"
		case s.racks >= s.replicas && fair[r] > q+tiny:
			at = "at most"
		}
		if at != "" {
			list = append(list, Exception{Rule: Weights, DC: s.dc, Rack: name[r],
				Why: fmt.Sprintf("its weight asks for %.1f replicas, but it holds each of %d partitions once %s", fair[r], s.partitions, at)})
		}
	}
	return list
}
