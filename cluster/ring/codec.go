package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// ErrFormat is what every error about an encoding is.
var ErrFormat = errors.New("ring: malformed table")

const (
	version  = 1
	codeHead = 1 + 1 + 2 // version, logarithm of Q, number of nodes
	idLen    = len(NodeID{})
)

// AppendTo appends the encoding of the table to b.
func (t *Table) AppendTo(b []byte) []byte {
	counts := t.Counts()
	b = append(b, version, byte(bits.TrailingZeros(uint(t.Partitions()))))
	b = binary.BigEndian.AppendUint16(b, uint16(len(counts)))
	index := make(map[NodeID]uint64, len(counts))
	for i, c := range counts {
		b = append(b, c.ID[:]...)
		index[c.ID] = uint64(i)
	}
	for p := range t.Partitions() {
		row := t.Replicas(uint16(p))
		b = append(b, byte(len(row)))
		for _, id := range row {
			b = binary.AppendUvarint(b, index[id])
		}
	}
	return b
}

// Decode reads the encoding of a table, all of b, and refuses whatever AppendTo does not
// write. It keeps nothing of b.
func Decode(b []byte) (*Table, error) {
	malformed := func(format string, args ...any) (*Table, error) {
		return nil, fmt.Errorf("%w: "+format, append([]any{ErrFormat}, args...)...)
	}
	if len(b) < codeHead {
		return malformed("%d bytes, shorter than its head", len(b))
	}
	if b[0] != version {
		return malformed("version %d, this program reads %d", b[0], version)
	}
	if b[1] > byte(bits.TrailingZeros(MaxPartitions)) {
		return malformed("2^%d partitions, %d are the limit", b[1], MaxPartitions)
	}
	q, n := 1<<b[1], int(binary.BigEndian.Uint16(b[2:]))
	b = b[codeHead:]
	if n < 1 || n > MaxNodes {
		return malformed("%d nodes, want 1 to %d", n, MaxNodes)
	}
	if len(b) < n*idLen+q*2 {
		return malformed("%d bytes left for %d nodes and %d partitions", len(b), n, q)
	}
	ids := make([]NodeID, n)
	for i := range ids {
		ids[i] = NodeID(b[i*idLen:])
		if ids[i].IsZero() || i > 0 && ids[i].Compare(ids[i-1]) <= 0 {
			return malformed("node %d is zero or not above the one before", i)
		}
	}
	b = b[n*idLen:]
	t := &Table{shift: shift(q), start: make([]uint32, 1, q+1), flat: make([]NodeID, 0, len(b)-q)}
	used := make([]bool, n)
	for p := range q {
		if len(b) == 0 || b[0] < 1 || b[0] > MaxReplicas {
			return malformed("partition %d has no row, or not 1 to %d replicas", p, MaxReplicas)
		}
		count, from := int(b[0]), len(t.flat)
		b = b[1:]
		for range count {
			i, size := binary.Uvarint(b)
			if size <= 0 || size > 1 && b[size-1] == 0 || i >= uint64(n) || slices.Contains(t.flat[from:], ids[i]) {
				return malformed("partition %d has a replica that is cut off, unknown or there twice", p)
			}
			b = b[size:]
			used[i] = true
			t.flat = append(t.flat, ids[i])
		}
		t.start = append(t.start, uint32(len(t.flat)))
	}
	if len(b) > 0 {
		return malformed("%d bytes behind the last row", len(b))
	}
	if i := slices.Index(used, false); i >= 0 {
		return malformed("node %v holds nothing", ids[i])
	}
	return t, nil
}
