// Package cluster is where the replicated store on the lsm engine will live.
//
// Its rooms are built one after the other. So far there is resp, the server that Redis
// clients talk to: the protocol, the table of commands, their execution on a store that
// is yet to come, and the connections.
package cluster
