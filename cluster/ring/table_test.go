package ring

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Each token is in the range of its partition, and the ranges follow each other.
func TestRanges(t *testing.T) {
	for q := 1; q <= MaxPartitions; q *= 2 {
		table, err := NewTable(slices.Repeat([][]NodeID{{id(1)}}, q))
		if err != nil {
			t.Fatal(err)
		}
		next := uint64(0)
		for p := range q {
			first, last := table.Range(uint16(p))
			if first != next || last-first != math.MaxUint64/uint64(q) && q > 1 || table.Partition(first) != uint16(p) || table.Partition(last) != uint16(p) {
				t.Fatalf("partition %d of %d is from %x to %x", p, q, first, last)
			}
			next = last + 1
		}
		if next != 0 {
			t.Fatalf("%d partitions end before %x", q, next)
		}
	}
}

// The counts and comparisons of a table, by hand.
func TestTable(t *testing.T) {
	rows := [][]NodeID{{id(1), id(2)}, {id(2)}, {id(3), id(2), id(1)}, {id(2), id(3)}}
	table, err := NewTable(rows)
	if err != nil {
		t.Fatal(err)
	}
	want := []Count{{id(1), 2, 1}, {id(2), 4, 2}, {id(3), 2, 1}}
	slices.SortFunc(want, func(a, b Count) int { return a.ID.Compare(b.ID) })
	if got := table.Counts(); !slices.Equal(got, want) {
		t.Errorf("counts %v, want %v", got, want)
	}
	rows[0][0] = id(9)
	if table.Replicas(0)[0] != id(1) {
		t.Error("the table keeps the rows that it was made from")
	}
	if row := table.Replicas(1); len(append(row, id(9))) != 2 || table.Replicas(2)[0] != id(3) {
		t.Error("appending to a row changes the next")
	}
	for name, other := range map[string][][]NodeID{
		"order":      {{id(2), id(1)}, {id(2)}, {id(3), id(2), id(1)}, {id(2), id(3)}},
		"shape":      {{id(1)}, {id(2), id(2 + 1)}, {id(3), id(2), id(1)}, {id(2), id(3)}},
		"boundaries": {{id(1), id(2), id(3)}, {id(2)}, {id(2), id(1)}, {id(2), id(3)}},
	} {
		o, err := NewTable(other)
		if err != nil {
			t.Fatal(err)
		}
		if table.Equal(o) || !o.Equal(o) {
			t.Errorf("%s: it is not seen which tables are equal", name)
		}
	}
	for name, rows := range map[string][][]NodeID{
		"none":       {},
		"three":      {{id(1)}, {id(1)}, {id(1)}},
		"too many":   slices.Repeat([][]NodeID{{id(1)}}, 2*MaxPartitions),
		"empty row":  {{id(1)}, {}},
		"twice":      {{id(1), id(2), id(1)}},
		"nobody":     {{NodeID{}}},
		"a long row": {make([]NodeID, MaxReplicas+1)},
	} {
		if _, err := NewTable(rows); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNodeID(t *testing.T) {
	want := id(77)
	if got, err := ParseNodeID(want.String()); err != nil || got != want || got.IsZero() {
		t.Errorf("%v becomes %v: %v", want, got, err)
	}
	for _, s := range []string{"", "12", want.String() + "0", want.String()[:31] + "g", "A" + want.String()[1:], NodeID{}.String(), want.String()[:30] + "é"} {
		if got, err := ParseNodeID(s); !errors.Is(err, ErrInvalid) || !got.IsZero() {
			t.Errorf("%q is read as %v: %v", s, got, err)
		}
	}
}

// The walk of Dynamo's paper, clockwise from a key over the tokens of virtual nodes until
// enough different nodes are met, finds for every key what a table holds that was made by
// one walk from each partition: docs/ring.md.
func TestWalkDoneOnce(t *testing.T) {
	const q, nodes, replicas = 64, 7, 3
	rng := rand.New(rand.NewPCG(1, 1))
	var owner [q]NodeID // of the token at the end of each partition
	for p := range owner {
		owner[p] = id(1 + rng.IntN(nodes))
	}
	width := uint64(1) << 58 // of a partition
	walk := func(token uint64) (met []NodeID) {
		for at := token / width; len(met) < replicas; at = (at + 1) % q {
			if !slices.Contains(met, owner[at]) {
				met = append(met, owner[at])
			}
		}
		return met
	}
	rows := make([][]NodeID, q)
	for p := range rows {
		rows[p] = walk(uint64(p) * width)
	}
	table, err := NewTable(rows)
	if err != nil {
		t.Fatal(err)
	}
	for range 10_000 {
		token := rng.Uint64()
		if got, want := table.Replicas(table.Partition(token)), walk(token); !slices.Equal(got, want) {
			t.Fatalf("token %x: the table has %v, the walk finds %v", token, got, want)
		}
	}
}
