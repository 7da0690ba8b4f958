package ring

import (
	"cmp"
	"slices"
)

// compare fills in the moves from the current table, and the rest of the report.
func (p *Plan) compare(current *Table, nodes []Node, sites []*site) {
	members := make(map[NodeID]Node, len(nodes))
	for _, n := range nodes {
		members[n.ID] = n
	}
	survivors := make([]int, p.Table.Partitions())
	for at := range survivors {
		var old []NodeID
		if current != nil {
			old = current.Replicas(uint16(at))
		}
		for _, id := range old {
			if _, ok := members[id]; ok {
				survivors[at]++
			}
		}
		row := p.Table.Replicas(uint16(at))
		if len(old) > 0 && row[0] != old[0] && slices.Contains(row, old[0]) {
			p.Report.Reordered++
		}
		for _, m := range pair(old, row, members) {
			m.Partition = uint16(at)
			crowded := slices.ContainsFunc(sites, func(s *site) bool { return s.dc == members[m.To].DC && s.crowded[at] })
			if m.Why == Balance && crowded {
				m.Why = Spread
			}
			if m.Why != Drop {
				p.Report.Copies++
			}
			p.Moves = append(p.Moves, m)
		}
	}
	slices.SortStableFunc(p.Moves, func(a, b Move) int {
		if a.Why != b.Why || a.Why != Fill {
			return cmp.Compare(a.Why, b.Why)
		}
		return cmp.Compare(survivors[a.Partition], survivors[b.Partition])
	})
	p.count(nodes, sites)
}

// pair returns the moves from one row to another. Whoever joins takes the place of one
// who leaves: of the same rack, else of the same data centre, else of a node that is gone.
func pair(old, row []NodeID, members map[NodeID]Node) []Move {
	without := func(ids, others []NodeID) []NodeID {
		return slices.DeleteFunc(slices.Clone(ids), func(id NodeID) bool { return slices.Contains(others, id) })
	}
	leave, join := without(old, row), without(row, old)
	var moves []Move
	for _, near := range []func(from, to Node) bool{
		func(from, to Node) bool { return from.DC == to.DC && from.Rack == to.Rack },
		func(from, to Node) bool { return from.DC == to.DC },
		func(from, _ Node) bool { return from.ID.IsZero() }, // gone
	} {
		join = slices.DeleteFunc(join, func(to NodeID) bool {
			i := slices.IndexFunc(leave, func(from NodeID) bool { return near(members[from], members[to]) })
			if i < 0 {
				return false
			}
			m := Move{From: leave[i], To: to, Why: Balance}
			if members[m.From].ID.IsZero() {
				m.Why = Fill
			}
			moves = append(moves, m)
			leave = slices.Delete(leave, i, i+1)
			return true
		})
	}
	for _, id := range join {
		moves = append(moves, Move{To: id, Why: Fill})
	}
	for _, id := range leave {
		moves = append(moves, Move{From: id, Why: Drop})
	}
	return moves
}

// count fills in what each node gets.
func (p *Plan) count(nodes []Node, sites []*site) {
	index := make(map[NodeID]int, len(nodes))
	for i, n := range nodes {
		index[n.ID] = i
		p.Report.Nodes = append(p.Report.Nodes, NodeReport{Node: n})
	}
	for _, s := range sites {
		for i, n := range s.nodes {
			r := &p.Report.Nodes[index[n.ID]]
			r.Fair, r.Quota = s.fair[i], s.share[i].float()
		}
	}
	for _, c := range p.Table.Counts() {
		r := &p.Report.Nodes[index[c.ID]]
		r.Load, r.Primaries = c.Replicas, c.Primaries
	}
}
