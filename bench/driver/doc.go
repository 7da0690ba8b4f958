// Package driver performs the calls of a workload from a number of goroutines, in a
// closed or an open loop, and measures them.
//
// In a closed loop each worker starts a call when its last one has returned: that
// gives the capacity. Latencies in a closed loop leave out what would have waited:
// while one call hangs, nobody else is sent. In an open loop calls start by a
// schedule, at a rate, whatever happens to those before; the latency of a call counts
// from when it was due, so a pause shows in every call that it held up ("coordinated
// omission", Gil Tene). How late the driver itself was is measured and reported.
//
// Workers make their keys and values inside of Do: the little time this takes is part
// of the latency, and the engine "noop" shows how much it is.
//
// The package knows nothing of engines or of what a call does.
package driver
