// Package respaccess is who may do what over RESP: package access, as the RESP server
// asks for it.
//
//	a := respaccess.New(respaccess.Options{Policy: policy.Load, Door: door, Databases: names, …})
//	srv := resp.New(store, resp.Options{Access: a, …})
//
// # What a command needs
//
// Needs has a line for each command and subcommand of the command table. A command that
// is not there is denied to everybody, so that one that is added later is closed until
// somebody has decided.
//
//	anyone          who has logged in, or need not
//	keys            the keys decide, one by one
//	scan            scan of some key; the names that come back are looked at one by one
//	database        all keys of the database decide, see below
//	status, admin-… the verb of that name, of the server as a whole
//	nobody          the server refuses the command anyway
//
// What a key needs follows from what the command does with it (command.KeyFlags, which
// for SET depend on its options): read where the client learns of the value or asks
// about the key (RO, access); delete where the key goes (delete); write where it is set
// or changed (update, insert). So GET needs read, SET write, SET with GET read and write,
// INCR read and write, EXPIRE and APPEND write, DEL delete, GETDEL and the source of
// RENAME and MOVE read and delete. What a write answers about itself needs no read:
// whether SETNX has set the key, how long it is after APPEND, how many keys DEL has
// found.
//
// DBSIZE needs scan on the whole bucket, FLUSHDB delete on it, and FLUSHALL delete on the
// bucket of each database. Names of keys that KEYS, SCAN and RANDOMKEY return need scan.
//
// # Sessions
//
// A User is one login of one connection. Before each answer it is brought up to date
// with the Policy of that moment, which is a comparison of pointers unless users have
// changed: what is taken away from a user holds for the next command, and a session that
// is over is denied everything but to log in again. Whoever changes users calls Refresh
// on all of them, so that idle ones do not keep an old Policy in memory, and ends those
// that are over.
package respaccess
