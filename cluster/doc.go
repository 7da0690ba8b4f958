// Package cluster is where the replicated store on the lsm engine will live.
//
// It holds no code yet: the engine comes first. The module exists so that the
// workspace, its import rules and its checks are in place from the start.
package cluster
