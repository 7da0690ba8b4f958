// Package hlc is a hybrid logical clock: timestamps that follow the wall clock, never
// go back, and grow along every chain of cause and effect between nodes. Replicas
// stamp each write with one; last-writer-wins, tombstone collection and hints compare
// them.
//
// The clock follows Kulkarni, Demirbas and others, "Logical Physical Clocks" (2014). It
// is pure: it reads no clock, disk or network. Wall time is handed in, in milliseconds
// since the Unix epoch, and so is the word that a lease is on disk.
//
// # Use
//
//	c := hlc.NewClock(leaseFromDisk, 0)        // 0 on a new node
//	if bound, due := c.Renewal(wall); due {    // at the start, then every second
//		persist(bound)                         // synced
//		c.Extend(bound)
//	}
//	ts, err := c.Now(wall)                     // for an event of this node
//	ts, err = c.After(seen, wall)              // for an event that another one caused
//	err = c.Observe(msg.Timestamp, wall)       // for every message that arrives
//
// # Invariants
//
//  1. Timestamps that one clock issues grow strictly, whatever the wall clock does.
//  2. A timestamp is larger than every one that the clock observed before.
//  3. No timestamp above the lease is issued, so a clock that starts from the lease
//     on disk issues none that was issued before, however slow its wall clock is.
//  4. An observed timestamp raises the clock to at most the maximum offset ahead of
//     the wall, so a peer whose clock is wrong cannot drag this one along.
//
// What was observed but not issued is not under the lease: a node that restarts may
// issue timestamps below one that it stored for somebody else. A write that replaces
// something therefore takes its timestamp from After, with the highest timestamp of
// what it replaces.
//
// A node that crashed and starts again at once finds a lease that is up to LeaseAhead
// ahead of the wall, more than its peers accept. It waits until Ahead is small before it
// coordinates writes; a node without peers need not wait. An orderly stop persists Last
// in place of the lease, and its restart does not wait.
//
// # Format
//
// A timestamp is 64 bits: 48 bits of milliseconds since the Unix epoch (until the year
// 10889), then a logical part of 16 bits. Integers compare as timestamps do, and so do
// their big-endian bytes. When more than 65,536 events fall into a millisecond, the
// logical part carries into the milliseconds: the clock runs ahead of the wall.
//
// # Failures
//
// ErrLease: nothing is issued until a longer lease is on disk. A wall clock that jumps
// ahead by more than the lease shows as ErrLease too, before the jump is made durable:
// whoever extends the lease may ask the peers first. After a jump that was accepted,
// or a restart with a slower clock, the clock stays ahead of the wall until the wall
// has caught up; Ahead says by how much, and peers refuse timestamps beyond the
// maximum offset.
//
// The package does not measure the offset between nodes, and does not decide what a
// node with a bad clock may still do.
package hlc
