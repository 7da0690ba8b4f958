// Package exec runs the Redis commands on strings and keys: each with the replies,
// errors and edge cases of Redis 7.0, against a Store that somebody else provides. It
// knows the command table, the options and the writer of replies; it does not know of
// sockets, clients, logins or configuration. Those are in package resp above it.
//
//	x := exec.New(command.New(), store, exec.Options{})
//	s := x.NewSession(w, nil) // one for each connection
//	c, err := table.Resolve(args)
//	…
//	if err := s.Admit(c, args); err != nil { … } // the keys of the request, and permission
//	s.Run(c, args)                               // causes one reply
//	…
//	s.Commit() // before waiting for more requests, and before w is flushed
//
// # Pipelines and commits
//
// A commit may cost a system call or a sync of the disk. A client that sends many
// requests without waiting should pay it once, and no client may see more reordering
// than Redis shows, which runs one request after the other.
//
// So a command runs in one of three ways:
//
//   - Alone. A command that reads one key asks the Store directly: no transaction, no
//     waiting. This is how a connection reads that does not write. Where more requests have
//     arrived, such reads wait for the end of what has, or for another command, so that a
//     Store can fetch their keys side by side (Prefetcher).
//   - In a group. The first command that writes (or that reads several keys at one
//     moment) begins a group, and those that follow in the same pipeline join it,
//     whether they write or read: their arguments stay in the buffer of the
//     connection, which is not read into meanwhile. Commit runs them in order in one transaction over all their keys, and lets the replies
//     go when it is committed. If the commit fails, every command of the group is
//     answered with the error, for none of them happened.
//   - In a block. The commands between MULTI and EXEC run in one transaction as well.
//
// Groups of connections that are ready at the same time run in one transaction, one
// behind the other, as long as it is no larger than one group may be: they share its
// locks, its commit and the system calls of it. The first of them lets the others come,
// which is its turn at the processor, and waits for nobody who is not ready. If a command
// of one fails so that its group has to run again, each runs by itself.
//
// All keys of a transaction are known before it begins, so a Store can take their locks
// in order, and needs no detection of deadlocks. A transaction has its reads' keys as
// well, so that transactions are serializable, and a client that writes a and then
// reads b in one pipeline never reads a b from before its write of a became visible. A
// command that is alone waits for nothing: the connection has nothing in flight then.
// For a client without pipelines a group is one command.
//
// A group runs when nothing more has arrived, when it has many commands or bytes
// (Options), and before each command that is about something else than keys. Where its
// replies become many bytes, or what it holds in memory, it is committed in parts. A
// value that is too large to hold back is read again, alone, when the writes before it
// are committed. A command whose write the Store refuses fails alone: the others are run
// once more, without it, which no client can tell from a pipeline that arrived in pieces;
// likewise where the Store has no transaction over all keys of the group (CROSSSLOT).
//
// A Store may run a transaction several times: what a command does beside its writes is
// its reply, and that is taken back before.
//
// KEYS, SCAN, RANDOMKEY, DBSIZE, FLUSHDB, FLUSHALL and logins are no part of a
// transaction. Between MULTI and EXEC they split the block: what is before them is
// committed before they run, and what is behind them is a transaction of its own.
//
// # Permissions
//
// Admit is the one place where a request is checked: the command, each key with what
// the request does to it (the database of COPY and MOVE included), and the databases
// that FLUSHDB and FLUSHALL empty or DBSIZE counts. Names that KEYS, SCAN and RANDOMKEY
// return are checked one by one.
package exec
