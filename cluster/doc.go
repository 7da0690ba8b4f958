// Package cluster is a replicated store on the lsm engine. So far it is the node: a ring
// of one, whose records are versioned already, so that other nodes can be added without
// changing what is stored.
//
// # Use
//
//	n, err := cluster.Open(ctx, cluster.Options{
//		Dir:     "data",
//		RESP:    cluster.Listen{Addr: "127.0.0.1:6379"},
//		HTTP:    cluster.Listen{Addr: "127.0.0.1:8379"},
//		Handler: func(n *cluster.Node) http.Handler { return … },
//	})
//	go func() { <-signals; _ = n.Shutdown(ctx) }()
//	err = n.Serve()                         // until it is shut down
//	err = errors.Join(err, n.Shutdown(ctx)) // waits for the one that is under way
//
// A Node is the store, the server for Redis clients, users, upkeep and what an operator
// wants to know. It serves HTTP by a handler that the program makes, of NewAPI, which is
// all that is below /v1/, and of what else it has: health, metrics.
//
// # Rooms
//
// Ground floor first; no import runs upward:
//
//	vclock               dotted version vectors, siblings, context tokens              (pure)
//	hlc                  a hybrid logical clock                                        (pure)
//	ring                 partitions, and which nodes are to hold them                  (pure)
//	paxos                a register that a majority of its voters keeps: CASPaxos      (pure)
//	access               users, roles, scopes, and the check of every operation        (pure)
//	replica              the data of one node: partitions, records, buckets, on lsm    (no goroutines)
//	resp                 the server that Redis clients talk to, on any exec.Store
//	httpapi              the API over HTTP, on any Store; wire, what it and clients say
//	client               the Go client, over HTTP
//	internal/respstore   the replica as the store of RESP
//	internal/httpnode    the replica as the store of HTTP
//	internal/respaccess  access as the RESP server asks for it
//	internal/hotkeys     which keys are used most
//	cluster              assembles a node
//
// # Invariants
//
//  1. What was acknowledged has survived what its bucket promises: a power cut at Sync,
//     the death of the process at OS. Shutdown and Close make all of it durable.
//  2. Which bucket a database of RESP is, and the key of context tokens, are decided when
//     the store is made, and never change.
//  3. Users are on disk before they count. What is taken from a user holds for the next
//     command of every session; sessions that are over are closed.
//  4. A node never listens where other machines reach it without TLS and users, unless
//     Options.Insecure says so: not at the start, and not by deleting the last user.
//  5. Each goroutine is waited for by Shutdown.
//
// # Failures
//
// After a failed sync the engine takes no more writes until the node is started again,
// and Ready says so; reads go on. While the disk is full, writes fail and Ready says so;
// writing goes on by itself. Damage fails the requests that meet it, is counted in
// Metrics and logged; a walk over all records, a thousand a second and again an hour
// after its end, finds what nobody asks for. Live is about the process alone.
//
// Open fails where it cannot be right to go on, and its errors say what to do. Files of
// TLS that cannot be read later leave those of before in use.
package cluster
