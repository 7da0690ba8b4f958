// Package vclock decides what happens to concurrent writes of one key: dotted version
// vectors, siblings and their merge, the encoding that replicas store, and the token
// that clients carry from a read to the write that follows. Replicas, coordinators and
// anti-entropy use it.
//
// Each write has a dot, unique in the cluster. An Object is what a replica knows of a
// key: a version vector, the set of all dots it has seen, and the siblings, the writes
// among them that none of the others has replaced. A write replaces what its client had
// read, as told by a Context, and nothing else. What two clients wrote without having
// read each other stays side by side until somebody who has read both writes. After
// Preguiça, Baquero and others, "Dotted Version Vectors" (2010) and "Brief announcement:
// efficient causality tracking in distributed storage systems" (2012); counters for a
// whole node are from Gonçalves and others, "DottedDB" (2017).
//
// The package is pure: no clock, disk, network or goroutine. Wall times and timestamps
// are handed in, and so is the word that a lease is durable.
//
// # Use
//
// A read, by the record of a key as it lies in the engine:
//
//	v, err := vclock.ParseView(record)
//	if v.Live(now) { return v.Value() }            // one sibling: the common case
//	err = obj.Decode(record)                       // otherwise; obj is used again and again
//	token, err = keyring.Append(nil, bucket, key, obj.Context())
//
// A write, on a replica of the key, which holds the key from the first line to the last:
//
//	err = keyring.Open(&ctx, bucket, key, token)   // or ctx is obj.Context(), or zero
//	err = counter.Check(ctx.Vector)                // has this node been rolled back?
//	err = obj.Decode(record)                       // or obj.Reset()
//	ts, err := clock.After(ctx.HLC, wall)          // obj.MaxHLC() for last-writer-wins
//	dot, err := counter.Mint()
//	out, err := obj.Put(ctx, vclock.Sibling{Dot: dot, HLC: ts, Value: value}, policy)
//	record, err = obj.AppendTo(record[:0])         // store it, durably, before sending it
//
// The other replicas receive the whole object, for Merge, or a Delta, for Apply.
//
// # Invariants
//
// Of an object (Validate and Decode verify them):
//
//  1. The vector covers the dot of every sibling.
//  2. No two siblings have the same dot.
//  3. Actors ascend in the vector, dots among the siblings. Counters begin at 1.
//  4. A tombstone is a sibling like others. A deletion beside a concurrent write leaves
//     both, and a reader gets the value and a context that covers both.
//  5. A vector has siblings: in every finite history something is the last.
//
// Of those who use it (nothing here can verify them):
//
//  6. A dot is minted only by a replica that holds the key, and the object with it is
//     durable there before anybody else sees it. The vector's entry (a, n) says "all
//     dots of a on this key, up to n". It is true only as long as a's own replica
//     forgets none of them.
//  7. Therefore a node takes a new Actor whenever it may have lost something that others
//     have seen: an empty or restored data directory, a lost lease, a file that was
//     salvaged or dropped as corrupt, and an unclean end if anything had been sent
//     before it was synced. A node that kept its actor would cover, and thereby erase,
//     writes that it no longer knows. It may forget an object only if that is Removable.
//  8. The timestamp of a write is larger than all in its context; Put refuses others.
//     Last-writer-wins and Collapse rely on it.
//
// With these, replicas that have exchanged everything are equal, no write is lost that
// nobody had read and replaced, and a key has no more siblings than writes that were
// truly concurrent.
//
// # Format of an object
//
// Integers are unsigned varints in their shortest form, unless given as u8 or u64
// (big-endian). There is no checksum: the engine has one.
//
//	object  = head u8 | vector length in bytes | vector | siblings
//	head    = 0x10, one sibling, or 0x11, several: version 1 in the upper four bits
//	vector  = entry, entry, ...: ascending by actor
//	entry   = actor, 16 bytes | counter
//	siblings, for head 0x10 = sibling | value, all the rest
//	siblings, for head 0x11 = count, at least 2 | then for each, ascending by dot:
//	          sibling | length of the value | value
//	sibling = flags u8 | timestamp u64 | [expiry] | actor | behind
//
// flags are bit 0 tombstone, bit 1 expired, bit 2 an expiry follows, bit 3 zero, bits
// 4-7 of the caller. The expiry is in milliseconds since the Unix epoch. The dot of the
// sibling has the actor with that index in the vector, and its counter is the vector's
// less behind. An object has one encoding, and Decode refuses all others. With one
// actor it is 30 to 39 bytes longer than the value, usually 6 more with an expiry.
//
// # Format of a token
//
// The text is base64 for URLs (RFC 4648), without padding, of
//
//	version u8, 1 | mode u8, 1 | bucket | key hash, 8 bytes | timestamp u64 | vector | MAC
//
// The key hash is the front of the key's SHA-256. The MAC is the first 16 bytes of
// HMAC-SHA256 over "ringwood context token", a zero byte, the whole SHA-256 of the key, and
// all of the token before the MAC. The mode says what the context is: 1 a vector, as
// here; 2 will be the ballot of a consistent bucket. The timestamp is the highest of
// what was read, so that the write that follows gets a larger one on any node. A token
// goes out also for a deleted key, whose tombstone it covers, and for an absent one.
//
// # Failures
//
// Bytes that are not an encoding are ErrFormat or one of the token errors: never a panic,
// never an allocation sized by an unchecked length. A *DotError or *AmnesiaError means
// that an actor was used twice or rolled back; it is found where it contradicts itself,
// which is not everywhere, so it must be prevented by rule 7. No method changes its
// object when it returns an error.
//
// # What it does not do
//
// It does not prune vectors: a pruned vector brings back what it had covered. An actor
// can be retired only by those who know that all replicas agree. It does not resolve
// siblings by their content, judge client permissions, compute hashes for Merkle trees,
// or decide what a write without a context means.
package vclock
