// Package cluster is a replicated store on the lsm engine. So far it is the node: a ring
// of one, whose records are versioned already, so that other nodes can be added without
// changing what is stored.
//
// Rooms, ground floor first; no import runs upward:
//
//	vclock     dotted version vectors, siblings, context tokens                (pure)
//	hlc        a hybrid logical clock                                          (pure)
//	access     users, roles, scopes, and the check of every operation          (pure)
//	replica    the data of one node: partitions, records, buckets, on lsm      (no goroutines)
//	resp       the server that Redis clients talk to, on any exec.Store
//	httpapi    the HTTP API, on any httpapi.Store
//	client     the Go client, over the HTTP API
package cluster
