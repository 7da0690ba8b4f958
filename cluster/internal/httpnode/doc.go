// Package httpnode serves the data of one node over HTTP: an httpapi.Store, and the
// maintenance behind /v1/admin, on a replica.Replica.
//
// # Use
//
//	node, err := httpnode.New(r, httpnode.Options{Keyring: keyring})
//	api, err := httpapi.New(httpapi.Options{Store: node, Upkeep: node})
//
// # How it maps
//
// A record is the live siblings of a key, the latest first. Its tag is a hash of their
// dots, so that it changes exactly with the set of live siblings. Its context is the
// vector of the record, tombstones and expired siblings included, as a token that is
// bound to key and bucket; tokens from before a bucket was emptied are refused.
//
// A Write is one transaction: its operations are judged one after the other, each seeing
// the ones before, and are committed in one batch. A failed operation of a batch that is
// not atomic is left out of it.
//
// # Request ids
//
// A Write with an ID puts, in the same batch, a record into the bucket requestBucket,
// which clients of HTTP cannot name: what the Write was, as a hash, and its results. It
// is there exactly if the Write was applied, after a crash too, at the durability of the
// Write's bucket. A Write of the same user with the same ID finds it and applies nothing;
// two at the same time wait for the same latch. It expires after Options.Keep: a Write
// that comes back later than that is applied again. The memory is this node's: a
// repetition that goes to another node is not recognized there.
//
// # Failures
//
// Errors of the replica become *wire.Error: the commits of which it is not known whether
// they happened are not definite, all others are. What may name files or keys of others
// goes to the log, not to the client.
package httpnode
