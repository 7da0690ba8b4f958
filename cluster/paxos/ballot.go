package paxos

import (
	"bytes"
	"cmp"
	"encoding/hex"
)

// IDLen is the length of an ID in bytes.
const IDLen = 16

// ID names a voter, a proposer or a request: 128 bits, drawn at random, never zero. See
// the package's rules on when each kind of ID must be drawn again.
type ID [IDLen]byte

// String is the first half in hexadecimal digits, enough to tell IDs apart.
func (id ID) String() string { return hex.EncodeToString(id[:8]) }

// Compare orders IDs by their bytes.
func (id ID) Compare(x ID) int { return bytes.Compare(id[:], x[:]) }

// Ballot numbers a proposal: no two proposals have the same one. Ballots are ordered by
// round, then by node. The zero Ballot is below all others and numbers nothing.
type Ballot struct {
	Round uint64 // from 1
	Node  ID     // the proposer
}

// Compare is negative if b is before x, zero if they are the same.
func (b Ballot) Compare(x Ballot) int {
	if c := cmp.Compare(b.Round, x.Round); c != 0 {
		return c
	}
	return b.Node.Compare(x.Node)
}

// IsZero says that b numbers nothing.
func (b Ballot) IsZero() bool { return b == Ballot{} }

// valid says that b is zero, or has a round and a node.
func (b Ballot) valid() bool { return (b.Round == 0) == (b.Node == ID{}) }
