package ring_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/ring"
)

// The example of cluster/docs/ring.md.
func Example() {
	name := map[ring.NodeID]string{}
	node := func(n byte, rack string, weight int) ring.Node {
		id := ring.NodeID{n}
		name[id] = fmt.Sprintf("n%d", n)
		return ring.Node{ID: id, DC: "dc1", Rack: rack, Weight: weight}
	}
	show := func(p *ring.Plan) {
		for at := range p.Table.Partitions() {
			fmt.Printf("%02d:", at)
			for _, id := range p.Table.Replicas(uint16(at)) {
				fmt.Print(" ", name[id])
			}
			if at%4 == 3 {
				fmt.Println()
			} else {
				fmt.Print("    ")
			}
		}
		for _, n := range p.Report.Nodes {
			fmt.Printf("%s %s weight %d: fair %.2f, quota %.2f, replicas %d, primaries %d\n", name[n.ID], n.Rack, n.Weight, n.Fair, n.Quota, n.Load, n.Primaries)
		}
		for _, e := range p.Report.Exceptions {
			fmt.Println(e.Rule, e.DC, e.Rack+":", e.Why)
		}
		fmt.Printf("copies %d, at least %d\n", p.Report.Copies, p.Report.LowerBound)
	}
	nodes := []ring.Node{node(1, "r1", 4), node(2, "r1", 2), node(3, "r2", 6), node(4, "r3", 3), node(5, "r3", 3)}
	policy, err := ring.NewPolicy(map[string]int{"dc1": 3})
	if err != nil {
		panic(err)
	}
	first, err := ring.NewPlan(nil, nodes, policy, 16)
	if err != nil {
		panic(err)
	}
	show(first)

	fmt.Println("\nn6 joins")
	next, err := ring.NewPlan(first.Table, append(nodes, node(6, "r2", 3)), policy, 16)
	if err != nil {
		panic(err)
	}
	show(next)
	for _, m := range next.Moves {
		fmt.Printf("%v %02d: %s to %s\n", m.Why, m.Partition, name[m.From], name[m.To])
	}
	// Output:
	// 00: n3 n2 n4    01: n3 n1 n5    02: n3 n4 n2    03: n1 n3 n4
	// 04: n5 n3 n1    05: n4 n3 n1    06: n1 n3 n5    07: n3 n5 n1
	// 08: n2 n3 n4    09: n5 n3 n1    10: n1 n3 n5    11: n4 n3 n2
	// 12: n3 n1 n5    13: n2 n4 n3    14: n4 n1 n3    15: n5 n3 n1
	// n1 r1 weight 4: fair 10.67, quota 10.67, replicas 11, primaries 3
	// n2 r1 weight 2: fair 5.33, quota 5.33, replicas 5, primaries 2
	// n3 r2 weight 6: fair 16.00, quota 16.00, replicas 16, primaries 5
	// n4 r3 weight 3: fair 8.00, quota 8.00, replicas 8, primaries 3
	// n5 r3 weight 3: fair 8.00, quota 8.00, replicas 8, primaries 3
	// copies 48, at least 48
	//
	// n6 joins
	// 00: n6 n2 n4    01: n6 n1 n5    02: n6 n4 n2    03: n1 n6 n4
	// 04: n5 n6 n1    05: n3 n4 n1    06: n1 n3 n5    07: n3 n5 n1
	// 08: n2 n3 n4    09: n3 n5 n1    10: n1 n3 n5    11: n4 n3 n2
	// 12: n3 n1 n5    13: n2 n4 n3    14: n4 n1 n3    15: n5 n3 n1
	// n1 r1 weight 4: fair 9.14, quota 10.67, replicas 11, primaries 3
	// n2 r1 weight 2: fair 4.57, quota 5.33, replicas 5, primaries 2
	// n3 r2 weight 6: fair 13.71, quota 10.67, replicas 11, primaries 4
	// n4 r3 weight 3: fair 6.86, quota 8.00, replicas 8, primaries 2
	// n5 r3 weight 3: fair 6.86, quota 8.00, replicas 8, primaries 2
	// n6 r2 weight 3: fair 6.86, quota 5.33, replicas 5, primaries 3
	// weights dc1 r1: its weight asks for 13.7 replicas, but it holds each of 16 partitions once at least
	// weights dc1 r2: its weight asks for 20.6 replicas, but it holds each of 16 partitions once at most
	// weights dc1 r3: its weight asks for 13.7 replicas, but it holds each of 16 partitions once at least
	// copies 5, at least 5
	// balance 00: n3 to n6
	// balance 01: n3 to n6
	// balance 02: n3 to n6
	// balance 03: n3 to n6
	// balance 04: n3 to n6
}

// The page shows what the example prints.
func TestDocument(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/ring.md")
	if err != nil {
		t.Fatal(err)
	}
	_, output, _ := strings.Cut(string(source), "// Output:\n")
	output, _, found := strings.Cut(output, "\n}\n")
	first, next, two := strings.Cut(strings.ReplaceAll(strings.ReplaceAll(output+"\n", "\t// ", ""), "\t//\n", "\n"), "\n\n")
	if !found || !two || !strings.Contains(string(page), first) || !strings.Contains(string(page), strings.TrimSpace(next)) {
		t.Error("docs/ring.md does not have the output of the example")
	}
}
