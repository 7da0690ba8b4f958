// Package resp is the engine that is a server over RESP, the protocol of Redis: kvnode,
// redis-server, or another one that speaks it.
//
//	kind := resp.Kind(engine.Remote{Name: "redis", URL: "resp://localhost:6379/3"})
//	e, err := kind.Open(engine.Config{Connections: 50, Pipeline: 16})
//
// # What is sent
//
// The protocol is RESP2. A read is GET, a write SET, a delete DEL, a batch of writes MSET
// (with deletes among them, MULTI and EXEC). Beside what is measured, over connections of
// their own: ECHO, INFO, CONFIG GET, DBSIZE and FLUSHDB. Connections begin with AUTH and
// SELECT where the URL asks for that.
//
// # Connections and pipelines
//
// A store has a fixed number of connections, made when it is opened. Without a pipeline a
// call has a connection to itself: it writes, and reads the reply, in the goroutine of the
// caller. With a pipeline of depth N up to N calls share a connection; what they write
// goes out together, and a goroutine of the connection hands out the replies: those who
// got one before the next read, but at most half of a pipeline, have their next commands
// written at once. So a pipeline is filled by N callers, each of which waits for its
// own reply, as N clients behind a proxy would: a call that depends on another's answer
// (read the row, then write it) is measured like any other, and an open loop needs nothing
// special. A caller that finds no free place makes one more connection.
//
// # Failures
//
// There is no retry and no reconnect: a measurement must not hide what a client sees. A
// connection that broke, a server that is silent for longer than Remote.Timeout (up to
// twice that in a pipeline) and a reply that is no RESP, or not one that the command has,
// end the call with an error, and with it the connection: all later calls over it fail in
// the same way. An error reply is a *ReplyError; the connection stays.
//
// Replies have no numbers, so that a reply too many, or one too few that another follows,
// would be taken for the next call's. A reply that nobody waits for is an error as soon as
// it is seen, and Check sends an ECHO over each connection, whose answer must be its own.
//
// Lengths from the wire are limited (a string has at most 512 MiB, a line 64 KiB), and
// memory is taken as the bytes arrive.
//
// # Passwords
//
// Errors of this package do not have the password, also not where a server repeats it.
package resp
