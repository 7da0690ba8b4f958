package ring

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of what a plan is made from.
const (
	// MaxNodes is the largest number of nodes, in all data centres together.
	MaxNodes = 1024
	// MaxWeight is the largest weight of a node.
	MaxWeight = 1 << 20
	// MaxReplicas is the largest number of replicas of a partition, in all data centres
	// together.
	MaxReplicas = 32
	// MaxName is the length in bytes of the longest name of a data centre or rack.
	MaxName = 64
)

// ErrInvalid is what every error about an argument is: the caller has to change it.
var ErrInvalid = errors.New("ring: invalid")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// NodeID names a node for as long as it is a member. The zero NodeID names nobody.
type NodeID [16]byte

// ParseNodeID reads what String writes: 32 lower-case hexadecimal digits, not all zero.
func ParseNodeID(s string) (NodeID, error) {
	var id NodeID
	if len(s) != hex.EncodedLen(len(id)) {
		return NodeID{}, invalid("node id of %d characters: want %d hexadecimal digits", len(s), hex.EncodedLen(len(id)))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil || strings.ToLower(s) != s {
		return NodeID{}, invalid("node id %q: want digits and the letters a to f, in lower case", s)
	}
	if id.IsZero() {
		return NodeID{}, invalid("node id %s names nobody", id)
	}
	return id, nil
}

// String returns the id as 32 hexadecimal digits.
func (id NodeID) String() string { return hex.EncodeToString(id[:]) }

// IsZero says whether the id names nobody.
func (id NodeID) IsZero() bool { return id == NodeID{} }

// Compare orders ids by their bytes: -1, 0 or 1.
func (id NodeID) Compare(other NodeID) int { return bytes.Compare(id[:], other[:]) }

// Node is what the planner knows of a node.
type Node struct {
	ID NodeID
	// DC is the data centre, never empty. Racks of different data centres are different.
	DC string
	// Rack is what fails together. Nodes without a rack share one.
	Rack string
	// Weight is the node's capacity in any unit that all nodes of its data centre share.
	// 0 is to hold nothing: the node is leaving.
	Weight int
}

// checkNodes returns the nodes by their ids, in ascending order.
func checkNodes(nodes []Node) ([]Node, error) {
	if len(nodes) > MaxNodes {
		return nil, invalid("%d nodes: %d are the limit", len(nodes), MaxNodes)
	}
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(a, b Node) int { return a.ID.Compare(b.ID) })
	for i, n := range nodes {
		switch {
		case n.ID.IsZero():
			return nil, invalid("a node without an id, in data centre %q: give it one", n.DC)
		case i > 0 && n.ID == nodes[i-1].ID:
			return nil, invalid("two nodes have the id %v: one of them needs a data directory of its own", n.ID)
		case n.Weight < 0 || n.Weight > MaxWeight:
			return nil, invalid("node %v has weight %d: want 0 (it is leaving) to %d; divide all weights by the same number", n.ID, n.Weight, MaxWeight)
		}
		if err := checkName("data centre", n.DC); err != nil {
			return nil, fmt.Errorf("%w, of node %v", err, n.ID)
		}
		if n.Rack != "" {
			if err := checkName("rack", n.Rack); err != nil {
				return nil, fmt.Errorf("%w, of node %v", err, n.ID)
			}
		}
	}
	return nodes, nil
}

func checkName(what, name string) error {
	switch {
	case name == "":
		return invalid("a %s without a name: name it", what)
	case len(name) > MaxName:
		return invalid("a %s with a name of %d bytes: %d are the limit", what, len(name), MaxName)
	case !utf8.ValidString(name):
		return invalid("a %s with the name %q: it must be UTF-8", what, name)
	}
	return nil
}

// Policy says how many replicas a partition has in which data centres: in ascending order
// of the data centres, each named once. NewPolicy makes it so.
type Policy []Replication

// Replication is the number of replicas in one data centre, from 1.
type Replication struct {
	DC       string
	Replicas int
}

// NewPolicy returns the policy of a map from data centres to numbers of replicas.
func NewPolicy(replicas map[string]int) (Policy, error) {
	var p Policy
	for _, dc := range slices.Sorted(maps.Keys(replicas)) {
		p = append(p, Replication{dc, replicas[dc]})
	}
	return p, p.Validate()
}

// Validate says what is wrong with a policy.
func (p Policy) Validate() error {
	if len(p) == 0 {
		return invalid("a policy without a data centre: name at least one")
	}
	sum := 0
	for i, r := range p {
		if err := checkName("data centre", r.DC); err != nil {
			return fmt.Errorf("%w, in the policy", err)
		}
		if i > 0 && r.DC <= p[i-1].DC {
			return invalid("the policy has %q behind %q: want each data centre once, in ascending order", r.DC, p[i-1].DC)
		}
		if r.Replicas < 1 || r.Replicas > MaxReplicas {
			return invalid("the policy has %d replicas in %q: want 1 to %d, or leave the data centre out", r.Replicas, r.DC, MaxReplicas)
		}
		if sum += r.Replicas; sum > MaxReplicas {
			return invalid("the policy has more than %d replicas in all data centres together", MaxReplicas)
		}
	}
	return nil
}

// String returns the policy as "dc1:3,dc2:2".
func (p Policy) String() string {
	var b strings.Builder
	for i, r := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s:%d", r.DC, r.Replicas)
	}
	return b.String()
}
