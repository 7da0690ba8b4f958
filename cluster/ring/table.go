package ring

import (
	"math/bits"
	"slices"
)

const (
	// DefaultPartitions is the number of partitions of a new cluster.
	DefaultPartitions = 1024
	// MaxPartitions is the largest number of partitions.
	MaxPartitions = 1 << 15
)

// Table says which nodes hold which partition. It never changes, so it may be shared
// between goroutines.
type Table struct {
	shift uint     // of a token, for its partition
	start []uint32 // where in flat the row of each partition begins, and the end
	flat  []NodeID // all rows
}

// NewTable returns the table with these rows: of each partition the replicas in order, the
// primary first. A row has 1 to MaxReplicas nodes, all different. It copies the rows.
func NewTable(rows [][]NodeID) (*Table, error) {
	if err := checkPartitions(len(rows)); err != nil {
		return nil, err
	}
	t := &Table{shift: shift(len(rows)), start: make([]uint32, 1, len(rows)+1)}
	members := map[NodeID]bool{}
	for p, row := range rows {
		if len(row) < 1 || len(row) > MaxReplicas {
			return nil, invalid("partition %d has %d replicas: want 1 to %d", p, len(row), MaxReplicas)
		}
		for i, id := range row {
			if id.IsZero() || slices.Contains(row[:i], id) {
				return nil, invalid("partition %d has the replica %v twice, or it names nobody", p, id)
			}
			members[id] = true
		}
		t.flat = append(t.flat, row...)
		t.start = append(t.start, uint32(len(t.flat)))
	}
	if len(members) > MaxNodes {
		return nil, invalid("a table of %d nodes: %d are the limit", len(members), MaxNodes)
	}
	return t, nil
}

func checkPartitions(q int) error {
	if q < 1 || q > MaxPartitions || q&(q-1) != 0 {
		return invalid("%d partitions: want a power of two from 1 to %d", q, MaxPartitions)
	}
	return nil
}

// shift returns by how much a token is shifted for its partition: 64 for one partition,
// for which Go gives 0.
func shift(q int) uint { return uint(64 - bits.TrailingZeros(uint(q))) }

// Partitions returns the number of partitions, Q.
func (t *Table) Partitions() int { return len(t.start) - 1 }

// Partition returns the partition of a token: its top bits.
func (t *Table) Partition(token uint64) uint16 { return uint16(token >> t.shift) }

// Range returns the first and the last token of a partition.
func (t *Table) Range(partition uint16) (first, last uint64) {
	first = uint64(partition) << t.shift
	return first, first | (1<<t.shift - 1)
}

// Replicas returns the nodes that hold a partition, the primary first. The slice is the
// table's: it must not be changed. It panics if there is no such partition.
func (t *Table) Replicas(partition uint16) []NodeID {
	from, to := t.start[partition], t.start[int(partition)+1]
	return t.flat[from:to:to]
}

// Equal says whether both tables have the same rows, in the same order.
func (t *Table) Equal(u *Table) bool {
	return slices.Equal(t.start, u.start) && slices.Equal(t.flat, u.flat)
}

// Count is how often a node stands in a table.
type Count struct {
	ID        NodeID
	Replicas  int // rows that have the node
	Primaries int // rows that have it first
}

// Counts returns the counts of all nodes in the table, ascending by id. It walks the
// whole table.
func (t *Table) Counts() []Count {
	index := map[NodeID]int{}
	var counts []Count
	for p := range t.Partitions() {
		for i, id := range t.Replicas(uint16(p)) {
			at, ok := index[id]
			if !ok {
				at = len(counts)
				index[id] = at
				counts = append(counts, Count{ID: id})
			}
			counts[at].Replicas++
			if i == 0 {
				counts[at].Primaries++
			}
		}
	}
	slices.SortFunc(counts, func(a, b Count) int { return a.ID.Compare(b.ID) })
	return counts
}
