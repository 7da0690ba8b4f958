package ring

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var (
	update    = flag.Bool("update", false, "write the encodings into testdata")
	sequences = flag.Int("ring.sequences", 12, "how many random clusters the tests of sequences follow")
)

// id returns the id of a node by its number, from 1.
func id(n int) NodeID {
	var id NodeID
	binary.BigEndian.PutUint64(id[:8], uint64(n)*0x9e3779b97f4a7c15)
	id[15] = byte(n)
	return id
}

// nodesOf returns nodes of one data centre, "a", with these weights.
func nodesOf(weights ...int) []Node {
	var nodes []Node
	for i, w := range weights {
		nodes = append(nodes, Node{ID: id(i + 1), DC: "a", Weight: w})
	}
	return nodes
}

// racked gives the nodes racks in turn: r1, r2, up to the number.
func racked(nodes []Node, racks int) []Node {
	for i := range nodes {
		nodes[i].Rack = fmt.Sprintf("r%d", i%racks+1)
	}
	return nodes
}

func policy(t testing.TB, m map[string]int) Policy {
	t.Helper()
	p, err := NewPolicy(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// plan makes a plan, and holds it against all that a plan promises.
func plan(t testing.TB, current *Table, nodes []Node, p Policy, q int) *Plan {
	t.Helper()
	got, err := NewPlan(current, nodes, p, q)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(checkRows(got, nodes, p, q), checkQuotas(got, p, q), checkMoves(got, current, nodes), checkPrimaries(got, p, q)); err != nil {
		t.Fatalf("%v\n%d nodes: %.1000v ...\npolicy %v, %d partitions", err, len(nodes), fmt.Sprint(nodes), p, q)
	}
	return got
}

// centre is what a policy has of a data centre, seen from outside of the planner.
type centre struct {
	nodes    map[NodeID]NodeReport // with a weight
	racks    map[string]bool
	replicas int // of each partition
	weight   int
}

func centreOf(nodes []NodeReport, r Replication) centre {
	c := centre{map[NodeID]NodeReport{}, map[string]bool{}, 0, 0}
	for _, n := range nodes {
		if n.DC == r.DC && n.Weight > 0 {
			c.nodes[n.ID] = n
			c.racks[n.Rack] = true
			c.weight += n.Weight
		}
	}
	c.replicas = min(r.Replicas, len(c.nodes))
	return c
}

// checkRows holds the rows against the policy and the racks, and the counts of the report
// against the rows.
func checkRows(p *Plan, nodes []Node, policy Policy, q int) error {
	if p.Table.Partitions() != q {
		return fmt.Errorf("%d partitions", p.Table.Partitions())
	}
	sorted := slices.SortedFunc(slices.Values(nodes), func(a, b Node) int { return a.ID.Compare(b.ID) })
	if !slices.EqualFunc(sorted, p.Report.Nodes, func(a Node, b NodeReport) bool { return a == b.Node }) {
		return errors.New("the report has other nodes")
	}
	loads, primaries, width := map[NodeID]int{}, map[NodeID]int{}, 0
	var centres []centre
	for _, r := range policy {
		c := centreOf(p.Report.Nodes, r)
		centres = append(centres, c)
		width += c.replicas
	}
	for at := range q {
		row := p.Table.Replicas(uint16(at))
		primaries[row[0]]++
		if len(row) != width {
			return fmt.Errorf("partition %d has %d replicas, want %d", at, len(row), width)
		}
		for _, c := range centres {
			racks, count := map[string]bool{}, 0
			for i, id := range row {
				if n, ok := c.nodes[id]; ok && !slices.Contains(row[:i], id) {
					count++
					racks[n.Rack] = true
					loads[id]++
				}
			}
			if count != c.replicas || len(racks) < min(c.replicas, len(c.racks)) {
				return fmt.Errorf("partition %d has %d replicas in %d racks, want %d in %d", at, count, len(racks), c.replicas, min(c.replicas, len(c.racks)))
			}
		}
	}
	for _, n := range p.Report.Nodes {
		if n.Load != loads[n.ID] || n.Primaries != primaries[n.ID] {
			return fmt.Errorf("the report of %v has %d replicas and %d primaries, the table %d and %d", n.ID, n.Load, n.Primaries, loads[n.ID], primaries[n.ID])
		}
	}
	return nil
}

// checkQuotas holds the loads against the quotas, and those against what makes them the
// best there are: no share can go from a node that has more for its weight to one that has
// less without breaking a rule.
func checkQuotas(p *Plan, policy Policy, q int) error {
	const tiny = 1e-6
	for _, r := range policy {
		c := centreOf(p.Report.Nodes, r)
		sum, ofRack := 0.0, map[string]float64{}
		for _, n := range c.nodes {
			if math.Abs(float64(n.Load)-n.Quota) >= 1 {
				return fmt.Errorf("%v has %d replicas, its quota is %g", n.ID, n.Load, n.Quota)
			}
			if fair := float64(q*c.replicas) * float64(n.Weight) / float64(c.weight); math.Abs(n.Fair-fair) > tiny {
				return fmt.Errorf("%v: fair would be %g, not %g", n.ID, fair, n.Fair)
			}
			sum += n.Quota
			ofRack[n.Rack] += n.Quota
		}
		full := float64(q)
		if math.Abs(sum-full*float64(c.replicas)) > tiny*full {
			return fmt.Errorf("the quotas of %q add up to %g", r.DC, sum)
		}
		for _, x := range c.nodes {
			for _, y := range c.nodes {
				if x.Quota/float64(x.Weight) <= y.Quota/float64(y.Weight)+tiny {
					continue
				}
				other := x.Rack != y.Rack
				capped := y.Quota > full-tiny || other && len(c.racks) >= c.replicas && ofRack[y.Rack] > full-tiny
				needed := other && len(c.racks) <= c.replicas && ofRack[x.Rack] < full+tiny
				if !capped && !needed {
					return fmt.Errorf("%v with weight %d has the quota %g, but %v with %d has %g", x.ID, x.Weight, x.Quota, y.ID, y.Weight, y.Quota)
				}
			}
		}
	}
	return nil
}

// checkMoves makes the moves, and holds what comes out against the table.
func checkMoves(p *Plan, current *Table, nodes []Node) error {
	rows := make([][]NodeID, p.Table.Partitions())
	members := map[NodeID]bool{}
	for _, n := range nodes {
		members[n.ID] = true
	}
	for at := range rows {
		if current != nil {
			rows[at] = slices.Clone(current.Replicas(uint16(at)))
		}
	}
	copies := 0
	for i, m := range p.Moves {
		if i > 0 && m.Why < p.Moves[i-1].Why {
			return fmt.Errorf("move %d, %v, comes behind %v", i, m.Why, p.Moves[i-1].Why)
		}
		if (m.Why == Fill) != (!m.To.IsZero() && !members[m.From]) || (m.Why == Drop) != m.To.IsZero() {
			return fmt.Errorf("move %d has the wrong reason: %+v", i, m)
		}
		row := &rows[m.Partition]
		if !m.From.IsZero() {
			at := slices.Index(*row, m.From)
			if at < 0 {
				return fmt.Errorf("move %d takes what is not there: %+v", i, m)
			}
			*row = slices.Delete(*row, at, at+1)
		}
		if !m.To.IsZero() {
			copies++
			*row = append(*row, m.To)
		}
	}
	if copies != p.Report.Copies || copies < p.Report.LowerBound {
		return fmt.Errorf("%d copies, the report says %d and at least %d", copies, p.Report.Copies, p.Report.LowerBound)
	}
	for at, row := range rows {
		want := slices.Clone(p.Table.Replicas(uint16(at)))
		slices.SortFunc(want, NodeID.Compare)
		slices.SortFunc(row, NodeID.Compare)
		if !slices.Equal(row, want) {
			return fmt.Errorf("partition %d after the moves: %v, want %v", at, row, want)
		}
	}
	return nil
}

// checkPrimaries holds the first places against the weights, where the rules leave those
// alone.
func checkPrimaries(p *Plan, policy Policy, q int) error {
	if slices.ContainsFunc(p.Report.Exceptions, func(e Exception) bool { return e.Rule == Weights }) {
		return nil
	}
	sum := 0
	for _, r := range policy {
		sum += centreOf(p.Report.Nodes, r).replicas
	}
	for _, r := range policy {
		c := centreOf(p.Report.Nodes, r)
		first := map[NodeID]int{}
		for at := range q {
			row := p.Table.Replicas(uint16(at))
			first[row[slices.IndexFunc(row, func(id NodeID) bool { _, ok := c.nodes[id]; return ok })]]++
		}
		for id, n := range c.nodes {
			local := float64(q) * float64(n.Weight) / float64(c.weight)
			all := local * float64(c.replicas) / float64(sum)
			if math.Abs(float64(first[id])-local) >= 1 || math.Abs(float64(n.Primaries)-all) >= 2 {
				return fmt.Errorf("%v is first of its data centre %d times (want %g), of all %d (want %g)", id, first[id], local, n.Primaries, all)
			}
		}
	}
	return nil
}

// cluster is a random cluster that changes.
type cluster struct {
	rng    *rand.Rand
	next   int // number of the last node
	dcs    []string
	racks  int // of each data centre
	nodes  []Node
	policy Policy
	q      int
}

// newCluster returns a random cluster of up to that many nodes.
func newCluster(t testing.TB, seed uint64, most int) *cluster {
	c := &cluster{rng: rand.New(rand.NewPCG(seed, 1))}
	c.dcs = []string{"a", "b", "c"}[:1+c.rng.IntN(3)]
	c.racks = 1 + c.rng.IntN(12/len(c.dcs))
	c.q = 16 << c.rng.IntN(7)
	replicas := map[string]int{}
	for _, dc := range c.dcs {
		replicas[dc] = 1 + c.rng.IntN(5)
	}
	c.policy = policy(t, replicas)
	for range len(c.dcs) + c.rng.IntN(most-len(c.dcs)+1) {
		c.join()
	}
	return c
}

func (c *cluster) join() NodeID {
	c.next++
	dc := c.dcs[c.next%len(c.dcs)]
	n := Node{ID: id(c.next), DC: dc, Rack: fmt.Sprint(c.rng.IntN(c.racks)), Weight: 1 + c.rng.IntN(10)}
	c.nodes = append(c.nodes, n)
	return n.ID
}

// alone says whether a node is the last one with a weight in its data centre.
func (c *cluster) alone(n Node) bool {
	return !slices.ContainsFunc(c.nodes, func(m Node) bool { return m.DC == n.DC && m.ID != n.ID && m.Weight > 0 })
}

// change makes one random change and says what it was.
func (c *cluster) change() string {
	at := c.rng.IntN(len(c.nodes))
	n := &c.nodes[at]
	kind := c.rng.IntN(4)
	switch {
	case kind == 1 && !c.alone(*n):
		c.nodes = slices.Delete(c.nodes, at, at+1)
		return "gone"
	case kind == 2 && !c.alone(*n):
		n.Weight = 0
		return "leaving"
	case kind == 3:
		n.Weight = 1 + c.rng.IntN(10)
		return "reweighted"
	}
	c.join()
	return "joined"
}

// shape is what the rules ask of each row. Where it changes, all rows may have to.
func shape(p *Plan, policy Policy) (shape []int) {
	for _, r := range policy {
		c := centreOf(p.Report.Nodes, r)
		shape = append(shape, c.replicas, min(c.replicas, len(c.racks)), max(0, c.replicas-len(c.racks)))
	}
	return shape
}

// wide says whether the rules leave a plan room: no node has more than half of the
// partitions, and no rack either, but for one rack alone, and for as many as replicas.
func wide(p *Plan, policy Policy, q int) bool {
	half := float64(q) / 2
	for _, r := range policy {
		c := centreOf(p.Report.Nodes, r)
		ofRack := map[string]float64{}
		for _, n := range c.nodes {
			ofRack[n.Rack] += n.Quota
			if n.Quota > half || ofRack[n.Rack] > half && len(c.racks) > 1 && len(c.racks) != c.replicas {
				return false
			}
		}
	}
	return true
}
