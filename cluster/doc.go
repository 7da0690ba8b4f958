// Package cluster is where the replicated store on the lsm engine will live.
//
// Its rooms are built one after the other. So far there is resp, what Redis clients
// speak: the protocol, the table of commands and their arguments, without a store
// behind them.
package cluster
