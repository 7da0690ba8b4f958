// Package cluster is where the replicated store on the lsm engine will live.
//
// So far there are two rooms of it, both pure: hlc, the hybrid logical clock, and vclock,
// version vectors, siblings and context tokens.
package cluster
