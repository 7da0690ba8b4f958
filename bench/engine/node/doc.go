// Package node is the engine that is a node of Ringwood, used through its Go client,
// cluster/client, as programs use it: over HTTP.
//
//	kind := node.Kind(engine.Remote{Name: "node", URL: "http://localhost:8379/available"})
//	e, err := kind.Open(engine.Config{Connections: 50})
//
// A store is a bucket. A read is Get, a write Put without a context, which replaces what
// there is, a delete Delete, a batch of writes one Batch that is atomic. Beside what is
// measured, the client asks for the status and the settings of the node, as far as it may,
// and empties the bucket.
//
// There are at most so many connections as the Config says, which are made when they are
// needed, and each has one call at a time, with TLS too: the client speaks HTTP/1.1.
// The client repeats nothing here: a measurement must not hide what it sees. An answer that
// takes longer than Remote.Timeout is an error.
//
// A password without a user is a token.
package node
