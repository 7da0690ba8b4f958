package ring

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// large returns 200 nodes in 3 data centres with 12 racks, weights 1 to 10, RF 3 in each.
func large(t testing.TB) ([]Node, Policy) {
	rng := rand.New(rand.NewPCG(1, 1))
	var nodes []Node
	for i := range 200 {
		nodes = append(nodes, Node{ID: id(i + 1), DC: string(rune('a' + i%3)), Rack: fmt.Sprint(i / 3 % 4), Weight: 1 + rng.IntN(10)})
	}
	return nodes, policy(t, map[string]int{"a": 3, "b": 3, "c": 3})
}

func BenchmarkPlan(b *testing.B) {
	nodes, policy := large(b)
	joined := append(slices.Clone(nodes), Node{ID: id(500), DC: "a", Rack: "1", Weight: 5})
	moved := slices.Clone(nodes) // nodes that turn out to stand in another rack
	for i := range moved {
		if i%7 == 0 {
			moved[i].Rack = "0"
		}
	}
	merged := slices.Clone(nodes)
	for i := range merged {
		if merged[i].Rack == "1" {
			merged[i].Rack = "0"
		}
	}
	for _, q := range []int{1024, 16384} {
		first := plan(b, nil, nodes, policy, q)
		for name, c := range map[string]struct {
			current *Table
			nodes   []Node
		}{
			"new":   {nil, nodes},
			"join":  {first.Table, joined},
			"leave": {first.Table, nodes[1:]},
			"racks": {first.Table, moved},
			"merge": {first.Table, merged},
			"same":  {first.Table, nodes},
		} {
			b.Run(fmt.Sprintf("q=%d/%s", q, name), func(b *testing.B) {
				var p *Plan
				for b.Loop() {
					var err error
					if p, err = NewPlan(c.current, c.nodes, policy, q); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(p.Report.Copies), "copies")
				b.ReportMetric(float64(p.Report.LowerBound), "bound")
			})
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	nodes, policy := large(b)
	table := plan(b, nil, nodes, policy, 16384).Table
	b.ReportAllocs()
	var token, sum uint64
	for b.Loop() {
		token += 0x9e3779b97f4a7c15
		sum += uint64(table.Replicas(table.Partition(token))[0][0])
	}
	_ = sum
}

func BenchmarkCodec(b *testing.B) {
	nodes, policy := large(b)
	table := plan(b, nil, nodes, policy, 1024).Table
	enc := table.AppendTo(nil)
	b.Run("append", func(b *testing.B) {
		b.ReportMetric(float64(len(enc)), "bytes")
		for b.Loop() {
			enc = table.AppendTo(enc[:0])
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := Decode(enc); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A lookup allocates nothing.
func TestLookupAllocations(t *testing.T) {
	table := plan(t, nil, nodesOf(1, 2, 3, 4), policy(t, map[string]int{"a": 3}), 64).Table
	var token, sum uint64
	if n := testing.AllocsPerRun(100, func() {
		token += 1 << 55
		p := table.Partition(token)
		first, last := table.Range(p)
		sum += first + last + uint64(len(table.Replicas(p)))
	}); n != 0 || sum == 0 {
		t.Errorf("%v allocations", n)
	}
}
