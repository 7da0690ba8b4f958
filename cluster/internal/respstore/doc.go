// Package respstore is the data of the RESP server: an exec.Store whose databases are
// buckets of a replica.
//
//	s := respstore.New(r, respstore.Options{Databases: names})
//	srv := resp.New(s, resp.Options{Databases: len(names), …})
//
// # Databases
//
// Which bucket a database is stands in Options.Databases. The node writes the list when
// the store is made (Encode) and never changes it, so a database never shows other keys
// than before. A bucket that is on the list and not there is an empty database; it is
// made by the first write to it. So there are no empty buckets for databases that nobody
// uses, and after somebody has dropped the bucket of a database, that is what FLUSHDB
// would have left. FLUSHALL empties the buckets on the list and no other ones.
//
// # Values
//
// The server writes blindly: SET replaces all that this replica holds, and GET answers
// the latest of several siblings. Write.Type has in its two lowest bits the encoding
// that OBJECT ENCODING shows. Values of other protocols have zeros there, which is
// EncodingAuto.
//
// Redis has a key up to and including the millisecond at which it expires, and a replica
// has it before its expiry: Expiry is ExpireAt plus 1. The last millisecond that there is
// has no successor: a key that expires then has the third bit of its Type set, and its
// Expiry is ExpireAt. Nobody will see the difference.
//
// # Errors
//
// What clients are told, by the first word:
//
//	MISCONF        the disk is full, or a sync has failed and the store takes no more
//	               writes; the text says which, and whether the write happened
//	INDETERMINATE  the write may have happened or not: read before trying again
//	TRYAGAIN       nothing happened, because too many databases were emptied or dropped at
//	               once; the same request may succeed a second later
//	ERR            the value is too large for its bucket, or the transaction for the
//	               engine; the server is shutting down
//
// MISCONF is what Redis answers when it cannot write to its disk, and TRYAGAIN when a
// slot moves: clients know both. The error that was the cause is wrapped, and handed to
// Options.Failed. Other errors, such as damage, go to the executor as they are, which
// logs them and tells the client that there was one.
//
// # Costs
//
// Get, Stat and Update allocate nothing by themselves in steady state.
package respstore
