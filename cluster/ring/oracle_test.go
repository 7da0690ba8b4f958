package ring

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Every table of tiny clusters is looked at: there is none with the same loads that needs
// fewer copies, and hardly one with other loads within the quotas.
func TestTinyAgainstAllTables(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	plans, otherwise := 0, 0
	for range 500 * *sequences {
		n, q := 1+rng.IntN(5), 1<<rng.IntN(4)
		var nodes []Node
		for i := range n {
			nodes = append(nodes, Node{ID: id(i + 1), DC: "a", Rack: fmt.Sprint(rng.IntN(4)), Weight: 1 + rng.IntN(6)})
		}
		p := policy(t, map[string]int{"a": 1 + rng.IntN(4)})
		current := plan(t, nil, nodes, p, q)
		for range 4 {
			switch at := rng.IntN(n); rng.IntN(4) {
			case 0:
				nodes[at].Weight = 1 + rng.IntN(6)
			case 1:
				nodes[at].Weight = 0
				nodes[(at+1)%n].Weight++
			case 2:
				nodes[at].ID = id(rng.IntN(1<<20) + 10) // a new disk
				nodes[at].Weight++
			case 3:
				nodes[at].Rack = fmt.Sprint(rng.IntN(4))
			}
			next := plan(t, current.Table, nodes, p, q)
			same, within := fewest(current.Table, next, p)
			if next.Report.Copies != same {
				t.Errorf("%d copies, %d would do: %d partitions, %v, nodes %v", next.Report.Copies, same, q, p, nodes)
			}
			plans++
			if next.Report.Copies > within {
				otherwise++
			}
			current = next
		}
	}
	t.Logf("%d plans with the fewest copies for their loads; %d of them not for any loads within the quotas", plans, otherwise)
	if otherwise > plans/100 {
		t.Errorf("%d of %d plans would need fewer copies with other loads", otherwise, plans)
	}
}

// fewest looks at all tables of one data centre that keep the rules, and returns how many
// copies the best needs with the loads of the plan, and with any within one of the quotas.
func fewest(current *Table, plan *Plan, policy Policy) (same, within int) {
	c := centreOf(plan.Report.Nodes, policy[0])
	var nodes []NodeReport
	for _, n := range plan.Report.Nodes {
		if n.Weight > 0 {
			nodes = append(nodes, n)
		}
	}
	type loads [8]uint8
	best := map[loads]int{{}: 0} // copies to reach these loads with the partitions so far
	for at := range current.Partitions() {
		next := map[loads]int{}
		for set := range 1 << len(nodes) {
			racks, count, copies := map[string]bool{}, 0, 0
			var add loads
			for i, n := range nodes {
				if set>>i&1 == 0 {
					continue
				}
				count++
				racks[n.Rack] = true
				add[i] = 1
				if !slices.Contains(current.Replicas(uint16(at)), n.ID) {
					copies++
				}
			}
			if count != c.replicas || len(racks) < min(c.replicas, len(c.racks)) {
				continue
			}
			for l, sum := range best {
				over := false
				for i := range nodes {
					l[i] += add[i]
					over = over || float64(l[i]) >= nodes[i].Quota+1
				}
				if was, ok := next[l]; !over && (!ok || sum+copies < was) {
					next[l] = sum + copies
				}
			}
		}
		best = next
	}
	same, within = math.MaxInt, math.MaxInt
	for l, sum := range best {
		equal, near := true, true
		for i, n := range nodes {
			equal = equal && int(l[i]) == n.Load
			near = near && float64(l[i]) > n.Quota-1
		}
		if near {
			within = min(within, sum)
		}
		if equal {
			same = min(same, sum)
		}
	}
	return same, within
}
