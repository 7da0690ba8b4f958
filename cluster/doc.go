// Package cluster is where the replicated store on the lsm engine will live.
//
// So far there are three rooms of it. Two are pure: hlc, the hybrid logical clock, and
// vclock, version vectors, siblings and context tokens. The third, replica, is the data
// of one node: versioned records of buckets in partitions on the engine.
package cluster
