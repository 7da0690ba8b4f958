// Package resp is the server that Redis clients talk to: connections, their limits and
// their commands, on a store that implements exec.Store.
//
//	srv := resp.New(store, resp.Options{Access: users, Logger: logger})
//	go srv.Serve(listener)
//	…
//	err := srv.Shutdown(ctx)
//
// It is put together from rooms of its own:
//
//	socket     connections, and which of them are ready
//	wire       requests and replies as bytes
//	command    the table: names, arities, keys, flags
//	exec       the commands on strings and keys, groups and transactions
//	resp       listeners, connections, the commands about them, INFO and CONFIG
//
// # A connection
//
// Each connection has one goroutine, which reads what has arrived, runs the requests in
// order and writes the replies when there is nothing more to run. Connections are served
// in the order in which their requests came, see package socket; those that are ready
// run first, and then all of their replies are written in a row. Nothing is read while
// replies wait to be written: a client that does not read stops being served, and the
// memory it costs is what is described under limits. What a pipeline writes is
// committed together, see package exec.
//
// Every request goes the same way, in the order of Redis: is there such a command, is
// the number of arguments right, may a client use it that has not logged in, may this
// user use it with these keys (exec.Session.Admit, for each command that runs and each
// that MULTI keeps, and again at EXEC), and then it is kept or runs.
//
// # Limits
//
// Connections are counted in all, for each address, and before they have logged in; one
// too many is told so and closed. One goroutine looks at all connections several times
// a second and closes those that have been idle, logging in, sending one request or
// not reading a reply for too long. So a timeout costs a connection nothing, and fires
// up to a fifth of a second late.
//
// The bytes of requests that have arrived in part, commands that MULTI keeps, large
// values in flight, what a transaction reads and computes, and held replies are charged
// to one budget for all connections, and the replies that one client has waiting are
// limited on their own. Small amounts, up to about 128 KiB for a connection, are not
// charged. A request that finds the budget used up ends its connection with an error; a
// value that does is answered with -OOM.
//
// How long a value is shows when it has been read, also where only its length is asked
// for. So no more values are read at a time, over all connections, than the budget has
// room for if each is as long as possible: MaxMemory over MaxValue, 4 to 64.
//
// # Ending
//
// Shutdown accepts no more, answers what arrives within a short grace, commits, flushes
// and closes. What a client gets no answer to may have happened or not, as always.
//
// # Secrets
//
// Neither the logger nor the hook for slow commands gets values, passwords or
// arguments other than the first key.
package resp
