// Package ring decides which nodes hold which part of the data: consistent hashing with
// equal partitions as the virtual nodes, and a table in place of the walk around the
// ring. The topology carries its tables, coordinators look keys up in them, and the
// rebalancer carries out its moves. cluster/docs/ring.md shows by an example how it
// works, and that it is the clockwise walk with the walk done once.
//
// The package is pure: no clock, disk, network, goroutine or randomness. The same
// arguments give the same plan on every machine.
//
// # Use
//
//	policy, err := ring.NewPolicy(map[string]int{"dc1": 3, "dc2": 2})
//	plan, err := ring.NewPlan(nil, nodes, policy, ring.DefaultPartitions) // forming
//	plan, err = ring.NewPlan(table, nodes, policy, table.Partitions())    // a node joins, leaves, ...
//	plan.Moves, plan.Report                                               // to be shown, then carried out
//
//	replicas := table.Replicas(table.Partition(token))                    // of a key
//	b = table.AppendTo(b[:0]); table, err = ring.Decode(b)
//
// # Types
//
// A Node has a data centre, a rack, and a weight. A Policy says how many replicas a
// partition has in which data centres. A Table has for each partition a row: the nodes
// that hold it, the primary first. A Plan is a new table, the Moves that lead to it, and
// a Report of what each node gets, and of every rule that could not be kept, and why.
//
// # Invariants
//
// Of every table (NewTable and Decode verify them):
//
//  1. The partitions are 2^0 to 2^15 equal ranges of the tokens; the partition of a token
//     is its top bits.
//  2. A row has 1 to MaxReplicas nodes, all different.
//
// Of the table of every plan, in each data centre of its policy:
//
//  3. A row has as many replicas as the policy says, or one on each node with a weight if
//     there are fewer.
//  4. They are in as many racks as there can be: one in each, or at least one in each if
//     there are fewer racks than replicas.
//  5. A node's quota follows its weight as far as 3 and 4 allow: no part of a quota could
//     go from a node that has more for its weight to one that has less. The number of its
//     replicas is less than one away from the quota.
//  6. It is first of its data centre as often as its weight says, less than one away,
//     wherever the quotas of its data centre follow the weights; otherwise no chain of
//     changed orders brings a node nearer to that which is one away or more.
//
// Of the moves:
//
//  7. They lead from the current table to the new one, each by one change of a row, and
//     no moves with the same number of replicas on each node make fewer copies. Who
//     gets the odd replica of rounding is chosen by what the nodes hold.
//
// # How a plan is made
//
// Each data centre is planned by itself: shares of real numbers, filled up to the caps
// and down to the floors (quota.go); rounded; rows cleared of what breaks a rule, and
// filled again, by single changes while those do (place.go), then by chains of changes
// (chain.go). What a row may be is a matroid, so that cheapest chains, shortest first,
// find a placement if there is one, and the one with the fewest copies. Then the first
// places are handed round (lead.go), and the moves are read off (moves.go).
//
// # Format of a table
//
//	table = version u8, 1 | log2 of the partitions u8 | nodes u16 | node ids, 16 bytes each, ascending
//	        | for each partition: replicas u8 | for each replica: index of the node
//
// u16 is big-endian; an index is an unsigned varint in its shortest form. Each node is in
// a row. A table has one encoding, and Decode refuses all others. There is no checksum:
// it is part of messages and files that have one. 1024 rows of three replicas on up to
// 128 nodes are 4 KiB and 16 bytes for each node.
//
// # Failures
//
// A mistake in the arguments is ErrInvalid, and says what to change. Bytes that are not
// a table are ErrFormat: never a panic, never an allocation that the length of the input
// does not bear. Whoever holds a Table cannot change it, except by writing to what
// Replicas returns.
//
// # What it does not do
//
// It does not know who is alive: a node that is down stays where it is. It does not say
// when a move may be made, or how the old and the new row are read meanwhile: that is the
// rebalancer's. It does not keep the number of different rows small: rows are spread by
// lot, so that all nodes help to replace one that fails.
package ring
