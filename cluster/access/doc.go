// Package access decides who may do what: users, their passwords and tokens, roles with
// verbs and scopes, the check of every operation, and the brake on failed logins. The
// servers of all protocols and the administration use it.
//
// The package is pure: no clock, disk, network, log or goroutine of its own. The time,
// random bytes and the address of a client are handed in.
//
// # Use
//
// A State is who exists. It is immutable, and each change is a function from one State
// to the next; the cluster agrees on its encoding. A Policy is a State made ready for
// checks. A server keeps the current one in an atomic pointer:
//
//	policy.Store(access.Compile(state, seed))
//
// A connection begins with the principal for those who have not logged in, which is nil
// unless there are no users at all, and gets another one by logging in:
//
//	p := policy.Load().Anonymous(loopback)
//	p, err = door.Login(ctx, policy.Load(), addr, user, secret, now)
//
// Before each operation it is brought up to date, which is a comparison of pointers
// unless somebody has changed a user meanwhile, and asked:
//
//	p = policy.Load().Refresh(p, now) // nil: the session is over
//	p.Allow(access.Read, bucket, key)
//
// A nil *Principal is allowed nothing, so that a forgotten check of nil denies.
//
// # What an operation needs
//
// Every key that an operation touches or tells about is asked for by itself, before any
// of it takes effect: one denied key denies the whole. That a key exists, its length,
// type, expiry and version are data, as its value is.
//
//	read           values, GET and its kin, EXISTS, TTL, TYPE, STRLEN, OBJECT, siblings
//	write          SET, INCR, APPEND, EXPIRE, PERSIST, the destination of RENAME, COPY, MOVE
//	read+write     what returns or depends on the old value, where the client can learn
//	               it from the reply: SET with GET, GETSET, INCR, GETEX
//	delete         DEL, UNLINK; read+delete for GETDEL and the source of RENAME and MOVE
//	delete on all  FLUSHDB, FLUSHALL, dropping a bucket: Cover with an empty prefix is All
//	scan           names of keys: SCAN, KEYS, RANDOMKEY, scans over HTTP, which need read
//	               as well if they return values; DBSIZE needs it on the whole bucket
//	status         INFO, /metrics, ring, health; keys in it (hot keys) need scan each
//	admin-clients  CLIENT LIST and KILL
//	admin-config   CONFIG GET and SET, log level
//	admin-maintain flush, compact, checkpoint, verify, repair
//	admin-buckets  creating and changing buckets
//	admin-cluster  nodes, plan and commit, hints
//	admin-users    users and roles
//
// A write may say when the value ends, and that may be at once, or have passed: the key is
// gone, and no delete is asked for, as in Redis. Whoever may write could as well let it
// live for a millisecond, or overwrite it: write without delete protects no value.
//
// What a write answers about itself needs no read: whether SETNX has set the key, how
// long it is after APPEND, how many keys DEL has found.
//
// A transaction is checked when a command is queued, so that the client hears of it
// early, and again, with a fresh principal, when it is executed: rights may have been
// taken in between. See Principal.AllowAll.
//
// # Invariants
//
//  1. What is not allowed is denied. There are no rules that deny, so their order does
//     not matter, and a grant more never allows less.
//  2. With no users, everything is allowed to those whom the server calls Anonymous with
//     true: clients on the loopback interface. With one user or more, nobody is anybody
//     without logging in.
//  3. As long as there are users, one of them is an administrator who can log in: enabled,
//     never expiring, with a password or token, and all verbs everywhere. A change that
//     would end this is refused unless forced.
//  4. Only who holds a right can pass it on, or become somebody who holds it: see
//     AuthorizeChange.
//  5. A wrong password costs one run of argon2id, whether the user exists, is disabled or
//     has two passwords: the second hash shares salt and parameters with the first.
//  6. Hashing never takes more memory at once than its budget, whoever asks.
//  7. Nothing that is printed, logged or marshalled contains a password, token or hash.
//     State.Encode alone writes hashes.
//
// # Failures
//
// Bytes that are not an encoding are ErrFormat: never a panic, never an allocation out of
// proportion to the input. A refused login is a *LoginError, whose text is the same for
// every reason; a server in a storm of logins answers ErrBusy or a *LimitedError.
//
// # What it does not do
//
// It keeps no sessions, and judges no client certificates: a certificate lets a
// connection through, and a login says who it is. It does not know commands: which of
// them needs which verbs is written beside the table of commands. Buckets are named, not
// numbered: a bucket made under the name of a dropped one has the rights of that name.
// Whoever has many addresses can slow down password logins of a user, by failing them;
// tokens and open connections are not slowed.
package access
