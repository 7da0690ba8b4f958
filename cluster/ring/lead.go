package ring

import (
	"cmp"
	"slices"
)

// lead chooses one candidate of each row, so that each node is chosen as often as due
// says, within one, wherever the rows allow it. chosen has the choices of before, none
// where there is none, and keeps those that need not change.
func lead(rows [][]int, chosen []int, due []float64) {
	count := make([]int, len(due))
	for _, a := range chosen {
		if a != none {
			count[a]++
		}
	}
	over := func(a int) float64 { return float64(count[a]) - due[a] }
	for p, row := range rows {
		if chosen[p] == none {
			chosen[p] = slices.MinFunc(row, func(a, b int) int { return cmp.Compare(over(a), over(b)) })
			count[chosen[p]]++
		}
	}
	order := make([]int, len(due))
	for i := range order {
		order[i] = i
	}
	for again := true; again; {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(over(b), over(a)) })
		again = false
		short := over(order[len(order)-1]) <= -1
		for _, a := range order {
			if !short && over(a) < 1 {
				break
			}
			if again = hand(rows, chosen, count, over, a); again {
				break
			}
		}
	}
}

// hand lets node a be chosen once less, and another one once more, along the shortest
// chain of changed choices. It does so if one of both is off by one or more, and both
// come nearer to their due. It says whether it did.
func hand(rows [][]int, chosen, count []int, over func(int) float64, a int) bool {
	by := make([]int, len(count)) // by the change of which row the chain reaches a node
	for i := range by {
		by[i] = none
	}
	by[a] = len(rows)
	last := []int{a}
	for len(last) > 0 {
		reached := make([]bool, len(count))
		for _, b := range last {
			reached[b] = true
		}
		last = nil
		for p, row := range rows {
			if !reached[chosen[p]] {
				continue
			}
			for _, b := range row {
				if by[b] != none {
					continue
				}
				by[b] = p
				last = append(last, b)
				// The margin is above what the floats may be off: no change is ever undone.
				if (over(a) < 1 && over(b) > -1) || over(b)+1 > over(a)-1e-6 {
					continue
				}
				count[a]--
				count[b]++
				for b != a {
					p := by[b]
					b, chosen[p] = chosen[p], b
				}
				return true
			}
		}
	}
	return false
}

// order puts the replicas of each partition in order, and returns the rows of the table.
// In each data centre the first place goes by weight, and so does the very first one; the
// others stay as they stood.
func order(sites []*site, current *Table) [][]NodeID {
	sum := 0
	for _, s := range sites {
		sum += s.replicas
	}
	q := len(sites[0].rows)
	var due []float64              // of all nodes of all sites, one site behind another
	candidates := make([][]int, q) // of each partition, the first of each site
	for _, s := range sites {
		s.rotate()
		for p, row := range s.rows {
			candidates[p] = append(candidates[p], len(due)+row[0])
		}
		due = append(due, s.byWeight(float64(q*s.replicas)/float64(sum))...)
	}
	chosen := make([]int, q)
	for p := range chosen {
		chosen[p] = none
		for at, s := range sites {
			if current != nil && s.nodes[s.rows[p][0]].ID == current.Replicas(uint16(p))[0] {
				chosen[p] = candidates[p][at]
			}
		}
	}
	lead(candidates, chosen, due)
	rows := make([][]NodeID, q)
	for p := range rows {
		at := slices.Index(candidates[p], chosen[p])
		for i := range sites {
			s := sites[(at+i)%len(sites)]
			for _, a := range s.rows[p] {
				rows[p] = append(rows[p], s.nodes[a].ID)
			}
		}
	}
	return rows
}

// rotate brings to the front of each row whoever is to be first.
func (s *site) rotate() {
	for p, row := range s.rows {
		if !slices.Contains(row, s.first[p]) {
			s.first[p] = none
		}
	}
	lead(s.rows, s.first, s.byWeight(float64(s.partitions)))
	for p, row := range s.rows {
		i := slices.Index(row, s.first[p])
		copy(row[1:], row[:i])
		row[0] = s.first[p]
	}
}

// byWeight returns the part of total that each node's weight stands for.
func (s *site) byWeight(total float64) []float64 {
	sum := 0
	for _, n := range s.nodes {
		sum += n.Weight
	}
	parts := make([]float64, len(s.nodes))
	for i, n := range s.nodes {
		parts[i] = total * float64(n.Weight) / float64(sum)
	}
	return parts
}
