package ring

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"testing"
)

// Random clusters that change, one change at a time: each plan keeps all rules, does not
// depend on the order of the nodes, and moves little more than any plan must.
func TestSequences(t *testing.T) {
	var changes, copies, bound, roomy, reordered, rows int
	worst, off := 0.0, 0.0
	for seed := range uint64(*sequences) {
		c := newCluster(t, seed, 200)
		p := plan(t, nil, c.nodes, c.policy, c.q)
		for range 12 {
			before := shape(p, c.policy)
			what := c.change()
			next := plan(t, p.Table, c.nodes, c.policy, c.q)
			shuffled := slices.Clone(c.nodes)
			c.rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			if again := plan(t, p.Table, shuffled, c.policy, c.q); !again.Table.Equal(next.Table) || !slices.Equal(again.Moves, next.Moves) {
				t.Fatal("another order of the nodes makes another plan")
			}
			reordered += next.Report.Reordered
			rows += c.q
			for _, n := range next.Report.Nodes {
				off = max(off, math.Abs(float64(n.Load)-n.Quota))
			}
			if after := shape(next, c.policy); slices.Equal(before, after) {
				r := next.Report
				changes++
				copies += r.Copies
				bound += r.LowerBound
				if wide(p, c.policy, c.q) && wide(next, c.policy, c.q) {
					roomy++
					worst = max(worst, float64(r.Copies)-1.1*float64(r.LowerBound))
					if float64(r.Copies) > 1.1*float64(r.LowerBound)+2 {
						t.Errorf("seed %d: %s, %d copies, at least %d", seed, what, r.Copies, r.LowerBound)
					}
				}
			}
			p = next
		}
		if again := plan(t, p.Table, c.nodes, c.policy, c.q); len(again.Moves) > 0 || !again.Table.Equal(p.Table) {
			t.Fatal("a plan from its own table changes it")
		}
	}
	t.Logf("%d changes: %d copies, at least %d; %d of them with room, at worst %.1f copies above 1.1 of the bound; loads %.3f off their quotas at most; %d of %d primaries stepped back",
		changes, copies, bound, roomy, worst, off, reordered, rows)
	if float64(copies) > 1.05*float64(bound) || float64(reordered) > 0.05*float64(rows) {
		t.Error("that is too much")
	}
}

// A node that joins is given its share, and nothing else moves: RF·Q·w/(W+w) copies, to
// the next whole number. A node that leaves gives away what it has.
func TestJoinAndLeave(t *testing.T) {
	const q, rf = 1024, 3
	for _, racks := range []int{1, 3, 12} {
		nodes := racked(nodesOf(slices.Repeat([]int{1, 2, 3, 5, 10, 4, 4, 2, 1, 3, 6, 1}, 4)...), racks)
		p := policy(t, map[string]int{"a": rf})
		before := plan(t, nil, nodes, p, q)
		sum := 0
		for _, n := range nodes {
			sum += n.Weight
		}
		for _, w := range []int{1, 4, 10} {
			joins := Node{ID: id(1000), DC: "a", Rack: "r1", Weight: w}
			joined := plan(t, before.Table, append(slices.Clone(nodes), joins), p, q)
			least := float64(rf*q*w) / float64(sum+w)
			if racks == rf { // each rack is a ring of its own
				least = q * float64(w) / (float64(sum)/rf + float64(w))
			}
			if got := joined.Report.Copies; math.Abs(float64(got)-least) > 0.1*least+1 {
				t.Errorf("%d racks: a node of weight %d joins %d, %d copies, want %.1f", racks, w, sum, got, least)
			}
			for _, m := range joined.Moves {
				if m.To != joins.ID || m.Why != Balance {
					t.Fatalf("%d racks: %+v does not go to the new node", racks, m)
				}
			}
			left := plan(t, joined.Table, nodes, p, q)
			for _, m := range left.Moves {
				if m.From != joins.ID || m.Why != Fill {
					t.Fatalf("%d racks: %+v does not come from the node that left", racks, m)
				}
			}
		}
	}
}

// Rules that cannot be kept are named, with the reason, and the others hold.
func TestExceptions(t *testing.T) {
	const most, least = "replicas, but it holds each of 64 partitions once at most", "replicas, but it holds each of 64 partitions once at least"
	for _, c := range []struct {
		name  string
		nodes []Node
		want  []string
	}{
		{"one node", nodesOf(1), []string{"replicas: each partition has 1 of 3 replicas: there are no more nodes with a weight"}},
		{"two and one that leaves", nodesOf(1, 0, 1), []string{"replicas: each partition has 2 of 3 replicas: there are no more nodes with a weight"}},
		{"equal weights", nodesOf(1, 1, 1), nil},
		{"no node alone too heavy", nodesOf(3, 2, 2, 2), nil},
		{"as many nodes as replicas", nodesOf(1, 2, 3), []string{"weights node 3: its weight asks for 96.0 " + most}},
		{"a heavy node", nodesOf(1, 2, 9, 1), []string{"weights node 3: its weight asks for 132.9 " + most}},
		{"one rack", racked(nodesOf(1, 1, 1, 1), 1), []string{"racks: 1 racks for 3 replicas: each has one of them at least"}},
		{"two racks", racked(nodesOf(1, 1, 1, 1), 2), []string{"racks: 2 racks for 3 replicas: each has one of them at least"}},
		{"a light rack of two", racked(nodesOf(4, 1, 4, 1, 4), 2), []string{
			"racks: 2 racks for 3 replicas: each has one of them at least",
			"weights rack r2: its weight asks for 27.4 " + least}},
		{"three racks", racked(nodesOf(1, 2, 3, 3, 2, 1), 3), nil},
		{"three racks that differ", racked(nodesOf(1, 1, 2), 3), []string{
			"weights rack r1: its weight asks for 48.0 " + least,
			"weights rack r2: its weight asks for 48.0 " + least,
			"weights rack r3: its weight asks for 96.0 " + most}},
		{"a heavy rack of five", racked(nodesOf(8, 1, 1, 1, 1, 8, 1, 1, 1, 1), 5), []string{"weights rack r1: its weight asks for 128.0 " + most}},
	} {
		p := plan(t, nil, c.nodes, policy(t, map[string]int{"a": 3}), 64)
		var got []string
		for _, e := range p.Report.Exceptions {
			about := ""
			if !e.Node.IsZero() {
				about = fmt.Sprint(" node ", slices.IndexFunc(c.nodes, func(n Node) bool { return n.ID == e.Node })+1)
			} else if e.Rack != "" {
				about = " rack " + e.Rack
			}
			got = append(got, fmt.Sprint(e.Rule, about, ": ", e.Why))
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Three nodes of different sizes hold everything, and lead by their weights.
func TestPrimariesByWeight(t *testing.T) {
	p := plan(t, nil, nodesOf(1, 2, 5), policy(t, map[string]int{"a": 3}), 64)
	for i, want := range []int{8, 16, 40} {
		for _, n := range p.Report.Nodes {
			if n.ID == id(i+1) && (n.Load != 64 || n.Primaries != want) {
				t.Errorf("weight %d: %d replicas and %d primaries, want 64 and %d", n.Weight, n.Load, n.Primaries, want)
			}
		}
	}
}

// What is missing comes first, and first of all where least is left; then what shares a
// rack, then what is only too much for somebody.
func TestOrderOfMoves(t *testing.T) {
	gone1, gone2 := id(101), id(102)
	rows := [][]NodeID{
		{id(1), id(2), id(3)}, // all is well
		{id(1), id(4), id(3)}, // 1 and 4 share a rack
		{gone1, id(2), id(3)},
		{gone1, gone2, id(3)},
		{id(1), id(2)},
		{id(1), id(2), id(3)},
		{id(1), id(2), id(3)},
		{id(1), id(2), id(3)},
	}
	current, err := NewTable(rows)
	if err != nil {
		t.Fatal(err)
	}
	p := plan(t, current, racked(nodesOf(1, 1, 1, 1, 1, 1), 3), policy(t, map[string]int{"a": 3}), 8)
	var first []uint16
	reasons := map[Reason]int{}
	for _, m := range p.Moves {
		if reasons[m.Why]++; m.Why == Fill {
			first = append(first, m.Partition)
		}
	}
	if want := []uint16{3, 3, 2, 4}; !slices.Equal(first, want) {
		t.Errorf("filled are %v, want %v", first, want)
	}
	if reasons[Spread] == 0 || reasons[Balance] == 0 || reasons[Drop] != 0 {
		t.Errorf("the moves are %v", reasons)
	}
}

// A policy that changes, in every way: what is too much is dropped and copied by nobody,
// what is missing is filled, and a data centre that is left out keeps nothing.
func TestPolicies(t *testing.T) {
	var nodes []Node
	for i := range 12 {
		nodes = append(nodes, Node{ID: id(i + 1), DC: string(rune('a' + i%2)), Rack: fmt.Sprint(i / 2 % 3), Weight: 1 + i%3})
	}
	const q = 64
	p := plan(t, nil, nodes, policy(t, map[string]int{"a": 3, "b": 2}), q)
	for _, c := range []struct {
		replicas      map[string]int
		copies, drops int
	}{
		{map[string]int{"a": 3, "b": 2}, 0, 0},
		{map[string]int{"a": 2, "b": 2}, 0, q},
		{map[string]int{"a": 2}, 0, 2 * q},
		{map[string]int{"b": 2}, 2 * q, 2 * q},
		{map[string]int{"a": 1, "b": 3}, 2 * q, 0},
	} {
		p = plan(t, p.Table, nodes, policy(t, c.replicas), q)
		copies, drops := 0, 0
		for _, m := range p.Moves {
			switch m.Why {
			case Fill:
				copies++
			case Drop:
				drops++
			}
		}
		if copies != c.copies || drops != c.drops {
			t.Errorf("%v: %d copies and %d drops, want %d and %d", c.replicas, copies, drops, c.copies, c.drops)
		}
	}
}

// Racks that come, go and merge, with tables that break the rule until the plan is carried
// out. The checks of each plan are those of plan.
func TestRacksChange(t *testing.T) {
	p3 := policy(t, map[string]int{"a": 3})
	nodes := nodesOf(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 1)
	current := plan(t, nil, nodes, p3, 256)
	for _, racks := range []int{2, 3, 1, 4, 12, 5, 2, 6, 3} {
		current = plan(t, current.Table, racked(nodes, racks), p3, 256)
	}
	merged := racked(slices.Clone(nodes), 3)
	for i := range merged {
		merged[i].Rack = []string{"r1", "r2", "r3", "r1"}[i%4]
	}
	if p := plan(t, current.Table, merged, p3, 256); !slices.ContainsFunc(p.Moves, func(m Move) bool { return m.Why == Spread }) {
		t.Error("nothing was spread")
	}
}

// Weights and numbers at their limits.
func TestLimits(t *testing.T) {
	weights := slices.Repeat([]int{MaxWeight, 1, MaxWeight / 3}, MaxNodes/3)
	plan(t, nil, racked(nodesOf(weights...), 40), policy(t, map[string]int{"a": MaxReplicas}), 256)
	plan(t, nil, nodesOf(MaxWeight, 1, 1), policy(t, map[string]int{"a": 2}), MaxPartitions)
}

// What cannot be planned is refused, and the error says what to change.
func TestRefused(t *testing.T) {
	two, one := nodesOf(1, 1), policy(t, map[string]int{"a": 1})
	with := func(change func(*Node)) []Node {
		nodes := slices.Clone(two)
		change(&nodes[1])
		return nodes
	}
	table := plan(t, nil, two, one, 8).Table
	for _, c := range []struct {
		name    string
		current *Table
		nodes   []Node
		policy  Policy
		q       int
		want    string
	}{
		{"ids", nil, with(func(n *Node) { n.ID = id(1) }), one, 8, "two nodes have the id"},
		{"no id", nil, with(func(n *Node) { n.ID = NodeID{} }), one, 8, "without an id"},
		{"no data centre", nil, with(func(n *Node) { n.DC = "" }), one, 8, "a data centre without a name"},
		{"long name", nil, with(func(n *Node) { n.Rack = strings.Repeat("r", MaxName+1) }), one, 8, "65 bytes: 64 are the limit"},
		{"bytes", nil, with(func(n *Node) { n.Rack = "\xff" }), one, 8, "must be UTF-8"},
		{"weight", nil, with(func(n *Node) { n.Weight = MaxWeight + 1 }), one, 8, "divide all weights"},
		{"negative weight", nil, with(func(n *Node) { n.Weight = -1 }), one, 8, "has weight -1"},
		{"too many", nil, nodesOf(make([]int, MaxNodes+1)...), one, 8, "1025 nodes: 1024 are the limit"},
		{"no nodes", nil, nil, one, 8, "no node with a weight (0 without): add one"},
		{"all leave", nil, nodesOf(0, 0), one, 8, "no node with a weight (2 without): add one"},
		{"unknown data centre", nil, two, Policy{{"a", 1}, {"b", 1}}, 8, "take the data centre out of the policy"},
		{"no policy", nil, two, nil, 8, "name at least one"},
		{"no replicas", nil, two, Policy{{"a", 0}}, 8, "0 replicas in \"a\": want 1 to 32"},
		{"too many replicas", nil, two, Policy{{"a", MaxReplicas + 1}}, 8, "33 replicas in \"a\": want 1 to 32"},
		{"too many together", nil, two, Policy{{"a", MaxReplicas}, {"b", 1}}, 8, "more than 32 replicas in all"},
		{"overflow", nil, two, Policy{{"a", math.MaxInt}, {"b", math.MaxInt}}, 8, "want 1 to 32"},
		{"nameless", nil, two, Policy{{"", 1}}, 8, "a data centre without a name"},
		{"twice", nil, two, Policy{{"a", 1}, {"a", 1}}, 8, "each data centre once"},
		{"disorder", nil, two, Policy{{"b", 1}, {"a", 1}}, 8, "in ascending order"},
		{"no partitions", nil, two, one, 0, "want a power of two"},
		{"odd partitions", nil, two, one, 12, "12 partitions: want a power of two"},
		{"too many partitions", nil, two, one, 2 * MaxPartitions, "from 1 to 32768"},
		{"other partitions", table, two, one, 16, "16 partitions from a table of 8"},
	} {
		p, err := NewPlan(c.current, c.nodes, c.policy, c.q)
		if p != nil || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if p := policy(t, map[string]int{"b": 2, "a": 3}); p.String() != "a:3,b:2" {
		t.Errorf("the policy is %v", p)
	}
}

// A new table is rounded by the largest remainder.
func TestRounding(t *testing.T) {
	p := plan(t, nil, nodesOf(5, 3, 1), policy(t, map[string]int{"a": 1}), 16) // 8.89, 5.33, 1.78
	for i, want := range []int{9, 5, 2} {
		if at := slices.IndexFunc(p.Report.Nodes, func(n NodeReport) bool { return n.ID == id(i+1) }); p.Report.Nodes[at].Load != want {
			t.Errorf("node %d has %d replicas, want %d", i+1, p.Report.Nodes[at].Load, want)
		}
	}
}

// Whoever fails is replaced by all others: each two nodes share about as many partitions.
func TestScatter(t *testing.T) {
	const n, q = 12, 1024
	p := plan(t, nil, nodesOf(slices.Repeat([]int{1}, n)...), policy(t, map[string]int{"a": 3}), q)
	together := map[[2]NodeID]int{}
	for at := range q {
		row := p.Table.Replicas(uint16(at))
		for _, a := range row {
			for _, b := range row {
				together[[2]NodeID{a, b}]++
			}
		}
	}
	mean := float64(q*3*2) / (n * (n - 1))
	for pair, count := range together {
		if pair[0] != pair[1] && math.Abs(float64(count)-mean) > mean/2 || len(together) != n*n {
			t.Errorf("%v share %d partitions, about %.1f of each two would be even", pair, count, mean)
		}
	}
}
