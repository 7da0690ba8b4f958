// Package replica is the data of one node: versioned records of buckets in partitions, on
// the lsm engine. Coordinators and servers write and read through it; alone, it is a
// store of its own, a ring of one, and nothing in it changes when it becomes one of
// many.
//
// A record is a vclock.Object: a version vector with the siblings that nothing known has
// replaced. A write reads the record of its key, merges, and commits the result; for
// that it holds a latch of the key, so two writes cannot lose one another. What happens
// to several keys, in one or more buckets, is a transaction: it declares its keys,
// holds all their latches, and commits one batch of the engine.
//
// The package has no goroutine, clock or network. Wall times come with each call, in
// milliseconds since the Unix epoch; upkeep is done in steps that somebody else calls; a
// transaction that has to wait is queued, and whoever ends the wait goes on with it.
//
// # Use
//
//	r, err := replica.Open(dir, wall, nil)
//	b, err := r.Bucket(replica.FirstBucket)
//	err = r.Put(wall, b, key, replica.Write{Value: value, Expiry: wall + 60_000})
//	item, buf, err := r.Get(wall, b, key, buf[:0])
//	if item.Found() { use(item.Value) }
//	existed, err := r.Delete(wall, b, key, nil)
//	err = r.Update(wall, []replica.Ref{{b, from}, {b, to}}, func(tx *replica.Tx) error {
//		item, err := tx.Get(0)
//		if err != nil { return err }
//		if err := tx.Put(1, replica.Write{Value: item.Value, Expiry: item.Expiry}); err != nil { return err }
//		_, err = tx.Delete(0, nil)
//		return err
//	})
//	err = r.Close()
//
// and beside it, from a timer: Tick every second; Sweep ten times a second, and Reap;
// Reclaim and Recount while they say that there is more; Verify once in a while.
//
// UpdateAsync is Update for those who do not sleep, such as a simulator, which gives the
// engine an Executor and steps it. The other calls that wait for the disk may be used
// there too: they do the commits that are pending themselves.
//
// # What a write replaces
//
// A write with a context replaces what its client had read, as the context says, and
// nothing else; what others wrote meanwhile becomes a sibling. A blind write, without a
// context, replaces all that this replica holds at that moment: it is what SET of Redis
// means. A deletion is a write of a tombstone. Get returns the latest of the siblings
// that are values, and how many there are; Read returns all of them, and the context.
//
// # Invariants
//
//  1. Between reading a record and handing its successor to the engine, nobody else does
//     so for that key. Batches of one key reach the engine in that order, and each is
//     built on the one before, committed or not.
//  2. Nobody but a later transaction on the same key sees what is not committed, and that
//     transaction, even if it only reads, is acknowledged only after it.
//  3. No dot and no timestamp is used above the bound that the session record holds
//     durably. The session record is written by one at a time and never goes back.
//  4. A record lies in the partition of its token, and its token is the hash of its key.
//  5. The index by time has, in the same batch, exactly the marks of each record: one
//     for every time at which a value of it expires, or, if it has no value, one for
//     the time of its highest timestamp.
//  6. A transaction learns the number of its bucket while it holds its latches. A flush
//     holds all of them while the number changes, so no write under the old number
//     reaches the engine after it. Numbers are never used twice.
//  7. The counts of a bucket are changed by the difference that each commit makes,
//     after it; or they say that they are not exact.
//
// # Latches
//
// There are 4096, by the low bits of the token. A transaction takes its latches in
// ascending order and waits in the queue of the first that is taken; a latch that is
// given back goes to the first in its queue. A transaction that does not sync and that
// nobody waits for keeps its latches until its commit is done, which is the least work.
// Others hand their batch to the engine, show their records as pending, and give back
// the latches: so writers of one key share the sync of a group, and need not wait for
// one each. If such a commit fails, those who built upon it may have been committed all
// the same, and it says ErrIndeterminate.
//
// # Crashes
//
// What a commit has survived when it is acknowledged is the engine's promise at the
// bucket's durability. The leases of dots and timestamps are always synced before they
// are used, so neither is ever used twice, however the process ends. A clean Close
// leaves exact leases and counts.
//
// After an unclean end at durability OS or None, acknowledged writes may be gone. On a
// ring of one nobody else has seen them: the actor stays, and a context that names them
// covers dots that no record has. Once other nodes may hold what this one wrote (Share),
// an unclean end of a store in which any bucket acknowledges before the sync makes a new
// actor, because the old one would cover, and thereby erase, what it has forgotten. A
// checkpoint gets a new actor when it is opened, in any case. So does a store that was
// salvaged or copied, where MarkCopied says so; of an excised range or a restored file
// system only the operator knows: Options.NewActor, or NewActor.
//
// # Named values
//
// ReadMeta and WriteMeta keep small values of the node's own: users and roles, which
// database of a protocol is which bucket. They are always synced, belong to no bucket,
// and mean nothing here.
//
// # Deletion
//
// On a ring of one there is nobody who could bring back an old copy of a deleted key: a
// record without a value is removed by the commit that makes it so. In a shared store
// tombstones stay until Reap finds them below the floor that SetFloor has named.
// Expiry is judged by the wall time of each call, and Sweep turns what has expired into
// something without a value. Both walk the index by time, and remember in memory for
// each partition the earliest mark: a step with nothing due reads nothing. (A cursor over
// all records would read everything again and again, and a sample, as Redis takes it,
// needs the records in memory. The index costs a second key for a value that expires.)
//
// A flush or drop of a bucket gives it a new number, or none, in one durable change of
// the list of buckets. Reclaim then deletes what lies under the old number, partition by
// partition, by range tombstones; the number stays on the list until that is done.
//
// # Keys of the engine
//
// Integers are big-endian, unless they are unsigned varints (uv) or signed ones (sv).
//
//	record = partition u16 | bucket u32, even | token u64 | key -> vclock object
//	index  = partition u16 | bucket u32, + 1 | kind u8 | time u64 | token u64 | key -> nothing
//	meta   = 0xffff | name
//
// The token is SipHash-2-4 of the key under the store's hash key, its top bits are the
// partition. Kind is 0 where a value expires at time, 1 for a record without a value
// whose highest timestamp is of that time, both in milliseconds since the Unix epoch.
// Flags 4 to 7 of a sibling are Write.Type.
//
// The records of the meta partition, each with the version u8 1 in front:
//
//	identity = cluster 16 | node 16 | hash key 16 | partitions u32
//	session  = shared u8 | vclock lease 25 | timestamp lease u64
//	buckets  = next number uv | count uv | buckets, by name | count uv | dropped numbers uv, ascending
//	           bucket = name length uv | name | number uv | mode u8 | last-writer-wins u8 | durability u8 |
//	           action u8 | warn sv | max siblings sv | max sibling bytes uv | max value uv
//	counts   = 1 closed in order, 2 exact, u8 | count uv | (number uv | keys uv | bytes uv |
//	           expiring keys uv), by number
//	copied   = nothing: the store is a checkpoint or another copy, or a checkpoint is being made
//	named/N  = what WriteMeta has stored under the name N
//
// # Failures
//
// A record that cannot be read or makes no sense is a *RecordError, which is
// ErrCorruption, and never an absent key; a write of that key fails too. Nothing panics
// and nothing is allocated by a length that was not checked. Damage in the identity, the
// list of buckets or the session keeps the store from opening; of the counts, they are
// counted again. After a failed sync the engine takes no more writes until it is opened
// again.
//
// # What it does not do
//
// It does not make or check context tokens, replicate, or know other nodes. Expiry and
// deletion are no more exact than the wall times that come in. It does not resolve
// siblings by their content.
package replica
